"""Where a statistic would be with other images, and other draws of what is random."""

import numpy as np

__all__ = ["LEVEL", "RESAMPLES", "enough", "nested", "picks"]

# The ends of an interval, as percentiles: 95 % of the draws lie between them.
LEVEL = (2.5, 97.5)
# How often samples are drawn again.
RESAMPLES = 1000
# The share of values that may be missing where the others are summarised.
_MISSING = 0.05


def enough(values):
    """Return whether so few values are missing that the others stand for all."""
    return np.isnan(values).mean() <= _MISSING


def picks(count, groups=None, seed=0, resamples=RESAMPLES):
    """Return which of so many samples each bootstrap draw takes.

    In two steps: groups are drawn again, and samples in each, so that what those of a
    group have in common, such as a draw of weights, counts as well. One group alone is
    kept.

    Parameters
    ----------
    count : how many samples there are
    groups : ``[count]``, the number of each one's group; one for all if left out

    Returns
    -------
    list of arrays of places; of equal lengths if the groups are
    """
    if groups is None:  # all at once, the same numbers
        drawn = np.random.default_rng(seed).random((resamples, count))
        return [*(drawn * count).astype(int)]
    _, place, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order, first = np.argsort(place, kind="stable"), np.cumsum(sizes) - sizes
    generator = np.random.default_rng(seed)
    found = []
    for _ in range(resamples):
        drawn = generator.integers(len(sizes), size=len(sizes))
        ends = sizes[drawn]
        within = generator.random(ends.sum()) * np.repeat(ends, ends)
        found.append(order[np.repeat(first[drawn], ends) + within.astype(int)])
    return found


def nested(values, groups=None, seed=0, resamples=RESAMPLES):
    """Return the 95 % interval of a median of values that come in groups.

    Parameters
    ----------
    values : ``[n]``; NaN where there is none
    groups, seed, resamples : as for :func:`picks`

    Returns
    -------
    tuple of two floats; NaN if there is no value
    """
    kept = ~np.isnan(values)
    values = np.asarray(values, float)[kept]
    if not values.size:
        return float("nan"), float("nan")
    groups = None if groups is None else np.asarray(groups)[kept]
    drawn = picks(len(values), groups, seed, resamples)
    low, high = np.percentile([np.median(values[pick]) for pick in drawn], LEVEL)
    return float(low), float(high)
