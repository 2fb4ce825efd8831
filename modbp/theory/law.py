"""A law with a proof: how much one random layer of column sums one contracts.

Let the columns a of A be independent, each with exchangeable entries of sum one, and d
a vector of sum zero. Then E a = 1/N' in every entry, N' being the number of rows, the
mixed terms of E‖A d‖² = Σ_jk d_j d_k E⟨a_j, a_k⟩ add up to -‖d‖²/N', and

    E‖A d‖² = (E‖a‖² - 1/N') ‖d‖².
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

from modbp.errors import check_number, check_option, check_whole
from modbp.theory.arrays import as_vector

__all__ = ["contraction_law", "expectation_bound"]


def contraction_law(rows: int, cv2: float, columns: str = "dirichlet") -> float:
    r"""Return by which factor a random layer shrinks ‖d‖² on average, d of sum zero.

    .. math:: f = \frac{\mathsf E\|Ad\|^2}{\|d\|^2} = \mathsf E\|a\|^2-\frac1{N'}
              = \frac{\operatorname{cv}^2(a)}{N'}

    for independent columns a with exchangeable entries of sum one. This is exact, for
    every size. Columns of a symmetric Dirichlet distribution are independent Gamma
    weights of some cv², divided by their sum; for them

    .. math:: f = \Bigl(1-\frac1{N'}\Bigr)\frac{\mathrm{cv}^2}{N'+\mathrm{cv}^2} .

    >>> round(modbp.theory.contraction_law(4, 1), 12)
    0.15

    Parameters
    ----------
    rows : int
        N', the length of a column.
    cv2 : float
        Squared coefficient of variation, in [0, ∞]: of the weights before each column
        is divided by its sum, 1/α for the Dirichlet distribution with parameter α; or,
        with "exchangeable", of the entries of the columns themselves, at most N' - 1.
    columns : {"dirichlet", "exchangeable"}
        What is known of their distribution.

    Returns
    -------
    float : In [0, 1 - 1/N'].
    """
    check_whole("rows", rows, 1)
    remedy = "choose 'dirichlet' or 'exchangeable'."
    known = isinstance(columns, str) and columns in ("dirichlet", "exchangeable")
    check_option("columns", columns, lambda _: known, remedy)
    if columns == "dirichlet":
        check_number("cv2", cv2, lambda c: c >= 0, "give a cv² that is not negative.")
        cv2 = (rows - 1) / (rows / float(cv2) + 1) if cv2 else 0.0
    else:
        remedy = f"for {rows} entries of sum one it is from 0 to {rows - 1}."
        check_number("cv2", cv2, lambda c: 0 <= c <= rows - 1, remedy)
    return float(cv2 / rows)


def expectation_bound(rows: int, factors: Iterable[float] | ArrayLike) -> float:
    r"""Return a bound on the mean of 1 - cos for any two outputs of a random chain.

    .. math:: \mathsf E(1-\cos) \le \frac{2T}{1+T} \le m\prod_k f_k,\qquad
              T = \frac m2\prod_k f_k

    for independent A_1, …, A_n with factors f_k as `contraction_law` has them, and m
    rows of A_1. Two outputs start at ‖d‖² = 2, so that
    :math:`\mathsf E\|u-v\|^2 = 2\prod f_k`; as in `sharp_bound`,
    :math:`\tan^2(\theta/2) \le \frac m4\|u-v\|^2`; and 1 - cos is concave in it.

    >>> round(modbp.theory.expectation_bound(4, [0.15, 0.15]), 6)
    0.086124

    Parameters
    ----------
    rows : int
        m, the length of the explanations.
    factors : iterable of float
        f_1, …, f_n.

    Returns
    -------
    float : In [0, 2). It speaks about a pair that is chosen beforehand, not the widest.
    """
    check_whole("rows", rows, 1)
    factors = as_vector(factors, "factors")
    check_option(
        "factors", factors, lambda f: f.min() >= 0, "give factors of 0 or more."
    )
    T = rows / 2 * np.prod(factors)
    return float(2 * T / (1 + T))
