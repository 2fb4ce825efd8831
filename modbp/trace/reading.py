"""Which layer a module, a function or a tensor method stands for."""

import operator

import torch
import torch.nn.functional as F
from torch import nn

from modbp.errors import InputError, TraceError
from modbp.trace.layers import (
    Layer,
    as_tuple,
    convolution,
    dense,
    identity,
    permute,
    pooling,
    relu,
    reshape,
)
from modbp.trace.modules import MODULES, POOLINGS

__all__ = ["is_question", "read"]


# Functions and tensor methods: name, then what becomes of the arguments ---------------


def _f_convolution(rank):
    def read(
        a, weight, bias=None, stride=1, padding=0, dilation=1, groups=1
    ):  # the signature of torch.nn.functional.conv2d
        return convolution(
            f"conv{rank}d", weight, bias, stride, padding, dilation, groups
        )

    return read


def _f_transposed(rank):
    def read(
        a,
        weight,
        bias=None,
        stride=1,
        padding=0,
        output_padding=0,
        groups=1,
        dilation=1,
    ):  # the signature of torch.nn.functional.conv_transpose2d
        name, options = f"conv_transpose{rank}d", (stride, padding, dilation, groups)
        return convolution(name, weight, bias, *options, True, output_padding)

    return read


def _f_relu(name, in_place=False, top=None):
    def read(a, inplace=False):
        return relu(name, in_place or inplace, top)

    return read


def _f_pool(name):
    function = getattr(F, name)
    kind = "maxpool" if "max" in name else "avgpool"

    def read(a, *args, **kwargs):
        if kwargs.pop("return_indices", False):
            raise TraceError(f"{name} also returns indices, which no rule can use.")

        def forward(a, **more):
            return function(a, *args, **kwargs, **more)

        return pooling(kind, name, forward)

    return read


def _f_permute(a, *dims):
    return permute("permute", dims[0] if isinstance(dims[0], (tuple, list)) else dims)


def _f_mean(a, dim=None, keepdim=False):
    if dim is None:
        raise TraceError("mean runs over the samples; name only later dimensions.")

    def forward(a):
        if any(entry % a.ndim == 0 for entry in as_tuple(dim, 1)):
            raise TraceError("mean runs over the samples; name only later dimensions.")
        return a.mean(dim, keepdim)

    return pooling("avgpool", "mean", forward)


def _f_dropout(a, p=0.5, training=True, inplace=False):
    if training:  # which is the default, even in a model in evaluation mode
        raise TraceError(
            "dropout is switched on by its argument. Pass training=self.training."
        )
    return identity("dropout")


_FUNCTIONS = {
    **{f"conv{rank}d": _f_convolution(rank) for rank in (1, 2, 3)},
    **{f"conv_transpose{rank}d": _f_transposed(rank) for rank in (1, 2, 3)},
    "linear": lambda a, weight, bias=None: dense("linear", weight, bias),
    "relu": _f_relu("relu"),
    "relu_": _f_relu("relu_", in_place=True),
    "relu6": _f_relu("relu6", top=6),
    **{name: _f_pool(name) for name in POOLINGS.values()},
    "permute": _f_permute,
    "mean": _f_mean,
    **{name: _f_dropout for name in ("dropout", "dropout1d", "dropout2d", "dropout3d")},
    "contiguous": lambda a, memory_format=None: identity("contiguous"),
}
# boolean_dispatch hides the names of the max pooling functions.
_NAMES = {getattr(F, name): name for name in POOLINGS.values()}
_ADDITIONS = ("add", "add_", "iadd")
_CONCATENATIONS = ("cat", "concat", "concatenate")
_RESHAPINGS = ("flatten", "reshape", "view", "squeeze", "unsqueeze", "unflatten")


def is_question(op, target, args):
    """Return whether a traced step asks for a size or a type instead of computing.

    Parameters
    ----------
    op : str
        The kind of step, in the words of `torch.fx`.
    target : callable or str
        What is called.
    args : tuple
        Its arguments.

    Returns
    -------
    bool
    """
    if op == "call_method":
        # With an argument, `type` is a conversion.
        return target in ("size", "dim", "numel") or (target == "type" and not args[1:])
    return target is getattr and args[1] in ("shape", "ndim", "dtype", "device")


