"""Randomness that belongs to an image or a layer: batch and order change nothing."""

import hashlib
from numbers import Integral

import torch

from modbp.errors import check_option

__all__ = ["generator", "per_image"]


def generator(seed, purpose, content=b""):
    """Return a generator whose seed is made of these.

    Parameters
    ----------
    seed : int
        The seed that is common to all.
    purpose : str
        What is drawn, such as a layer's name: another one gives other draws.
    content : bytes
        What it is drawn for.

    Returns
    -------
    torch.Generator
        On the CPU.
    """
    check_option("seed", seed, _is_whole, "give a whole number, as in 0.")
    digest = hashlib.sha256(f"{seed} {purpose} ".encode() + content).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))


def per_image(x, seed, purpose):
    """Return a generator for every image, seeded by what the image shows.

    Parameters
    ----------
    x : torch.Tensor
        ``[N, …]`` images.
    seed : int
        The seed that is common to all images.
    purpose : str
        As for :func:`generator`.

    Returns
    -------
    list of torch.Generator
        `N` of them.
    """
    contents = (each.cpu().float().contiguous().numpy().tobytes() for each in x)
    return [generator(seed, purpose, content) for content in contents]


def _is_whole(value):
    return isinstance(value, Integral) and not isinstance(value, bool)
