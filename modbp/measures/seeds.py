"""Randomness that belongs to an image or a layer: batch and order change nothing."""

import hashlib
from numbers import Integral

import torch

from modbp.errors import check_option

__all__ = ["generator", "per_image"]


def generator(seed, purpose, content=b""):
    """Return a CPU generator whose seed is made of a seed, a purpose and a content."""
    whole = isinstance(seed, Integral) and not isinstance(seed, bool)
    check_option("seed", seed, lambda _: whole, "give a whole number, as in 0.")
    digest = hashlib.sha256(f"{seed} {purpose} ".encode() + content).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))


def per_image(x, seed, purpose):
    """Return a generator for every image ``[N, …]``, seeded by what the image shows."""
    contents = (each.cpu().float().contiguous().numpy().tobytes() for each in x)
    return [generator(seed, purpose, content) for content in contents]
