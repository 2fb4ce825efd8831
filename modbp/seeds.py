"""Randomness that belongs to an image: batch size and order change nothing."""

import hashlib

import torch

__all__ = ["per_image"]


def per_image(x, seed, purpose):
    """Return a generator for every image, seeded by what the image shows.

    Parameters
    ----------
    x : torch.Tensor
        ``[N, …]`` images.
    seed : int
        The seed that is common to all images.
    purpose : str
        What is drawn, such as a layer's name: another one gives other draws.

    Returns
    -------
    list of torch.Generator
        `N` of them, on the CPU.
    """
    generators = []
    for picture in x:
        content = picture.cpu().float().contiguous().numpy().tobytes()
        digest = hashlib.sha256(f"{seed} {purpose} ".encode() + content).digest()
        number = int.from_bytes(digest[:7], "big")
        generators.append(torch.Generator().manual_seed(number))
    return generators
