"""Which layers the calls of a graph stand for."""

import inspect
import math
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

import torch
import torch.nn.functional as F

from modbp.backprop.trace import layers
from modbp.backprop.trace.graph import (
    LIKE_OTHERS,
    Node,
    Piece,
    entries,
    is_random,
    mapped,
)
from modbp.backprop.trace.known import (
    SINGLE,
    WHY,
    constant,
    expanded,
    padded_same,
    pool,
    replayed,
)
from modbp.backprop.trace.layers import INPUT, Layer

__all__ = ["Entry", "read"]

_REFS = (Node, Piece)
_SPLITS = ("split", "chunk", "unbind", "tensor_split", "hsplit", "dsplit")
_SPLITS += ("split_with_sizes", "unsafe_chunk", "unsafe_split")
_ATTENTION = ("scaled_dot_product_attention", "multi_head_attention_forward")
_ATTENTION += ("_transformer_encoder_layer_fwd",)
# These are attention where they multiply what depends on the input with each other.
_PRODUCTS = ("matmul", "mm", "bmm", "einsum", "baddbmm", "addmm")
# What is bounded stays so through these, but for a factor.
_BOUNDED = ("shape", "scale", "identity", "detach", "cat", "add", "gate", "avgpool")


@dataclass(eq=False)
class Entry:
    """A layer, the positions that it reads, and the shape of its output for one sample.

    `folded` names the batch norm that it computes too.
    """

    name: str
    layer: Layer
    sources: tuple
    shape: torch.Size
    folded: str = ""


def read(graph):
    """Return the entries that the output needs, in order of execution, input first."""
    reading = _Reading(graph)
    for node in graph.nodes:
        if node in reading.needed:
            reading.read(node)
    last = reading.position(graph.result)
    return _pruned(reading.entries, last)


def _pruned(found, last):
    """Drop what the last entry does not need, and count anew."""
    needed = {0, last}
    for position in range(last, 0, -1):
        if position in needed:
            needed.update(found[position].sources)
    order = sorted(needed)
    new = {position: count for count, position in enumerate(order)}
    kept = [found[position] for position in order]
    for entry in kept:
        entry.sources = tuple(new[source] for source in entry.sources)
    if last == 0:  # a network that hands its input on
        kept.append(Entry("output", layers.identity("output"), (0,), kept[0].shape))
    return kept


def _other(node, why="", forward=None):
    refs, opens = entries(_REFS, node.args, node.kwargs), 0
    several = len(set(refs)) > 1 or node.function == "einsum" and len(refs) > 1
    if node.function in ("softmax", "log_softmax", "softmin"):
        why, opens = WHY["softmax"], 3 * (node.function != "log_softmax")
    elif node.function in _ATTENTION or node.function in _PRODUCTS and several:
        why = WHY["attention"]
    elif node.function.startswith(("lstm", "gru", "rnn")):
        why = WHY["recurrent"]
    elif "with_indices" in node.function:
        why = WHY["indices"]
    return replace(layers.other(node.type, why, forward), opens=opens)


class _UnknownError(Exception):
    """A call in a form that its reader does not know."""


def _called(reader, *args, **kwargs):
    """Call a reader unless there are arguments that it does not know."""
    try:
        inspect.signature(reader).bind(*args, **kwargs)
    except TypeError:
        raise _UnknownError from None
    return reader(*args, **kwargs)


