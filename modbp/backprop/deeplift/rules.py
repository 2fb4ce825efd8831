"""The rules of DeepLIFT: what a call does to multipliers `m`.

A rule takes a call and a `Pair` per input and returns the output's pair and a function
that carries multipliers back. Letters are those of :mod:`modbp.rules`.
"""

from dataclasses import dataclass
from functools import partial

import torch

from modbp.backprop.deeplift.frame import OnPairs, Pair, by_sign
from modbp.backprop.rules.joints import MaxPool
from modbp.backprop.rules.options import described
from modbp.backprop.rules.products import negative, positive, product, transpose
from modbp.errors import MethodError, check_option

__all__ = ["SMALL", "Ablated", "Along", "BySign", "LargestChange", "Rescale"]
__all__ += ["Product", "RevealCancel", "ScaleParts", "Standardized", "SumBySign"]
__all__ += ["Weighted"]

# Relatively smaller differences are no denominator. In the 2020 code it is absolute.
SMALL = 1e-7
# Linear layers whose output for a sum is the sum of their outputs, without more ado.
_WITHOUT_WEIGHTS = ("avgpool", "add", "cat", "shape", "identity", "detach")

# Linear layers ------------------------------------------------------------------------


@dataclass(frozen=True)
class Weighted(OnPairs):
    """Carry one multiplier through a layer with weights, exactly: ``m_in = Wᵀ m``."""

    def __call__(self, call, pair):
        layer, delta, shape = call.layer, pair.delta, pair.value.shape[1:]
        # The bias cancels.
        up = Pair.of(layer.forward(pair.reference), [layer.linear(delta, layer.weight)])
        return up, lambda m: (transpose(call, m, None, shape),)


@dataclass(frozen=True)
class Ablated(Weighted):
    """Leave out the cross terms: ``m_in = W⁺ᵀ m``, as the 2020 code does.

    Where ``Δa = 0`` exactly it is ``Wᵀ m``; the contribution is zero either way.
    """

    def __call__(self, call, pair):
        up, back = super().__call__(call, pair)
        same, shape = pair.delta == 0, pair.value.shape[1:]

        def ablated(m):
            return (torch.where(same, *back(m), transpose(call, m, positive, shape)),)

        return up, ablated


@dataclass(frozen=True)
class BySign(OnPairs):
    """Carry a positive and a negative part through a layer with weights.

    Equation: ``Δz⁺ = W⁺Δa⁺ + W⁻Δa⁻``, ``Δz⁻ = W⁻Δa⁺ + W⁺Δa⁻`` upwards. Downwards, for
    both parts, ``m_in = W⁺ᵀm⁺ + W⁻ᵀm⁻`` where ``Δa > 0``, ``W⁻ᵀm⁺ + W⁺ᵀm⁻`` where
    ``Δa < 0``, their mean where ``Δa = 0``.
    Source: :cite:t:`shrikumar2017learning`, section 3.5.1.
    """

    def __call__(self, call, pair):
        layer, delta = call.layer, pair.delta
        up, down = by_sign(delta)
        # Both parts are sums of terms of one sign: never found by subtraction.
        parts = (
            product(call, up, positive).add_(product(call, down, negative)),
            product(call, up, negative).add_(product(call, down, positive)),
        )

        sign, shape = _sign(delta), delta.shape[1:]

        def back(m):
            mean, half = _mean_and_half(m)
            common = transpose(call, mean, None, shape)
            signed = transpose(call, half, torch.abs, shape).mul_(sign)
            return (torch.cat([common.add_(signed)] * 2),)

        return Pair.of(layer.forward(pair.reference), parts), back


def _sign(delta):
    """Return the signs in a quarter of the memory."""
    return delta.sign().to(torch.int8)


def _mean_and_half(m):
    """Return ``(m⁺ + m⁻)/2`` and ``(m⁺ − m⁻)/2``."""
    # With them W⁺ᵀm⁺ + W⁻ᵀm⁻ = Wᵀ mean + |W|ᵀ half, and minus the last where signs are
    # exchanged: two products do for all four.
    plus, minus = m.chunk(2)
    return (plus + minus) / 2, (plus - minus) / 2


