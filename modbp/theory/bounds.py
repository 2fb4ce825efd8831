"""What the coefficients of its layers prove about the widest angle of a chain."""

from collections.abc import Iterable
from fractions import Fraction
from numbers import Rational

import numpy as np
from numpy.typing import ArrayLike

from modbp.errors import check_option, check_whole
from modbp.theory.arrays import as_chain, as_list
from modbp.theory.chains import conserving, products
from modbp.theory.contraction import birkhoff, dobrushin, euclidean

__all__ = ["attained", "sharp_bound", "theorem_b_bound", "theorem_c_bound"]


def sharp_bound(mats: Iterable[ArrayLike], norm: str = "dobrushin") -> float:
    r"""Return the sharp bound on the tangent of half the widest angle.

    .. math:: \tan\tfrac{\theta_n}2 \le t := \sqrt{\tfrac m2}\,\prod_{k\le n}\delta(A_k)
              \qquad\text{or}\qquad
              \tan\tfrac{\theta_n}2 \le t := \sqrt{\tfrac m2}\,\prod_{k\le n}\sigma(A_k)

    with m the number of rows of A_1, and :math:`\cos\theta_n = s_n`. With δ it is
    attained for every m ≥ 2 and n, by `attained`.

    Columns u, v of the product lie in the plane of sum one, which has the distance 1/√m
    from the origin. So the triangle of 0, u, v has a height D ≥ 1/√m, and its base is
    :math:`\|u-v\| = D(\tan\alpha+\tan\beta) \ge 2D\tan(\theta/2)` for angles of
    α + β = θ. And :math:`\|u-v\| \le \sqrt2\,\prod\delta`, as u - v sums to zero. No
    sign is asked for.

    A chain whose columns sum to one is taken as it is, with any signs. Any other has to
    be non-negative, and is brought there by `gauge`, the matrices of LRP-z⁺, which
    changes no angle.

    >>> modbp.theory.sharp_bound([[[0.5, 0.25], [0.5, 0.75]]] * 3)
    0.015625

    Parameters
    ----------
    mats : iterable of array_like
        Column sums one with any signs, or non-negative without zero columns.
    norm : {"dobrushin", "euclidean"}
        The coefficient: δ shows that non-orthogonal columns suffice, σ is the sharper
        one for wide layers.

    Returns
    -------
    float
        t, at least 0; from 1 on it says nothing about non-negative chains, whose angles
        are at most 90°. Float64 ends at 1e-308. As a bound on 1 - s_n, beside what
        `gaps` measures, it is `theorem_b_bound`.
    """
    coefficients = {"dobrushin": dobrushin, "euclidean": euclidean}
    remedy = f"choose one of {', '.join(coefficients)}."
    check_option(
        "norm", norm, lambda n: isinstance(n, str) and n in coefficients, remedy
    )
    mats = conserving(mats)
    factors = [coefficients[norm](A) for A in mats]
    return float(np.sqrt(len(mats[0]) / 2) * np.prod(factors))


def attained(rows: int, deltas: Iterable[Fraction]) -> list[np.ndarray]:
    r"""Return a chain for which `sharp_bound` is an equality, in fractions.

    .. math::
        A_1 = \frac1m\mathbf 1\mathbf 1^\top + \frac{\delta_1}2\,(e_1-e_2)(1,-1),
        \qquad A_k = \frac12\begin{pmatrix}1+\delta_k & 1-\delta_k\\
        1-\delta_k & 1+\delta_k\end{pmatrix}

    The two columns of every product keep equal lengths, their mean stays uniform and
    their difference in two entries: all inequalities of the proof are equalities.

    >>> modbp.theory.attained(3, ["1/2", "1/3"])[0]
    array([[Fraction(7, 12), Fraction(1, 12)],
           [Fraction(1, 12), Fraction(7, 12)],
           [Fraction(1, 3), Fraction(1, 3)]], dtype=object)

    Parameters
    ----------
    rows : int
        m, at least 2.
    deltas : iterable of fractions.Fraction, int or str
        δ(A_1), δ(A_2), …, in [0, 1]; the first at most 2/m, which keeps A_1
        non-negative.

    Returns
    -------
    list of numpy.ndarray
        A_1, ``[rows, 2]``, and A_2, …, ``[2, 2]``: fractions, columns sum to one.
    """
    check_whole("rows", rows, 2, 10_000)
    deltas = as_list(deltas, "deltas")
    remedy = "give fractions from 0 to 1, as in ['1/2', '1/3'], the first at most 2/m."

    def fit(deltas):
        known = all(isinstance(d, (Rational, str)) for d in deltas)
        limits = [Fraction(2, int(rows)), *[1] * (len(deltas) - 1)]
        bounds = zip(map(Fraction, deltas), limits, strict=True)
        return known and deltas and all(0 <= d <= limit for d, limit in bounds)

    check_option("deltas", deltas, fit, remedy)
    swing, out = np.array([[1, -1], [-1, 1]], dtype=object), []
    for size, delta in zip([int(rows)] + [2] * len(deltas), deltas, strict=False):
        A = np.full((size, 2), Fraction(1, size), dtype=object)
        A[:2] += Fraction(delta) / 2 * swing
        out.append(A)
    return out


def theorem_b_bound(mats: Iterable[ArrayLike], norm: str = "dobrushin") -> float:
    r"""Return Theorem B's bound on 1 - s_n for a chain that conserves relevance.

    .. math:: 1-s_n \le \frac{2t^2}{1+t^2},\qquad
              t = \sqrt{\tfrac m2}\,\prod_{k\le n}\delta(A_k)

    This is `sharp_bound` in the terms of `gaps`, with σ in the place of δ if asked.

    >>> round(modbp.theory.theorem_b_bound([[[0.5, 0.25], [0.5, 0.75]]] * 2), 6)
    0.007782

    Parameters
    ----------
    mats, norm : As in `sharp_bound`.

    Returns
    -------
    float : In [0, 2); from 1 on it says nothing about non-negative chains.
    """
    return _gap(sharp_bound(mats, norm))


def theorem_c_bound(mats: Iterable[ArrayLike], block: int = 1) -> float:
    r"""Return Theorem C's bound on 1 - s_n for a non-negative chain.

    .. math:: \tan\tfrac{\theta_n}2 \le t := \prod_{\text{blocks}}\tau(\text{block}),
              \qquad 1-s_n \le \frac{2t^2}{1+t^2}

    >>> round(modbp.theory.theorem_c_bound([[[2, 1], [1, 2]]]), 4)
    0.2

    Parameters
    ----------
    mats : iterable of array_like
        Non-negative, no zero columns, sizes fit.
    block : int
        How many neighbouring factors are multiplied before τ is taken. Zeros make τ =
        1, so layers must be grouped until their product is positive.

    Returns
    -------
    float : In [0, 1].
    """
    mats = as_chain(mats, nonnegative=True, no_zero_column=True)
    check_whole("block", block, 1)
    starts = range(0, len(mats), block)
    return _gap(np.prod([birkhoff(products(mats[k : k + block])[-1]) for k in starts]))


def _gap(t):
    """Return 1 - cos θ where t = tan(θ/2)."""
    return float(2 * t**2 / (1 + t**2))
