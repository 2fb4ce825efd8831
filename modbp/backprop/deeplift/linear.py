"""DeepLIFT rules of layers that are linear: what a call does to multipliers.

A rule takes a call and a `Pair` per input and returns the output's pair and a function
that carries multipliers back. Letters as in :mod:`modbp.rules`; `m` is a multiplier,
``Δ`` a difference from the reference.
"""

from dataclasses import dataclass

import torch

from modbp.backprop.deeplift.frame import OnPairs, Pair, by_sign
from modbp.backprop.rules.products import negative, positive, product, transpose
from modbp.errors import MethodError

__all__ = ["Ablated", "Along", "BySign", "ScaleParts", "SumBySign", "Weighted"]

# Linear layers whose output for a sum is the sum of their outputs, without more ado.
_WITHOUT_WEIGHTS = ("avgpool", "add", "cat", "shape", "identity")

# Linear layers ------------------------------------------------------------------------


@dataclass(frozen=True)
class Weighted(OnPairs):
    """Carry one multiplier through a layer with weights: ``m_in = Wᵀ m``.

    Sums exactly: ``Δz = W Δa``, the bias cancels.
    """

    def __call__(self, call, pair):
        layer, delta, shape = call.layer, pair.delta, pair.value.shape[1:]
        up = Pair.of(layer.forward(pair.reference), [layer.linear(delta, layer.weight)])
        return up, lambda m: (transpose(call, m, None, shape),)


@dataclass(frozen=True)
class Ablated(Weighted):
    """Leave out the cross terms: nothing passes through a negative weight.

    Equation: ``m_in = W⁺ᵀ m``; where ``Δa = 0`` exactly, ``Wᵀ m``, as the 2020 code
    does. There the contribution is zero either way. Contributions do not sum.
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

    Equation: ``Δz⁺ = W⁺Δa⁺ + W⁻Δa⁻``, ``Δz⁻ = W⁻Δa⁺ + W⁺Δa⁻`` upwards, where
    ``Δa⁺ = max(Δa, 0)``. Downwards ``m_in = W⁺ᵀm⁺ + W⁻ᵀm⁻`` where ``Δa > 0``,
    ``W⁻ᵀm⁺ + W⁺ᵀm⁻`` where ``Δa < 0``, and their mean where ``Δa = 0``. It is the
    multiplier of both parts of the input.
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
            return (_both(common.add_(signed)),)

        return Pair.of(layer.forward(pair.reference), parts), back


def _sign(delta):
    """Return the signs in a quarter of the memory."""
    return delta.sign().to(torch.int8)


def _mean_and_half(m):
    """``(m⁺ + m⁻)/2`` and ``(m⁺ − m⁻)/2``.

    With them ``W⁺ᵀm⁺ + W⁻ᵀm⁻ = Wᵀ mean + |W|ᵀ half``, and minus the last where signs
    are exchanged: two products do for all four.
    """
    plus, minus = m.chunk(2)
    return (plus + minus) / 2, (plus - minus) / 2


def _both(m):
    """Make it the multiplier of both parts."""
    return torch.cat([m, m])


@dataclass(frozen=True)
class ScaleParts(OnPairs):
    """Carry both parts through a batch norm with scale γ; ``γ < 0`` exchanges them.

    Equation: ``Δz⁺ = γ⁺Δa⁺ + γ⁻Δa⁻`` with the parts that arrive, and
    ``m⁺_in = γ⁺m⁺ + γ⁻m⁻``; the other likewise.
    """

    def __call__(self, call, pair):
        shape = pair.value.shape[1:]

        def crossed(apply, one, other):
            """Each with its own sign of γ, and exchanged with the other sign."""
            return (
                apply(one, positive) + apply(other, negative),
                apply(other, positive) + apply(one, negative),
            )

        def push(part, change):
            return product(call, part, change)

        def pull(part, change):
            return transpose(call, part, change, shape)

        parts = crossed(push, *pair.parts)
        pair = Pair.of(call.layer.forward(pair.reference), parts)
        return pair, lambda m: (torch.cat(crossed(pull, *m.chunk(2))),)


@dataclass(frozen=True)
class SumBySign(OnPairs):
    """Carry both parts through an addition, a linear layer whose weights are 1.

    Equation: ``Δz⁺ = Σ_k max(Δa_k, 0)``; downwards `m⁺` where ``Δa_k > 0``, `m⁻` where
    ``Δa_k < 0``, and their mean where ``Δa_k = 0``.
    """

    def __call__(self, call, *pairs):
        deltas = [pair.delta for pair in pairs]
        parts = [sum(each) for each in zip(*map(by_sign, deltas), strict=True)]
        signs = list(map(_sign, deltas))

        def back(m):
            mean, half = _mean_and_half(m)
            return tuple(_both(mean + sign * half) for sign in signs)

        return Pair.of(call.layer.forward(*(p.reference for p in pairs)), parts), back


@dataclass(frozen=True)
class Along(OnPairs):
    """Carry every part as a rule of :mod:`modbp.rules` carries relevance.

    For layers that are linear, without weights and without a negative term: average
    pooling, concatenation, reshaping, and for one part the addition.
    """

    rule: object

    def __call__(self, call, *pairs):
        if call.kind not in _WITHOUT_WEIGHTS:
            raise MethodError(
                f"{call}: {self} would add up the outputs of parts, which is wrong for "
                f"kind {call.kind!r}. It is for {', '.join(_WITHOUT_WEIGHTS)}."
            )
        forward = call.layer.forward
        _, back = self.rule(call, *(pair.value for pair in pairs))
        parts = [forward(*each) for each in zip(*(p.parts for p in pairs), strict=True)]
        return Pair.of(forward(*(pair.reference for pair in pairs)), parts), back
