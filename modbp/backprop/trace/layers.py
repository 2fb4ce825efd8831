"""The layers a call can be: what each computes, and its adjoint where it is linear."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F

from modbp.errors import TraceError

__all__ = ["INPUT", "Layer"]


@dataclass(frozen=True, eq=False)
class Layer:
    """What one call computes.

    Attributes
    ----------
    kind, type : str
        ``conv``, ``dense``, ``norm`` (batch norm), ``scale`` (times and plus
        constants), ``relu``, ``activation`` (other functions of one entry),
        ``layernorm`` (statistics of the sample), ``gate`` (signal times gate: what
        `opens` further, or, of two alike, what is broadcast, is the gate),
        ``maxpool``, ``avgpool``, ``add``, ``cat``, ``shape`` (moves entries),
        ``identity``, ``detach``, ``input``, or ``other``; and what the user called it:
        "Conv2d", "relu", "add".
    forward, linear : callable
        The output from the inputs; ``linear(a, weight, bias)`` with other parameters.
    weight, bias : torch.Tensor or None
        Parameters of ``conv``, ``dense``, ``norm`` and ``scale``.
    adjoint : callable
        ``adjoint(s, weight, shape)``: the transpose of `linear`, applied to ``[B, …]``,
        for an input of the shape given.
    scaled : callable
        ``scaled(weight, factors)``: the weight that gives ``factors`` times the output,
        one factor per output channel; for ``conv`` and ``dense``.
    undo : callable
        For ``shape``: ``undo(r, shape)`` brings ``[K, N, …]`` to the input's shape.
    slope, overwrite : callable
        For ``relu`` and ``activation``: the derivative, from the input (or, for
        ``relu``, from the output); the forward, in the memory of its input.
    output_sign : str
        The output's sign: "≥ 0", "any", or "keeps" where a non-negative input gives
        such an output.
    dim : int
        For ``cat``: the dimension.
    opens : int
        How clearly the output is a gate's, by the function that bounds it: 3 for a
        sigmoid or a softmax, 2 where it is cut off on both sides, 1 for a tanh, else 0.
    groups : Groups
        For ``layernorm``: whose statistics are taken, where DeepLIFT has a rule.
    why : str
        For ``other``: what speaks against it, and what to do.

    Examples
    --------
    >>> _, fc1, *_ = modbp.backprop.trace.Trace(net).run(x)[0]
    >>> fc1.layer.adjoint(fc1.layer.forward(x), fc1.layer.weight, x.shape)
    tensor([[7., 5.]], dtype=torch.float64, grad_fn=<MmBackward0>)
    """

    kind: str
    type: str
    forward: Callable
    weight: torch.Tensor | None = None
    bias: torch.Tensor | None = None
    linear: Callable | None = None
    adjoint: Callable | None = None
    scaled: Callable | None = None
    undo: Callable | None = None
    slope: Callable | None = None
    overwrite: Callable | None = None
    output_sign: str = "any"
    dim: int = 1
    opens: int = 0
    groups: object = None
    why: str = ""

    @property
    def moves_or_scales(self):
        """Whether each output is one input, moved, or times and plus constants."""
        return self.kind in ("shape", "identity", "detach", "scale")


def _same(a):
    return a


@dataclass(frozen=True, eq=False)
class Groups:
    """The groups of entries that a normalisation takes statistics of.

    Equation: ``z = γ c / √(mean(c²) + ε) + β``, with ``c = a − mean(a)``, or ``c = a``
    where it is not `centred`; `weight` is γ, or None.
    """

    count: int
    weight: torch.Tensor | None
    eps: float
    centred: bool = True

    def apart(self, a):
        """Return ``[…, N, count, entries of a group]``, for inputs ``[…, N, …]``."""
        return a.flatten(2).unflatten(2, (self.count, -1))

    def center(self, a):
        """Subtract each group's mean, where that is done; its own transpose."""
        return a - a.mean(-1, keepdim=True) if self.centred else a


INPUT = Layer("input", "input", _same, output_sign="keeps")


# Where numbers lie in memory ----------------------------------------------------------


def channels_last(x):
    """Put channels side by side where the CPU's convolutions would sort them so."""
    # Layers and rules keep that order; sorting takes an eighth of the time of VGG-16's.
    return x.contiguous(memory_format=torch.channels_last) if _is_meant(x) else x


def _is_meant(x):
    return x.ndim == 4 and x.dtype == torch.float32 and x.device.type == "cpu"


def _is_small(s):
    # For float64 the CPU has only a plain convolution, with one product per sample.
    # Where these are narrow, a single one for all samples takes a third of the time.
    plain = s.ndim == 4 and s.dtype == torch.float64 and s.device.type == "cpu"
    return plain and s.shape[2] * s.shape[3] <= 64


def each_channels_last(r):
    """Do the same with each of several relevances, ``[K, N, …]``."""
    return channels_last(r.flatten(0, 1)).unflatten(0, r.shape[:2])


def like(a):
    """Return the options of ``torch.empty`` for memory of the same order and type."""
    last = _is_meant(a) and a.is_contiguous(memory_format=torch.channels_last)
    order = torch.channels_last if last else torch.contiguous_format
    return {"dtype": a.dtype, "device": a.device, "memory_format": order}


def bits(mask):
    """Keep a mask in an eighth of its memory; what is returned unpacks it."""
    if mask.device.type != "cpu":
        return lambda: mask
    last = mask.ndim == 4 and mask.is_contiguous(memory_format=torch.channels_last)
    order = mask.permute(0, 2, 3, 1) if last else mask
    packed, shape = np.packbits(order.numpy()), order.shape

    def unpack():
        flat = np.unpackbits(packed, count=shape.numel()).view(bool)
        found = torch.from_numpy(flat).reshape(shape)
        return found.permute(0, 3, 1, 2) if last else found

    return unpack


