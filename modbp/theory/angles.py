"""The angles between the columns of a matrix."""

from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike

from modbp.errors import InputError
from modbp.theory.arrays import as_exact, as_matrix, directions

__all__ = ["cosines", "min_cosine", "min_cosine_squared", "widest_pair"]


def cosines(M):
    """Return the cosines between all columns, ``[columns, columns]``; none is zero."""
    C = directions(as_matrix(M, "M", no_zero_column=True))
    np.fill_diagonal(C, 1)
    return C


def min_cosine(M: ArrayLike) -> float:
    r"""Return s(M), the cosine of the widest angle between two columns.

    .. math:: s(M) = \min_{i,j} \cos(v_i, v_j)

    This is equation (19) of :cite:t:`sixt2020lie`.

    >>> round(modbp.theory.min_cosine([[3, 4, 1], [4, 3, 0]]), 12)
    0.6

    Parameters
    ----------
    M : array_like
        ``[rows, columns]``, any signs, no zero column.

    Returns
    -------
    float
        In [-1, 1], in [0, 1] if M is non-negative; 1 if all columns are parallel.
        Within 1e-15 of one the digits are rounding: see `gaps`.
    """
    return float(cosines(M).min())


def widest_pair(M):
    """Return the indices of two columns whose angle is the widest, smaller first."""
    C = cosines(M)
    if len(C) < 2:
        raise InputError("M has a single column. A pair needs at least two columns.")
    i, j = np.triu_indices(len(C), k=1)
    widest = C[i, j].argmin()
    return int(i[widest]), int(j[widest])


def min_cosine_squared(M: ArrayLike) -> Fraction:
    r"""Return s(M)² of a non-negative matrix of integers or fractions, exactly.

    .. math:: s(M)^2 = \min_{i,j}\frac{\langle v_i,v_j\rangle^2}{\|v_i\|^2\|v_j\|^2}

    >>> modbp.theory.min_cosine_squared([[1, 1], [0, 2]])
    Fraction(1, 5)

    Parameters
    ----------
    M : array_like of int or fractions.Fraction
        ``[rows, columns]``, non-negative, no zero column; as large as one likes.

    Returns
    -------
    fractions.Fraction : In [0, 1].
    """
    # The sign would be lost in the square, hence the demand.
    M = as_exact(M, "M", nonnegative=True, no_zero_column=True)
    G = M.T @ M
    return min(
        G[i, j] ** 2 / (G[i, i] * G[j, j]) for i in range(len(G)) for j in range(i + 1)
    )
