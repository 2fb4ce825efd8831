"""Percentiles of more numbers than fit into memory, exactly."""

import math

import numpy as np

__all__ = ["describe"]


def describe(parts, percentiles, bins):
    """Return mean, percentiles and histogram of numbers that come in parts.

    The bits of non-negative float32 numbers are ordered as the numbers are. A first
    look counts their upper halves, a second one the lower halves of those that hold a
    percentile; what is in memory does not grow with the numbers.

    Parameters
    ----------
    parts : callable
        ``parts()`` yields float32 arrays in [0, 1]; it is called twice. NaN is left
        out.
    percentiles : sequence of float
        Which, in [0, 100], interpolated as `numpy.percentile` does.
    bins : sequence of float
        The edges of the histogram.

    Returns
    -------
    dict
        ``mean``, ``percentiles``, ``histogram`` and ``dropped``, the share of NaN, as
        plain JSON values; mean and percentiles are None if nothing is left.
    """
    upper = np.zeros(2**16, np.int64)
    histogram = np.zeros(len(bins) - 1, np.int64)
    total, sums = 0, []
    for values in parts():
        kept = values[~np.isnan(values)]
        total += values.size
        sums.append(kept.sum(dtype=np.float64))
        histogram += np.histogram(kept, bins)[0]
        upper += np.bincount(_bits(kept) >> 16, minlength=2**16)
    count = int(upper.sum())
    found = {
        "histogram": histogram.tolist(),
        "dropped": (total - count) / max(total, 1),
    }
    if not count:
        return {"mean": None, "percentiles": [None] * len(percentiles), **found}
    ranks = [(count - 1) * (at / 100) for at in percentiles]
    places = sorted({edge for rank in ranks for edge in _neighbours(rank, count)})
    values = dict(zip(places, _at_ranks(parts, upper, places), strict=True))
    return {
        "mean": math.fsum(sums) / count,
        "percentiles": [_between(values, rank, count) for rank in ranks],
        **found,
    }


def _at_ranks(parts, upper, places):
    """Return the numbers at places in the sorted order of all."""
    ends = upper.cumsum()
    wanted = np.searchsorted(ends, places, side="right")
    lower = {half: np.zeros(2**16, np.int64) for half in set(wanted.tolist())}
    for values in parts():
        bits = _bits(values[~np.isnan(values)])
        halves = bits >> 16
        for half, counts in lower.items():
            inside = bits[halves == half] & 0xFFFF
            counts += np.bincount(inside, minlength=2**16)
    for place, half in zip(places, wanted.tolist(), strict=True):
        before = int(ends[half] - upper[half])
        rest = np.searchsorted(lower[half].cumsum(), place - before, side="right")
        yield float(np.uint32((half << 16) | int(rest)).view(np.float32))


def _bits(values):
    # Minus zero is zero, but its bits are those of a large number.
    return (values.astype(np.float32) + np.float32(0)).view(np.uint32)


def _neighbours(rank, count):
    below = math.floor(rank)
    return below, min(below + 1, count - 1)


def _between(values, rank, count):
    low, high = (values[edge] for edge in _neighbours(rank, count))
    part = rank - math.floor(rank)
    # As numpy does, from the nearer end.
    step = high - low
    return low + step * part if part < 0.5 else high - step * (1 - part)
