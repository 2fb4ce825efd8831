"""Measurements on matrices: products, simulated chains, and the γ-rule's surrogate."""

from dataclasses import replace
from functools import lru_cache
from itertools import pairwise

import numpy as np
from scipy import stats

from modbp import theory
from modbp.theory import surrogate

__all__ = ["blocks_apart", "conserved_by_gamma", "cosine_of", "distance_to_rank_one"]
__all__ += ["excluded_cosine", "factor_cancels", "factor_share", "fails_condition_e"]
__all__ += ["float32_floor", "gap_of", "growth_of", "largest_fall", "measured_limit"]
__all__ += ["product_error", "random_chain_gap", "random_growth", "rank_of"]
__all__ += ["robustness", "signed_decades", "signed_rate", "surrogate_error"]
__all__ += ["without_absolute_value"]


def largest_fall(seed: int = 0) -> float:
    """Return the largest fall of s from one product to the next, over random chains."""
    rng, fall = np.random.default_rng(seed), 0.0
    for _ in range(400):
        mats = _random_chain(rng, rng.integers(2, 9))
        s = [theory.min_cosine(M) for M in theory.products(mats)]
        fall = max(fall, -np.diff(s).min())
    return fall


def random_chain_gap(seed: int = 0) -> float:
    """Return log10 of 1 − s after many random factors, the largest of chains."""
    rng = np.random.default_rng(seed)
    return max(theory.gaps(_random_chain(rng, 50))[-1] for _ in range(40))


def _random_chain(rng, factors):
    """Draw non-negative factors of 2 to 8 rows and columns, 30 % zeros."""
    sizes, mats = rng.integers(2, 9, factors + 1), []
    for shape in zip(sizes, sizes[1:], strict=False):
        A = rng.random(shape) * (rng.random(shape) < 0.7)
        A[0, ~A.any(axis=0)] = 1.0
        mats.append(A)
    return mats


def cosine_of(name: str, factors: int) -> float:
    """Return s of the product of the first factors of a counterexample."""
    mats = theory.COUNTEREXAMPLES[name].chain(factors)
    return theory.min_cosine(theory.products(mats)[-1])


def gap_of(name: str, factors: int) -> float:
    """Return 1 − s of a counterexample, precisely."""
    return 10 ** theory.gaps(theory.COUNTEREXAMPLES[name].chain(factors))[-1]


def excluded_cosine() -> float:
    """Return s for repeated excluded matrices, of three kinds the largest."""
    blocks = np.kron(np.eye(2), np.ones((2, 2)))
    kinds = np.eye(4), np.roll(np.eye(4), 1, axis=0), blocks
    return max(theory.min_cosine(theory.products([A] * 50)[-1]) for A in kinds)


# What the appendix says besides: groups, factors, rank --------------------------------


def blocks_apart() -> float:
    """Return by how much determinants differ between blocks of a chain of two sizes.

    Its factors are a square P, and a wide and a tall one, Q R, whose sizes have limits.
    A block with one Q R among its P never has the determinant of one without.
    """
    P = np.array([[2, 1], [1, 1]])
    QR = np.array([[2, 1, 1], [1, 1, 2]]) @ np.array([[1, 1], [1, 1], [1, 2]])
    powers = [np.linalg.matrix_power(P, k) for k in range(7)]
    plain = [np.linalg.det(M) for M in powers[1:]]
    mixed = [np.linalg.det(A @ QR @ B) for A in powers for B in powers]
    return np.abs(np.subtract.outer(mixed, plain)).min()


def distance_to_rank_one(seed: int = 0) -> float:
    """Return how far random matrices are from rank one, in parts of what s allows.

    Equation: ``‖M − c γᵀ‖ / (√(1 − s²) ‖M‖)`` with c along the first column; the
    largest of a thousand.
    """
    rng, worst = np.random.default_rng(seed), 0.0
    for _ in range(1000):
        M = rng.random(rng.integers(2, 7, 2)) ** 3
        c = M[:, 0] / np.linalg.norm(M[:, 0])
        allowed = np.sqrt(1 - theory.min_cosine(M) ** 2) * np.linalg.norm(M)
        worst = max(worst, np.linalg.norm(M - np.outer(c, c @ M)) / allowed)
    return worst