class _Reading:
    """The entries so far, and where the output of each node is among them."""

    def __init__(self, graph):
        source = graph.source
        self.entries = [Entry("input", INPUT, (), source.shape)]
        self.samples = source.shape[:1]
        self.positions, self.names = {source: 0}, {"input": 1}
        self.needed, waiting = set(), [graph.result]
        while waiting:
            value = waiting.pop()
            node = value.node if isinstance(value, Piece) else value
            if node not in self.needed:
                self.needed.add(node)
                waiting += entries(_REFS, node.args, node.kwargs)
        if any(node.is_random for node in self.needed):
            raise is_random()

    def position(self, value):
        """Return where an output is; pieces of several get an entry when needed."""
        if value not in self.positions:
            self.positions[value] = self.piece(value)
        return self.positions[value]

    def emit(self, node, layer, *sources, shape=None, step=""):
        """Add an entry, named after the node and, on the way there, after a step."""
        path = f"{node.name}.{step}" if step else node.name
        self.names[path] = count = self.names.get(path, 0) + 1
        name = path if count == 1 else f"{path}:{count}"
        shape = node.shape if shape is None else shape
        self.entries.append(Entry(name, layer, sources, shape))
        return len(self.entries) - 1

    def read(self, node):
        """Add the entries of a call, unless it has several outputs."""
        if not node.args and "input" in node.kwargs:
            node.args = (node.kwargs["input"],)
            node.kwargs = {k: v for k, v in node.kwargs.items() if k != "input"}
        if node.shape is None or node in self.positions:
            return
        place = None
        refs = entries(_REFS, node.args, node.kwargs)
        same = all(ref.dtype == node.dtype for ref in refs)
        if same and not node.why and node.shape[:1] == self.samples:
            reader = JOINTS.get(node.function, _single)
            with suppress(_UnknownError):
                place = _called(reader, self, node, *node.args, **node.kwargs)
        if place is None:
            floats = {e.dtype for e in (node, *refs) if e.dtype.is_floating_point}
            if len(floats) > 1 and not node.why:
                node.why = WHY["type"]
            place = self.foreign(node, node.shape)
        self.positions[node] = self.stopped(node, place, node.shape)

    def foreign(self, node, shape, key=None):
        """Add a call that no rule is for; autograd computes it where that is enough."""
        refs = list(dict.fromkeys(entries(_REFS, node.args, node.kwargs)))
        sources = tuple(self.position(ref) for ref in refs)
        why, call = node.why, node.call
        if shape[:1] != self.samples:
            why = why or WHY["samples"]

        def forward(*inputs):
            given = dict(zip(refs, inputs, strict=True))

            def filled(value):
                if not isinstance(value, _REFS):
                    return value
                return given[value].clone() if node.in_place else given[value]

            args, kwargs = mapped(filled, (node.args, node.kwargs))
            found = call(*args, **kwargs)
            return found if key is None else found[key]

        fits = call is not None and not node.why and shape[:1] == self.samples
        layer = _other(node, why, forward if fits else None)
        return self.emit(node, layer, *sources, shape=shape)

    def piece(self, piece):
        """Add one of several outputs of a call."""
        node, key = piece.node, piece.key
        first, *rest = node.args or [None]
        plain = isinstance(first, _REFS) and not entries(_REFS, rest, node.kwargs)
        place = None
        if plain and not node.why and piece.shape[:1] == self.samples:
            source = self.position(first)
            if node.function in _SPLITS:
                layer = layers.selection(node.type, replayed(node, key))
                place = self.emit(node, layer, source, shape=piece.shape)
            elif node.function == "max" and key == 0:
                with suppress(_UnknownError):
                    place = _called(
                        _amax, self, node, *node.args, shape=piece.shape, **node.kwargs
                    )
            elif node.function.endswith("_with_indices") and key == 0:
                layer = pool(node, *rest, **node.kwargs)
                place = self.emit(node, layer, source, shape=piece.shape)
        if place is None:
            place = self.foreign(node, piece.shape, key)
        return self.stopped(node, place, piece.shape)

    # Steps that a call is made of -----------------------------------------------------

    def stopped(self, node, position, shape):
        """Return an output's position, or that of an entry that stops gradients."""
        if not node.blocked:
            return position
        layer = layers.identity(node.type, "detach")
        return self.emit(node, layer, position, shape=shape, step="detach")

    def broad(self, node, position, step):
        """Return the position of an output repeated up to the shape of the node's."""
        if self.entries[position].shape == node.shape:
            return position
        shape, wanted = self.entries[position].shape, node.shape
        if len(shape) != len(wanted):  # dimensions come before its own
            missing = (1,) * (len(wanted) - len(shape))
            if len(shape) > 1 or missing[1:]:
                raise _UnknownError  # samples would meet other dimensions
            shape = torch.Size((*shape, *missing))
            layer = layers.reshape(node.type, shape[1:])
            position = self.emit(node, layer, position, shape=shape, step="view")
        layer = expanded(node.type, wanted[1:])
        return self.emit(node, layer, position, shape=wanted, step=step)

    def scaled(self, node, position, weight=1.0, bias=None, step=""):
        """Add an entry that is a multiple of another, plus a constant."""
        weight = constant(weight, node)
        bias = None if bias is None else constant(bias, node)
        layer = layers.scale(node.type, weight, bias)
        position = self.broad(node, position, "expand")
        return self.emit(node, layer, position, step=step)


