"""The differences that rules see, and how multipliers enter and leave a chain."""

from dataclasses import dataclass

import torch

from modbp.backprop.checks import is_broken
from modbp.backprop.inference import normal
from modbp.backprop.trace.layers import channels_last
from modbp.errors import InputError, check_option

__all__ = ["Differences", "Pair"]

_READOUTS = ("contribution", "multiplier")


@dataclass(frozen=True, eq=False)
class Pair:
    """An activation ``[N, …]`` beside its reference, ``[N, …]`` or ``[1, …]``."""

    value: torch.Tensor
    reference: torch.Tensor
    # ``(Δ,)``, or ``(Δ⁺, Δ⁻)`` with ``Δ⁺ ≥ 0 ≥ Δ⁻``: they sum to the difference. Behind
    # linear layers it is ``Δz = W Δa``, never ``z − z0``: exactly zero where nothing
    # changed.
    parts: tuple

    @classmethod
    def of(cls, reference, parts):
        """Return the pair of a reference and the parts of the difference from it."""
        first, *rest = parts
        return cls(sum(rest, reference + first), reference, tuple(parts))

    @property
    def delta(self):
        """The difference from the reference."""
        first, *rest = self.parts
        return sum(rest, first)


@dataclass(frozen=True, eq=False)
class Differences:
    """What rules see of a forward pass: differences from a reference input.

    For a `count` of 2 a difference is a positive and a negative part. Relevance below
    the start is what `readout` says: "contribution", or, for one part, "multiplier".
    """

    reference: torch.Tensor | None = None
    count: int = 1
    readout: str = "contribution"

    def __post_init__(self):
        remedy = "choose 'contribution' or 'multiplier'."
        check_option("readout", self.readout, _READOUTS.__contains__, remedy)
        if is_broken(self.reference):
            raise InputError("the reference holds NaN or infinite values. Remove them.")
        if self.count == 2 and self.readout == "multiplier":
            raise InputError(
                "readout is 'multiplier', but with a positive and a negative part a "
                "layer has two. Choose 'contribution'."
            )

    def begin(self, x):
        """Return the pair of the input ``[N, …]`` and its reference, which must fit."""
        reference = channels_last(_fit(self.reference, x))
        delta = x - reference
        return Pair(x, reference, by_sign(delta) if self.count == 2 else (delta,))

    def value(self, pair):
        """Return the activation."""
        return pair.value

    def finite(self, pair):
        """Return whether activation and reference are finite."""
        return bool(pair.value.isfinite().all() and pair.reference.isfinite().all())

    def sample(self, pair, n):
        """Return the pair of one sample, which keeps its dimension."""
        reference = pair.reference
        reference = reference if len(reference) == 1 else reference[n : n + 1]
        parts = tuple(part[n : n + 1] for part in pair.parts)
        return Pair(pair.value[n : n + 1], reference, parts)

    def enter(self, r):
        """Return multipliers for every part, ``[count·K, N, …]``."""
        return torch.cat([r] * self.count)

    def leave(self, m, pair):
        """Return relevance ``[K, N, …]``: the contribution ``Σ m_part ⊙ Δ_part``."""
        if self.readout == "multiplier":
            return m
        each = zip(m.chunk(self.count), pair.parts, strict=True)
        return sum(multiplier * part for multiplier, part in each)

    def __str__(self):
        shape = "zeros" if self.reference is None else list(self.reference.shape)
        return f"reference {shape}, parts {self.count}, read as {self.readout}"


class OnPairs:
    """A rule that sees a `Pair` per input."""

    frame = Differences


def by_sign(delta):
    """Split a difference into its positive and its negative part."""
    return delta.clamp(min=0), delta.clamp(max=0)


def _fit(reference, x):
    """Return the reference as ``[1, …]`` or ``[N, …]``, or say why it does not fit."""
    if reference is None:
        return torch.zeros_like(x[:1])
    if not isinstance(reference, torch.Tensor):
        raise InputError(
            f"the reference is a {type(reference).__name__}; give a torch.Tensor, or "
            "leave it out for zeros."
        )
    if reference.dtype != x.dtype or reference.device != x.device:
        raise InputError(
            f"the reference is {reference.dtype} on {reference.device}, the input "
            f"{x.dtype} on {x.device}. Convert it with reference.to(x)."
        )
    each = reference[None] if reference.ndim == x.ndim - 1 else reference
    if each.shape[1:] != x.shape[1:] or len(each) not in (1, len(x)):
        shape = ", ".join(map(str, x.shape[1:]))
        raise InputError(
            f"the reference has shape {list(reference.shape)}; give [{shape}] or "
            f"[1, {shape}] for all samples, or [{len(x)}, {shape}], one for each."
        )
    return normal(each.detach())
