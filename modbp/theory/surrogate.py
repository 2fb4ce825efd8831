"""The γ-rule of LRP as a local linear surrogate of the network, forward and backward.

Weights are ``[out, in]``, as in z = W h and as torch stores them; the backward matrices
are ``[in, out]``, B_1 next to the input, so that they form a chain of `modbp.theory`.

With P_j and N_j the sums of the positive and of the negative contributions to unit j,

    z_j = P_j - N_j,    z^γ_j = (1 + γ) P_j - N_j,    c_j = z_j / z^γ_j.

Everything is computed with t = 1 / (1 + γ) in [0, 1], and z^γ / (1 + γ) = P - t N: then
γ = ∞, the z⁺ rule, is a number like any other.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from modbp.errors import InputError, check_flag, check_number
from modbp.theory.arrays import as_list, as_matrix, as_vector

__all__ = ["Forward", "GammaLayer", "gamma_backward", "gamma_forward"]
__all__ += ["gamma_layer", "gamma_layers"]

# A denominator that is this small against its terms is a pole hit up to rounding.
POLE = 8 * np.finfo(np.float64).eps


class Forward(NamedTuple):
    """The forward surrogate: activations R⁺(0), …, R⁺(T), and c(1), …, c(T)."""

    activations: list
    factors: list


@dataclass(frozen=True, eq=False)
class GammaLayer:
    r"""One layer of the γ-rule at one input.

    >>> layer = modbp.surrogate.gamma_layer([[2, 1, -1]], [1, 1, 1], gamma=1)
    >>> layer.z, layer.positive, layer.negative, layer.c
    (array([2.]), array([3.]), array([1.]), array([0.4]))

    Attributes
    ----------
    z, output : numpy.ndarray
        ``[out]``: pre-activations with bias; the surrogate's own, NaN at a pole.
    positive, negative : numpy.ndarray
        ``[out]``: P and N. A bias counts as a weight from a unit with activation 1.
    c : numpy.ndarray
        ``[out]``: z / z^γ; 0 at inactive units, ±∞ at a pole, NaN where z is 0/0.
    forward, forward_bias : numpy.ndarray
        ``[out, in]``, ``[out]``: the surrogate weights :math:`(w_{ji}+\gamma
        w^+_{ji})\,c_j`, and the same for the bias.
    backward, bias_share : numpy.ndarray
        ``[in, out]``, ``[out]``: :math:`B_{ij}=h_i(w_{ji}+\gamma w^+_{ji})/z^\gamma_j`,
        zero columns at inactive units, and what the bias keeps; the sum of both is one.
    nu : numpy.ndarray
        ``[out]``: N / z^γ. The rule is LRP-αβ with β_j = ν_j, α_j = 1 + ν_j.
    p, n : numpy.ndarray
        ``[in, out]``: the distributions of positive and negative contributions, a zero
        column where there are none: :math:`b_j=(1+\nu_j)p_j-\nu_jn_j`. Inputs of both
        signs may cancel in P or N; there is no distribution then, and a column of NaN.
    poles : numpy.ndarray
        ``[out]``: the γ at which z^γ vanishes, N/P - 1, where positive; NaN where P = 0
        and with split contributions, which have none.
    active, pole : numpy.ndarray of bool
        ``[out]``: units that pass relevance; active units without a denominator.
    """

    z: np.ndarray
    positive: np.ndarray
    negative: np.ndarray
    c: np.ndarray
    forward: np.ndarray
    forward_bias: np.ndarray
    backward: np.ndarray
    bias_share: np.ndarray
    nu: np.ndarray
    p: np.ndarray
    n: np.ndarray
    poles: np.ndarray
    active: np.ndarray
    pole: np.ndarray
    output: np.ndarray


def gamma_layer(
    W: ArrayLike, h: ArrayLike, gamma: float, bias: ArrayLike | None = None, *,
    relu: bool = False, split: bool = False,
) -> GammaLayer:  # fmt: skip
    r"""Return one layer of the γ-rule, poles included.

    .. math:: c_j = \frac{z_j}{z_j+\gamma P_j},\qquad
              B_{ij} = \frac{h_i(w_{ji}+\gamma w^+_{ji})}{z_j+\gamma P_j}

    >>> modbp.surrogate.gamma_layer([[2, 1, -1]], [1, 1, 1], gamma=1).backward
    array([[ 0.8],
           [ 0.4],
           [-0.2]])

    Parameters
    ----------
    W : array_like
        ``[out, in]``.
    h, gamma : array_like, float
        ``[in]``: the layer's input, any signs; in [0, ∞].
    bias : array_like, optional
        ``[out]``: treated as the weights of one more input, of activation 1.
    relu : bool
        Whether a ReLU follows: units with z ≤ 0 then get c = 0 and an empty column.
    split : bool
        Split contributions h w by sign instead of weights, and follow the sign of z:
        denominator :math:`z+\gamma P` or :math:`z-\gamma N`, which vanishes for no
        γ > 0. The same as the plain rule for h ≥ 0, z > 0. For signed inputs.

    Returns
    -------
    GammaLayer
    """
    remedy = "the rule needs a γ in [0, ∞]."
    check_number("gamma", gamma, lambda g: g >= 0, remedy)
    check_flag("relu", relu)
    check_flag("split", split)
    W, h = as_matrix(W, "W"), as_vector(h, "h")
    bias = np.zeros(len(W)) if bias is None else as_vector(bias, "bias")
    if W.shape != (bias.size, h.size):
        raise InputError(
            f"W is [{W.shape[0]}, {W.shape[1]}], h has {h.size} entries and the bias "
            f"{bias.size}: they do not fit. W is [out, in], as torch stores it."
        )
    # From here on the bias is one more input.
    W, h = np.column_stack([W, bias]), np.append(h, 1.0)
    K = W * h
    is_positive = (K if split else W) > 0
    P = np.sum(K, axis=1, where=is_positive)
    N = -np.sum(K, axis=1, where=~is_positive)
    z = K.sum(axis=1)
    active = z > 0 if relu else np.ones(len(z), dtype=bool)

    # The side that γ strengthens keeps weight 1, the other one is damped by t. Where
    # the strengthened side is empty the rule does not depend on γ, and t = 1 says so.
    # Empty is not the same as a sum of zero: inputs of both signs may cancel.
    follow_negative = split & (z < 0)
    strengthened = is_positive ^ follow_negative[:, None]
    empty = ~strengthened.any(axis=1)
    if gamma == np.inf:
        empty = ~np.any(strengthened & (K != 0), axis=1)
    t = np.where(empty, 1.0, 1 / (1 + gamma))
    weight = np.where(strengthened, 1.0, t[:, None])
    modified = weight * W
    terms = modified * h
    denominator = terms.sum(axis=1)
    pole = active & (np.abs(denominator) <= POLE * np.abs(terms).sum(axis=1))
    denominator = np.where(pole, 0.0, denominator)

    with np.errstate(divide="ignore", invalid="ignore"):
        scale = np.where(active, z / denominator, 0.0)
        forward = modified * scale[:, None]
        backward = np.where(active, (terms / denominator[:, None]).T, 0.0)
        nu = np.where(active, t * np.where(follow_negative, P, N) / denominator, 0.0)
        poles = N / np.where((P == 0) | split, np.nan, P) - 1
        p = _distribution(np.where(is_positive, K, 0.0).T, P)
        n = _distribution(np.where(is_positive, 0.0, -K).T, N)
        c, output = t * scale, forward @ h
    parts = forward[:, :-1], forward[:, -1], backward[:-1], backward[-1]
    shares = nu, p[:-1], n[:-1], poles
    return GammaLayer(z, P, N, c, *parts, *shares, active, pole, output)


def gamma_layers(
    mats: Iterable[ArrayLike], x: ArrayLike, gamma: float,
    biases: Sequence[ArrayLike | None] | None = None, *, relu: bool = False,
    split: bool = False,
) -> list[GammaLayer]:  # fmt: skip
    """Return every layer of the γ-rule, each at the activations of the surrogate below.

    A pole is refused, by the name of its layer and unit, unless the unit is inactive.

    >>> mats = [[[1, 2], [3, -1]], [[1, 1]]]
    >>> [each.c for each in modbp.surrogate.gamma_layers(mats, [1, 2], gamma=1)]
    [array([0.5 , 0.25]), array([0.5])]

    Parameters
    ----------
    mats : iterable of array_like
        Weights W_1, W_2, …, each ``[out, in]``.
    x, gamma : array_like, float
        ``[in]``: the input; in [0, ∞].
    biases : sequence of (array_like or None), optional
        One per layer.
    relu : bool
        Whether a ReLU follows every layer but the last.
    split : bool
        As in `gamma_layer`.

    Returns
    -------
    list of GammaLayer
    """
    check_flag("relu", relu)
    h, layers = as_vector(x, "x"), []
    mats = as_list(mats, "mats")
    if not mats:
        raise InputError("there are no layers. Give at least one matrix: [W_1, …].")
    biases = [None] * len(mats) if biases is None else as_list(biases, "biases")
    if len(biases) != len(mats):
        raise InputError(
            f"{len(biases)} biases for {len(mats)} layers. Give one per layer, None "
            "where there is none."
        )
    for k, (W, bias) in enumerate(zip(mats, biases, strict=True), 1):
        W = as_matrix(W, f"W_{k}")
        if W.shape[1] != h.size:
            raise InputError(
                f"W_{k} takes {W.shape[1]} inputs but gets {h.size}. Weights are "
                "[out, in], as torch stores them, the first next to the input."
            )
        layer = gamma_layer(W, h, gamma, bias, relu=relu and k < len(mats), split=split)
        if layer.pole.any():
            j = int(np.flatnonzero(layer.pole)[0])
            raise InputError(
                f"layer {k}, unit {j}: z + γP vanishes at γ = {gamma:g} "
                f"(z = {layer.z[j]:.3g}, P = {layer.positive[j]:.3g}). Choose another "
                "γ, or `split=True`, whose denominators do not vanish for γ > 0."
            )
        h = layer.output
        layers.append(layer)
    return layers


def gamma_forward(
    mats: Iterable[ArrayLike], x: ArrayLike, gamma: float,
    biases: Sequence[ArrayLike | None] | None = None, *, relu: bool = False,
    split: bool = False,
) -> Forward:  # fmt: skip
    r"""Return the forward surrogate: its activations, and the factors c.

    .. math::
        R^+(0) = x,\qquad R^+_j(t) = \sum_i R^+_{j|i}(t)\,R^+_i(t-1),\qquad
        R^+_{j|i}(t) = (w_{ji}+\gamma w^+_{ji})\,c_j(t)

    The activations are those of the network, for every γ without a pole. The factors
    are in [0, 1/(1+γ)] at active ReLU units with inputs ≥ 0; elsewhere they may be
    anything.

    >>> found = modbp.surrogate.gamma_forward([[[1, 2], [3, -1]]], [1, 2], gamma=1)
    >>> found.activations[1], found.factors[0]
    (array([5., 1.]), array([0.5 , 0.25]))

    Parameters
    ----------
    mats, x, gamma, biases, relu, split : As in `gamma_layers`.

    Returns
    -------
    Forward : ``activations``: R⁺(0), …, R⁺(T); ``factors``: c(1), …, c(T).
    """
    layers = gamma_layers(mats, x, gamma, biases, relu=relu, split=split)
    activations = [as_vector(x, "x"), *(layer.output for layer in layers)]
    return Forward(activations, [layer.c for layer in layers])


def gamma_backward(
    mats: Iterable[ArrayLike], x: ArrayLike, gamma: float,
    biases: Sequence[ArrayLike | None] | None = None, *, relu: bool = False,
    split: bool = False,
) -> list[np.ndarray]:  # fmt: skip
    r"""Return the matrices by which LRP-γ takes relevance from layer to layer.

    .. math::
        R^-_i(t-1) = \sum_j\frac{h_i(w_{ji}+\gamma w^+_{ji})}
                                {\sum_{i'}h_{i'}(w_{ji'}+\gamma w^+_{ji'})}\,R^-_j(t)

    The factor c_j cancels. Columns sum to one at active units without bias.

    >>> modbp.surrogate.gamma_backward([[[1, 2], [3, -1]]], [1, 2], gamma=1)
    [array([[ 0.2,  1.5],
           [ 0.8, -0.5]])]

    Parameters
    ----------
    mats, x, gamma, biases, relu, split : As in `gamma_layers`.

    Returns
    -------
    list of numpy.ndarray
        B_1, …, B_T, each ``[in, out]``: R⁻(0) = B_1 B_2 ⋯ B_T R⁻(T).
    """
    layers = gamma_layers(mats, x, gamma, biases, relu=relu, split=split)
    return [layer.backward for layer in layers]


def _distribution(parts, total):
    """Divide by the totals: zeros where there is nothing, NaN where all cancels."""
    nothing = ~parts.any(axis=0)
    return np.where(nothing, 0.0, parts / np.where(total == 0, np.nan, total))