def _single(reading, node, first=None, *rest, **kwargs):
    """Add a call that reads one output."""
    reader = SINGLE.get(node.function)
    others = entries(_REFS, rest, kwargs)
    if reader is None or not isinstance(first, _REFS):
        return None
    if others and node.function not in LIKE_OTHERS:
        return None
    source = reading.position(first)
    layer = _called(reader, node, *rest, **kwargs)
    return None if layer is None else reading.emit(node, layer, source)


# Calls that read several outputs, or constants ----------------------------------------


def _add(reading, node, first, other, *, alpha=1, sign=1, **more):
    if more.keys() - {"out"} or isinstance(alpha, torch.Tensor):
        return None
    factor = sign * alpha
    if not isinstance(other, _REFS):
        if type(other) in (int, float) and not other:  # sum([a, b]) starts from 0
            return reading.emit(
                node, layers.identity(node.type), reading.position(first)
            )
        bias = other if factor == 1 else factor * other
        return reading.scaled(node, reading.position(first), 1.0, bias)
    second = reading.position(other)
    if not isinstance(first, _REFS):
        return reading.scaled(node, second, factor, first)
    one = reading.broad(node, reading.position(first), "expand")
    if factor != 1:
        second = reading.scaled(node, second, factor, step="neg")
    two = reading.broad(node, second, "expand")
    layer = Layer("add", "add", _plus, output_sign="keeps")
    return reading.emit(node, layer, one, two)


def _plus(one, two):
    return one + two


def _rsub(reading, node, first, other, *, alpha=1):
    return _add(reading, node, other, first, alpha=alpha, sign=-1)


def _neg(reading, node, a):
    return reading.scaled(node, reading.position(a), -1.0)


def _mul(reading, node, first, other):
    refs = [entry for entry in (first, other) if isinstance(entry, _REFS)]
    if len(refs) == 1:
        factor = other if refs[0] is first else first
        return reading.scaled(node, reading.position(refs[0]), factor)
    if first is other:
        return None
    pair = [reading.position(ref) for ref in (first, other)]
    # What opens further or is broadcast is the gate; the signal comes first.
    opens = [_opens(reading.entries, place) for place in pair]
    broad = [reading.entries[place].shape != node.shape for place in pair]
    ranks = list(zip(opens, broad, strict=True))
    if ranks[0] == ranks[1]:
        if not all(opens):
            return None
        # Two gates of one kind: neither is a signal, but their product is a gate.
        layer = layers.other(node.type, WHY["gates"], torch.mul)
        return reading.emit(node, replace(layer, opens=min(opens)), *pair)
    if ranks[0] > ranks[1]:
        pair.reverse()
    pair = [reading.broad(node, place, "expand") for place in pair]
    layer = Layer("gate", node.type, torch.mul, output_sign="keeps")
    return reading.emit(node, layer, *pair)


def _opens(found, position):
    """Return how clearly an output is a gate's: 0 if it is not bounded."""
    layer, sources = found[position].layer, found[position].sources
    if layer.kind in _BOUNDED:
        return min(_opens(found, source) for source in sources)
    return layer.opens


def _div(reading, node, first, other, *, rounding_mode=None):
    if rounding_mode is not None:
        return None
    if isinstance(other, _REFS):
        return _divided(reading, node, first, other)
    other = torch.as_tensor(other, dtype=node.dtype, device=node.device)
    return reading.scaled(node, reading.position(first), other.reciprocal())


def _divided(reading, node, first, other):
    """Take a divisor that is broadcast for a gate, as norms written by hand have."""
    if not isinstance(first, _REFS):
        return None
    signal, divisor = map(reading.position, (first, other))
    shapes = [reading.entries[place].shape for place in (signal, divisor)]
    if shapes[0] != node.shape or shapes[1] == node.shape:
        return None
    layer = layers.other(node.type, forward=torch.reciprocal)
    gate = reading.emit(node, layer, divisor, shape=shapes[1], step="reciprocal")
    gate = reading.broad(node, gate, "expand")
    layer = Layer("gate", node.type, torch.mul, output_sign="keeps")
    return reading.emit(node, layer, signal, gate)


def _where(reading, node, first, second, third):
    """Read what a constant mask chooses between an output and a constant."""
    # As a function the mask comes first, as a method of a tensor second.
    mask, one, two = first, second, third
    if isinstance(first, _REFS):
        mask, one, two = second, first, third
    if isinstance(mask, _REFS) or isinstance(one, _REFS) == isinstance(two, _REFS):
        return None
    if isinstance(two, _REFS):
        mask, one, two = ~mask, two, one
    two = torch.as_tensor(two, dtype=node.dtype, device=node.device)
    bias = torch.where(mask, 0.0, two)
    return reading.scaled(node, reading.position(one), mask, bias)


