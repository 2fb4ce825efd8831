"""Rules that go back along fitted patterns instead of weights."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from modbp.backprop.rules.products import transpose
from modbp.errors import MethodError

__all__ = ["Pattern"]


@dataclass(frozen=True)
class Pattern:
    """Carry relevance back by the patterns of a layer, not by its weights.

    Equation: ``r_in = Aᵀ r``, or for attribution ``r_in = (A ⊙ W)ᵀ r``.
    Source: :cite:t:`kindermans2018learning`.

    >>> rule = modbp.rules.Pattern({"fc1": torch.eye(2)})
    >>> modbp.chain(net, x, modbp.methods.get("lrp-z", first=rule)).matrix("fc1")
    tensor([[1., 0.],
            [0., 1.]], dtype=torch.float64)

    Parameters
    ----------
    patterns
        For each layer's name a tensor of its weight's shape, as
        :func:`modbp.patterns.fit` gives them.
    attribution
        Whether patterns are multiplied by the weights.
    """

    patterns: Mapping | None = field(repr=False, compare=False)
    attribution: bool = False
    keeps_output = False

    def __call__(self, call, a):
        weight, shape = self._of(call), a.shape[1:]
        if self.attribution:
            weight = weight * call.layer.weight
        other = replace(call, layer=replace(call.layer, weight=weight))
        return call.layer.forward(a), lambda r: (transpose(other, r, None, shape),)

    def _of(self, call):
        name = "patternattribution" if self.attribution else "patternnet"
        remedy = (
            "Fit patterns to this network, patterns = modbp.patterns.fit(net, batches),"
            f" and give them: modbp.methods.get({name!r}, patterns=patterns)."
        )
        if self.patterns is None or call.name not in self.patterns:
            raise MethodError(f"{call} has no pattern. {remedy}")
        found, weight = self.patterns[call.name], call.layer.weight
        if getattr(found, "shape", None) != weight.shape:
            raise MethodError(
                f"{call} has weights of shape {list(weight.shape)} and a pattern of "
                f"shape {list(getattr(found, 'shape', ()))}. {remedy}"
            )
        return found.to(weight)
