"""Rules of layers with weights: convolution, dense, batch norm."""

from dataclasses import dataclass
from functools import reduce

import torch

from modbp.errors import MethodError, check_option

__all__ = ["AlphaBeta", "Epsilon", "Excitation", "Gradient", "stabilise"]

# What replaces a denominator that is exactly zero; the value of the 2020 code.
GUARD = 1e-7
# The ε of the ε-rule; the default of Zennit.
EPSILON = 1e-6
# How the bias enters αβ denominators; "denominator" is what the 2020 code does.
BIAS = "denominator"
_BIAS_CHOICES = ("denominator", "unit", "ignore")


def stabilise(z, epsilon=0.0):
    """Keep a denominator away from zero.

    Equation: ``z + ε sign(z)`` with ``sign(0) = 1``; for ``ε = 0`` only exact zeros are
    replaced, by ``GUARD``. Of a sum, -0.0 is the rounding of a negative number, or all
    terms are zero; it counts as negative.

    Parameters
    ----------
    z : torch.Tensor
        The denominator.
    epsilon : float
        At least 0, in units of `z`.

    Returns
    -------
    torch.Tensor
        Of the same shape, without zeros.
    """
    if not epsilon:
        return torch.where(z == 0, GUARD, z)
    return torch.copysign(z.new_tensor(epsilon), z).add_(z)


def stabilise_(z, epsilon=0.0):
    """Do the same in place, for what nobody else reads."""
    if not epsilon:
        return z.masked_fill_(z == 0, GUARD)
    return z.add_(torch.copysign(z.new_tensor(epsilon), z))


# Products -----------------------------------------------------------------------------
# Rules change weights entry by entry. `change` stands for the changed weight: none is
# kept, and of a dense layer's only a block of rows is there at a time, small enough for
# the cache. In VGG-16, whose dense layers have 124 million weights, that saves 500 MB
# and more time than the products take.

BLOCK = 2**20


def positive(weight):
    """``W⁺``."""
    return weight.clamp(min=0)


def negative(weight):
    """``W⁻``."""
    return weight.clamp(max=0)