def _masked_fill(reading, node, first, mask, value):
    if not isinstance(first, _REFS) or isinstance(mask, _REFS):
        return None
    return _where(reading, node, ~mask, first, value)


def _conv(reading, node, first, *args, **kwargs):
    """Pad in a step of its own where there is more padding on one side."""
    names = ("weight", "bias", "stride", "padding", "dilation", "groups")
    given = {**dict(zip(names, args, strict=False)), **kwargs}
    weight = given["weight"]
    if given.get("padding") == "same" and not isinstance(weight, _REFS):
        _, ends = padded_same(weight, given.get("dilation", 1))
        if any(ends):
            pads = [n for end in reversed(ends) for n in (0, end)]
            layer = layers.selection(node.type, partial(F.pad, pad=pads))
            room = (n + e for n, e in zip(first.shape[2:], ends, strict=True))
            shape = torch.Size((*first.shape[:2], *room))
            place = reading.emit(
                node, layer, reading.position(first), shape=shape, step="pad"
            )
            layer = SINGLE[node.function](node, **given)
            return reading.emit(node, layer, place)
    return _single(reading, node, first, **given)


def _matmul(reading, node, first, other=None, mat2=None, vec=None):
    """Write a product with a constant as a dense layer, over tokens if it is left."""
    other = next(each for each in (other, mat2, vec) if each is not None)
    emit = partial(reading.emit, node)
    if isinstance(first, _REFS) and not isinstance(other, _REFS):
        source = reading.position(first)
        if other.ndim == 2:
            return emit(layers.dense(node.type, other.mT, None), source)
        if other.ndim == 1:
            return _dense_to_one(reading, node, source, other, None)
    elif not isinstance(first, _REFS) and first.ndim == 2 and len(other.shape) > 2:
        before, after = list(other.shape), list(node.shape)
        for shape in (before, after):
            shape[-2:] = shape[:-3:-1]
        swapped = layers.permute(node.type, _swapped(len(before)))
        place = emit(
            swapped, reading.position(other), shape=torch.Size(before), step="mT"
        )
        layer = layers.dense(node.type, first, None)
        place = emit(layer, place, shape=torch.Size(after), step="dense")
        return emit(swapped, place)
    return None


def _swapped(rank):
    return [*range(rank - 2), rank - 1, rank - 2]


def _dense_to_one(reading, node, source, weight, bias):
    """Add a dense layer with one output, whose dimension is dropped."""
    shape = torch.Size((*node.shape, 1))
    layer = layers.dense(node.type, weight[None], bias)
    place = reading.emit(node, layer, source, shape=shape, step="dense")
    return reading.emit(node, layers.reshape(node.type, node.shape[1:]), place)


def _addmm(reading, node, bias, first, other, *, beta=1, alpha=1):
    constants = not entries(_REFS, bias, other)
    if not constants or (beta, alpha) != (1, 1) or bias.ndim != 1:
        return None
    layer = layers.dense(node.type, other.mT, bias)
    return reading.emit(node, layer, reading.position(first))


def _linear(reading, node, first, weight, bias=None):
    if entries(_REFS, weight, bias) or not isinstance(first, _REFS):
        return None
    if weight.ndim == 1:
        bias = bias if bias is None else bias.reshape(1)
        return _dense_to_one(reading, node, reading.position(first), weight, bias)
    layer = layers.dense(node.type, weight, bias)
    return reading.emit(node, layer, reading.position(first))


def _addcmul(reading, node, start, one, other, *, value=1):
    """Write a constant plus a multiple, as timm's affine layers have it."""
    source, factor = (one, other) if isinstance(one, _REFS) else (other, one)
    if entries(_REFS, start, factor):
        return None
    return reading.scaled(node, reading.position(source), value * factor, start)


def _cat(reading, node, tensors, dim=0, axis=None):
    dim = (dim if axis is None else axis) % len(node.shape)
    return _joined(reading, node, tensors, dim)


def _hstack(reading, node, tensors):
    return _joined(reading, node, tensors, 1)


def _stack(reading, node, tensors, dim=0):
    dim = dim % len(node.shape)
    shape = torch.Size(n for d, n in enumerate(node.shape) if d != dim)
    one = torch.Size((*shape[:dim], 1, *shape[dim:]))
    return _joined(reading, node, tensors, dim, one)


