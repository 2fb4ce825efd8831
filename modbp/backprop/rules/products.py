"""Products with a layer's weights, changed entry by entry, and shares by them."""

from collections.abc import Callable
from functools import reduce

import torch

from modbp.backprop.checks import out_of_range
from modbp.backprop.rules.options import check_options
from modbp.backprop.trace import Call
from modbp.errors import InputError

__all__ = ["negative", "positive", "share", "stabilize"]

# What replaces a denominator that is exactly zero; the value of the 2020 code.
GUARD = 1e-7


def stabilize(z: torch.Tensor, stabilizer: float = 0.0) -> torch.Tensor:
    """Keep a denominator away from zero: ``z + s sign(z)`` with ``sign(0) = 1``.

    For ``s = 0`` only exact zeros are replaced, by 1e-7. Of a sum, -0.0 is the rounding
    of a negative number, or all terms are zero; it counts as negative.
    """
    check_options("ignore", stabilizer=stabilizer)
    return stabilize_(z.clone(), stabilizer)


def stabilize_(z, stabilizer=0.0):
    """Do the same in the memory of `z`, for what nobody else reads."""
    if not stabilizer:
        return z.masked_fill_(z == 0, GUARD)
    return z.add_(torch.copysign(z.new_tensor(stabilizer), z))


# Products -----------------------------------------------------------------------------
# Rules change weights entry by entry. `change` stands for the changed weight: none is
# kept, and of a dense layer's only a block of rows is there at a time, small enough for
# the cache. In VGG-16, whose dense layers have 124 million weights, that saves 500 MB
# and more time than the products take.

BLOCK = 2**20


def positive(weight: torch.Tensor) -> torch.Tensor:
    """``W⁺``."""
    return weight.clamp(min=0)


def negative(weight: torch.Tensor) -> torch.Tensor:
    """``W⁻``."""
    return weight.clamp(max=0)


