"""How far two explanations are apart: as directions, and as pictures that are drawn."""

import numpy as np
import torch

from modbp.measures.similarity import cosine, ssim

__all__ = ["LIKENESSES", "changes", "complexity"]

LIKENESSES = ("cosine", "ssim")
# SSIM's window has to fit in.
_LEAST, _BINS = 5, 100


def changes(
    one: torch.Tensor, two: torch.Tensor, maps: tuple, signed: bool, empty: bool = True
) -> dict[str, np.ndarray]:
    """Return one minus each likeness of relevance ``[N, …]``, and where it is equal.

    `signed` says that opposite relevance is not alike. `maps` are both as drawn; their
    SSIM never sees the sign. Where one is zero throughout, nothing is left in common,
    if `empty`; or else there is nothing to compare.
    """
    found = cosine(one.flatten(1), two.flatten(1))
    found = found if signed else found.abs()
    drawn = np.full(len(one), np.nan)
    if min(maps[0].shape[1:]) >= _LEAST:
        drawn = ssim(*maps, paper=False)
    there = [(each != 0).flatten(1).any(1).cpu().numpy() for each in (one, two)]
    lost = there[0] != there[1]
    return {
        "empty": ~(there[0] | there[1]),
        "same": (one == two).flatten(1).all(1).cpu().numpy(),
        "cosine": np.where(lost, 1.0 if empty else np.nan, 1 - found.cpu().numpy()),
        "ssim": np.where(lost, 1.0 if empty else np.nan, 1 - drawn),
    }


def complexity(maps: torch.Tensor) -> np.ndarray:
    """Return the entropy of each map ``[N, H, W]`` as drawn, in bits.

    Of the shares of pixels in a hundred bins of values, as in the efficient test of
    Hedström et al. (2024); a map of one value has none.
    """
    # Only here, so that those who read a result do without drawing.
    from skimage.measure import shannon_entropy

    from modbp.figures import normalise

    bins = np.floor((normalise(maps) + 1) * _BINS / 2).clip(0, _BINS - 1)
    return np.array([shannon_entropy(each, base=2) for each in bins])
