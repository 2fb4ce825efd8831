"""The calls of a model, written down while it runs on one sample.

The sample runs as any input does: hooks, branches and `__call__` are the user's own.
Two modes of torch look on, which belong to the thread: one sees every function of torch
that is called, the other every write. What the run changes in the model is put back.
"""

import inspect
import os
import random
import threading
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from modbp.backprop.trace.places import Place, is_of_torch, line_of_user, place
from modbp.backprop.trace.untouched import memory, unchanged
from modbp.errors import InputError, ModbpError, TraceError

__all__ = ["LIKE_OTHERS", "Graph", "Node", "Piece", "Writes", "entries", "is_random"]
__all__ += ["mapped", "record", "states", "varies"]

# What tells Python the value of an entry; a branch by it would be that of one sample.
_REVEALING = {
    *("item", "tolist", "numpy", "equal", "allclose", "is_nonzero", "__contains__"),
    *("__bool__", "__int__", "__float__", "__index__", "__complex__", "__array__"),
    *("__dlpack__", "unique", "unique_consecutive", "nonzero", "argwhere"),
    *("masked_select", "bincount", "__reduce_ex__"),
}
# Of these the first tensor tells a shape and a type alone; of those the others do.
_LIKE = {"zeros_like", "ones_like", "full_like", "empty_like", "new_zeros", "new_ones"}
_LIKE |= {"new_full", "new_empty", "new_tensor"}
LIKE_OTHERS = ("expand_as", "view_as", "reshape_as", "type_as", "to")
# How often a model runs that may be random: one that tosses a coin is missed once in
# a thousand times.
_REPETITIONS = 10
# The lists of a model can be put back only if one run after the other writes to them.
_ONE_AT_A_TIME = threading.RLock()
if hasattr(os, "register_at_fork"):
    # A process that is forked meanwhile would wait for a thread that it does not have.
    os.register_at_fork(
        before=_ONE_AT_A_TIME.acquire,
        after_in_parent=_ONE_AT_A_TIME.release,
        after_in_child=_ONE_AT_A_TIME.release,
    )


@dataclass(eq=False)
class Node:
    """One call of a function of torch on something that depends on the input."""

    function: str
    call: object = None
    args: tuple = ()
    kwargs: dict = field(default_factory=dict)
    # Of the output for one sample; None if there are several.
    shape: torch.Size | None = None
    dtype: torch.dtype | None = None
    device: torch.device | None = None
    place: Place = Place()
    # Whether autograd sees something else than the call; what speaks against it; and
    # whether it overwrites what it reads, or draws random numbers.
    blocked: bool = False
    why: str = ""
    in_place: bool = False
    is_random: bool = False

    @property
    def name(self):
        """The dotted path of the module; for a step of one, and its function."""
        path, function = self.place.path, self.function.strip("_")
        return path if self.place.type else f"{path}.{function}".lstrip(".")

    @property
    def type(self):
        """What the user called it: "Conv2d", "relu", "add"."""
        return self.place.type or self.function


@dataclass(frozen=True)
class Piece:
    """One of several outputs of a node."""

    node: Node
    key: object
    shape: torch.Size
    dtype: torch.dtype


@dataclass(frozen=True)
class Graph:
    """All calls in order of execution, and what the network gave for the sample."""

    source: Node
    nodes: list
    result: Node | Piece
    output: torch.Tensor


def mapped(function, value):
    """Apply a function to all that a nest of containers holds."""
    if isinstance(value, (tuple, list)):
        entries = [mapped(function, entry) for entry in value]
        if hasattr(value, "_make"):
            return value._make(entries)
        return tuple(entries) if isinstance(value, tuple) else entries
    if isinstance(value, dict):
        return {key: mapped(function, entry) for key, entry in value.items()}
    if isinstance(value, slice):
        parts = (value.start, value.stop, value.step)
        return slice(*(mapped(function, part) for part in parts))
    return function(value)


def entries(kind, *values):
    """Return all of a type that a nest of containers holds."""
    found = []
    mapped(lambda v: found.append(v) if isinstance(v, kind) else None, values)
    return found


def _tensors(*values):
    return entries(torch.Tensor, *values)


