"""The γ-rule: contributions of one sign count a little more."""

from dataclasses import dataclass
from functools import cache
from math import inf

from modbp.errors import check_option
from modbp.rules.linear import BIAS, check_options, plus_bias, share, stabilise

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
        plain = layer.linear(a, layer.weight)
        z = plus_bias(call, plain, layer.bias)
        up = self._favouring(call, a, positive=True)
        if not self.split:
            return z, lambda r: (up(r),)
        negative = (plain if self.bias == "ignore" else z) < 0

        @cache
        def down():
            return self._favouring(call, a, positive=False)

        def back(r):
            # Behind a ReLU no relevance arrives at units that are off, and this half,
            # as dear as the other one, is not needed.
            if not (negative & (r != 0)).any():
                return (up(r),)
            above, below = r.masked_fill(negative, 0), r.masked_fill(~negative, 0)
            return (up(above) + down()(below),)

        return z, back

    def _favouring(self, call, a, positive):
        """Return the rule that enlarges contributions of one sign."""
        layer = call.layer
        pairs = [(a, self._enlarged(layer.weight, positive))]
        if self.split and not call.nonnegative:
            other = self._enlarged(layer.weight, not positive)
            pairs = [(a.clamp(min=0), pairs[0][1]), (a.clamp(max=0), other)]
        denominator = sum(layer.linear(part, weight) for part, weight in pairs)
        bias = layer.bias
        if bias is not None and self.bias != "ignore":
            bias = self._enlarged(bias, positive) if self.bias == "unit" else bias
            denominator = plus_bias(call, denominator, bias)
        return share(call, pairs, stabilise(denominator, self.epsilon))

    def _enlarged(self, weight, positive):
        part = weight.clamp(min=0) if positive else weight.clamp(max=0)
        # In place: in networks with large dense layers this is a good part of the time.
        return part.mul_(self.gamma).add_(weight)