def _joined(reading, node, parts, dim, shape=None):
    """Put outputs, and constants between them, side by side."""
    if dim == 0:
        return None
    places = []
    like = next(part for part in parts if isinstance(part, _REFS))
    for part in parts:
        if isinstance(part, _REFS):
            place = reading.position(part)
        else:  # a constant: nothing of the input, plus it
            whole = torch.as_tensor(part, dtype=node.dtype, device=node.device)
            if whole.shape[:1] != (1,):
                return None
            first = reading.position(like)
            place = _of_constant(reading, node, first, whole)
        if shape is not None:
            layer = layers.reshape(node.type, shape[1:])
            place = reading.emit(node, layer, place, shape=shape, step="view")
        places.append(place)
    return reading.emit(node, layers.cat(node.type, dim), *places)


def _of_constant(reading, node, source, whole):
    """Add an entry that has the same values for every sample."""

    def forward(a):
        return whole.expand(len(a), *whole.shape[1:])

    def zeros(a):
        # Of the input, so that its derivative is there, and is zero.
        return (
            (a.flatten(1)[:, :1] * 0)
            .reshape(-1, *(1,) * (whole.ndim - 1))
            .expand(len(a), *whole.shape[1:])
        )

    layer = layers.selection(node.type, forward, zeros, "any")
    return reading.emit(node, layer, source, shape=whole.shape, step="constant")


def _amax(reading, node, a, dim=None, keepdim=False, shape=None):
    """Take the largest over dimensions: these last, and in one, as a pooling."""
    if not isinstance(a, _REFS) or dim is None or isinstance(dim, _REFS):
        return None
    rank, shape = len(a.shape), node.shape if shape is None else shape
    dims = sorted(d % rank for d in layers.as_tuple(dim, 1))
    if 0 in dims or not dims:
        return None
    place, order = reading.position(a), [d for d in range(rank) if d not in dims] + dims
    emit = partial(reading.emit, node)
    if order != list(range(rank)):
        moved = torch.Size(a.shape[d] for d in order)
        layer = layers.permute(node.type, order)
        place = emit(layer, place, shape=moved, step="permute")
    size = math.prod(a.shape[d] for d in dims)
    flat = torch.Size((a.shape[0], math.prod(a.shape[1:]) // size, size))
    layer = layers.reshape(node.type, flat[1:])
    place = emit(layer, place, shape=flat, step="flatten")

    def forward(a, return_indices=False):
        z, index = a.max(2, keepdim=True)
        return (z, index) if return_indices else z

    layer = layers.pooling("maxpool", node.type, forward)
    place = emit(layer, place, shape=torch.Size((*flat[:2], 1)))
    return emit(layers.reshape(node.type, shape[1:]), place, shape=shape, step="view")


def _glu(reading, node, a, dim=-1):
    """Write a gated linear unit as the gate that it is."""
    dim, source = dim % len(a.shape), reading.position(a)
    half = a.shape[dim] // 2
    emit = partial(reading.emit, node, shape=node.shape)
    parts = [
        layers.selection(
            node.type, partial(torch.narrow, dim=dim, start=s, length=half)
        )
        for s in (0, half)
    ]
    signal = emit(parts[0], source, step="signal")
    gate = emit(parts[1], source, step="gate")
    layer = layers.activation("sigmoid", torch.sigmoid, "≥ 0", 3)
    gate = emit(layer, gate, step="sigmoid")
    return emit(Layer("gate", node.type, torch.mul, output_sign="keeps"), signal, gate)


JOINTS = {
    **dict.fromkeys(("add", "add_", "radd"), _add),
    **dict.fromkeys(("sub", "sub_", "subtract"), partial(_add, sign=-1)),
    "rsub": _rsub,
    **dict.fromkeys(("neg", "neg_", "negative"), _neg),
    **dict.fromkeys(("mul", "mul_", "multiply", "rmul"), _mul),
    **dict.fromkeys(("div", "div_", "true_divide", "truediv", "divide"), _div),
    "addcmul": _addcmul,
    **dict.fromkeys(("cat", "concat", "concatenate"), _cat),
    "stack": _stack,
    "hstack": _hstack,
    "where": _where,
    **dict.fromkeys(("masked_fill", "masked_fill_"), _masked_fill),
    **dict.fromkeys(("conv1d", "conv2d", "conv3d"), _conv),
    "linear": _linear,
    **dict.fromkeys(("matmul", "mm", "mv"), _matmul),
    "addmm": _addmm,
    "amax": _amax,
    "glu": _glu,
}
