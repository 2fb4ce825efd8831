"""Rules of layers with weights: convolution, dense, batch norm."""

from dataclasses import dataclass

from modbp.backprop.rules.products import (
    BIAS,
    check_options,
    dividing,
    negative,
    per_channel,
    positive,
    share,
    summed,
    transpose,
)
from modbp.errors import MethodError, check_option

__all__ = ["EPSILON", "AlphaBeta", "Epsilon", "Excitation", "Gradient"]

# The ε of the ε-rule; the default of Zennit.
EPSILON = 1e-6


@dataclass(frozen=True)
class Gradient:
    """Carry relevance back as the derivative does: ``r_in = Wᵀ r``.

    >>> modbp.chain(net, x, "gradient").matrix("fc1")
    tensor([[ 1.,  2.],
            [-1.,  1.]], dtype=torch.float64)
    """

    keeps_output = False

    def __call__(self, call, a):
        shape = a.shape[1:]
        return call.layer.forward(a), lambda r: (transpose(call, r, None, shape),)


@dataclass(frozen=True)
class Epsilon:
    """Distribute relevance by signed contribution: the z-rule, for ε > 0 the ε-rule.

    Equation: ``r_in = a ⊙ Wᵀ(r / (z + ε sign z))`` with ``z = W a + b``. With
    ``bias="ignore"`` the denominator is ``W a``, and relevance is conserved.
    Source: :cite:t:`bach2015pixel`, equations 58 and 60.

    >>> rule = modbp.rules.Epsilon(1.0)
    >>> modbp.chain(net, x, modbp.methods.get("lrp-z", first=rule)).matrix("fc1")
    tensor([[-0.5000, 0.4000],
            [ 1.0000, 0.4000]], dtype=torch.float64)

    Parameters
    ----------
    epsilon
        At least 0, in units of `z`.
    bias : {"denominator", "unit", "ignore"}
        Whether `b` is part of the denominator; the first two are the same here.
    """

    epsilon: float = 0.0
    bias: str = BIAS

    def __post_init__(self):
        check_options(self.bias, epsilon=self.epsilon)

    def __call__(self, call, a):
        return share(call, a, (a, None), bias=self.bias, stabilizer=self.epsilon)


@dataclass(frozen=True)
class AlphaBeta:
    """Distribute relevance by positive and by negative contribution, apart.

    Equation: with ``P = W⁺a⁺ + W⁻a⁻`` and ``N = W⁻a⁺ + W⁺a⁻``,
    ``r_in = α (a⁺⊙W⁺ᵀ + a⁻⊙W⁻ᵀ)(r/P) − β (a⁺⊙W⁻ᵀ + a⁻⊙W⁺ᵀ)(r/N)``.
    For ``α = 1``, ``β = 0`` and non-negative inputs it is the z⁺-rule.

    The bias is added in full to both denominators (``"denominator"``, as the 2020 code
    does; then `P` can vanish or change sign at units that are off), is split into
    ``b⁺`` in `P` and ``b⁻`` in `N` (``"unit"``), or left out (``"ignore"``).
    Source: :cite:t:`bach2015pixel`, equation 60; :cite:t:`montavon2017dtd` for z⁺.

    >>> modbp.chain(net, x, "lrp-a1b0").matrix("fc1")
    tensor([[1.0000, 0.5000],
            [0.0000, 0.5000]], dtype=torch.float64)

    Parameters
    ----------
    alpha, beta
        With ``alpha − beta = 1`` and ``beta ≥ 0``.
    bias : {"denominator", "unit", "ignore"}
        What becomes of the bias.
    stabilizer
        Keeps both denominators from zero; 0 replaces exact zeros only.
    """

    alpha: float = 1.0
    beta: float = 0.0
    bias: str = BIAS
    stabilizer: float = 0.0

    def __post_init__(self):
        check_options(self.bias, stabilizer=self.stabilizer)
        check_alpha_beta(self.alpha, self.beta)

    def __call__(self, call, a):
        favour, against = [(a, positive)], [(a, negative)]
        if not call.nonnegative:
            up, down = a.clamp(min=0), a.clamp(max=0)
            favour = [(up, positive), (down, negative)]
            against = [(up, negative), (down, positive)]
        options = {"bias": self.bias, "stabilizer": self.stabilizer}
        if not self.beta:
            return share(call, a, *favour, **options)
        P, N = summed(call, favour), summed(call, against)
        # P and N together are the output: no third product.
        z = P + N
        if call.layer.bias is not None:
            z += per_channel(call, call.layer.bias, z)
        gain = dividing(call, favour, P, **options)
        loss = dividing(call, against, N, **options)
        alpha, beta = self.alpha, self.beta
        return z, lambda r: (gain(r).mul_(alpha).sub_(loss(r), alpha=beta),)


def check_alpha_beta(alpha, beta):
    """Refuse what is no pair of α and β."""
    check_option(
        f"alpha is {alpha!r} and beta",
        beta,
        lambda beta: beta >= 0 and abs(alpha - beta - 1) <= 1e-9,
        "choose beta ≥ 0 and alpha = 1 + beta, so that relevance is neither made nor "
        "lost.",
    )


@dataclass(frozen=True)
class Excitation:
    """Distribute probability by excitatory connections: z⁺ without the bias.

    Equation: ``r_in = a ⊙ W⁺ᵀ(r / W⁺a)``, for ``a ≥ 0`` only.
    Source: :cite:t:`zhang2018excitation`, equation 5.

    >>> modbp.chain(net, x, "excitation-bp").matrix("fc1")
    tensor([[1.0000, 0.5000],
            [0.0000, 0.5000]], dtype=torch.float64)
    """

    def __call__(self, call, a):
        if not call.nonnegative and (a < 0).any():
            raise MethodError(
                f"{call} has negative inputs (down to {a.min().item():.3g}), and "
                "excitation-bp is only defined for non-negative ones. Use 'lrp-a1b0', "
                "which splits contributions by sign, or images in [0, 1]."
            )
        return share(call, a, (a, positive))
