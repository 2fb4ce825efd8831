"""The angle between columns, Euclid's and Hilbert's."""

from fractions import Fraction

import numpy as np

from modbp.errors import InputError
from modbp.theory.arrays import as_matrix, as_vector

__all__ = [
    "cosines",
    "hilbert_distance",
    "min_cosine",
    "min_cosine_squared",
    "one_minus_cosine",
    "widest_pair",
]


def cosines(M):
    r"""Return the cosine of the angle between each two columns of a matrix.

    .. math:: C_{ij} = \frac{\langle v_i, v_j\rangle}{\|v_i\|\,\|v_j\|}

    Parameters
    ----------
    M : array_like
        ``[rows, columns]``, any signs, no zero column.

    Returns
    -------
    numpy.ndarray
        ``[columns, columns]``, values in [-1, 1], ones on the diagonal.

    Raises
    ------
    InputError
        If a column is zero, or an entry is not finite.
    """
    M = as_matrix(M, "M", no_zero_column=True)
    # Powers of two leave every bit of the direction alone, and keep the squares of very
    # large or very small entries inside the range of float64.
    unit = np.ldexp(M, -np.frexp(np.abs(M).max(axis=0))[1])
    unit /= np.linalg.norm(unit, axis=0)
    C = np.clip(unit.T @ unit, -1, 1)
    np.fill_diagonal(C, 1)
    return C


def min_cosine(M):
    r"""Return s(M), the cosine of the widest angle between two columns.

    .. math:: s(M) = \min_{i,j} \cos(v_i, v_j)

    Parameters
    ----------
    M : array_like
        ``[rows, columns]``, no zero column.

    Returns
    -------
    float
        In [-1, 1], in [0, 1] if M is non-negative; 1 if all columns are parallel.
        Within 1e-15 of one the digits are rounding: see `gaps`.

    Raises
    ------
    InputError
        If a column is zero, or an entry is not finite.

    References
    ----------
    :cite:t:`sixt2020lie`, equation (19).
    """
    return float(cosines(M).min())


def widest_pair(M):
    """Return the indices of two columns whose angle is the widest.

    Parameters
    ----------
    M : array_like
        ``[rows, columns]``, at least two columns, none of them zero.

    Returns
    -------
    tuple of int
        The smaller index first.

    Raises
    ------
    InputError
        If there is only one column, a column is zero, or an entry is not finite.
    """
    C = cosines(M)
    if len(C) < 2:
        raise InputError("M has a single column. A pair needs at least two columns.")
    i, j = np.triu_indices(len(C), k=1)
    widest = C[i, j].argmin()
    return int(i[widest]), int(j[widest])


def min_cosine_squared(M):
    r"""Return s(M)² of a non-negative matrix of integers or fractions, exactly.

    .. math:: s(M)^2 = \min_{i,j}\frac{\langle v_i,v_j\rangle^2}{\|v_i\|^2\|v_j\|^2}

    Parameters
    ----------
    M : array_like of int or fractions.Fraction
        ``[rows, columns]``, non-negative, no zero column.

    Returns
    -------
    fractions.Fraction
        In [0, 1].

    Raises
    ------
    InputError
        If a column is zero, or an entry is negative.
    """
    M = np.asarray(M, dtype=object)
    # The sign would be lost in the square, hence the demand.
    as_matrix(M, "M", nonnegative=True, no_zero_column=True)
    G = M.T @ M
    return min(
        Fraction(G[i, j] ** 2) / (G[i, i] * G[j, j])
        for i in range(len(G))
        for j in range(i + 1)
    )


def one_minus_cosine(u, v):
    r"""Return 1 - cos of two vectors without subtracting numbers near one.

    .. math:: 1-\cos(u,v) = \tfrac12\,\bigl\|\tfrac{u}{\|u\|}-\tfrac{v}{\|v\|}\bigr\|^2

    Parameters
    ----------
    u, v : array_like
        ``[size]``, not zero.

    Returns
    -------
    float
        In [0, 2]. Down to about 1e-32: below, the rounding of u and v themselves hides
        the angle, and only `gaps` helps.

    Raises
    ------
    InputError
        If sizes differ, a vector is zero, or an entry is not finite.
    """
    u, v = _pair(u, v)
    if not (u.any() and v.any()):
        raise InputError(
            "a zero vector has no angle. Give two vectors with a direction."
        )
    chord = u / np.linalg.norm(u) - v / np.linalg.norm(v)
    return float(chord @ chord / 2)


def hilbert_distance(x, y):
    r"""Return Hilbert's projective distance of two non-negative vectors.

    .. math::
        d(x,y) = \max_{i\in S}\log\frac{y_i}{x_i}
               - \min_{i\in S}\log\frac{y_i}{x_i}

    over the common support S. It ignores lengths, and it bounds the angle:
    :math:`\tan\frac{\angle(x,y)}2\le\tanh\frac{d(x,y)}4`.

    Parameters
    ----------
    x, y : array_like
        ``[size]``, non-negative, not zero.

    Returns
    -------
    float
        In [0, ∞]; infinite if the supports differ.

    Raises
    ------
    InputError
        If sizes differ, a vector is zero, or an entry is negative or not finite.

    References
    ----------
    G. Birkhoff, Extensions of Jentzsch's theorem (1957).
    """
    x, y = _pair(x, y)
    if min(x.min(), y.min()) < 0:
        raise InputError(
            "a negative entry: Hilbert's distance lives on non-negative vectors. Use "
            "`one_minus_cosine` for signed ones."
        )
    support = x > 0
    if not support.any() or not y.any():
        raise InputError("a zero vector has no direction. Give two that are not zero.")
    if (support != (y > 0)).any():
        return float("inf")
    ratio = np.log(y[support]) - np.log(x[support])
    return float(np.ptp(ratio))


def _pair(u, v):
    u, v = as_vector(u, "the first vector"), as_vector(v, "the second vector")
    if u.size != v.size:
        raise InputError(
            f"the vectors have {u.size} and {v.size} entries. Give equal sizes."
        )
    return u, v