def record(net, x):
    """Run a network on a sample ``[1, …]`` and return the graph of its calls."""
    first, *more = _needed(net) or [None]
    if more:
        raise TraceError(
            f"the network takes a second input {more[0].name!r}. Wrap it in a module "
            "whose forward takes one tensor."
        )
    if first is not None and first.kind == first.KEYWORD_ONLY:
        raise TraceError(
            f"the network takes its input by name alone, as in net({first.name}=x). "
            "Wrap it in a module whose forward takes one tensor."
        )
    with _ONE_AT_A_TIME, unchanged(net) as kept:
        run = _Run(net, x, kept)
        try:
            with torch.enable_grad():
                return run.graph()
        except RuntimeError as error:
            if isinstance(error, ModbpError):
                raise
            # Autograd forbids some changes in place that are fine without it.
            again = _Run(net, x, kept)
            try:
                with torch.no_grad():
                    return again.graph()
            except RuntimeError:
                raise run.told(error) from error


def _needed(net):
    """Return the parameters that a network's forward has to be given."""
    try:
        parameters = inspect.signature(net.forward).parameters.values()
    except (TypeError, ValueError):
        return []
    return [
        each
        for each in parameters
        if each.default is each.empty and each.kind not in (2, 4)
    ]


class _Run:
    """What is known while the sample runs."""

    def __init__(self, net, x, kept):
        self.net, self.kept = net, kept
        self.paths = {id(module): path for path, module in net.named_modules()}
        self.sample = x.detach().clone()
        self.source = Node("input", shape=x.shape, dtype=x.dtype)
        self.nodes = []
        # Tensors are held here, so that no other one gets their number or memory.
        self.known, self.memory, self.stale = {}, {}, set()
        self.written, self.failed = set(), None
        self.writes = Writes(kept, self.written, self.hide)
        self.noted = []  # the frames of hooks that looked at values
        self.in_sight = False  # whether a call that is written down is at work
        self.name(self.sample, self.source)

    def graph(self):
        """Run the network and return what was seen."""
        before = states(self.net)
        try:
            with self.writes, _Functions(self):
                result = self.net(self.sample)
        except (ModbpError, RuntimeError):
            raise
        except Exception as error:
            raise self.told(error) from error
        if self.writes.is_random or (
            states(self.net) != before and varies(self.net, self.sample, result)
        ):
            raise is_random()
        _name_steps(self.nodes)
        return Graph(self.source, self.nodes, *self.found(result))

    def told(self, error):
        """Return what to say of an exception that the forward stopped with."""
        if not self.failed or self.failed[0] is not error:
            return TraceError(
                f"the forward of {type(self.net).__name__} stops: {error!r} "
                f"({line_of_user(error)}). Repair it, or explain a part of the model."
            )
        _, node, tensors = self.failed
        shapes = ", ".join(str(list(tensor.shape)) for tensor in tensors)
        return InputError(
            f"layer {node.name!r} ({node.type}) cannot take an input of shape "
            f"{shapes}: {str(error).rstrip('.')}. Give the network inputs of the size "
            "and channels that it was made for."
        )

    def found(self, result):
        if not isinstance(result, torch.Tensor):
            raise TraceError(
                f"the network returns a {type(result).__name__} instead of one tensor. "
                "Wrap it in a module that returns the logits alone."
            )
        source = self.value(result)
        if source is None:
            raise TraceError(
                "modbp sees no way from the input to the network's output: there is "
                "none, or it is out of sight, as in a thread or torch.func.vmap. "
                "Write it with plain calls of torch, or use method='gradient'."
            )
        if id(result) in self.stale:
            raise TraceError(
                "the network returns a tensor that it changed in place under another "
                "shape. Write that change out of place."
            )
        return source, result.detach()

    # Names of tensors -----------------------------------------------------------------

    def name(self, tensor, value):
        """Let a tensor stand for a node or a piece of one."""
        self.known[id(tensor)] = tensor, value
        self.stale.discard(id(tensor))
        self.memory.setdefault(memory(tensor), set()).add(id(tensor))

    def value(self, tensor):
        """Return what a tensor stands for: None if it does not depend on the input."""
        if id(tensor) in self.known:
            return self.known[id(tensor)][1]
        if memory(tensor) in self.memory:
            # Made out of our sight, as a view of something that was written to later.
            node = Node("hidden", shape=tensor.shape, dtype=tensor.dtype)
            node.why = (
                "It shares memory with a layer's output in a hidden way: use a copy"
            )
            self.nodes.append(node)
            self.name(tensor, node)
            return node
        return None

    # Calls ----------------------------------------------------------------------------

    def call(self, function, args, kwargs):
        """Do what the model asks for, and write it down if it depends on the input."""
        name = _name(function)
        if name == "instance_norm":
            for tensor in _tensors(args[1:], kwargs):
                self.kept.before_write(tensor)
        tensors = _tensors(args, kwargs)
        traced = [tensor for tensor in tensors if self.value(tensor) is not None]
        if not any(
            self.value(tensor) is not None for tensor in _read(name, args, kwargs)
        ):
            self.in_sight = bool(traced)  # a constant, which they give a shape
            try:
                return function(*args, **kwargs)
            finally:
                self.in_sight = False
        here = place(self.paths, _Run.graph.__code__)
        if getattr(function, "__name__", "") in _REVEALING or self.counts(name, args):
            if here.hook is None:
                raise TraceError(
                    f"{type(self.net).__name__} asks for the values of a tensor: "
                    f"{name}() ({line_of_user()}). Leave that out, write what this "
                    "input gets there, such as the branch that it takes, as a model of "
                    "its own, or use method='gradient'."
                )
            # A hook may note values; only what it computes afterwards may not count.
            self.noted.append(here.hook)
            return function(*args, **kwargs)
        if getattr(function, "__module__", None) and _is_replaced(function):
            raise TraceError(
                f"{name}() stands in for a function of torch ({line_of_user()}). Put "
                "that of torch back, or use method='gradient'."
            )
        # Autograd gives something else from here down.
        if name == "register_hook" and not is_of_torch():
            for tensor in traced:
                value = self.value(tensor)
                (value.node if isinstance(value, Piece) else value).blocked = True
        node = Node(name, function, place=here)
        if any(here.hook is hook for hook in self.noted):
            node.why = "A hook computes it after it looked at values: remove the hook"
        if any(id(tensor) in self.stale for tensor in traced):
            node.why = (
                "It reads a tensor that was changed in place under another shape; "
                "write that change out of place"
            )
        # Names are looked up first: a change in place gives another meaning to them.
        given = {key: value for key, value in kwargs.items() if key != "out"}
        node.args, node.kwargs = mapped(self.named(name), (args, given))
        node.blocked = not torch.is_grad_enabled()
        self.written.clear()
        drawn, self.writes.is_random, self.in_sight = self.writes.is_random, False, True
        try:
            if name == "squeeze" and len(args) == 1 and not kwargs:
                result = _squeezed(*args)
            else:
                result = function(*args, **kwargs)
        except Exception as error:
            self.failed = error, node, traced
            raise
        finally:
            node.is_random, self.writes.is_random = self.writes.is_random, drawn
            self.in_sight = False
        outputs = _tensors(result)
        if not outputs and not self.written:
            return result  # a size, a type, an answer
        self.nodes.append(node)
        node.in_place = bool(self.written)
        # Other names of memory that was written to are not what they were.
        for number in [n for m in self.written for n in self.memory.get(m, ())]:
            self.stale.add(number)
        if isinstance(result, torch.Tensor):
            node.shape, node.dtype = result.shape, result.dtype
            node.device = result.device
            self.name(result, node)
        else:
            keys = result if isinstance(result, dict) else range(len(outputs))
            for key, each in zip(keys, outputs, strict=True):
                self.name(each, Piece(node, key, each.shape, each.dtype))
        for tensor in tensors:
            changed = memory(tensor) in self.written
            if changed and not any(tensor is output for output in outputs):
                self.overwritten(tensor, node)
        return result

    def counts(self, name, args):
        """Whether the shape of the result is how many entries of a mask are true."""
        if name == "where":
            return len(args) == 1
        return name == "getitem" and any(
            index.dtype in (torch.bool, torch.uint8) and self.value(index) is not None
            for index in _tensors(args[1:])
        )

    def named(self, name):
        """Return a function that puts what tensors stand for in their place."""
        overwrites = name in ("setitem",) or name.endswith("_")

        def named(value):
            if not isinstance(value, torch.Tensor):
                return value
            known = self.value(value)
            if known is not None:
                return known
            # A constant that is read later as it is now, written to or not.
            changes = overwrites or self.kept.is_written(value)
            return value.detach().clone() if changes else value

        return named

    def overwritten(self, tensor, by):
        """Note that a tensor holds something else than before."""
        node = Node(by.function, place=by.place, shape=tensor.shape, dtype=tensor.dtype)
        node.why = "It writes into a part of a tensor; put parts together with cat"
        self.nodes.append(node)
        self.name(tensor, node)

    def hide(self, inputs, outputs):
        """Note what comes of something that is known, but not by a call of torch."""
        if self.in_sight or not any(memory(a) in self.memory for a in inputs):
            return
        for tensor in outputs:
            if memory(tensor) not in self.memory:
                node = Node("hidden", shape=tensor.shape, dtype=tensor.dtype)
                node.why = (
                    "It is computed out of sight, as in torch.func.vmap: write it with "
                    "plain calls of torch, or use method='gradient'"
                )
                self.nodes.append(node)
                self.name(tensor, node)


