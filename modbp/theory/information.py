"""What an explanation still tells about the class, in bits.

A non-negative explanation, its columns scaled to sum one, is a noisy channel: from the
class to a pixel that is drawn in proportion to relevance.
"""

from collections.abc import Iterable

import numpy as np
from numpy.polynomial.polynomial import polyval
from numpy.typing import ArrayLike

from modbp.errors import check_option
from modbp.theory.arrays import as_chain, as_vector
from modbp.theory.chains import SUM_TOLERANCE, conserving, differences, gauge
from modbp.theory.contraction import dobrushin

__all__ = ["bits", "bits_bound"]


def bits(mats: Iterable[ArrayLike], prior: ArrayLike | None = None) -> float:
    r"""Return the mutual information between class and pixel, in bits.

    .. math:: I = \sum_c p_c\sum_i q_{ic}\,\log_2\frac{q_{ic}}{q_i},\qquad
              q_i = \sum_c p_c\,q_{ic}

    with q_c the column c of the product M_n, divided by its sum: who sees one pixel,
    drawn in proportion to the relevance of an unknown class, learns I bits about that
    class on average. Scaling columns changes nothing, nor does the order of classes.

    >>> modbp.theory.bits([[[1, 0], [1, 2]]], prior=[0.5, 0.5])
    0.31127812445913283

    Parameters
    ----------
    mats : iterable of array_like
        Non-negative, no zero columns, sizes fit; ``[maps]``, with one column
        ``[pixels]`` for each class, measures given explanations.
    prior : array_like, optional
        ``[classes]``, the probability of each class; left out, all the same.

    Returns
    -------
    float
        From 0, where all columns are parallel, to the entropy of the class, log₂ C for
        C classes of equal probability, where no two columns overlap. Of chains, numbers
        far below 1e-16 are right too, as differences of columns are propagated.
    """
    mats, p = _channel(mats, prior)
    mats[-1], p = mats[-1][:, p > 0], p[p > 0]
    # Also where sums are nearly one: what they miss would be taken for information.
    mats = gauge(mats)
    Q = mats[0]
    for A in mats[1:]:
        Q = Q @ A
    q = Q @ p
    seen = q > 0
    Q, q = Q[seen], q[seen, None]
    # Where q_ic is far from q_i, from the product; where near, from its differences.
    *_, (_, G, log_scale) = differences(mats)
    G = G[seen]
    x = Q / q - 1
    near = np.exp(log_scale) * (G - (G @ p)[:, None]) / q
    x = np.where(np.abs(x) > 1e-6, x, near)
    # Rounding must not leave what the class has.
    return min(float(np.sum(q * _excess(x) * p) / np.log(2)), _entropy(p))


def bits_bound(mats: Iterable[ArrayLike], prior: ArrayLike | None = None) -> float:
    r"""Return a bound on `bits`: what the layers let through of the choice of a class.

    .. math:: I(\text{class};\text{pixel}) \le H(\text{class})\,\prod_k\delta(A'_k)

    with H the entropy of the prior in bits. Each layer, brought to column sums one by
    `gauge`, is a channel, and a channel keeps at most the share δ of any information: a
    strong data-processing inequality (Y. Polyanskiy and Y. Wu, Strong data-processing
    inequalities for channels and Bayesian networks, 2017).

    >>> modbp.theory.bits_bound([[[0.5, 0.25], [0.5, 0.75]]] * 3)
    0.015625

    Parameters
    ----------
    mats, prior : As in `bits`.

    Returns
    -------
    float : In [0, log₂ C] for C classes.
    """
    mats, p = _channel(mats, prior)
    mats[-1], p = mats[-1][:, p > 0], p[p > 0]
    return _entropy(p) * float(np.prod([dobrushin(A) for A in conserving(mats)]))


def _entropy(p):
    """Return the bits in a choice with these positive probabilities."""
    return max(float(-np.sum(p * np.log2(p))), 0.0)


def _channel(mats, prior):
    """Return the chain and the probabilities of the classes, its last columns."""
    mats = as_chain(mats, nonnegative=True, no_zero_column=True)
    classes = mats[-1].shape[1]
    if prior is None:
        return mats, np.full(classes, 1 / classes)
    p = as_vector(prior, "prior")
    fits = len(p) == classes and p.min() >= 0 and abs(p.sum() - 1) <= SUM_TOLERANCE
    remedy = f"give {classes} probabilities that sum to one, one for each class."
    check_option("prior", prior, lambda _: fits, remedy)
    return mats, p


def _excess(x):
    """Return (1 + x) log(1 + x) - x, at least 0, without cancellation at small x."""
    k = np.arange(2, 10)
    series = np.concatenate([[0, 0], (-1.0) ** k / (k * (k - 1))])
    small = np.abs(x) < 0.01
    y = np.where(small, 0, x)
    large = (1 + y) * np.log1p(np.where(y > -1, y, 0)) - y
    return np.where(small, polyval(np.where(small, x, 0), series), large)
