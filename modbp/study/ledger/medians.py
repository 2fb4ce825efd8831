"""One number out of stored medians of CSC and of SSIM."""

import numpy as np
from scipy import stats

__all__ = ["decades", "rank_correlation", "rank_of_settings"]


def decades(above, below, layers=1):
    """Return by how many decades the distance of a cosine from one falls per layer.

    Parameters
    ----------
    above, below : float
        Median CSC, less than one, at a layer and further down.
    layers : int
        How many layers with weights are between both.

    Returns
    -------
    float
        Positive if the cosine rises towards one.
    """
    return np.log10((1 - above) / (1 - below)) / layers


def rank_correlation(table, other, start, layer):
    """Return Spearman's correlation between the medians of two tables of CSC.

    Parameters
    ----------
    table, other : dict
        ``results`` of two CSC experiments; methods that both have are compared.
    start, layer : str
        Where relevance enters and is read.

    Returns
    -------
    float
    """
    both = [name for name in table if name in other]
    medians = (
        [found[name][start][layer]["median"] for name in both]
        for found in (table, other)
    )
    return stats.spearmanr(*medians).statistic


def rank_of_settings(table):
    """Return Spearman's correlation between both settings of SSIM, over methods.

    Parameters
    ----------
    table : dict
        ``results`` of a random-logit experiment.

    Returns
    -------
    float
    """
    medians = (
        [entry["stages"]["random logit"][kind]["median"] for entry in table.values()]
        for kind in ("ssim", "corrected")
    )
    return stats.spearmanr(*medians).statistic
