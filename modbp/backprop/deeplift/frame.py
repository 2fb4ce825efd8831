"""The differences that rules see, and how multipliers enter and leave a chain."""

from dataclasses import dataclass

import torch

from modbp.backprop.trace.layers import channels_last
from modbp.errors import InputError

__all__ = ["Differences", "Pair"]

_READOUTS = ("contribution", "multiplier")


@dataclass(frozen=True, eq=False)
class Pair:
    """An activation beside its reference.

    Differences of linear layers are carried up as differences, ``Δz = W Δa``, and never
    computed as ``z − z0``: where nothing changed they are exactly zero.

    Attributes
    ----------
    value : torch.Tensor
        ``[N, …]``, what the input gives.
    reference : torch.Tensor
        ``[1, …]`` or ``[N, …]``, what the reference gives.
    parts : tuple of torch.Tensor
        ``(Δ,)``, or ``(Δ⁺, Δ⁻)`` with ``Δ⁺ ≥ 0 ≥ Δ⁻``; their sum is the difference.
    """

    value: torch.Tensor
    reference: torch.Tensor
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

    Parameters
    ----------
    reference : torch.Tensor, optional
        ``[…]`` or ``[1, …]`` for all samples, or ``[N, …]``; zeros if left out.
    count : {1, 2}
        Whether a difference is one part, or a positive and a negative one.
    readout : {"contribution", "multiplier"}
        What relevance at a layer is, apart from the layer where it enters; the second
        for one part only.
    """

    reference: torch.Tensor | None = None
    count: int = 1
    readout: str = "contribution"

    def __post_init__(self):
        if self.readout not in _READOUTS:
            raise InputError(
                f"readout is {self.readout!r}; choose 'contribution' or 'multiplier'."
            )
        if self.count == 2 and self.readout == "multiplier":
            raise InputError(
                "readout is 'multiplier', but with a positive and a negative part a "
                "layer has two. Choose 'contribution'."
            )

    def begin(self, x):
        """Return the pair of the input and its reference.

        Parameters
        ----------
        x : torch.Tensor
            ``[N, …]``, the network's input.

        Returns
        -------
        Pair

        Raises
        ------
        InputError
            If the reference does not fit the input.
        """
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
        """Return multipliers, one per part: ``[K, N, …]`` becomes ``[count·K, N, …]``.

        Parameters
        ----------
        r : torch.Tensor
            The multiplier of every part.

        Returns
        -------
        torch.Tensor
        """
        return torch.cat([r] * self.count)

    def leave(self, m, pair):
        """Return relevance: the contribution ``Σ m_part ⊙ Δ_part``.

        Parameters
        ----------
        m : torch.Tensor
            ``[count·K, N, …]``, multipliers.
        pair : Pair
            The layer's output.

        Returns
        -------
        torch.Tensor
            ``[K, N, …]``.
        """
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
    """Split a difference into its positive and its negative part.

    Parameters
    ----------
    delta : torch.Tensor
        The difference.

    Returns
    -------
    tuple of torch.Tensor
    """
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
    if not each.isfinite().all():
        raise InputError("the reference holds NaN or infinite values. Remove them.")
    return each.detach()