class _Functions(TorchFunctionMode):
    """Sees every function of torch that Python calls."""

    def __init__(self, run):
        super().__init__()
        self.run = run

    def __torch_function__(self, function, types, args=(), kwargs=None):
        return self.run.call(function, args, kwargs or {})


class Writes(TorchDispatchMode):
    """Sees every operator below them: what writes, and what draws random numbers.

    The model's memory is kept before it is written to; what is written is noted.
    """

    def __init__(self, kept, written=None, hide=None):
        super().__init__()
        self.kept, self.written = kept, set() if written is None else written
        self.hide, self.is_random = hide, False

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function._schema.is_mutable:
            for place, argument in enumerate(function._schema.arguments):
                if argument.alias_info and argument.alias_info.is_write:
                    given = args[place : place + 1], kwargs.get(argument.name)
                    for tensor in _tensors(given):
                        self.written.add(memory(tensor))
                        self.kept.before_write(tensor)
        if "batch_norm" in function.__name__ and any(args[5:6]):  # in training
            for tensor in _tensors(args[1:]):
                self.kept.before_write(tensor)
        # Attention has the tag, and draws nothing where its dropout is zero.
        draws = torch.Tag.nondeterministic_seeded in function.tags
        generator = kwargs.get("generator") or torch.default_generator
        before = generator.get_state() if draws else None
        result = function(*args, **kwargs)
        if draws and not torch.equal(before, generator.get_state()):
            self.is_random = True
        if self.hide:
            with torch._C.DisableTorchFunction():
                self.hide(_tensors(args, kwargs), _tensors(result))
        return result