def read(target, args, kwargs, shapes):
    """Return the layer that a module or a function stands for, and what it reads.

    Parameters
    ----------
    target : torch.nn.Module, callable or str
        A module, a function, or the name of a tensor's method.
    args, kwargs
        The arguments, in which some entries stand for outputs of earlier calls.
    shapes : dict
        The shapes of those outputs.

    Returns
    -------
    layer : Layer
    sources : list
        The entries of the arguments that the layer reads.

    Raises
    ------
    TraceError
        If the layer cannot be an entry of a chain whatever the rule.
    """
    kwargs = dict(kwargs)
    if not args and "input" in kwargs:
        args = (kwargs.pop("input"),)
    if isinstance(target, nn.Module):
        name, reader = type(target).__name__, MODULES.get(type(target))
        if reader is None:
            return _other(name), list(shapes)
        if len(args) != 1 or kwargs:
            raise TraceError(
                f"{name} is called with more than its input. Call it with one tensor."
            )
        return reader(target), [args[0]]
    if target is getattr:  # a view of the tensor, as .T; a question would not be here
        return _other(f".{args[1]}"), list(shapes)
    name = _name(target)
    try:
        return _read_function(name, args, kwargs, shapes)
    except TypeError as error:
        if isinstance(error, TraceError):
            raise
        raise TraceError(
            f"{name} is called with arguments that modbp does not know ({error}). Use "
            "a module of torch.nn, or fewer arguments."
        ) from None


def _read_function(name, args, kwargs, shapes):
    if name in _ADDITIONS:
        return _add(name, args, kwargs, shapes)
    if name in _CONCATENATIONS:
        parts = args[0] if args else kwargs["tensors"]
        dim = args[1] if len(args) > 1 else kwargs.get("dim", kwargs.get("axis", 0))
        return _cat(name, list(parts), dim, shapes)
    first, *rest = args or [None]
    others = [*rest, *kwargs.values()]
    if not _is_output(first, shapes) or any(_is_output(o, shapes) for o in others):
        return _other(name), list(shapes)
    if name == "transpose":
        one, two = (*rest, *kwargs.values())
        dims = list(range(len(shapes[first])))
        dims[one], dims[two] = dims[two], dims[one]
        return permute(name, dims), [first]
    if name in _RESHAPINGS:
        return _reshape(name, shapes[first], rest, kwargs), [first]
    reader = _FUNCTIONS.get(name)
    if reader is None:
        return _other(name), list(shapes)
    return reader(first, *rest, **kwargs), [first]


def _name(target):
    """Return a function's name, marked as foreign unless it is one of torch's own."""
    if isinstance(target, str):
        return target
    name = _NAMES.get(target, target.__name__)
    spaces = (torch, F, operator)
    own = any(getattr(space, name, None) is target for space in spaces)
    return name if own else f"{target.__module__}.{name}"


def _is_output(entry, shapes):
    try:
        return entry in shapes
    except TypeError:  # a list or a slice, also inside a tuple
        return False


def _other(name):
    def forward(*inputs):
        raise TraceError(
            "modbp cannot compute this layer, so no rule can use it. Write it with "
            "layers that modbp knows."
        )

    return Layer("other", name, forward)


def _reshape(name, shape, args, kwargs):
    """Bind the shape of one sample: a size that counts samples may be written out."""
    try:
        empty = torch.empty(shape, device="meta")
        after = getattr(empty, name)(*args, **kwargs).shape
    except RuntimeError as error:
        raise InputError(
            f"{name} cannot take an input of shape {list(shape)}: {error}. Give the "
            "network images of the size and channels that it was made for."
        ) from None
    if after[:1] != shape[:1]:
        raise TraceError(
            f"{name} moves or removes the first dimension, which counts the samples: "
            f"{list(shape)} becomes {list(after)}. Keep it first, as in x.flatten(1), "
            "and give images of the size that the network was made for."
        )
    return reshape(name, lambda a: a.reshape(len(a), *after[1:]))


def _add(name, args, kwargs, shapes):
    if kwargs.get("alpha", 1) != 1 or kwargs.keys() - {"alpha", "other"}:
        return _other(f"{name} with {' and '.join(kwargs)}"), list(shapes)
    pair = [*args, *(kwargs[key] for key in ("other",) if key in kwargs)]
    # sum([a, b]) starts from 0.
    pair = [entry for entry in pair if not (type(entry) is int and entry == 0)]
    if not all(_is_output(entry, shapes) for entry in pair):
        raise TraceError(
            f"{name} adds a constant to a layer's output. Make it the bias of a layer."
        )
    if len(pair) == 1:
        return identity(name), pair
    if shapes[pair[0]] != shapes[pair[1]]:
        raise TraceError(
            f"{name} adds shapes {list(shapes[pair[0]])} and {list(shapes[pair[1]])}; "
            "relevance cannot be split over a broadcast. Give both the same shape."
        )
    in_place = name != "add"
    return Layer(
        "add", "add", operator.add, in_place=in_place, output_sign="keeps"
    ), pair


def _cat(name, parts, dim, shapes):
    if not all(_is_output(entry, shapes) for entry in parts):
        raise TraceError(
            f"{name} joins a constant to a layer's output. Give it outputs of layers."
        )
    dim = dim % len(shapes[parts[0]])
    if dim == 0:
        raise TraceError(f"{name} joins along the samples; join along the channels.")

    def forward(*inputs):
        return torch.cat(inputs, dim)

    return Layer("cat", name, forward, dim=dim, output_sign="keeps"), parts
