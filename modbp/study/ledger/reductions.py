"""One number out of stored curves, tables and medians.

A *curve* is one minus the similarity by number of multiplications.
"""

from collections.abc import Sequence

import numpy as np
from scipy import stats

__all__ = ["bend", "count_above", "decades", "difference", "halfway", "largest"]
__all__ += ["largest_beta", "log_ratio", "middle", "monotone", "r_squared"]
__all__ += ["rank_correlation", "shared_start", "slope", "slope_ratio", "smallest"]
__all__ += ["steps_until", "value"]


def halfway(
    *levels: Sequence[float],
    at: Sequence[float],
    log: bool = False,
    each: bool = False,
) -> float:
    """Return where a level is half-way between the first and the last for good.

    Between two places in steps of ``at / (1 + at)``; the median over images, or `each`
    of them.

    Parameters
    ----------
    levels : for every place a value per image
    at : the places, such as γ of LRP-γ
    log : whether what goes half of its way is the logarithm
    """
    table = np.array(levels, float)
    table = np.log(table) if log else table
    share = (table - table[0]) / (table[-1] - table[0])
    steps = np.array(at) / (1 + np.array(at))
    images = np.arange(table.shape[1])
    low = len(at) - 1 - (share[::-1] < 0.5).argmax(0)
    below, above = share[low, images], share[low + 1, images]
    part = (0.5 - below) / (above - below)
    step = steps[low] + part * (steps[low + 1] - steps[low])
    found = step / (1 - step)
    return found if each else float(np.median(found))


def value(found: float) -> float:
    """Return the number that is stored."""
    return found


def largest(*found: float) -> float:
    """Return the largest of several."""
    return max(found)


def smallest(*found: float) -> float:
    """Return the smallest of several."""
    return min(found)


def middle(*found: float) -> float:
    """Return the median of several."""
    return float(np.median(found))


def difference(first: float, second: float) -> float:
    """Return the first minus the second."""
    return first - second


def log_ratio(first: float, second: float) -> float:
    """Return by how many decades the first is larger than the second."""
    return np.log10(first / second)


def count_above(*found: float, line: float) -> int:
    """Return how many are above a line."""
    return sum(each > line for each in found)


def monotone(*found: float) -> float:
    """Return the smallest rise from one to the next: positive if they rise strictly."""
    return min(np.diff(found))


def slope(curve: Sequence[float], first: int, last: int) -> float:
    """Return the decades by which a curve falls per multiplication."""
    return np.log10(curve[first] / curve[last]) / (last - first)


def slope_ratio(
    curve: Sequence[float], other: Sequence[float], first: int, last: int
) -> float:
    """Return the slope of one curve over that of another."""
    return slope(curve, first, last) / slope(other, first, last)


def bend(curve: Sequence[float], at: int) -> float:
    """Return by how many decades less a curve falls after a multiplication."""
    return slope(curve, at - 1, at) - slope(curve, at, at + 1)


def r_squared(*curves: Sequence[float], first: int, last: int) -> float:
    """Return how straight curves are on a logarithmic axis; of several the worst."""
    n = np.arange(first, last + 1)
    found = (np.log10(curve[first : last + 1]) for curve in curves)
    return min(float(np.corrcoef(n, line)[0, 1] ** 2) for line in found)


def steps_until(*curves: Sequence[float], below: float) -> int:
    """Return the multiplication after which curves are below; of several the last."""
    return max(int(np.flatnonzero(np.array(curve) < below)[0]) for curve in curves)


def largest_beta(*ends: float, betas: Sequence[float], below: float) -> float:
    """Return the largest β whose curve ends below a line."""
    return max(beta for beta, end in zip(betas, ends, strict=True) if end < below)


def shared_start(found: float, dimensions: int) -> float:
    """Return how far a value is from what random vectors of few dimensions give.

    The value is one minus the mean absolute cosine of 32 vectors, each also with
    itself; from it the expectation for independent directions is subtracted.
    """
    # E|cos| in d dimensions; 32 of the 528 pairs are a vector with itself.
    d = dimensions
    expected = stats.beta.expect(np.sqrt, args=(0.5, (d - 1) / 2))
    return found - (496 / 528) * (1 - expected)


def decades(above: float, below: float, layers: int = 1) -> float:
    """Return by how many decades the distance of a median CSC from one falls per layer.

    The medians are less than one, `layers` layers with weights are between both.
    """
    return np.log10((1 - above) / (1 - below)) / layers


def rank_correlation(*medians: float) -> float:
    """Return Spearman's correlation between the first half of medians and the other."""
    return stats.spearmanr(*np.split(np.array(medians), 2)).statistic