def _name(function):
    """Return a function's name; one that changes in place keeps its underscore."""
    name = getattr(function, "__name__", type(function).__name__)
    if name == "__get__":
        return function.__self__.__name__
    name = name.partition(".")[0]  # an operator's overload
    return name.strip("_") if name.startswith("__") else name


def _read(name, args, kwargs):
    """Return the tensors whose values a call reads."""
    if name in _LIKE:
        return _tensors(args[1:], kwargs)
    return (
        _tensors(args[:1]) if name in LIKE_OTHERS and args else _tensors(args, kwargs)
    )


def _name_steps(nodes):
    """Leave the name of a layer to the last of its steps, which is its output."""
    for node, later in pairwise(nodes):
        if node.place.type and node.place.invocation is later.place.invocation:
            node.place = replace(node.place, type="")
    for node in nodes:
        node.place = replace(node.place, invocation=None, hook=None)


def _squeezed(a):
    """Leave the dimension of the samples, of which there are more otherwise."""
    dims = [dim for dim in range(1, a.ndim) if a.shape[dim] == 1]
    return a.squeeze(dims) if a.ndim and len(a) == 1 else a.squeeze()


def _is_replaced(function):
    """Whether what is reported as a function of torch is somebody else's."""
    known = ("torch", "_VariableFunctions", "builtins")
    return not function.__module__.startswith(known)


def states(net):
    """Return the states of Python's and NumPy's random numbers, the model's own too."""
    held = [value for module in net.modules() for value in vars(module).values()]
    name, keys, *rest = np.random.get_state()  # noqa: NPY002 - the model's, not ours
    return (
        [v.getstate() for v in held if isinstance(v, random.Random)],
        [v.bit_generator.state for v in held if isinstance(v, np.random.Generator)],
        *(random.getstate(), name, keys.tobytes(), rest),
    )


def varies(net, x, result):
    """Return whether a network gives something else when it runs again.

    That a state has changed is no proof: another thread may have drawn.
    """
    for _ in range(_REPETITIONS):
        pairs = zip(_tensors(result), _tensors(net(x.clone())), strict=True)
        if not all(torch.equal(*pair) for pair in pairs):
            return True
    return False


def is_random():
    """Return the error about a forward that draws random numbers."""
    return InputError(
        "the model's forward is random: each call gives another output. Switch the "
        "noise off in evaluation mode, as dropout(x, training=self.training) does."
    )