def rank_of(name: str, factors: int) -> float:
    """Return the second singular value of a counterexample's product over the first."""
    M = theory.products(theory.COUNTEREXAMPLES[name].chain(factors))[-1]
    first, second, *_ = np.linalg.svd(M, compute_uv=False)
    return second / first


def growth_of(name: str, factors: int) -> float:
    """Return the smallest c in ``s_n = (1 + c) s_{n−1}`` of a counterexample."""
    mats = theory.COUNTEREXAMPLES[name].exact_chain(factors)
    squares = [theory.min_cosine_squared(M) for M in theory.exact_products(mats)]
    return min(float(b / a) ** 0.5 - 1 for a, b in pairwise(squares))


def _growths(seed):
    """Yield the values of s of random chains whose factors are all mixing."""
    rng = np.random.default_rng(seed)
    for _ in range(200):
        sizes = rng.integers(2, 6, 6)
        mats = [rng.integers(0, 4, shape) for shape in pairwise(sizes)]
        for A in mats:
            A[0] += 1  # one row that all columns have in common
        yield np.array([theory.min_cosine(M) for M in theory.products(mats)])


def random_growth(seed: int = 0) -> float:
    """Return the smallest c in ``s_n = (1 + c) s_{n−1}`` while s is below 0.999."""
    return min(
        (after / before - 1)[before < 0.999].min(initial=np.inf)
        for before, after in ((s[:-1], s[1:]) for s in _growths(seed))
    )


def product_error(seed: int = 0) -> float:
    """Return the largest relative distance of s from the product of its factors."""
    return max(abs(s[0] * np.prod(s[1:] / s[:-1]) / s[-1] - 1) for s in _growths(seed))


def fails_condition_e() -> int:
    """Return whether a small matrix with a mixing power and w > 0 keeps an angle."""

    def condition(A):
        return theory.structure(A).condition_e

    return theory.search_counterexample([condition], conclusion="angle") is not None


# Simulated chains, most of them shaped like VGG-16 ------------------------------------


def float32_floor(seed: int = 0) -> int:
    """Return after how many multiplications float32 cannot tell directions apart."""
    names = ("stochastic", "positive", "non-negative")
    chosen = {name: theory.VARIANTS[name] for name in names}
    found = theory.simulate(chosen, repetitions=1, seed=seed, dtype=np.float32)
    return max(int(np.flatnonzero(curve[0] < 2e-7)[0]) for curve in found.values())


def measured_limit(width: int, seed: int = 1) -> float:
    """Return the β from which square αβ-chains are too slow for 24 multiplications."""
    lines = theory.Protocol(True, True, False, np.median)
    betas = np.arange(1, 13, 0.5)
    curves = theory.simulate(
        theory.alpha_beta_variants(betas),
        widths=[width] * 25,
        vectors=16,
        repetitions=4,
        seed=seed,
        protocol=lines,
    )
    for beta, curve in zip(betas, curves.values(), strict=True):
        decades = np.log10(np.maximum(np.median(curve, axis=0), 1e-16))
        late = np.flatnonzero(decades > -13)[-1]
        first = late // 2
        if (decades[first] - decades[late]) / (late - first) < 0.05:
            return beta
    return np.inf


@lru_cache(maxsize=8)
def _statistics(seed):
    """Return the curves of figure 7 by the code's statistic, and by three others."""
    variants = theory.VARIANTS | theory.alpha_beta_variants()
    found = []
    changes = {}, {"statistic": np.median}, {"statistic": np.min}, {"diagonal": False}
    for change in changes:
        protocol = replace(theory.PROTOCOLS["code"], **change)
        curves = theory.simulate(variants, protocol=protocol, repetitions=2, seed=seed)
        found.append(np.array([np.median(curve, axis=0) for curve in curves.values()]))
    return found