@dataclass(frozen=True)
class ScaleParts(OnPairs):
    """Carry both parts through a batch norm with scale γ; ``γ < 0`` exchanges them.

    Equation: ``Δz⁺ = γ⁺Δa⁺ + γ⁻Δa⁻``, ``m⁺_in = γ⁺m⁺ + γ⁻m⁻``; the other likewise.
    """

    def __call__(self, call, pair):
        shape = pair.value.shape[1:]

        def crossed(apply, one, other):
            """Each with its own sign of γ, and exchanged with the other sign."""
            return (
                apply(one, positive) + apply(other, negative),
                apply(other, positive) + apply(one, negative),
            )

        def pull(part, change):
            return transpose(call, part, change, shape)

        parts = crossed(partial(product, call), *pair.parts)
        pair = Pair.of(call.layer.forward(pair.reference), parts)
        return pair, lambda m: (torch.cat(crossed(pull, *m.chunk(2))),)


@dataclass(frozen=True)
class SumBySign(OnPairs):
    """Carry both parts through an addition: `BySign` with weights of one."""

    def __call__(self, call, *pairs):
        deltas = [pair.delta for pair in pairs]
        parts = [sum(each) for each in zip(*map(by_sign, deltas), strict=True)]
        signs = list(map(_sign, deltas))

        def back(m):
            mean, half = _mean_and_half(m)
            return tuple(torch.cat([mean + sign * half] * 2) for sign in signs)

        return Pair.of(call.layer.forward(*(p.reference for p in pairs)), parts), back


@dataclass(frozen=True)
class Along(OnPairs):
    """Carry every part through a layer without weights as a rule carries relevance."""

    rule: object

    def __call__(self, call, *pairs):
        if call.kind not in _WITHOUT_WEIGHTS:
            raise MethodError(
                f"{call}: {self} would add up the outputs of parts, which is wrong for "
                f"kind {call.kind!r}. It is for {', '.join(_WITHOUT_WEIGHTS)}."
            )
        forward = call.layer.forward
        # Of a padding with a constant, the linear part: the constant cancels.
        linear = call.layer.linear or forward
        _, back = self.rule(call, *(pair.value for pair in pairs))
        parts = [linear(*each) for each in zip(*(p.parts for p in pairs), strict=True)]
        return Pair.of(forward(*(pair.reference for pair in pairs)), parts), back


@dataclass(frozen=True)
class Product(OnPairs):
    """Give each factor the mean of the other over input and reference.

    Equation: ``Δ(a g) = Δa (g + g0)/2 + Δg (a + a0)/2``, so that contributions sum.
    """

    def __call__(self, call, signal, gate):
        mean_a, mean_g = ((pair.value + pair.reference) / 2 for pair in (signal, gate))
        change = signal.delta * mean_g + gate.delta * mean_a
        up = Pair.of(call.layer.forward(signal.reference, gate.reference), [change])
        return up, lambda m: (m * mean_g, m * mean_a)


@dataclass(frozen=True)
class Standardized(OnPairs):
    """Carry multipliers through a layer norm, a product too: ``z = γ c s + β``.

    Equation: of ``c = a − μ`` and ``s = 1/σ`` each gets the mean of the other, and
    ``Δs = −s² s0² / (s + s0) mean((c + c0) Δc)``, so that contributions sum.
    """

    def __call__(self, call, pair):
        layer, groups = call.layer, call.layer.groups
        if groups is None:
            raise MethodError(
                f"{call}: DeepLIFT has a rule for layer, group, instance and RMS norm "
                "alone. Use a gradient or an LRP method."
            )
        pairs = pair.value[None], pair.reference[None]
        c, c0 = (groups.center(groups.apart(a)) for a in pairs)
        s, s0 = ((e.square().mean(-1, True) + groups.eps).rsqrt() for e in (c, c0))
        mean_c, mean_s = (c + c0) / 2, (s + s0) / 2
        slope = -(s * s0).square() / mean_s / c.shape[-1]

        def back(m):
            each = groups.apart(m if groups.weight is None else m * groups.weight)
            through = (each * mean_c).sum(-1, keepdim=True) * slope
            return (groups.center(each * mean_s + through * mean_c).reshape(m.shape),)

        z, z0 = layer.forward(pair.value), layer.forward(pair.reference)
        return Pair(z, z0, (z - z0,)), back


# ReLU and max pooling -----------------------------------------------------------------


@dataclass(frozen=True)
class _Quotients(OnPairs):
    """Divide what a step does by the step, unless that is small."""

    small: float = SMALL

    def __post_init__(self):
        remedy = "it must be at least 0, and below 1, where nothing is divided."
        check_option("small", self.small, lambda small: 0 <= small < 1, remedy)

    def _slope(self, layer, start, end, step, rise):
        """Return how much a layer rises from start to end, per unit of the step."""
        # Beside the unit itself: layers and samples may be of any size, and a step
        # across the kink of a ReLU is never small.
        size = torch.maximum(start.abs(), end.abs()).mul_(self.small)
        small = (step.abs() < size) | (step == 0)
        ratio = rise / step.masked_fill(small, 1.0)
        return torch.where(small, layer.slope(start).to(rise), ratio)


