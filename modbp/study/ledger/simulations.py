"""Measurements on random chains, most of them shaped like VGG-16."""

from dataclasses import replace

import numpy as np
from scipy import stats

from modbp import theory

__all__ = [
    "float32_floor",
    "measured_limit",
    "robustness",
    "without_absolute_value",
]


def float32_floor(below=2e-7, seed=0):
    """Return after how many multiplications float32 cannot tell directions apart.

    Parameters
    ----------
    below : float
        What counts as the floor.
    seed : int
        Of the chain shaped like VGG-16.

    Returns
    -------
    int
        The last of the stochastic, positive and non-negative chains.
    """
    names = ("stochastic", "positive", "non-negative")
    chosen = {name: theory.VARIANTS[name] for name in names}
    found = theory.simulate(chosen, repetitions=1, seed=seed, dtype=np.float32)
    return max(int(np.flatnonzero(curve[0] < below)[0]) for curve in found.values())


def measured_limit(width, step=0.5, slow=0.05, seed=1):
    """Return the β from which square αβ-chains no longer converge.

    Parameters
    ----------
    width : int
        Of all layers.
    step : float
        Of the grid of β.
    slow : float
        Decades per multiplication that no longer count as converging.
    seed : int
        Of the matrices.

    Returns
    -------
    float
        The smallest β of the grid whose late slope is below `slow`.
    """
    lines = theory.Protocol(True, True, False, np.median)
    betas = np.arange(1, 13, step)
    curves = theory.simulate(
        theory.alpha_beta_variants(betas),
        widths=[width] * 25,
        vectors=16,
        repetitions=4,
        seed=seed,
        protocol=lines,
    )
    for beta, curve in zip(betas, curves.values(), strict=True):
        decades = np.log10(np.maximum(np.median(curve, axis=0), 1e-16))
        late = np.flatnonzero(decades > -13)[-1]
        first = late // 2
        if (decades[first] - decades[late]) / (late - first) < slow:
            return beta
    return np.inf


def robustness(what, repetitions=2, seed=0):
    """Compare the 2020 code's statistic of figure 7 with three others, at full size.

    They are the median and the minimum of ``|cos|``, and the mean without the cosine of
    each vector with itself.

    Parameters
    ----------
    what : {"order", "shift"}
        The smallest Spearman correlation of the curves' order after five
        multiplications; or the largest distance in decades, where neither value is
        rounding.
    repetitions, seed : int
        Of the simulation.

    Returns
    -------
    float
    """
    code = theory.PROTOCOLS["code"]
    others = [
        replace(code, statistic=np.median),
        replace(code, statistic=np.min),
        replace(code, diagonal=False),
    ]
    base, *found = (
        _medians(protocol, repetitions, seed) for protocol in (code, *others)
    )
    if what == "order":
        return min(stats.spearmanr(base[:, 5], x[:, 5]).statistic for x in found)
    shifts = []
    for other in found:
        usable = (base > 1e-12) & (other > 1e-12)
        shifts.append(np.abs(np.log10(base[usable] / other[usable])).max())
    return max(shifts)


def _medians(protocol, repetitions, seed):
    variants = theory.VARIANTS | theory.alpha_beta_variants()
    found = theory.simulate(
        variants, protocol=protocol, repetitions=repetitions, seed=seed
    )
    return np.array([np.median(curve, axis=0) for curve in found.values()])


def without_absolute_value(seed=0):
    """Return what is left of the positive chain's similarity if signs count.

    Parameters
    ----------
    seed : int
        Of the chain shaped like VGG-16, with the code's signed starts.

    Returns
    -------
    float
        The mean cosine after the last multiplication.
    """
    protocol = replace(theory.PROTOCOLS["code"], absolute=False)
    chosen = {"positive": theory.VARIANTS["positive"]}
    found = theory.simulate(chosen, protocol=protocol, repetitions=1, seed=seed)
    return 1 - found["positive"][0, -1]
