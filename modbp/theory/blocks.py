"""Layers grouped into blocks: what two columns of a block share, added up."""

from collections.abc import Iterable, Sequence
from functools import reduce
from itertools import accumulate, pairwise
from numbers import Integral
from operator import matmul

import numpy as np
from numpy.typing import ArrayLike

from modbp.errors import check_option
from modbp.theory.arrays import as_chain, as_exact, as_list, is_exact
from modbp.theory.chains import gauge

__all__ = ["criterion", "shared_mass"]


def shared_mass(
    mats: Iterable[ArrayLike], blocks: int | Sequence[int] = 1
) -> np.ndarray:
    r"""Return how much mass any two columns of each block have in common.

    .. math:: 1-\delta(B) = \min_{j\ne k}\sum_i \min(b_{ij}, b_{ik}),\qquad
              B = A'_{p+1}\cdots A'_q

    A'_k are the matrices of the `gauge` from A_1, those of LRP-z⁺. Small values keep
    their digits, as no difference is taken.

    >>> modbp.theory.shared_mass([[[1, 1], [0, 1]]] * 3).tolist()
    [Fraction(1, 2), Fraction(1, 3), Fraction(1, 4)]

    Parameters
    ----------
    mats : iterable of array_like
        Non-negative, no zero columns, sizes fit.
    blocks : int or sequence of int
        So many layers each, and what is left at the end is left out; or one number of
        layers for each block.

    Returns
    -------
    numpy.ndarray
        One number in [0, 1] for each block: fractions if all entries of the chain are
        integers or fractions, else float64. A block of one column counts as 1.
    """
    required = {"nonnegative": True, "no_zero_column": True}
    mats = as_list(mats, "a chain")
    if all(map(is_exact, mats)):
        mats = _exact_gauge(as_chain(mats, read=as_exact, **required))
    else:
        mats = gauge(mats)
    ends = _ends(blocks, len(mats))
    found = [_shared(reduce(matmul, mats[p:q])) for p, q in pairwise(ends)]
    return np.array(found, dtype=mats[0].dtype)


def criterion(mats: Iterable[ArrayLike], blocks: int | Sequence[int] = 1) -> np.ndarray:
    r"""Return the partial sums by which it is decided whether a chain forgets.

    .. math:: \sum_{b=1}^{n} \bigl(1-\delta(B_b)\bigr)

    over blocks of the `gauge` matrices, as in `shared_mass`. A non-negative chain
    without zero columns has s → 1 from every starting layer if and only if its layers
    can be grouped into blocks for which this sum is infinite. Finitely many terms
    decide no infinite sum, so there is no verdict here: what decides is a bound on all
    terms, as each of `COUNTEREXAMPLES` has one with its proof.

    >>> modbp.theory.criterion([[[1, 1], [0, 1]]] * 3).tolist()
    [Fraction(1, 2), Fraction(5, 6), Fraction(13, 12)]

    Parameters
    ----------
    mats, blocks : As in `shared_mass`.

    Returns
    -------
    numpy.ndarray
        One number for each block, not falling: fractions if all entries of the chain
        are integers or fractions, else float64. (The digits of sums of fractions add
        up: at a thousand layers take floats, or the terms by `shared_mass`.)
    """
    return np.cumsum(shared_mass(mats, blocks))


def _exact_gauge(mats):
    """Return A'_k as fractions: columns sum to one, same angles."""
    d = np.ones(len(mats[0]), dtype=object)
    out = []
    for A in mats:
        A = d[:, None] * A
        d = A.sum(axis=0)
        out.append(A / d)
    return out


def _shared(B):
    """Return the least mass that two columns share, or all of it for one column."""
    found = (
        np.minimum(B[:, j:], B[:, : B.shape[1] - j]).sum(axis=0).min()
        for j in range(1, B.shape[1])
    )
    return min(found, default=B.sum())


def _ends(blocks, layers):
    """Return 0 and the layers at which blocks end."""
    one = isinstance(blocks, Integral) and not isinstance(blocks, bool)
    lengths = (
        [blocks] * (layers // max(blocks, 1)) if one else as_list(blocks, "blocks")
    )
    whole = all(isinstance(n, Integral) and n >= 1 for n in lengths)
    remedy = (
        f"give a number from 1 to {layers}, the layers there are, or a list of such "
        "numbers whose sum is no more."
    )
    check_option(
        "blocks", blocks, lambda _: lengths and whole and sum(lengths) <= layers, remedy
    )
    return [0, *accumulate(lengths)]