# Linear layers ------------------------------------------------------------------------


def as_tuple(value, rank):
    return tuple(value) if isinstance(value, (tuple, list)) else (value,) * rank


def convolution(
    type, weight, bias=None, stride=1, padding=0, dilation=1, groups=1,
    transposed=False, output_padding=0,
):  # fmt: skip
    rank = weight.ndim - 2
    several = (stride, dilation, output_padding)
    stride, dilation, extra = (as_tuple(value, rank) for value in several)
    padding = as_tuple(0 if padding == "valid" else padding, rank)
    static = (stride, padding, dilation, transposed, extra, groups)

    def linear(a, weight, bias=None):
        return torch.convolution(a, weight, bias, *static)

    def adjoint(s, weight, shape):
        if groups == 1 and not transposed and _is_small(s):
            columns = torch.einsum("oi,bop->bip", weight.flatten(1), s.flatten(2))
            kernel = weight.shape[2:]
            return F.fold(columns, shape[2:], kernel, dilation, padding, stride)
        # Only the input's shape is needed. Memory that nothing touches costs nothing,
        # and one number expanded to that shape would be copied out.
        a = torch.empty(shape, **like(s))
        mask = (True, False, False)
        return torch.ops.aten.convolution_backward(s, a, weight, None, *static, mask)[0]

    def scaled(weight, factors):
        if not transposed:
            return _by_row(weight, factors)
        # [in, out / groups, …]: the factors of a group belong to its inputs' rows.
        apart = weight.unflatten(0, (groups, -1))
        factors = factors.reshape(groups, 1, weight.shape[1], *(1,) * rank)
        return (apart * factors).flatten(0, 1)

    return parametrised("conv", type, weight, bias, linear, adjoint, scaled)


def _by_row(weight, factors):
    return weight * factors.reshape(len(weight), *(1,) * (weight.ndim - 1))


def parametrised(kind, type, weight, bias, linear, adjoint, scaled=None):
    def forward(a):
        return linear(a, weight, bias)

    return Layer(kind, type, forward, weight, bias, linear, adjoint, scaled)


def dense(type, weight, bias):
    def adjoint(s, weight, shape):
        return s @ weight

    return parametrised("dense", type, weight, bias, F.linear, adjoint, _by_row)


# The other kinds ----------------------------------------------------------------------


def relu(type, top=None):
    """``min(max(a, 0), top)``; with a top it is bounded."""

    def forward(a):
        return a.relu() if top is None else a.clamp(0, top)

    def overwrite(a):
        return a.relu_() if top is None else a.clamp_(0, top)

    def slope(a):
        return a > 0 if top is None else (a > 0) & (a < top)

    options = {"slope": slope, "overwrite": overwrite, "opens": 0 if top is None else 2}
    return Layer("relu", type, forward, output_sign="≥ 0", **options)


def activation(type, forward, output_sign="keeps", opens=0):
    def slope(a):
        z, pull = torch.func.vjp(forward, a)
        return pull(torch.ones_like(z))[0]

    options = {"output_sign": output_sign, "opens": opens}
    return Layer("activation", type, forward, slope=slope, **options)


def pooling(kind, type, forward, output_sign="keeps"):
    return Layer(kind, type, forward, output_sign=output_sign)


def reshape(type, shape):
    def undo(r, shape):
        return r.reshape(r.shape[0], *shape)

    def forward(a):
        return a.reshape(len(a), *shape)

    return Layer("shape", type, forward, undo=undo, output_sign="keeps")


def permute(type, dims):
    back = [0, *(1 + dims.index(place) for place in range(len(dims)))]

    def undo(r, shape):
        return r.permute(back)

    options = {"undo": undo, "output_sign": "keeps"}
    return Layer("shape", type, lambda a: a.permute(dims), **options)


def selection(type, forward, linear=None, output_sign="keeps"):
    """Each output is one of the inputs, or a constant; `linear` has zeros there."""

    def undo(r, shape):
        flat = r.flatten(0, 1)
        zeros = flat.new_zeros(len(flat), *shape[1:])
        pull = torch.func.vjp(linear or forward, zeros)[1]
        return pull(flat)[0].unflatten(0, r.shape[:2])

    options = {"undo": undo, "linear": linear, "output_sign": output_sign}
    return Layer("shape", type, forward, **options)


def scale(type, weight, bias=None):
    """Times a constant and plus another, both ``[1, …]``."""

    def linear(a, weight, bias=None):
        z = a * weight
        return z if bias is None else z + bias

    def adjoint(s, weight, shape):
        return s * weight

    layer = parametrised("scale", type, weight, bias, linear, adjoint)
    rising = bool((weight >= 0).all()) and (bias is None or bool((bias >= 0).all()))
    return replace(layer, output_sign="keeps" if rising else "any")


def identity(type, kind="identity"):
    return Layer(kind, type, _same, output_sign="keeps")


def cat(type, dim):
    def forward(*inputs):
        return torch.cat(inputs, dim)

    return Layer("cat", type, forward, dim=dim, output_sign="keeps")


def other(type, why="", forward=None):
    """A layer that no rule is for, and why that is."""

    def refused(*inputs):
        raise TraceError(f"modbp cannot compute this layer. {why}")

    return Layer("other", type, forward or refused, why=why)
