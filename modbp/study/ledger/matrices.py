"""Measurements on products of matrices."""

import numpy as np

from modbp import theory

__all__ = [
    "cosine_of",
    "excluded_cosine",
    "gap_of",
    "largest_fall",
    "random_chain_gap",
]


def largest_fall(chains=400, seed=0):
    """Return the largest fall of s from one product to the next, over random chains.

    Parameters
    ----------
    chains : int
        How many, each of 2 to 8 non-negative factors of changing sizes.
    seed : int
        Of the matrices.

    Returns
    -------
    float
        0 if s never falls.
    """
    rng = np.random.default_rng(seed)
    fall = 0.0
    for _ in range(chains):
        mats = _random_chain(rng, rng.integers(2, 9))
        s = [theory.min_cosine(M) for M in theory.products(mats)]
        fall = max(fall, -np.diff(s).min())
    return fall


def random_chain_gap(chains=40, factors=50, seed=0):
    """Return log10 of 1 − s after many random factors, of several chains the largest.

    Parameters
    ----------
    chains, factors : int
        How many, how long.
    seed : int
        Of the matrices.

    Returns
    -------
    float
        Decades, negative.
    """
    rng = np.random.default_rng(seed)
    return max(theory.gaps(_random_chain(rng, factors))[-1] for _ in range(chains))


def _random_chain(rng, factors):
    """Draw non-negative factors of 2 to 8 rows and columns, 30 % zeros."""
    sizes, mats = rng.integers(2, 9, factors + 1), []
    for shape in zip(sizes, sizes[1:], strict=False):
        A = rng.random(shape) * (rng.random(shape) < 0.7)
        A[0, ~A.any(axis=0)] = 1.0
        mats.append(A)
    return mats


def cosine_of(name, factors):
    """Return s of the product of the first factors of a counterexample.

    Parameters
    ----------
    name : str
        A key of `modbp.theory.COUNTEREXAMPLES`.
    factors : int
        How many.

    Returns
    -------
    float
    """
    mats = theory.COUNTEREXAMPLES[name].chain(factors)
    return theory.min_cosine(theory.products(mats)[-1])


def gap_of(name, factors):
    """Return 1 − s of a counterexample, precisely.

    Parameters
    ----------
    name : str
        A key of `modbp.theory.COUNTEREXAMPLES`.
    factors : int
        How many.

    Returns
    -------
    float
    """
    return 10 ** theory.gaps(theory.COUNTEREXAMPLES[name].chain(factors))[-1]


def excluded_cosine(factors=50):
    """Return s for repeated excluded matrices, of three kinds the largest.

    Parameters
    ----------
    factors : int
        How often each is repeated.

    Returns
    -------
    float
        For the identity, a permutation, and two blocks of ones.
    """
    blocks = np.kron(np.eye(2), np.ones((2, 2)))
    kinds = np.eye(4), np.roll(np.eye(4), 1, axis=0), blocks
    return max(theory.min_cosine(theory.products([A] * factors)[-1]) for A in kinds)
