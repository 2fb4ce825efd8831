"""DeepLIFT rules of layers that are not linear: ReLU and max pooling."""

from dataclasses import dataclass

import torch

from modbp.backprop.deeplift.frame import OnPairs, Pair, by_sign
from modbp.backprop.rules.joints import MaxPool
from modbp.errors import check_option

__all__ = ["SMALL", "LargestChange", "Rescale", "RevealCancel"]

# Smaller differences than this are no denominator; the value of the 2020 code.
SMALL = 1e-7


# ReLU ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Quotients(OnPairs):
    """Divide by differences, those below `small` excepted."""

    small: float = SMALL

    def __post_init__(self):
        remedy = "it must be at least 0."
        check_option("small", self.small, lambda small: small >= 0, remedy)


@dataclass(frozen=True)
class Rescale(_Quotients):
    """Multiply by the slope of the line from the reference: ``m_in = m Δz/Δa``.

    Where ``|Δa| < small``, by the derivative at the reference instead, also where
    ``Δa = 0``. Contributions do not sum there.
    Source: :cite:t:`shrikumar2017learning`, section 3.5.2.

    >>> modbp.methods.get("deeplift-rescale", small=1e-9).rules["relu"]
    Rescale(small=1e-09)

    Parameters
    ----------
    small
        At least 0, in units of `a`.
    """

    def __call__(self, call, pair):
        layer, (delta,) = call.layer, pair.parts
        z, z0 = layer.forward(pair.value), layer.forward(pair.reference)
        small = (delta.abs() < self.small) | (delta == 0)
        ratio = (z - z0) / delta.masked_fill(small, 1.0)
        slope = torch.where(small, layer.slope(pair.reference).to(z), ratio)
        return Pair(z, z0, (z - z0,)), lambda m: (m * slope,)


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

    Parameters
    ----------
    small
        At least 0, in units of `a`.
    """

    def __call__(self, call, pair):
        f, (plus, minus) = call.layer.forward, pair.parts
        none, both = f(pair.reference), f(pair.value)
        only_plus, only_minus = f(pair.reference + plus), f(pair.reference + minus)
        parts = (
            (only_plus - none + both - only_minus) / 2,
            (only_minus - none + both - only_plus) / 2,
        )
        slopes = [
            out / self._away(into, shift)
            for out, into, shift in zip(
                parts, pair.parts, (self.small, -self.small), strict=True
            )
        ]

        def back(m):
            each = zip(m.chunk(2), slopes, strict=True)
            return (torch.cat([part * slope for part, slope in each]),)

        return Pair(both, none, parts), back

    def _away(self, part, shift):
        """Move a part away from zero; what is zero itself has no effect to divide."""
        moved = torch.where(part.abs() < self.small / 2, part + shift, part)
        return moved.masked_fill(moved == 0, 1.0)


# Max pooling --------------------------------------------------------------------------


@dataclass(frozen=True)
class LargestChange(OnPairs):
    """Give the change of a maximum to the entry that made it.

    Equation: for ``convention="difference"`` a maximum that rises gives ``m Δz`` to the
    entry that won in the input, one that falls to the entry that won in the reference;
    ``m_in`` is what an entry gets, divided by its `Δa`, and the derivative where
    ``Δa = 0``. Contributions sum. It is Captum's where windows do not overlap and no
    ReLU is right before.

    For ``convention="winner"`` the multiplier goes to the entry that won in the input,
    as in the 2020 code, and in Captum right behind a ReLU. The contribution
    ``m (a − a0)`` of that entry differs from ``m Δz`` by ``m`` times what another entry
    had more in the reference.

    >>> modbp.methods.get("deeplift-rescale", maxpool="winner").rules["maxpool"]
    LargestChange(convention='winner')

    Parameters
    ----------
    convention : {"difference", "winner"}
        Which of the two.
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
