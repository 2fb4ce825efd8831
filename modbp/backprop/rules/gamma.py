"""The γ-rule: contributions of one sign count a little more."""

from dataclasses import dataclass
from functools import cache, partial
from math import inf

from modbp.backprop.rules.linear import (
    BIAS,
    check_options,
    per_channel,
    product,
    share,
    stabilise_,
    total,
)
from modbp.errors import check_option

__all__ = ["GAMMA", "Gamma"]

# The γ of Zennit and Captum.
GAMMA = 0.25


@dataclass(frozen=True)
class Gamma:
    """Distribute relevance by contribution, the positive ones enlarged by ``1 + γ``.

    Equation: ``r_in = a ⊙ (W + γW⁺)ᵀ(r / (W a + b + γW⁺a))``. With `split` the sign of
    the contribution decides instead of that of the weight, and where ``z < 0`` the
    negative contributions are the enlarged ones: then the denominator is at least as
    large as `z`. For ``a ≥ 0`` and ``z ≥ 0`` both forms are the same.

    The bias enters as it is (``"denominator"``, as in Captum), enlarged like a weight
    (``"unit"``, as in Zennit), or not at all (``"ignore"``: relevance is conserved).

    Parameters
    ----------
    gamma : float
        In [0, ∞); 0 is the z-rule, and as γ grows the rule approaches z⁺.
    bias : {"denominator", "unit", "ignore"}
        What becomes of the bias.
    epsilon : float
        Stabiliser of the denominator; 0 replaces exact zeros only.
    split : bool
        Whether the sign of the contribution decides. If not, the denominator can
        vanish: at ``z < 0``, and with negative inputs.

    References
    ----------
    :cite:t:`montavon2019layer`, section 10.2.
    """

    gamma: float = GAMMA
    bias: str = BIAS
    epsilon: float = 0.0
    split: bool = True

    def __post_init__(self):
        check_options(self.bias, self.epsilon)
        check_option(
            "gamma",
            self.gamma,
            lambda gamma: 0 <= gamma < inf,
            "choose 0 or more. Its limit for γ → ∞ is AlphaBeta(1, 0).",
        )

    def __call__(self, call, a):
        layer = call.layer
        if self.bias == "ignore" and layer.bias is not None:
            sign = layer.linear(a, layer.weight)
            z = sign + per_channel(call, layer.bias, sign)
        else:
            z = sign = layer.forward(a)
        up = self._favouring(call, a, positive=True)
        if not self.split:
            return z, lambda r: (up(r),)
        off = sign < 0  # a quarter of the memory

        @cache
        def down():
            return self._favouring(call, a, positive=False)

        def back(r):
            # Behind a ReLU no relevance arrives at units that are off, and this half,
            # as dear as the other one, is not needed.
            if not (off & (r != 0)).any():
                return (up(r),)
            above, below = r.masked_fill(off, 0), r.masked_fill(~off, 0)
            return (up(above) + down()(below),)

        return z, back

    def _favouring(self, call, a, positive):
        """Return the rule that enlarges contributions of one sign."""
        change = partial(self._enlarged, positive=positive)
        pairs = [(a, change)]
        if self.split and not call.nonnegative:
            other = partial(self._enlarged, positive=not positive)
            pairs = [(a.clamp(min=0), change), (a.clamp(max=0), other)]
        denominator = total(product(call, *pair) for pair in pairs)
        bias = call.layer.bias
        if bias is not None and self.bias != "ignore":
            bias = change(bias) if self.bias == "unit" else bias
            denominator += per_channel(call, bias, denominator)
        return share(call, pairs, stabilise_(denominator, self.epsilon))

    def _enlarged(self, weight, positive):
        part = weight.clamp(min=0) if positive else weight.clamp(max=0)
        return part.mul_(self.gamma).add_(weight)
