"""Where a median would be with other images, and other draws of what is random."""

import numpy as np

__all__ = ["nested"]


def nested(values, groups=None, seed=0, resamples=1000):
    """Return the 95 % interval of a median of values that come in groups.

    Bootstrap in two steps: groups are drawn again, and values in each, so that what
    the values of a group have in common, such as a draw of weights, counts as well. One
    group alone is kept.

    Parameters
    ----------
    values : ``[n]``; NaN where there is none
    groups : ``[n]``, the number of each one's group; one for all if left out

    Returns
    -------
    tuple of two floats; NaN if there is no value
    """
    kept = ~np.isnan(values)
    groups = np.zeros(len(kept)) if groups is None else groups
    values, groups = np.asarray(values, float)[kept], np.asarray(groups)[kept]
    if not values.size:
        return float("nan"), float("nan")
    _, place, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order, first = np.argsort(place, kind="stable"), np.cumsum(sizes) - sizes
    generator = np.random.default_rng(seed)
    if len(sizes) == 1:  # the same draws, all at once
        picks = (generator.random((resamples, len(values))) * len(values)).astype(int)
        medians = np.median(values[picks], axis=1)
    else:
        medians = []
        for _ in range(resamples):
            drawn = generator.integers(len(sizes), size=len(sizes))
            ends = sizes[drawn]
            within = generator.random(ends.sum()) * np.repeat(ends, ends)
            picks = np.repeat(first[drawn], ends) + within.astype(int)
            medians.append(np.median(values[order[picks]]))
    low, high = np.percentile(medians, [2.5, 97.5])
    return float(low), float(high)
