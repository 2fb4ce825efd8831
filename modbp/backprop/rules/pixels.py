"""Rules for the first layer, whose inputs are pixels instead of activations."""

from dataclasses import dataclass

import torch

from modbp.backprop.rules.options import described
from modbp.backprop.rules.products import (
    channel_dim,
    negative,
    per_channel,
    positive,
    share,
)
from modbp.errors import InputError, MethodError

__all__ = ["Box", "Flat", "WSquare"]


@described
@dataclass(frozen=True)
class Box:
    """Distribute relevance by the distance from the corners of the pixels' box: z^B.

    Equation: with ``P = W⁺(a − l) + W⁻(a − h)``,
    ``r_in = ((a − l) ⊙ W⁺ᵀ + (a − h) ⊙ W⁻ᵀ)(r / P)``. No term is negative, and no bias
    takes part: relevance is conserved.
    Source: :cite:t:`montavon2017dtd`.

    >>> rule = modbp.rules.Box(0, 3)
    >>> modbp.chain(net, x, modbp.methods.get("lrp-z", first=rule)).matrix("fc1")
    tensor([[0.5000, 0.5000],
            [0.5000, 0.5000]], dtype=torch.float64)
    """

    low: float | tuple = 0.0
    high: float | tuple = 1.0

    def __post_init__(self):
        try:
            low, high = (
                torch.as_tensor(v, device="cpu") for v in (self.low, self.high)
            )
            ends = low.isfinite().all() & high.isfinite().all()
            fits = max(low.ndim, high.ndim) < 2 and bool(ends & (low < high).all())
        except (RuntimeError, TypeError, ValueError):
            fits = False
        if not fits:
            raise InputError(
                f"low is {self.low!r} and high {self.high!r}; give the range of "
                "pixels, as in low=0, high=1, or one number per channel for each."
            )

    def __call__(self, call, a):
        low, high = (_per_channel(value, call, a) for value in (self.low, self.high))
        # Preprocessing rounds, so that the brightest pixel may lie a hair outside.
        slack = 1e-6 * (high - low)
        if (a < low - slack).any() or (a > high + slack).any():
            raise MethodError(
                f"{call} reads values from {a.min().item():.3g} to "
                f"{a.max().item():.3g}, outside the box from {self.low} to "
                f"{self.high}. Give the range of your pixels: "
                "first=modbp.rules.Box(low, high)."
            )
        return share(call, a, (a - low, positive), (a - high, negative))


def _per_channel(value, call, a):
    value = torch.as_tensor(value, dtype=a.dtype, device=a.device)
    if not value.ndim:
        return value
    count = a.shape[channel_dim(call, a.ndim)]
    if len(value) not in (1, count):
        raise MethodError(
            f"{call} has {count} channels, the box {len(value)}. Give one number per "
            "channel, or one for all."
        )
    return per_channel(call, value, a)


@dataclass(frozen=True)
class WSquare:
    """Distribute relevance by squared weights, whatever the pixels: w².

    Equation: ``r_in = (W²)ᵀ(r / W² 1)``, no bias.
    Source: :cite:t:`montavon2017dtd`.

    >>> method = modbp.methods.get("lrp-z", first=modbp.rules.WSquare())
    >>> modbp.chain(net, x, method).matrix("fc1")
    tensor([[0.5000, 0.8000],
            [0.5000, 0.2000]], dtype=torch.float64)
    """

    def __call__(self, call, a):
        return share(call, a, (torch.ones_like(a[:1]), torch.square))


@dataclass(frozen=True)
class Flat:
    """Distribute relevance evenly over all that a neuron sees.

    Equation: ``r_in = 1ᵀ(r / 1 1)``, the rule of `WSquare` with weights of one.
    Source: :cite:t:`lapuschkin2019unmasking`, supplement.

    >>> method = modbp.methods.get("lrp-z", first=modbp.rules.Flat())
    >>> modbp.chain(net, x, method).matrix("fc1")
    tensor([[0.5000, 0.5000],
            [0.5000, 0.5000]], dtype=torch.float64)
    """

    def __call__(self, call, a):
        return share(call, a, (torch.ones_like(a[:1]), torch.ones_like))
