"""Rules of pooling, joining and reshaping."""

from dataclasses import dataclass
from math import inf

import torch

from modbp.backprop.rules.options import check_alpha_beta, described
from modbp.backprop.rules.products import stabilize
from modbp.backprop.trace.layers import like
from modbp.errors import MethodError, check_flag, check_option

__all__ = ["CODE_LIMIT", "AlphaBetaSplit", "AvgPool", "Concatenation"]
__all__ += ["Copy", "Derivative", "MaxPool", "Product", "Reshape", "Signal", "Split"]

# What the 2020 code lets one entry of a branch get at most.
CODE_LIMIT = 1000.0


@dataclass(frozen=True)
class MaxPool:
    """Give everything to the entry that won the max pooling, as the derivative does."""

    def __call__(self, call, a):
        z, index = call.layer.forward(a, return_indices=True)
        # All that is kept of the input.
        index = index.flatten(2).to(torch.int32)
        shape, memory = a.shape[1:], like(a)

        def back(r):
            count, samples = r.shape[:2]
            r_in = torch.empty((count * samples, *shape), **memory).zero_()
            r_in = r_in.unflatten(0, (count, samples))
            into, flat = r_in.flatten(3), r.flatten(3)
            where = index.long().expand_as(flat)
            if into.stride(3) == 1:
                into.scatter_add_(3, where, flat)
            else:  # channels last: half the time when they are last here too
                into.mT.scatter_add_(2, where.mT, flat.mT)
            return (r_in,)

        return z, back


@described
@dataclass(frozen=True)
class AvgPool:
    """Carry relevance through an average pooling: the derivative, or the z-rule.

    Equation: ``r_in = Aᵀ r``, or ``r_in = a ⊙ Aᵀ(r / A a)`` by contribution.

    >>> modbp.methods.get("lrp-z").rules["avgpool"]
    AvgPool(by_contribution=True)
    """

    by_contribution: bool = False

    def __post_init__(self):
        check_flag("by_contribution", self.by_contribution)

    def __call__(self, call, a):
        forward, shape = call.layer.forward, a.shape[1:]
        z = forward(a)

        def derivative(r):
            flat = r.flatten(0, 1)
            zeros = flat.new_zeros(len(flat), *shape)
            return torch.func.vjp(forward, zeros)[1](flat)[0].unflatten(0, r.shape[:2])

        if self.by_contribution:
            return z, lambda r: (a * derivative(r / stabilize(z)),)
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
            s = r / stabilize(z)
            return tuple(a * s for a in inputs)

        return z, back


@described
@dataclass(frozen=True)
class AlphaBetaSplit:
    """Split relevance at an addition by positive and by negative summands, apart.

    Equation: ``r_k = α a_k⁺ r / Σ a⁺ − β a_k⁻ r / Σ a⁻``, the αβ-rule of a layer whose
    weights are all one; with a limit, each ``r_k`` is then clipped to ``[0, limit]``.
    Where no summand has one sign, that sign's share is lost. `Split` conserves for any
    signs; both agree for α = 1 where all summands are non-negative.
    Source: :cite:t:`bach2015pixel`, equation 60; the code of :cite:t:`sixt2020lie`.

    >>> rule = modbp.rules.AlphaBetaSplit(2, 1, limit=1000.0)
    >>> modbp.methods.get("lrp-a2b1", addition=rule).rules["add"]
    AlphaBetaSplit(alpha=2, beta=1, limit=1000.0)
    """

    alpha: float = 1.0
    beta: float = 0.0
    limit: float | None = None

    def __post_init__(self):
        check_alpha_beta(self.alpha, self.beta)
        remedy = "give a number above 0, and finite, or None for none."
        check_option("limit", self.limit, lambda n: n is None or 0 < n < inf, remedy)

    def __call__(self, call, *inputs):
        def back(r):
            # Parts by sign, twice the size of the inputs, are not kept.
            up = [a.clamp(min=0) for a in inputs]
            down = [a.clamp(max=0) for a in inputs]
            favour = self.alpha * r / stabilize(sum(up))
            against = self.beta * r / stabilize(sum(down))
            pairs = zip(up, down, strict=True)
            parts = (plus * favour - minus * against for plus, minus in pairs)
            if self.limit is None:
                return tuple(parts)
            return tuple(part.clamp(0, self.limit) for part in parts)

        return call.layer.forward(*inputs), back


@dataclass(frozen=True)
class Concatenation:
    """Give every input of a concatenation its own piece of the relevance."""

    def __call__(self, call, *inputs):
        dim = call.layer.dim
        sizes = [a.shape[dim] for a in inputs]
        return call.layer.forward(*inputs), lambda r: r.split(sizes, dim + 1)


@dataclass(frozen=True)
class Reshape:
    """Bring relevance back to the shape before a flatten, a view or a permutation."""

    def __call__(self, call, a):
        undo, shape = call.layer.undo, a.shape
        return call.layer.forward(a), lambda r: (undo(r, shape),)


@dataclass(frozen=True)
class Signal:
    """Give everything to the signal that a gate multiplies: the gate is a constant."""

    signal_only = True

    def __call__(self, call, signal, gate):
        return call.layer.forward(signal, gate), lambda r: (r, None)


@dataclass(frozen=True)
class Product:
    """Carry relevance to signal and gate by the product rule: ``(g ⊙ r, a ⊙ r)``."""

    def __call__(self, call, signal, gate):
        return call.layer.forward(signal, gate), lambda r: (r * gate, r * signal)


@dataclass(frozen=True)
class Derivative:
    """Carry relevance back as autograd does, through any differentiable layer."""

    def __call__(self, call, *inputs):
        def back(r):
            with torch.enable_grad():
                leaves = [a.detach() for a in inputs]
                smooth = [leaf for leaf in leaves if _is_smooth(leaf)]
                for leaf in smooth:
                    leaf.requires_grad_()
                z = call.layer.forward(*leaves)
            if not z.requires_grad:  # as of a comparison
                return (None,) * len(inputs)
            each = [_graded(call, z, smooth, one) for one in r]
            found = iter(
                None if part[0] is None else torch.stack(part)
                for part in zip(*each, strict=True)
            )
            return tuple(next(found) if _is_smooth(leaf) else None for leaf in leaves)

        return call.layer.forward(*inputs), back


def _is_smooth(a):
    """Return whether entries can have a derivative: whole numbers have none."""
    return a.is_floating_point() or a.is_complex()


def _graded(call, z, inputs, r):
    more = {"retain_graph": True, "allow_unused": True}
    more["create_graph"] = torch.is_grad_enabled()  # for an operator's adjoint
    try:
        return torch.autograd.grad(z, inputs, r, **more)
    except RuntimeError as error:
        raise MethodError(
            f"{call}: autograd stops there on its way back: {error} Write it with "
            "functions that autograd goes through."
        ) from error