@described
@dataclass(frozen=True)
class Rescale(_Quotients):
    """Multiply by the slope of the line from the reference: ``m_in = m Δz/Δa``.

    Where ``|Δa| < small · max(|a|, |a0|)`` or ``Δa = 0``, by the derivative at the
    reference instead.
    Source: :cite:t:`shrikumar2017learning`, section 3.5.2.

    >>> modbp.methods.get("deeplift-rescale", small=1e-9).rules["relu"]
    Rescale(small=1e-09)
    """

    def __call__(self, call, pair):
        layer, (delta,), (a0, a) = call.layer, pair.parts, (pair.reference, pair.value)
        z, z0 = layer.forward(a), layer.forward(a0)
        slope = self._slope(layer, a0, a, delta, z - z0)
        return Pair(z, z0, (z - z0,)), lambda m: (m * slope,)


@described
@dataclass(frozen=True)
class RevealCancel(_Quotients):
    """Let each part act with and without the other, and take the mean.

    Equation: ``Δz⁺ = ½[f(a0 + Δa⁺) − f(a0)] + ½[f(a0 + Δa⁺ + Δa⁻) − f(a0 + Δa⁻)]``,
    `Δz⁻` with the signs exchanged, and ``m⁺_in = m⁺ Δz⁺/Δa⁺``, ``m⁻_in = m⁻ Δz⁻/Δa⁻``.
    For a part that is small, as in `Rescale`, derivatives replace the quotients.
    Source: :cite:t:`shrikumar2017learning`, section 3.5.3.

    >>> modbp.methods.get("deeplift-revealcancel").rules["relu"]
    RevealCancel(small=1e-07)
    """

    def __call__(self, call, pair):
        layer, (a0, a) = call.layer, (pair.reference, pair.value)
        plus, minus = pair.parts
        up, down = a0 + plus, a0 + minus
        none, both, only_plus, only_minus = map(layer.forward, (a0, a, up, down))
        parts, slopes = [], []
        for part, end, other, alone, beside in (
            (plus, up, down, only_plus - none, both - only_minus),
            (minus, down, up, only_minus - none, both - only_plus),
        ):
            parts.append((alone + beside) / 2)
            slope = self._slope(layer, a0, end, part, alone)
            slopes.append((slope + self._slope(layer, other, a, part, beside)) / 2)

        def back(m):
            each = zip(m.chunk(2), slopes, strict=True)
            return (torch.cat([part * slope for part, slope in each]),)

        return Pair(both, none, tuple(parts)), back


@described
@dataclass(frozen=True)
class LargestChange(OnPairs):
    """Give the change of a maximum to the entry that made it.

    Equation: for ``convention="difference"`` a maximum that rises gives ``m Δz`` to the
    entry that won in the input, one that falls to the entry that won in the reference;
    ``m_in`` is what an entry gets, divided by its `Δa`, and the derivative where
    ``Δa = 0``. Contributions sum. It is Captum's where windows do not overlap and no
    ReLU is right before.

    For ``convention="winner"`` the multiplier goes to the entry that won in the input,
    as in the 2020 code, and in Captum right behind a ReLU. Its ``m Δa`` differs from
    ``m Δz`` by ``m`` times what another entry had more in the reference.

    >>> modbp.methods.get("deeplift-rescale", maxpool="winner").rules["maxpool"]
    LargestChange(convention='winner')
    """

    convention: str = "difference"

    def __post_init__(self):
        choices = ("difference", "winner")
        remedy = "choose 'difference' or 'winner'."
        check_option("maxpool", self.convention, choices.__contains__, remedy)

    def __call__(self, call, pair):
        count, delta = len(pair.parts), pair.delta
        z, to_winner = MaxPool()(call, pair.value)
        z0, to_loser = MaxPool()(call, pair.reference)
        rise, fall = by_sign(z - z0)
        up = Pair(z, z0, (rise, fall) if count == 2 else (z - z0,))
        if self.convention == "winner":
            return up, to_winner

        def back(m):
            same = delta == 0
            # With one part, the first and the last multiplier are the same.
            each = m.chunk(count)
            (risen,), (fallen,) = to_winner(each[0] * rise), to_loser(each[-1] * fall)
            (derivative,) = to_winner(sum(each) / count)
            share = (risen + fallen) / delta.masked_fill(same, 1.0)
            return (torch.cat([torch.where(same, derivative, share)] * count),)

        return up, back
