"""Look for matrices that break a theorem, by trying them all.

The verdict comes from the powers themselves, not from any theorem: a matrix is raised
to the power 2²⁰ and looked at.
"""

from collections.abc import Callable, Iterable
from itertools import permutations

import numpy as np

from modbp.errors import InputError, check_option, check_whole, unknown_name
from modbp.theory.angles import min_cosine
from modbp.theory.arrays import as_list, as_matrix
from modbp.theory.limits import left_perron, mixing, structure

__all__ = ["HYPOTHESES", "high_power", "search_counterexample"]

# Where s_n → 1 like 1/n², 1 - s_n is near 1e-12 at n = 2²⁰. Where it does not, small
# integers keep it above 1e-5. The square of σ₂/σ₁ behaves alike.
DOUBLINGS = 20
TOLERANCE = 1e-8
# More matrices than this take minutes.
LARGEST_SPACE = 3_000_000


# Each is what the published theorem asks, and something more. A scalar does not matter
# for angles, so equal column sums are as good as column sums one.
HYPOTHESES = {
    "published": (mixing,),
    "published, no basis column": (lambda A: ((A > 0).sum(axis=0) > 1).all(), mixing),
    "column sums one": (lambda A: np.ptp(A.sum(axis=0)) == 0, mixing),
    "positive left Perron vector": (mixing, lambda A: left_perron(A)[1].min() > 0),
    "irreducible": (mixing, lambda A: len(structure(A).components) == 1),
}


def high_power(A, doublings=DOUBLINGS):
    r"""Return :math:`A^{2^{\text{doublings}}}` twice: columns scaled, and as a whole.

    Every column divided by its largest entry is for angles, the power divided by its
    largest entry for the rank. Works on logarithms, so that neither overflow nor
    underflow hides a column that is 10⁵ decades smaller.
    """
    A = as_matrix(A, nonnegative=True, no_zero_column=True, square=True)
    check_whole("doublings", doublings, 0, 1000)
    with np.errstate(divide="ignore"):
        L = np.log(A)
    for _ in range(doublings):
        L = np.logaddexp.reduce(L[:, :, None] + L[None], axis=1)
        L -= L.max()
    return np.exp(L - L.max(axis=0)), np.exp(L)


def search_counterexample(
    hypotheses: str | Iterable[Callable] = "published",
    size: int = 3,
    largest: int = 2,
    conclusion: str = "rank",
) -> np.ndarray | None:
    """Return the smallest integer matrix that meets the hypotheses and still fails.

    All matrices with entries 0, 1, …, `largest` are tried, up to a common permutation
    of rows and columns, those with the smallest sum first. The sequence is A, A, A, … .

    >>> modbp.theory.search_counterexample(size=2, conclusion="angle")
    array([[2, 0],
           [1, 1]])

    Parameters
    ----------
    hypotheses : str or iterable of callable
        A key of `HYPOTHESES`, or predicates of your own on an integer array. They must
        not depend on the order of the indices.
    size : int
        The matrices are ``[size, size]``.
    largest : int
        The largest entry. There are (largest + 1) ** (size²) matrices; with more than
        three million the search is refused.
    conclusion : {"rank", "angle"}
        What is to be refuted: "rank", the normalised product tends to rank one, as the
        theorem says; "angle", s_n → 1, as its proof says.

    Returns
    -------
    numpy.ndarray or None
        ``[size, size]`` integers; None if no matrix of the space violates the claim.
    """
    if isinstance(hypotheses, str):
        if hypotheses not in HYPOTHESES:
            raise unknown_name("hypotheses", hypotheses, HYPOTHESES)
        hypotheses = HYPOTHESES[hypotheses]
    hypotheses = tuple(as_list(hypotheses, "hypotheses"))
    remedy = f"give predicates on a matrix, or one of {', '.join(HYPOTHESES)}."
    check_option("hypotheses", hypotheses, lambda h: all(map(callable, h)), remedy)
    check_whole("size", size, 2, 4)  # of 5 there are too many
    check_whole("largest", largest, 1, LARGEST_SPACE)
    if not isinstance(conclusion, str) or conclusion not in _FAILS:
        raise InputError(
            f"there is no conclusion {conclusion!r}. Choose one of {', '.join(_FAILS)}."
        )
    fails = _FAILS[conclusion]
    for A in _matrices(size, largest):
        if all(holds(A) for holds in hypotheses) and fails(A):
            return A
    return None


def _fails_rank(A):
    first, second = np.linalg.svd(high_power(A)[1], compute_uv=False)[:2]
    return (second / first) ** 2 > TOLERANCE


_FAILS = {
    "rank": _fails_rank,
    "angle": lambda A: 1 - min_cosine(high_power(A)[0]) > TOLERANCE,
}


def _matrices(size, largest):
    """Yield matrices without zero columns, one per permutation class, by sum."""
    base, cells = largest + 1, size * size
    if size < 2 or largest < 1 or base**cells > LARGEST_SPACE:
        raise InputError(
            f"size {size} with entries up to {largest} makes {base**cells:,} matrices. "
            f"From size 2 with entries 0 and 1 to {LARGEST_SPACE:,} can be tried."
        )
    codes = np.arange(base**cells)
    weights = base ** np.arange(cells).reshape(size, size)
    digits = (codes[:, None] // weights.ravel()) % base
    A = digits.reshape(-1, size, size).astype(np.int8)
    keep = A.any(axis=1).all(axis=1)
    for order in permutations(range(size)):
        permuted = weights[np.ix_(order, order)].ravel()
        keep &= codes <= digits @ permuted
    A = A[keep].astype(np.int64)
    yield from A[np.argsort(A.sum(axis=(1, 2)), kind="stable")]
