"""Rules of a ReLU: what it lets through on the way down."""

from dataclasses import dataclass

from modbp.backprop.rules.options import described
from modbp.backprop.trace.layers import bits
from modbp.errors import check_option

__all__ = ["ActivationGradient", "Deconv", "Guided", "Pass", "ReLUGradient"]
__all__ += ["ReLUMask", "RectGrad"]


class _Cut:
    """A way back that lets relevance through by a mask, its sign, or both."""

    def __init__(self, mask=None, rectify=False):
        self._mask, self._rectify = mask if mask is None else bits(mask), rectify

    def __call__(self, r):
        if self._rectify:
            r = r.clamp(min=0)
            return (r if self._mask is None else r.mul_(self._mask()),)
        return (r * self._mask(),)

    def spend(self, r):
        """Do the same in the memory of relevance that nobody else holds."""
        r = r.clamp_(min=0) if self._rectify else r
        return (r if self._mask is None else r.mul_(self._mask()),)


@dataclass(frozen=True)
class Pass:
    """Hand relevance through: ``r_in = r``, and 0 where a constant multiplies by 0."""

    def __call__(self, call, a):
        z = call.layer.forward(a)
        if call.kind == "scale" and not (counts := call.layer.weight != 0).all():
            return z, lambda r: (r * counts,)
        return z, lambda r: (r,)


@dataclass(frozen=True)
class ReLUGradient:
    """Multiply by the derivative of the ReLU: ``r_in = 1[a > 0] r``."""

    def __call__(self, call, a):
        back = _Cut(call.layer.slope(a))
        return call.layer.forward(a), back


@dataclass(frozen=True)
class ActivationGradient:
    """Multiply by the derivative of a function of one entry: ``r_in = f′(a) r``."""

    def __call__(self, call, a):
        slope = call.layer.slope(a)
        return call.layer.forward(a), lambda r: (r * slope,)


@dataclass(frozen=True)
class ReLUMask:
    """Hand relevance through where ``z > 0``, also for a ReLU6 at its upper limit."""

    def __call__(self, call, a):
        z = call.layer.forward(a)
        return z, _Cut(z > 0)


@dataclass(frozen=True)
class Guided:
    """Keep what is positive on the way up and on the way down: ``1[a > 0] r⁺``."""

    def __call__(self, call, a):
        back = _Cut(call.layer.slope(a), rectify=True)
        return call.layer.forward(a), back


@dataclass(frozen=True)
class Deconv:
    """Rectify relevance instead of activations: ``r_in = r⁺``."""

    def __call__(self, call, a):
        return call.layer.forward(a), _Cut(rectify=True)


@described
@dataclass(frozen=True)
class RectGrad:
    """Keep the relevance of the few entries that it and the activation speak for.

    Equation: ``r_in = 1[a > 0] 1[z r > τ] r`` with `z` the ReLU's output and `τ` a
    percentile of ``z r`` over the sample's entries of this layer, the nearest entry. As
    the comparison is strict, a layer of few entries can lose everything.
    Source: :cite:t:`kim2019saliency`.

    >>> modbp.methods.get("rectgrad", percentile=90).rules["relu"]
    RectGrad(percentile=90)
    """

    percentile: float = 98.0

    def __post_init__(self):
        remedy = "choose one from 0 to 100."
        check_option("percentile", self.percentile, lambda n: 0 <= n <= 100, remedy)

    def __call__(self, call, a):
        z, slope = call.layer.forward(a), bits(call.layer.slope(a))
        count, shape = a[0].numel(), a.shape[1:]
        rank = round((count - 1) * self.percentile / 100) + 1

        def back(r):
            importance = (r * z).flatten(2)
            kept = importance > importance.kthvalue(rank, keepdim=True).values
            return (r * (kept.unflatten(2, shape) & slope()),)

        return z, back
