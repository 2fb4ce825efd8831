"""Measurements on matrices: products, simulated chains, and the γ-rule's surrogate."""

from dataclasses import replace

import numpy as np
from scipy import stats
from scipy.special import digamma

from modbp import theory
from modbp.theory import surrogate

__all__ = ["conserved_by_gamma", "cosine_of", "excluded_cosine", "factor_cancels"]
__all__ += ["factor_share", "float32_floor", "gap_of", "largest_fall"]
__all__ += ["fails_condition_e", "measured_limit", "random_chain_gap", "robustness"]
__all__ += ["signed_decades", "signed_rate", "surrogate_error"]
__all__ += ["without_absolute_value"]


def largest_fall() -> float:
    """Return the largest fall of s from one product to the next, over random chains."""
    rng, fall = np.random.default_rng(0), 0.0
    for _ in range(400):
        mats = _random_chain(rng, rng.integers(2, 9))
        s = [theory.min_cosine(M) for M in theory.products(mats)]
        fall = max(fall, -np.diff(s).min())
    return fall


def random_chain_gap() -> float:
    """Return log10 of 1 − s after many random factors, the largest of chains."""
    rng = np.random.default_rng(0)
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


def fails_condition_e() -> int:
    """Return whether a small matrix with a mixing power and w > 0 keeps an angle."""

    def condition(A):
        return theory.structure(A).condition_e

    return theory.search_counterexample([condition], conclusion="angle") is not None


# Simulated chains, most of them shaped like VGG-16 ------------------------------------


def float32_floor() -> int:
    """Return after how many multiplications float32 cannot tell directions apart."""
    names = ("stochastic", "positive", "non-negative")
    chosen = {name: theory.VARIANTS[name] for name in names}
    found = theory.simulate(chosen, repetitions=1, dtype=np.float32)
    return max(int(np.flatnonzero(curve[0] < 2e-7)[0]) for curve in found.values())


def measured_limit(width: int) -> float:
    """Return the β from which square αβ-chains are too slow for 24 multiplications."""
    lines = theory.Protocol(True, True, False, np.median)
    betas = np.arange(1, 13, 0.5)
    curves = theory.simulate(
        theory.alpha_beta_variants(betas),
        widths=[width] * 25,
        vectors=16,
        repetitions=4,
        seed=1,
        protocol=lines,
    )
    for beta, curve in zip(betas, curves.values(), strict=True):
        decades = np.log10(np.maximum(np.median(curve, axis=0), 1e-16))
        late = np.flatnonzero(decades > -13)[-1]
        first = late // 2
        if (decades[first] - decades[late]) / (late - first) < 0.05:
            return beta
    return np.inf


def robustness(what: str) -> float:
    """Compare the 2020 code's statistic of figure 7 with three others, at full size.

    They are the median and the minimum of ``|cos|``, and the mean without the cosine of
    each vector with itself.
    """
    variants = theory.VARIANTS | theory.alpha_beta_variants()
    found = []
    changes = {}, {"statistic": np.median}, {"statistic": np.min}, {"diagonal": False}
    for change in changes:
        protocol = replace(theory.PROTOCOLS["code"], **change)
        curves = theory.simulate(variants, protocol=protocol, repetitions=2).values()
        found.append(np.array([np.median(curve, axis=0) for curve in curves]))
    base, *others = found
    if what == "order":
        return min(stats.spearmanr(base[:, 5], x[:, 5]).statistic for x in others)
    shifts = []
    for other in others:
        usable = (base > 1e-12) & (other > 1e-12)
        shifts.append(np.abs(np.log10(base[usable] / other[usable])).max())
    return max(shifts)


def without_absolute_value() -> float:
    """Return what is left of the positive chain's similarity if signs count."""
    protocol = replace(theory.PROTOCOLS["code"], absolute=False)
    chosen = {"positive": theory.VARIANTS["positive"]}
    found = theory.simulate(chosen, protocol=protocol, repetitions=1)
    return 1 - found["positive"][0, -1]


def signed_rate(width: int) -> float:
    """Return what a layer of signed normal weights takes off log sin, over theory's."""
    layers, exact = 200, (digamma(width / 2) - digamma((width - 1) / 2)) / 2
    return -_signed(width, layers).mean() / layers / exact


def signed_decades(width: int, layers: int) -> float:
    """Return log10 of 1 − |cos| after layers of signed normal weights, a mean."""
    squares = np.exp(2 * _signed(width, layers))
    return np.log10(squares / (1 + np.sqrt(1 - squares))).mean()


def _signed(width, layers):
    """Return log sin of the angle of two outputs, in a thousand signed chains.

    It is followed as a cotangent in an orthonormal basis of their plane.
    """
    rng = np.random.default_rng(0)
    Q, cotangent = np.eye(width, 2), np.zeros(1000)
    for _ in range(layers):
        Q, S = np.linalg.qr(rng.standard_normal((1000, width, width)) @ Q)
        cotangent = (S[:, 0, 0] * cotangent + S[:, 0, 1]) / S[:, 1, 1]
    return -np.log1p(cotangent**2) / 2


# The γ-rule's surrogate, in random networks of five layers ----------------------------


def _network(seed, signed=False):
    rng = np.random.default_rng(seed)
    mats = rng.standard_normal((5, 64, 64)) / 8
    x = rng.standard_normal(64)
    return mats, x if signed else np.abs(x)


def factor_share(gamma: float, relu: bool, side: str, signed: bool = False) -> float:
    """Return the share of factors c outside of [0, 1] in random networks."""
    found = []
    for seed in range(40):
        mats, x = _network(seed, signed)
        c = surrogate.gamma_forward(mats, x, gamma, relu=relu).factors
        found.append(c[:1] if signed else c[:-1])
    found = np.array(found)
    below, above = np.mean(found < 0), np.mean(found > 1)
    return {"below": below, "above": above, "outside": below + above}[side]


def _cases():
    """Yield twenty networks, each with three values of γ."""
    for seed in range(20):
        for gamma in (0.25, 1, 4):
            yield *_network(seed), gamma


def surrogate_error(relu: bool) -> float:
    """Return the largest relative error of the surrogate's activations."""
    worst = 0.0
    for mats, x, gamma in _cases():
        found, h = surrogate.gamma_forward(mats, x, gamma, relu=relu).activations, x
        for k, R in enumerate(found):
            worst = max(worst, np.abs(h - R).max() / np.abs(h).max())
            h = mats[k] @ h if k < len(mats) else h
            h = np.maximum(h, 0) if relu and k < len(mats) - 1 else h
    return worst


def factor_cancels() -> float:
    """Return the largest relative change when c is left out of the backward rule."""
    worst = 0.0
    for mats, h, gamma in _cases():
        for layer in surrogate.gamma_layers(mats, h, gamma):
            with_factor = h[:, None] * layer.forward.T / layer.z
            size = np.abs(layer.backward).max(axis=0)
            change = np.abs(with_factor - layer.backward) / size
            worst, h = max(worst, change.max()), layer.z
    return worst


def conserved_by_gamma() -> float:
    """Return the largest relative change of the sum of relevance in a layer."""
    worst = 0.0
    for mats, x, gamma in _cases():
        layers = surrogate.gamma_layers(mats, x, gamma, relu=True)
        r = np.maximum(layers[-1].z, 0)
        for layer in reversed(layers):
            below = layer.backward @ r
            change = abs(below.sum() - r.sum()) / np.abs(below).sum()
            worst, r = max(worst, change), below
    return worst
