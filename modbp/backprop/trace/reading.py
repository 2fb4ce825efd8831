"""Which layer a module, a function or a tensor method stands for."""

import operator

import torch
import torch.nn.functional as F
from torch import nn

from modbp.backprop.trace.known import FUNCTIONS, MODULES, NAMES
from modbp.backprop.trace.layers import Layer, identity, permute, reshape
from modbp.errors import InputError, TraceError

__all__ = ["is_question", "read"]

_ADDITIONS = ("add", "add_", "iadd")
_CONCATENATIONS = ("cat", "concat", "concatenate")
_RESHAPINGS = ("flatten", "reshape", "view", "squeeze", "unsqueeze", "unflatten")


def is_question(op, target, args):
    """Return whether a step asks for a size or a type instead of computing."""
    if op == "call_method":
        # With an argument, `type` is a conversion.
        return target in ("size", "dim", "numel") or (target == "type" and not args[1:])
    return target is getattr and args[1] in ("shape", "ndim", "dtype", "device")


def read(target, args, kwargs, shapes):
    """Return a step's layer and what it reads; `shapes` has those of such outputs."""
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
    reader = FUNCTIONS.get(name)
    if reader is None:
        return _other(name), list(shapes)
    return reader(first, *rest, **kwargs), [first]


def _name(target):
    """Return a function's name, marked as foreign unless it is one of torch's own."""
    if isinstance(target, str):
        return target
    name = NAMES.get(target, target.__name__)
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
    pair = [*args, *([kwargs["other"]] if "other" in kwargs else [])]
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
    options = {"in_place": name != "add", "output_sign": "keeps"}
    return Layer("add", "add", operator.add, **options), pair


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
