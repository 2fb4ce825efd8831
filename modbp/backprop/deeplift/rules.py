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
__all__ += ["Product", "RevealCancel", "ScaleParts", "SumBySign", "Weighted"]

# Smaller differences than this are no denominator; the value of the 2020 code.
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


# ReLU and max pooling -----------------------------------------------------------------


@dataclass(frozen=True)
class _Quotients(OnPairs):
    """Divide by differences, those below `small` excepted."""

    small: float = SMALL

    def __post_init__(self):
        remedy = "it must be at least 0."
        check_option("small", self.small, lambda small: 0 <= small < 1, remedy)


@described
@dataclass(frozen=True)
class Rescale(_Quotients):
    """Multiply by the slope of the line from the reference: ``m_in = m Δz/Δa``.

    Where ``|Δa| < small`` or ``Δa = 0``, by the derivative at the reference instead.
    Contributions do not sum there.
    Source: :cite:t:`shrikumar2017learning`, section 3.5.2.

    >>> modbp.methods.get("deeplift-rescale", small=1e-9).rules["relu"]
    Rescale(small=1e-09)
    """

    def __call__(self, call, pair):
        layer, (delta,) = call.layer, pair.parts
        z, z0 = layer.forward(pair.value), layer.forward(pair.reference)
        small = (delta.abs() < self.small) | (delta == 0)
        ratio = (z - z0) / delta.masked_fill(small, 1.0)
        slope = torch.where(small, layer.slope(pair.reference).to(z), ratio)
        return Pair(z, z0, (z - z0,)), lambda m: (m * slope,)


@described
@dataclass(frozen=True)
class RevealCancel(_Quotients):
    """Let each part act with and without the other, and take the mean.

    Equation: ``Δz⁺ = ½[f(a0 + Δa⁺) − f(a0)] + ½[f(a0 + Δa⁺ + Δa⁻) − f(a0 + Δa⁻)]``,
    `Δz⁻` with the signs exchanged, and ``m⁺_in = m⁺ Δz⁺/Δa⁺``, ``m⁻_in = m⁻ Δz⁻/Δa⁻``.
    Parts below ``small/2`` in size are moved away from zero by `small` before they
    divide; where they are not zero, contributions fall short of a sum there.
    Source: :cite:t:`shrikumar2017learning`, section 3.5.3.

    >>> modbp.methods.get("deeplift-revealcancel").rules["relu"]
    RevealCancel(small=1e-07)
    """

    def __call__(self, call, pair):
        f, (plus, minus) = call.layer.forward, pair.parts
        none, both = f(pair.reference), f(pair.value)
        only_plus, only_minus = f(pair.reference + plus), f(pair.reference + minus)
        parts = (
            (only_plus - none + both - only_minus) / 2,
            (only_minus - none + both - only_plus) / 2,
        )
        into = self._away(plus, self.small), self._away(minus, -self.small)
        slopes = [out / part for out, part in zip(parts, into, strict=True)]

        def back(m):
            each = zip(m.chunk(2), slopes, strict=True)
            return (torch.cat([part * slope for part, slope in each]),)

        return Pair(both, none, parts), back

    def _away(self, part, shift):
        """Move a part away from zero; what is zero itself has no effect to divide."""
        moved = torch.where(part.abs() < self.small / 2, part + shift, part)
        return moved.masked_fill(moved == 0, 1.0)


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