def _rows(call):
    """How many outputs of a layer are computed at a time; None for all of them."""
    weight = call.layer.weight
    if call.kind != "dense" or weight.numel() <= BLOCK:
        return None
    return max(BLOCK // weight.shape[1], 1)


def product(call, a, change):
    """``change(W) a``, with `W` itself where `change` is None."""
    linear, weight, rows = call.layer.linear, call.layer.weight, _rows(call)
    if change is None or rows is None:
        return linear(a, weight if change is None else change(weight))
    return torch.cat([linear(a, change(block)) for block in weight.split(rows)], -1)


def transpose(call, s, change, shape):
    """``change(W)ᵀ s`` of ``[K, N, …]``, for inputs ``[N, *shape]``: one batch."""
    adjoint, weight, rows = call.layer.adjoint, call.layer.weight, _rows(call)
    flat = s.flatten(0, 1)
    shape = (len(flat), *shape)
    if change is None or rows is None:
        found = adjoint(flat, weight if change is None else change(weight), shape)
    else:
        blocks = zip(flat.split(rows, -1), weight.split(rows), strict=True)
        found = total(adjoint(part, change(block), shape) for part, block in blocks)
    return found.unflatten(0, s.shape[:2])


def total(parts):
    """Sum up tensors that nobody else reads, in the memory of the first."""
    return reduce(torch.Tensor.add_, parts)


def summed(call, pairs):
    """``Σ change(W) a``, with `a` and `change` from `pairs`."""
    return total(product(call, *pair) for pair in pairs)


def carry(call, pairs, s):
    """``Σ a ⊙ change(W)ᵀ s``, with `a` and `change` from `pairs`."""
    return total(transpose(call, s, change, a.shape[1:]).mul_(a) for a, change in pairs)


def share(
    call: Call,
    a: torch.Tensor,
    *pairs: tuple[torch.Tensor, Callable | None],
    bias: str = "ignore",
    stabilizer: float = 0.0,
) -> tuple[torch.Tensor, Callable]:
    """Distribute relevance in proportion to whatever counts as a contribution.

    Equation: ``r_in = Σ a′ ⊙ W′ᵀ(r / (Σ W′a′ + b))``, a sum over pairs of an input `a′`
    and a changed weight ``W′ = change(W)``. Most rules are this one. In one of your own
    magnitudes count, at one layer only:

    >>> def magnitude(call, a):
    ...     return modbp.rules.share(call, a, (a.abs(), torch.abs))
    >>> table = {**modbp.methods.get("lrp-z").rules, "fc1": magnitude}
    >>> mine = modbp.methods.Method("mine", table)
    >>> modbp.chain(net, x, mine).matrix("fc1")
    tensor([[0.3333, 0.5000],
            [0.6667, 0.5000]], dtype=torch.float64)

    Parameters
    ----------
    call, a : A call with weights, as a rule gets it, and its input ``[N, …]``.
    *pairs
        ``(a′, change)``: an input ``[N, …]`` or ``[1, …]``, and a function that changes
        a weight entry by entry, such as ``modbp.rules.positive`` (of a large layer
        it gets some rows at a time), or None for the weight as it is.
    bias : {"ignore", "denominator", "unit"}
        Whether `b` is left out, and relevance is conserved; enters as it is; or changed
        like a weight, as that of an input that is always one.
    stabilizer
        At least 0, in units of `z`: keeps the denominator from zero; 0 replaces exact
        zeros only, by 1e-7.

    Returns
    -------
    z, back
        As of every rule: the output ``[N, …]``, and what carries ``[K, N, …]`` back.
    """
    check_options(bias, stabilizer=stabilizer)
    if len(pairs) == 1 and pairs[0][0] is a and pairs[0][1] is None:
        z, own = output(call, a, bias)
        _check_range(call, own, stabilizer)
        # The denominator is neither kept nor named, so that it is gone before the
        # product: `own` is there already, and this is quick.
        return z, lambda r: (carry(call, pairs, r / stabilize(own, stabilizer)),)
    back = dividing(call, pairs, summed(call, pairs), bias, stabilizer)
    return call.layer.forward(a), lambda r: (back(r),)


def dividing(call, pairs, part, bias, stabilizer):
    """Return ``r ↦ Σ a ⊙ change(W)ᵀ(r / (part + b))``; writes into `part`."""
    b = call.layer.bias
    if b is not None and bias != "ignore":
        change = pairs[0][1]
        b = change(b) if bias == "unit" and change is not None else b
        part += per_channel(call, b, part)
    _check_range(call, part, stabilizer)
    denominator = stabilize_(part, stabilizer)
    return lambda r: carry(call, pairs, r / denominator)


def _check_range(call, z, stabilizer):
    """Refuse denominators that are infinite: they would take relevance to zero."""
    # The sum is not finite if an entry is not, and takes a thousandth of a product.
    large = stabilizer > torch.finfo(z.dtype).max / 2
    if large or not z.sum().isfinite() and not z.isfinite().all():
        if not call.layer.weight.isfinite().all():
            raise InputError(
                f"{call} has weights that are not finite. Check the network's weights, "
                "and what they were read from or trained with."
            )
        raise out_of_range(f"{call}: its rule would divide by infinity or NaN", z)


def output(call, a, bias):
    """Return the output, and the output without its bias if that is to be ignored."""
    layer = call.layer
    if bias != "ignore" or layer.bias is None:
        z = layer.forward(a)
        return z, z
    own = layer.linear(a, layer.weight)
    return own + per_channel(call, layer.bias, own), own


def per_channel(call, values, z):
    """Give values, one per channel, the dimensions of `z`."""
    return values.reshape(-1, *(1,) * (z.ndim - 1 - channel_dim(call, z.ndim)))


def channel_dim(call, rank):
    """Return which dimension of ``[N, …]`` a layer with weights mixes or scales."""
    return rank - 1 if call.kind == "dense" else 1
