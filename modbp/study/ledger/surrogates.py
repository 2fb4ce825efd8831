"""Measurements on the γ-rule's surrogate, in random networks of five layers."""

import numpy as np

from modbp.theory import surrogate

__all__ = [
    "conserved_by_gamma",
    "factor_cancels",
    "factor_share",
    "surrogate_error",
]


def _network(seed, signed=False, width=64, depth=5):
    rng = np.random.default_rng(seed)
    mats = rng.standard_normal((depth, width, width)) / np.sqrt(width)
    x = rng.standard_normal(width)
    return mats, x if signed else np.abs(x)


def factor_share(gamma, relu, side, signed=False, draws=40):
    """Return the share of factors c outside of [0, 1] in random networks.

    Parameters
    ----------
    gamma : float
        γ.
    relu : bool
        Whether a ReLU follows each layer but the last; hidden layers are counted.
    side : {"below", "above", "outside"}
        Below 0, above 1, or both.
    signed : bool
        Whether inputs have both signs; then only the first layer is counted.
    draws : int
        How many networks of five layers of width 64.

    Returns
    -------
    float
        In [0, 1].
    """
    found = []
    for seed in range(draws):
        mats, x = _network(seed, signed)
        c = surrogate.gamma_forward(mats, x, gamma, relu=relu).factors
        found.append(c[:1] if signed else c[:-1])
    found = np.array(found)
    below, above = np.mean(found < 0), np.mean(found > 1)
    return {"below": below, "above": above, "outside": below + above}[side]


def surrogate_error(relu, draws=20):
    """Return the largest relative error of the surrogate's activations.

    Parameters
    ----------
    relu : bool
        Whether a ReLU follows each layer but the last.
    draws : int
        How many networks of five layers of width 64, for three values of γ each.

    Returns
    -------
    float
    """
    worst = 0.0
    for seed in range(draws):
        mats, x = _network(seed)
        h = [x]
        for k, W in enumerate(mats, 1):
            z = W @ h[-1]
            h.append(np.maximum(z, 0) if relu and k < len(mats) else z)
        for gamma in (0.25, 1, 4):
            R = surrogate.gamma_forward(mats, x, gamma, relu=relu).activations
            errors = (
                np.abs(a - b).max() / np.abs(a).max() for a, b in zip(h, R, strict=True)
            )
            worst = max(worst, *errors)
    return worst


def factor_cancels(draws=20):
    """Return the largest relative change when c is left out of the backward rule.

    Parameters
    ----------
    draws : int
        How many linear networks, for three values of γ each.

    Returns
    -------
    float
    """
    worst = 0.0
    for seed in range(draws):
        mats, x = _network(seed)
        for gamma in (0.25, 1, 4):
            h = x
            for layer in surrogate.gamma_layers(mats, x, gamma):
                with_factor = h[:, None] * layer.forward.T / layer.z
                size = np.abs(layer.backward).max(axis=0)
                change = np.abs(with_factor - layer.backward) / size
                worst, h = max(worst, change.max()), layer.z
    return worst


def conserved_by_gamma(draws=20):
    """Return the largest relative change of the sum of relevance in a layer.

    Parameters
    ----------
    draws : int
        How many ReLU networks without bias, for three values of γ each.

    Returns
    -------
    float
        In proportion to the sum of absolute values.
    """
    worst = 0.0
    for seed in range(draws):
        mats, x = _network(seed)
        for gamma in (0.25, 1, 4):
            layers = surrogate.gamma_layers(mats, x, gamma, relu=True)
            r = np.maximum(layers[-1].z, 0)
            for layer in reversed(layers):
                below = layer.backward @ r
                change = abs(below.sum() - r.sum()) / np.abs(below).sum()
                worst, r = max(worst, change), below
    return worst
