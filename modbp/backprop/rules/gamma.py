"""The γ-rule: contributions of one sign count a little more."""

from dataclasses import dataclass
from functools import cache, partial
from math import inf

from modbp.backprop.rules.products import (
    BIAS,
    check_options,
    dividing,
    negative,
    output,
    positive,
    share,
    summed,
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
    (``"unit"``, as in Zennit), or not at all (``"ignore"``).
    Source: :cite:t:`montavon2019layer`, section 10.2.

    >>> rule = modbp.rules.Gamma(1.0, split=False)
    >>> modbp.chain(net, x, modbp.methods.get("lrp-z", first=rule)).matrix("fc2")
    tensor([[-0., 0.],
            [1., 1.]], dtype=torch.float64)

    Parameters
    ----------
    gamma
        In [0, ∞); 0 is the z-rule, and as γ grows the rule approaches z⁺.
    bias : {"denominator", "unit", "ignore"}
        What becomes of the bias.
    stabilizer
        Keeps the denominator from zero; 0 replaces exact zeros only.
    split
        Whether the sign of the contribution decides. If not, the denominator can
        vanish: at ``z < 0``, and with negative inputs.
    """

    gamma: float = GAMMA
    bias: str = BIAS
    stabilizer: float = 0.0
    split: bool = True

    def __post_init__(self):
        check_options(self.bias, stabilizer=self.stabilizer)
        check_option(
            "gamma",
            self.gamma,
            lambda gamma: 0 <= gamma < inf,
            "choose 0 or more. Its limit for γ → ∞ is AlphaBeta(1, 0).",
        )

    def __call__(self, call, a):
        options = {"bias": self.bias, "stabilizer": self.stabilizer}
        favour, against = (
            partial(self._enlarged, part=part) for part in (positive, negative)
        )
        if not self.split:
            return share(call, a, (a, favour), **options)

        def favouring(change, other):
            pairs = [(a, change)]
            if not call.nonnegative:
                pairs = [(a.clamp(min=0), change), (a.clamp(max=0), other)]
            return dividing(call, pairs, summed(call, pairs), **options)

        z, sign = output(call, a, self.bias)
        up, off = favouring(favour, against), sign < 0
        down = cache(lambda: favouring(against, favour))

        def back(r):
            # Behind a ReLU no relevance arrives at units that are off, and this half,
            # as dear as the other one, is not needed.
            if not (off & (r != 0)).any():
                return (up(r),)
            above, below = r.masked_fill(off, 0), r.masked_fill(~off, 0)
            return (up(above) + down()(below),)

        return z, back

    def _enlarged(self, weight, part):
        return part(weight).mul_(self.gamma).add_(weight)
