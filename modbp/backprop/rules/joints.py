"""Rules of layers without weights: ReLU, pooling, joining, reshaping."""

from dataclasses import dataclass

import torch

from modbp.backprop.rules.linear import stabilise
from modbp.backprop.trace.layers import like
from modbp.errors import check_option

__all__ = [
    "Average",
    "Copy",
    "Deconv",
    "Guided",
    "Lit",
    "Pass",
    "Piece",
    "RectGrad",
    "Slope",
    "Split",
    "Undo",
    "Winner",
]


# ReLU ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pass:
    """Hand relevance through unchanged: ``r_in = r``."""

    def __call__(self, call, a):
        return call.layer.forward(a), lambda r: (r,)


@dataclass(frozen=True)
class Slope:
    """Multiply by the derivative of the ReLU: ``r_in = 1[a > 0] r``."""

    def __call__(self, call, a):
        slope = call.layer.slope(a)
        return call.layer.forward(a), lambda r: (r * slope,)


@dataclass(frozen=True)
class Lit:
    """Hand relevance through where the output is above zero: ``r_in = 1[z > 0] r``.

    At a ReLU it is the derivative. A ReLU6 at its upper limit is on as well, though its
    derivative is zero there.
    """

    def __call__(self, call, a):
        z = call.layer.forward(a)
        lit = z > 0
        return z, lambda r: (r * lit,)


@dataclass(frozen=True)
class Guided:
    """Keep what is positive on the way up and on the way down: ``1[a > 0] r⁺``.

    References
    ----------
    :cite:t:`springenberg2015striving`, section 3.4.
    """

    def __call__(self, call, a):
        slope = call.layer.slope(a)
        return call.layer.forward(a), lambda r: (r.clamp(min=0) * slope,)


@dataclass(frozen=True)
class Deconv:
    """Rectify relevance instead of activations: ``r_in = r⁺``.

    References
    ----------
    :cite:t:`zeiler2014visualizing`, section 2.1.
    """

    def __call__(self, call, a):
        return call.layer.forward(a), lambda r: (r.clamp(min=0),)


@dataclass(frozen=True)
class RectGrad:
    """Keep the relevance of the few entries that it and the activation speak for.

    Equation: ``r_in = 1[a > 0] 1[z r > τ] r`` with `z` the ReLU's output and `τ` a
    percentile of ``z r`` over the sample's entries of this layer, the nearest entry. As
    the comparison is strict, a layer of few entries can lose everything.

    Parameters
    ----------
    percentile : float
        In [0, 100].

    References
    ----------
    :cite:t:`kim2019saliency`.
    """

    percentile: float = 98.0

    def __post_init__(self):
        check_option(
            "percentile",
            self.percentile,
            lambda percentile: 0 <= percentile <= 100,
            "choose one from 0 to 100.",
        )

    def __call__(self, call, a):
        z, slope = call.layer.forward(a), call.layer.slope(a)
        count = a[0].numel()
        rank, shape = round((count - 1) * self.percentile / 100) + 1, a.shape[1:]

        def back(r):
            importance = r * z
            threshold = importance.flatten(2).kthvalue(rank).values
            kept = importance.flatten(2) > threshold[..., None]
            return (r * (kept.unflatten(2, shape) & slope),)

        return z, back


# Pooling, joining, reshaping ----------------------------------------------------------


@dataclass(frozen=True)
class Winner:
    """Give everything to the entry that won the max pooling, as the derivative does."""

    def __call__(self, call, a):
        z, index = call.layer.forward(a, return_indices=True)
        # All that is kept of the input.
        index, shape, memory = index.flatten(2), a.shape[1:], like(a)

        def back(r):
            count, samples = r.shape[:2]
            r_in = torch.empty((count * samples, *shape), **memory).zero_()
            r_in = r_in.unflatten(0, (count, samples))
            into, flat = r_in.flatten(3), r.flatten(3)
            where = index.expand_as(flat)
            if into.stride(3) == 1:
                into.scatter_add_(3, where, flat)
            else:  # channels last: half the time when they are last here too
                into.mT.scatter_add_(2, where.mT, flat.mT)
            return (r_in,)

        return z, back


@dataclass(frozen=True)
class Average:
    """Carry relevance through an average pooling: the derivative, or the z-rule.

    Equation: ``r_in = Aᵀ r``, or ``r_in = a ⊙ Aᵀ(r / A a)`` by contribution.

    Parameters
    ----------
    by_contribution : bool
        Which of the two.
    """

    by_contribution: bool = False

    def __call__(self, call, a):
        forward, shape = call.layer.forward, a.shape[1:]
        z = forward(a)

        def derivative(r):
            flat = r.flatten(0, 1)
            zeros = flat.new_zeros(len(flat), *shape)
            return torch.func.vjp(forward, zeros)[1](flat)[0].unflatten(0, r.shape[:2])

        if self.by_contribution:
            return z, lambda r: (a * derivative(r / stabilise(z)),)
        return z, lambda r: (derivative(r),)


@dataclass(frozen=True)
class Copy:
    """Hand relevance to every summand of an addition, as the derivative does."""

    def __call__(self, call, *inputs):
        count = len(inputs)
        return call.layer.forward(*inputs), lambda r: (r,) * count


@dataclass(frozen=True)
class Split:
    """Split relevance at an addition by contribution: ``r_k = a_k r / Σ a``."""

    def __call__(self, call, *inputs):
        z = call.layer.forward(*inputs)

        def back(r):
            s = r / stabilise(z)
            return tuple(a * s for a in inputs)

        return z, back


@dataclass(frozen=True)
class Piece:
    """Give every input of a concatenation its own piece of the relevance."""

    def __call__(self, call, *inputs):
        dim = call.layer.dim
        sizes = [a.shape[dim] for a in inputs]
        return call.layer.forward(*inputs), lambda r: r.split(sizes, dim + 1)


@dataclass(frozen=True)
class Undo:
    """Bring relevance back to the shape before a flatten, a view or a permutation."""

    def __call__(self, call, a):
        undo, shape = call.layer.undo, a.shape
        return call.layer.forward(a), lambda r: (undo(r, shape),)