def robustness(what: str, seed: int = 0) -> float:
    """Compare the 2020 code's statistic of figure 7 with three others, at full size.

    They are the median and the minimum of ``|cos|``, and the mean without the cosine of
    each vector with itself.
    """
    base, *others = _statistics(seed)
    if what == "order":
        return min(stats.spearmanr(base[:, 5], x[:, 5]).statistic for x in others)
    shifts = []
    for other in others:
        usable = (base > 1e-12) & (other > 1e-12)
        shifts.append(np.abs(np.log10(base[usable] / other[usable])).max())
    return max(shifts)


def without_absolute_value(seed: int = 0) -> float:
    """Return what is left of the positive chain's similarity if signs count."""
    protocol = replace(theory.PROTOCOLS["code"], absolute=False)
    chosen = {"positive": theory.VARIANTS["positive"]}
    found = theory.simulate(chosen, protocol=protocol, repetitions=1, seed=seed)
    return 1 - found["positive"][0, -1]


def signed_rate(width: int, seed: int = 0) -> float:
    """Return what a layer of signed normal weights takes off log sin, over theory's."""
    layers = 200
    return -_signed(width, layers, seed).mean() / layers / theory.lyapunov_gap(width)


def signed_decades(width: int, layers: int, seed: int = 0) -> float:
    """Return log10 of 1 − |cos| after layers of signed normal weights, a mean."""
    squares = np.exp(2 * _signed(width, layers, seed))
    return np.log10(squares / (1 + np.sqrt(1 - squares))).mean()


def _signed(width, layers, seed):
    """Return log sin of the angle of two outputs, in a thousand signed chains."""
    rng = np.random.default_rng(seed)
    mats = (rng.standard_normal((1000, width, width)) for _ in range(layers))
    return theory.log_sines(mats)[-1]


# The γ-rule's surrogate, in random networks of five layers ----------------------------


def _network(seed, signed=False):
    rng = np.random.default_rng(seed)
    mats = rng.standard_normal((5, 64, 64)) / 8
    x = rng.standard_normal(64)
    return mats, x if signed else np.abs(x)


def factor_share(
    gamma: float, relu: bool, side: str, signed: bool = False, seed: int = 0
) -> float:
    """Return the share of factors c outside of [0, 1] in random networks."""
    found = []
    for number in range(40):
        mats, x = _network([seed, number], signed)
        c = surrogate.gamma_forward(mats, x, gamma, relu=relu).factors
        found.append(c[:1] if signed else c[:-1])
    found = np.array(found)
    below, above = np.mean(found < 0), np.mean(found > 1)
    return {"below": below, "above": above, "outside": below + above}[side]


def _cases(seed):
    """Yield twenty networks, each with three values of γ."""
    for number in range(20):
        for gamma in (0.25, 1, 4):
            yield *_network([seed, number]), gamma


def surrogate_error(relu: bool, seed: int = 0) -> float:
    """Return the largest relative error of the surrogate's activations."""
    worst = 0.0
    for mats, x, gamma in _cases(seed):
        found, h = surrogate.gamma_forward(mats, x, gamma, relu=relu).activations, x
        for k, R in enumerate(found):
            worst = max(worst, np.abs(h - R).max() / np.abs(h).max())
            h = mats[k] @ h if k < len(mats) else h
            h = np.maximum(h, 0) if relu and k < len(mats) - 1 else h
    return worst


def factor_cancels(seed: int = 0) -> float:
    """Return the largest relative change when c is left out of the backward rule."""
    worst = 0.0
    for mats, h, gamma in _cases(seed):
        for layer in surrogate.gamma_layers(mats, h, gamma):
            with_factor = h[:, None] * layer.forward.T / layer.z
            size = np.abs(layer.backward).max(axis=0)
            change = np.abs(with_factor - layer.backward) / size
            worst, h = max(worst, change.max()), layer.z
    return worst


def conserved_by_gamma(seed: int = 0) -> float:
    """Return the largest relative change of the sum of relevance in a layer."""
    worst = 0.0
    for mats, x, gamma in _cases(seed):
        layers = surrogate.gamma_layers(mats, x, gamma, relu=True)
        r = np.maximum(layers[-1].z, 0)
        for layer in reversed(layers):
            below = layer.backward @ r
            change = abs(below.sum() - r.sum()) / np.abs(below).sum()
            worst, r = max(worst, change), below
    return worst
