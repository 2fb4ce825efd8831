"""Sequences that satisfy the published hypotheses and still refute something.

Every factor is exact, an array of fractions. Numbering starts at k = 1.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from operator import matmul

import numpy as np

from modbp.errors import InputError, check_option, check_whole
from modbp.theory.arrays import as_list
from modbp.theory.sums import DECIDED

__all__ = ["COUNTEREXAMPLES", "Counterexample", "exact", "exact_products"]
__all__ += ["slow_pair", "spatial_blur"]


@dataclass(frozen=True)
class Counterexample:
    """A sequence of matrices A_1, A_2, … and what is known about it.

    `term` makes k into A_k, exactly, and `s_squared` n into s_n² where a closed form
    exists; `rank` is that to which the product tends, divided by its norm.

    The rest decides the sum of `criterion`. Layers are grouped by `block`, and `shared`
    makes k into a bound on 1 - δ of block k: from below where the sum is infinite, from
    above where `sum_bound` bounds it, for every grouping. `proof` tells why.
    """

    name: str
    says: str
    term: Callable
    s_squared: Callable | None = None
    limit_squared: Fraction | None = None
    rank: int = 1
    block: int = 1
    shared: Callable | None = None
    sum_bound: int | None = None
    proof: str = ""

    def matrix(self, k=1):
        """Return A_k in float64, k = 1, 2, … ."""
        return self.term(k).astype(np.float64)

    def chain(self, n):
        """Return [A_1, …, A_n] in float64."""
        return [self.matrix(k) for k in range(1, n + 1)]

    def exact_chain(self, n):
        """Return [A_1, …, A_n] as arrays of fractions."""
        return [self.term(k) for k in range(1, n + 1)]


def exact(rows):
    """Return integers, fractions, or floats at their exact value as fractions."""
    try:
        # As objects NumPy's integers become Python's, which have any length.
        rows = np.asarray(rows, dtype=object)
        rows = [[Fraction(entry) for entry in row] for row in rows]
    except (TypeError, ValueError, ArithmeticError):
        rows = []
    if not rows or not rows[0] or len({*map(len, rows)}) > 1:
        raise InputError(
            "the rows are no matrix of exact numbers; give integers, fractions or "
            "floats, as in [[1, 2], [3, 4]]."
        )
    return np.array(rows, dtype=object)


def exact_products(mats):
    """Return M_1, M_2, … of exact arrays, without any rounding or rescaling."""
    try:
        mats = as_list(mats, "mats")
        if any(np.ndim(M) != 2 for M in mats):
            raise TypeError("one is no matrix")
        return list(accumulate(mats, matmul))
    except (TypeError, ValueError) as error:
        raise InputError(
            f"the matrices cannot be multiplied ({error}). Give arrays, as exact(rows) "
            "makes them, each with as many columns as the next has rows."
        ) from None


def _constant(name, says, rows, s_squared, limit_squared, rank=1, **decided):
    A, limit = exact(rows), Fraction(limit_squared)
    return Counterexample(name, says, lambda k: A, s_squared, limit, rank, **decided)


def slow_pair(epsilon):
    """Return F10: two outputs that mix by ε in (0, ½] per layer; it works, slowly."""
    remedy = "the outputs mix by an ε above 0 and up to ½, as in '1/4'."
    check_option("epsilon", epsilon, lambda e: 0 < Fraction(e) <= 1 / 2, remedy)
    epsilon = Fraction(epsilon)
    rows = [[1 - epsilon, epsilon], [epsilon, 1 - epsilon]]

    def s_squared(n):
        q = (1 - 2 * epsilon) ** n
        return ((1 - q**2) / (1 + q**2)) ** 2

    says = "true, but slow: ε of mixing per layer"
    decided = DECIDED["F10"] | {"shared": lambda k: 2 * epsilon}
    return _constant("F10", says, rows, s_squared, 1, **decided)


def spatial_blur(positions):
    """Return F11: a box blur of width 3 along a line with reflecting ends.

    One layer of a convolution mixes neighbours only. The two ends meet after half the
    length, and then positions diffuse; the second eigenvalue is (1 + 2 cos(π / n)) / 3.
    """
    check_whole("positions", positions, 2, 10_000)
    A = np.zeros((positions, positions), dtype=object)
    for j in range(positions):
        for i in (j - 1, j, j + 1):
            A[min(max(i, 0), positions - 1), j] += Fraction(1, 3)
    block = positions - 1
    least = Fraction(positions, 3**block)
    decided = DECIDED["F11"] | {"block": block, "shared": lambda k: least}
    return _constant("F11", "true, but slow: positions diffuse", A, None, 1, **decided)


def _f4(n):
    b, heavy = 3**n - 2**n, 9**n
    return Fraction(2 * b**2, heavy + 2 * b**2)


def _f1(n):
    return Fraction((2**n - 1) ** 2, (2**n - 1) ** 2 + 4**n)


def _f3(n):
    return _f1(n) ** 2


def _f8(n):
    shared = 3 * (3**n - 1) ** 2
    return Fraction(shared, 2 * 9**n + shared) ** 2


_HEAVY_PAIR = exact([[3, 0, 0, 0], [0, 3, 0, 0], [1, 1, 1, 1], [1, 1, 1, 1]])

_GROUPS = np.zeros((8, 8), dtype=object)
_GROUPS[:3, :3] = _GROUPS[3:6, 3:6] = _GROUPS[6:, :6] = 1
_GROUPS[6:, 6:] = Fraction(1, 2)

# Name, what it shows, its factor, s_n², the limit of that, and the rank of the limit.
_TABLE = [
    ("F1", "s_n stays below 1, although the normalised product has rank one",
     [[1, 1], [0, 2]], _f1, "1/2"),
    ("F2", "converges, but only like 1/n²",
     [[1, 1], [0, 1]], lambda n: Fraction(n**2, n**2 + 1), 1),
    ("F3", "no zero column, no orthogonal pair, and rank two for ever",
     [[2, 0, 0], [0, 2, 0], [1, 1, 1]], _f3, "1/4", 2),
    ("F4", "as F1, and no column is a multiple of a basis vector",
     [[3, 0, 0], [1, 1, 1], [1, 1, 1]], _f4, "2/3"),
    ("F5", "as F3, and no column is a multiple of a basis vector",
     _HEAVY_PAIR, lambda n: _f4(n) ** 2, "4/9", 2),
    ("F8", "two groups of features and a weak shared pair: rank two for ever",
     _GROUPS, _f8, "9/25", 2),
    ("F9", "excluded by the theorem (orthogonal columns), and yet it converges",
     [[1, 0, 0, 1], [1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1]], None, 1),
    ("F12", "as F3, and the normalised product oscillates",
     [[0, 2, 0], [2, 0, 0], [1, 1, 1]], _f3, "1/4", 2),
    ("F13", "as F3, without zero, orthogonal or basis columns: every unit of F3 twice",
     np.kron([[2, 0, 0], [0, 2, 0], [1, 1, 1]], np.ones((2, 2), int)), _f3, "1/4", 2),
]  # fmt: skip
_GROWING = [
    Counterexample(
        "F6",
        "every entry of every factor is positive, and rank two for ever",
        lambda k: _HEAVY_PAIR + Fraction(1, 4**k),
        rank=2,
        **DECIDED["F6"],
    ),
    Counterexample(
        "F7",
        "the limit of F2 with the opposite conclusion",
        lambda k: exact([[1, 1], [0, 1 + Fraction(2, k)]]),
        lambda n: Fraction(n**2, n**2 + (n + 2) ** 2),
        Fraction(1, 2),
        **DECIDED["F7"],
    ),
]
_FOUND = [*(_constant(*row, **DECIDED[row[0]]) for row in _TABLE), *_GROWING]
_FOUND += [slow_pair(Fraction(1, 100)), spatial_blur(32)]
COUNTEREXAMPLES = {e.name: e for e in sorted(_FOUND, key=lambda e: int(e.name[1:]))}
