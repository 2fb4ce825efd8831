"""Rules of layers with weights: convolution, dense, batch norm."""

from dataclasses import dataclass

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
    replaced, by ``GUARD``.

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
    return torch.where(z >= 0, z + epsilon, z - epsilon)


def transpose(call, s, weight, a):
    """``Wᵀ s`` for ``[K, N, …]``: the relevances of all samples form one batch."""
    flat = s.flatten(0, 1)
    shape = (len(flat), *a.shape[1:])
    return call.layer.adjoint(flat, weight, shape).unflatten(0, s.shape[:2])


def share(call, pairs, denominator):
    """Distribute relevance by contribution: ``r ↦ Σ a ⊙ Wᵀ(r / denominator)``."""

    def back(r):
        s = r / denominator
        return sum(a * transpose(call, s, weight, a) for a, weight in pairs)

    return back


def plus_bias(call, z, bias):
    """Add a bias, one number per channel, where there is one."""
    if bias is None:
        return z
    if call.kind != "dense":
        bias = bias.reshape(-1, *(1,) * (z.ndim - 2))
    return z + bias


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
        weight = call.layer.weight
        return call.layer.forward(a), lambda r: (transpose(call, r, weight, a),)


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
        if self.bias == "ignore":
            denominator = layer.linear(a, layer.weight)
            z = plus_bias(call, denominator, layer.bias)
        else:
            z = denominator = layer.forward(a)
        pairs = [(a, layer.weight)]
        back = share(call, pairs, stabilise(denominator, self.epsilon))
        return z, lambda r: (back(r),)


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
        plus, minus = layer.weight.clamp(min=0), layer.weight.clamp(max=0)
        favour, against = [(a, plus)], [(a, minus)]
        if not call.nonnegative:
            up, down = a.clamp(min=0), a.clamp(max=0)
            favour, against = [(up, plus), (down, minus)], [(up, minus), (down, plus)]
        P = sum(layer.linear(part, weight) for part, weight in favour)
        gain = share(call, favour, self._denominator(call, P, min=0))
        if not self.beta:
            # P says nothing about the output, so it takes the plain product too.
            return layer.forward(a), lambda r: (self.alpha * gain(r),)
        N = sum(layer.linear(part, weight) for part, weight in against)
        loss = share(call, against, self._denominator(call, N, max=0))
        # P and N together are the output: no third product.
        z = plus_bias(call, P + N, layer.bias)
        return z, lambda r: (self.alpha * gain(r) - self.beta * loss(r),)

    def _denominator(self, call, part, **clamp):
        bias = call.layer.bias
        if bias is not None and self.bias != "ignore":
            part = plus_bias(
                call, part, bias.clamp(**clamp) if self.bias == "unit" else bias
            )
        return stabilise(part, self.epsilon)


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
