"""The graph of a model as torch.fx sees it; nothing is left behind in the model."""

import operator
import os
import traceback
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import fx

from modbp.errors import TraceError

__all__ = ["constants_and_nodes", "name_of"]


class _Proxy(fx.Proxy):
    """A stand-in that sees ``+=``, where fx records ``+`` and forgets other names."""

    def __iadd__(self, other):
        call = ("call_function", operator.iadd, (self, other), {})
        return self.tracer.create_proxy(*call)


class _Tracer(fx.Tracer):
    def proxy(self, node):
        return _Proxy(node, self)


def constants_and_nodes(net):
    """Return parameters and buffers by step, and all steps, of one run on no values."""
    with _unchanged(net):
        try:
            nodes = list(_Tracer().trace(net).nodes)
        except Exception as error:
            raise TraceError(
                f"{type(net).__name__} cannot be written as a list of layer calls: "
                f"{error} ({_where(error)}). Replace what depends on the values "
                "of a tensor there, or explain the part of the model before it."
            ) from error
        # Before fx's own notes, which hold constants, are taken off the model.
        constants = {
            node: operator.attrgetter(node.target)(net)
            for node in nodes
            if node.op == "get_attr"
        }
    return constants, nodes


@contextmanager
def _unchanged(net):
    """Take back what a forward and fx store on the modules while they are traced."""
    before = [
        (mutable, mutable.copy())
        for module in net.modules()
        for mutable in (vars(module), *vars(module).values())
        if isinstance(mutable, (dict, list))
    ]
    try:
        yield
    finally:
        for mutable, copy in before:
            if isinstance(mutable, list):
                mutable[:] = copy
            elif [*map(id, mutable.values())] != [*map(id, copy.values())]:
                mutable.clear()
                mutable.update(copy)


def name_of(node):
    """Return a step's name: its module, or the calling module and the function."""
    if node.op == "call_module":
        return node.target
    callers = [caller for caller, _ in node.meta.get("nn_module_stack", {}).values()]
    target = node.args[1] if node.target is getattr else node.target
    name = target if isinstance(target, str) else target.__name__
    name = "add" if name == "iadd" else name.strip("_")
    return ".".join([*callers[-1:], name]).lstrip(".")


def _where(error):
    """Return the line of the user's code that a traceback ends in."""
    ours = tuple(
        f"{Path(place).parent}{os.sep}" for place in (torch.__file__, __file__)
    )
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not frame.filename.startswith(ours):
            return f"{frame.filename}, line {frame.lineno}: {frame.line}"
    return "no line of your own code was involved"
