"""Sequences that satisfy the published hypotheses and still refute something.

Every factor is exact: an array of fractions. Numbering starts at k = 1, as in the
paper.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from modbp.errors import InputError

__all__ = [
    "COUNTEREXAMPLES",
    "Counterexample",
    "exact",
    "exact_products",
    "slow_pair",
    "spatial_blur",
]


@dataclass(frozen=True)
class Counterexample:
    """A sequence of matrices A_1, A_2, … and what is known about it.

    Attributes
    ----------
    name, says : str
        Its number, and its point in one line.
    term : callable
        k → A_k as an exact array, k = 1, 2, … .
    s_squared : callable or None
        n → s_n² as a fraction, where a closed form exists.
    limit_squared : fractions.Fraction or None
        The limit of s_n².
    rank : int
        The rank to which the product tends, divided by its norm.
    """

    name: str
    says: str
    term: Callable
    s_squared: Callable | None
    limit_squared: Fraction | None
    rank: int

    def matrix(self, k=1):
        """Return A_k in float64."""
        return self.term(k).astype(np.float64)

    def chain(self, n):
        """Return [A_1, …, A_n] in float64."""
        return [self.matrix(k) for k in range(1, n + 1)]

    def exact_chain(self, n):
        """Return [A_1, …, A_n] as arrays of fractions."""
        return [self.term(k) for k in range(1, n + 1)]


def exact(rows):
    """Return a matrix of integers or fractions as an array of fractions.

    Parameters
    ----------
    rows : array_like
        Two-dimensional; integers, fractions, or floats taken at their exact value.

    Returns
    -------
    numpy.ndarray
        dtype object. It multiplies with ``@``, without rounding.
    """
    rows = np.asarray(rows, dtype=object)
    return np.array([[Fraction(entry) for entry in row] for row in rows], dtype=object)


def exact_products(mats):
    """Return M_1, M_2, … without any rounding or rescaling.

    Parameters
    ----------
    mats : iterable of numpy.ndarray
        Arrays of fractions or integers, sizes fit.

    Returns
    -------
    list of numpy.ndarray
    """
    out = []
    for A in mats:
        out.append(out[-1] @ A if out else A)
    return out


def slow_pair(epsilon):
    r"""Return F10: two outputs that mix by ε per layer; the theorem holds, slowly.

    .. math:: s_n = \frac{1-q^2}{1+q^2},\qquad q = (1-2\varepsilon)^n

    Parameters
    ----------
    epsilon : fractions.Fraction
        In (0, ½].

    Returns
    -------
    Counterexample

    Raises
    ------
    InputError
        If ε is outside of (0, ½].
    """
    epsilon = Fraction(epsilon)
    if not 0 < epsilon <= Fraction(1, 2):
        raise InputError(f"ε = {epsilon}: the outputs mix by an ε between 0 and ½.")
    A = exact([[1 - epsilon, epsilon], [epsilon, 1 - epsilon]])

    def s_squared(n):
        q = (1 - 2 * epsilon) ** n
        return ((1 - q**2) / (1 + q**2)) ** 2

    return Counterexample(
        "F10",
        "true, but slow: ε of mixing per layer",
        lambda k: A,
        s_squared,
        Fraction(1),
        1,
    )


def spatial_blur(positions):
    """Return F11: a box blur of width 3 along a line with reflecting ends.

    One layer of a convolution mixes neighbours only. The two ends meet after half the
    length, and then positions diffuse; the second eigenvalue is (1 + 2 cos(π / n)) / 3.

    Parameters
    ----------
    positions : int
        At least 2.

    Returns
    -------
    Counterexample

    Raises
    ------
    InputError
        If there are fewer than two positions.
    """
    if positions < 2:
        raise InputError(f"{positions} positions: a blur needs at least 2.")
    A = np.zeros((positions, positions), dtype=object)
    for j in range(positions):
        for i in (j - 1, j, j + 1):
            A[min(max(i, 0), positions - 1), j] += Fraction(1, 3)
    A = exact(A)
    return Counterexample(
        "F11", "true, but slow: positions diffuse", lambda k: A, None, Fraction(1), 1
    )


def _constant(name, says, rows, s_squared, limit_squared, rank):
    A = exact(rows)
    return Counterexample(name, says, lambda k: A, s_squared, limit_squared, rank)


def _f4(n):
    b, heavy = 3**n - 2**n, 9**n
    return Fraction(2 * b**2, heavy + 2 * b**2)


def _f3(n):
    return Fraction((2**n - 1) ** 2, 4**n + (2**n - 1) ** 2) ** 2


_HEAVY_PAIR = exact([[3, 0, 0, 0], [0, 3, 0, 0], [1, 1, 1, 1], [1, 1, 1, 1]])

_GROUPS = np.zeros((8, 8), dtype=object)
_GROUPS[:3, :3] = _GROUPS[3:6, 3:6] = _GROUPS[6:, :6] = 1
_GROUPS[6:, 6:] = Fraction(1, 2)

COUNTEREXAMPLES = {
    example.name: example
    for example in [
        _constant(
            "F1",
            "s_n stays below 1, although the normalised product has rank one",
            [[1, 1], [0, 2]],
            lambda n: Fraction((2**n - 1) ** 2, (2**n - 1) ** 2 + 4**n),
            Fraction(1, 2),
            1,
        ),
        _constant(
            "F2",
            "converges, but only like 1/n²",
            [[1, 1], [0, 1]],
            lambda n: Fraction(n**2, n**2 + 1),
            Fraction(1),
            1,
        ),
        _constant(
            "F3",
            "no zero column, no orthogonal pair, and rank two for ever",
            [[2, 0, 0], [0, 2, 0], [1, 1, 1]],
            _f3,
            Fraction(1, 4),
            2,
        ),
        _constant(
            "F4",
            "as F1, and no column is a multiple of a basis vector",
            [[3, 0, 0], [1, 1, 1], [1, 1, 1]],
            _f4,
            Fraction(2, 3),
            1,
        ),
        _constant(
            "F5",
            "as F3, and no column is a multiple of a basis vector",
            _HEAVY_PAIR,
            lambda n: _f4(n) ** 2,
            Fraction(4, 9),
            2,
        ),
        Counterexample(
            "F6",
            "every entry of every factor is positive, and rank two for ever",
            lambda k: _HEAVY_PAIR + Fraction(1, 4**k),
            None,
            None,
            2,
        ),
        Counterexample(
            "F7",
            "the limit of F2 with the opposite conclusion",
            lambda k: exact([[1, 1], [0, 1 + Fraction(2, k)]]),
            lambda n: Fraction(n**2, n**2 + (n + 2) ** 2),
            Fraction(1, 2),
            1,
        ),
        _constant(
            "F8",
            "two groups of features and a weak shared pair: rank two for ever",
            _GROUPS,
            lambda n: (
                Fraction(3 * (3**n - 1) ** 2, 2 * 9**n + 3 * (3**n - 1) ** 2) ** 2
            ),
            Fraction(9, 25),
            2,
        ),
        _constant(
            "F9",
            "excluded by the theorem (orthogonal columns), and yet it converges",
            [[1, 0, 0, 1], [1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1]],
            None,
            Fraction(1),
            1,
        ),
        slow_pair(Fraction(1, 100)),
        spatial_blur(32),
        _constant(
            "F12",
            "as F3, and the normalised product oscillates",
            [[0, 2, 0], [2, 0, 0], [1, 1, 1]],
            _f3,
            Fraction(1, 4),
            2,
        ),
    ]
}