def _rows(call):
    """How many outputs of a layer are computed at a time; None for all of them."""
    weight = call.layer.weight
    if call.kind != "dense" or weight.numel() <= BLOCK:
        return None
    return max(BLOCK // weight.shape[1], 1)


def product(call, a, change, bias=None):
    """``change(W) a + b``."""
    linear, weight, rows = call.layer.linear, call.layer.weight, _rows(call)
    if rows is None:
        return linear(a, change(weight), bias)
    blocks = weight.split(rows)
    z = torch.cat([linear(a, change(block)) for block in blocks], -1)
    return z if bias is None else z.add_(bias)


def total(parts):
    """Sum up tensors that nobody else reads, in the memory of the first."""
    return reduce(torch.Tensor.add_, parts)


def transpose(call, s, change, shape):
    """``change(W)ᵀ s`` of ``[K, N, …]``, for inputs ``[N, *shape]``: one batch."""
    adjoint, weight, rows = call.layer.adjoint, call.layer.weight, _rows(call)
    flat = s.flatten(0, 1)
    shape = (len(flat), *shape)
    if change is None or rows is None:
        found = adjoint(flat, weight if change is None else change(weight), shape)
    else:
        blocks = zip(flat.split(rows, -1), weight.split(rows), strict=True)
        found = total(adjoint(part, change(block), shape) for part, block in blocks)
    return found.unflatten(0, s.shape[:2])


def carry(call, pairs, s):
    """``Σ a ⊙ change(W)ᵀ s``, with ``a`` and ``change`` from `pairs`."""
    return total(transpose(call, s, change, a.shape[1:]).mul_(a) for a, change in pairs)


def share(call, pairs, denominator):
    """Distribute relevance by contribution: ``r ↦ Σ a ⊙ change(W)ᵀ(r / denominator)``.

    With ``a`` and ``change`` from `pairs`.
    """
    return lambda r: carry(call, pairs, r / denominator)


def per_channel(call, bias, z):
    """Give a bias, one number per channel, the dimensions of `z`."""
    return bias if call.kind == "dense" else bias.reshape(-1, *(1,) * (z.ndim - 2))


def check_options(bias, epsilon):
    """Refuse a bias convention that does not exist, and an ε below zero."""
    choices = f"choose one of {', '.join(_BIAS_CHOICES)}."
    check_option("bias", bias, _BIAS_CHOICES.__contains__, choices)
    check_option("epsilon", epsilon, lambda e: e >= 0, "it must be at least 0.")


@dataclass(frozen=True)
class Gradient:
    """Carry relevance back as the derivative does.

    Equation: ``r_in = Wᵀ r``.
    """

    def __call__(self, call, a):
        shape = a.shape[1:]
        return call.layer.forward(a), lambda r: (transpose(call, r, None, shape),)


@dataclass(frozen=True)
class Epsilon:
    """Distribute relevance by signed contribution: the z-rule, for ε > 0 the ε-rule.

    Equation: ``r_in = a ⊙ Wᵀ(r / (z + ε sign z))`` with ``z = W a + b``. With
    ``bias="ignore"`` the denominator is ``W a``, and relevance is conserved.

    Parameters
    ----------
    epsilon : float
        At least 0, in units of `z`.
    bias : {"denominator", "unit", "ignore"}
        Whether `b` is part of the denominator; the first two are the same here.

    References
    ----------
    :cite:t:`bach2015pixel`, equations 58 and 60.
    """

    epsilon: float = 0.0
    bias: str = BIAS

    def __post_init__(self):
        check_options(self.bias, self.epsilon)

    def __call__(self, call, a):
        layer = call.layer
        if self.bias == "ignore" and layer.bias is not None:
            denominator = layer.linear(a, layer.weight)
            z = denominator + per_channel(call, layer.bias, denominator)
        else:
            z = denominator = layer.forward(a)

        def back(r):
            # The denominator is neither kept nor named, so that it is gone before the
            # product: `z` is there already, and this is quick.
            s = r / stabilise(denominator, self.epsilon)
            return (carry(call, [(a, None)], s),)

        return z, back


@dataclass(frozen=True)
class AlphaBeta:
    """Distribute relevance by positive and by negative contribution, apart.

    Equation: with ``P = W⁺a⁺ + W⁻a⁻`` and ``N = W⁻a⁺ + W⁺a⁻``,
    ``r_in = α (a⁺⊙W⁺ᵀ + a⁻⊙W⁻ᵀ)(r/P) − β (a⁺⊙W⁻ᵀ + a⁻⊙W⁺ᵀ)(r/N)``.
    For ``α = 1``, ``β = 0`` and non-negative inputs it is the z⁺-rule.

    The bias is added in full to both denominators (``"denominator"``, as the 2020 code
    does), is split into ``b⁺`` in `P` and ``b⁻`` in `N` (``"unit"``: a further input
    that is always one), or left out (``"ignore"``: relevance is conserved). In the
    first case `P` can vanish or change sign at units that are off.

    Parameters
    ----------
    alpha, beta : float
        With ``alpha − beta = 1`` and ``beta ≥ 0``.
    bias : {"denominator", "unit", "ignore"}
        What becomes of the bias.
    epsilon : float
        Stabiliser of both denominators; 0 replaces exact zeros only.

    References
    ----------
    :cite:t:`bach2015pixel`, equation 60; :cite:t:`montavon2017dtd` for z⁺.
    """

    alpha: float = 1.0
    beta: float = 0.0
    bias: str = BIAS
    epsilon: float = 0.0

    def __post_init__(self):
        check_options(self.bias, self.epsilon)
        check_option(
            f"alpha is {self.alpha!r} and beta",
            self.beta,
            lambda beta: beta >= 0 and abs(self.alpha - beta - 1) <= 1e-9,
            "choose beta ≥ 0 and alpha = 1 + beta, so that relevance is neither made "
            "nor lost.",
        )

    def __call__(self, call, a):
        layer = call.layer
        favour, against = [(a, positive)], [(a, negative)]
        if not call.nonnegative:
            up, down = a.clamp(min=0), a.clamp(max=0)
            favour = [(up, positive), (down, negative)]
            against = [(up, negative), (down, positive)]
        P = total(product(call, *pair) for pair in favour)
        if not self.beta:
            # P says nothing about the output, so it takes the plain product too.
            gain = share(call, favour, self._denominator(call, P, min=0))
            return layer.forward(a), lambda r: (gain(r),)
        N = total(product(call, *pair) for pair in against)
        # P and N together are the output: no third product.
        z = P + N
        if layer.bias is not None:
            z += per_channel(call, layer.bias, z)
        gain = share(call, favour, self._denominator(call, P, min=0))
        loss = share(call, against, self._denominator(call, N, max=0))
        alpha, beta = self.alpha, self.beta
        return z, lambda r: (gain(r).mul_(alpha).sub_(loss(r), alpha=beta),)

    def _denominator(self, call, part, **clamp):
        """Complete `P` or `N` in place."""
        bias = call.layer.bias
        if bias is not None and self.bias != "ignore":
            bias = bias.clamp(**clamp) if self.bias == "unit" else bias
            part += per_channel(call, bias, part)
        return stabilise_(part, self.epsilon)


@dataclass(frozen=True)
class Excitation(AlphaBeta):
    """Distribute probability by excitatory connections: z⁺ without the bias.

    Equation: ``r_in = a ⊙ W⁺ᵀ(r / W⁺a)``, for ``a ≥ 0`` only.

    References
    ----------
    :cite:t:`zhang2018excitation`, equation 5.
    """

    bias: str = "ignore"

    def __call__(self, call, a):
        if not call.nonnegative and (a < 0).any():
            raise MethodError(
                f"{call} has negative inputs (down to {a.min().item():.3g}), and "
                "excitation-bp is only defined for non-negative ones. Use 'lrp-a1b0', "
                "which splits contributions by sign, or images in [0, 1]."
            )
        return super().__call__(call, a)
