"""A network as a list of layer calls.

Every call of torch that the output needs is an entry, whether a module, a function or
an operator made it. The model is called once for each shape of input, on the first
sample, as in ``net(x[:1])``: its hooks run, and what it changes in itself is put back.
What is read off this call is held against what the call gave. A batch norm is folded
into the linear layer whose output it alone reads, and then has no entry of its own.
"""

from contextlib import suppress
from dataclasses import dataclass, replace

import torch
from torch import nn

from modbp.backprop.inference import (
    outside_inference_mode,
    without_inference_tensors,
)
from modbp.backprop.trace import folding
from modbp.backprop.trace.graph import record
from modbp.backprop.trace.layers import Layer
from modbp.backprop.trace.reading import read
from modbp.errors import InputError, ModbpError, TraceError, check_flag

__all__ = ["Call", "Layer", "Trace"]


@dataclass(frozen=True, eq=False)
class Call:
    """One call of a layer.

    Attributes
    ----------
    name : str
        Dotted path of the module; for a function the path of the module that calls it,
        then the function; for a step on the way to either, then the step, as in
        ``conv.pad``. Further calls of the same name get ``:2``, ``:3``… A module that
        calls nothing of torch, such as ``nn.Identity``, has no entry.
    layer : Layer
        What the call computes: its kind, forward, and adjoint where it is linear.
    sources : tuple of int
        The positions of the calls whose outputs it reads; 0 is the input.
    nonnegative, alone : bool
        Whether every input is known to hold no negative entry; whether no other call
        reads one of its inputs.
    folded : str
        Name of the batch norm that the layer also computes; empty if there is none.

    Examples
    --------
    >>> calls, _, _ = modbp.backprop.trace.Trace(net).run(x)
    >>> [(call.name, call.kind, call.sources) for call in calls[1:]]
    [('fc1', 'dense', (0,)), ('relu1', 'relu', (1,)), ('fc2', 'dense', (2,))]
    """

    name: str
    layer: Layer
    sources: tuple
    nonnegative: bool = False
    folded: str = ""
    alone: bool = False

    @property
    def kind(self):
        """The kind of call that a method's table is looked up with."""
        return self.layer.kind

    def __str__(self):
        return f"layer {self.name!r} ({self.layer.type})"


# How far the traced output of a sample may be from the model's own, in units of the
# largest: rounding, and another order of sums.
TOLERANCE = {torch.float32: 1e-3, torch.float64: 1e-9}
# How far rules may round, where the layers alone give what the model gives.
ROUGH = 1e-2


class Trace:
    """A model in evaluation mode, written as a list of layer calls."""

    def __init__(self, net, fold=True):
        if not isinstance(net, nn.Module):
            found = type(net).__name__
            raise TraceError(f"the model is a {found}; give a torch.nn.Module.")
        check_flag("fold", fold)
        modules = list(net.named_modules())
        # Some carry a mode about that was settled when they were made.
        if not any(_is_exported(m) or _is_quantised(m) for _, m in modules):
            for path, module in modules:
                _check_state(module, path)
        told = (_unreadable(module, path) for path, module in modules)
        self._unreadable = next(filter(None, told), None)
        self.net = without_inference_tensors(net)
        self._fold, self._plans = fold, {}

    @outside_inference_mode
    def plan(self, x):
        """Return what is known of the calls for inputs like ``[N, …]``."""
        if self._unreadable:
            raise self._unreadable
        shape = x.shape[1:]
        if shape not in self._plans:
            try:
                graph = self._record(x)
                entries = read(graph)
                entries = folding.fold(entries) if self._fold else entries
                self._plans[shape] = Plan(entries, graph.output)
            except ModbpError as error:
                self._plans[shape] = error
        if isinstance(self._plans[shape], ModbpError):
            raise self._plans[shape]
        return self._plans[shape]

    def _record(self, x):
        try:
            return record(self.net, x[:1])
        except InputError as error:
            # A number of samples may be written into the network, or there are none.
            if len(x) > 1 and (graph := self._recorded(x)):
                return graph
            if self._recorded(x[None]):
                raise InputError(
                    f"the input has shape {list(x.shape)}, but the network takes one "
                    "dimension more, of samples. Give a batch, as in x[None]."
                ) from None
            raise error

    def _recorded(self, x):
        with suppress(ModbpError):
            return record(self.net, x)

    @outside_inference_mode
    def run(self, x, visit=None, forget=None):
        """Return the calls for ``[N, …]``, input first, outputs, and the last position.

        ``visit(call, *inputs)`` computes an output, ``forget(position)`` is told of
        each that no later call reads, which is not kept here either.
        """
        plan = self.plan(x)
        calls, outputs, nonnegative = [], [], []
        for position, call in enumerate(plan.calls):
            signs = [nonnegative[source] for source in call.sources]
            signs = all(signs) if position else bool((x >= 0).all())
            call = replace(call, nonnegative=signs)
            inputs = [outputs[source] for source in call.sources]
            outputs.append(self._output(call, inputs, x, visit))
            calls.append(call)
            sign = call.layer.output_sign
            nonnegative.append(signs if sign == "keeps" else sign == "≥ 0")
            for source in plan.unread[position] if forget else ():
                outputs[source] = None
                forget(source)
        plan.check(x, outputs[-1], self.net)
        return calls, outputs, len(calls) - 1

    def _output(self, call, inputs, x, visit):
        if not inputs:
            return x
        try:
            output = visit(call, *inputs) if visit else call.layer.forward(*inputs)
        except TraceError as error:
            raise TraceError(f"{call}: {error}") from None
        except ModbpError:
            raise
        except (RuntimeError, ValueError, IndexError, TypeError) as error:
            found = ", ".join(str(list(tensor.shape)) for tensor in inputs)
            raise TraceError(
                f"{call} works for one sample and not for {found}: {error}. Write it so"
                " that the first dimension may be any number of samples."
            ) from error
        if not output.ndim or output.shape[0] != x.shape[0]:
            raise TraceError(
                f"{call}: {list(inputs[0].shape)} becomes {list(output.shape)}. Keep "
                "the first dimension, which counts the samples, as in x.flatten(1)."
            )
        return output


class Plan:
    """The calls of a trace, not yet told of signs, and their order."""

    def __init__(self, entries, own):
        self._own, self._count = own, entries[0].shape[0]
        self._verdict = None
        readers, last = {}, {}
        for position, entry in enumerate(entries):
            for source in entry.sources:
                readers.setdefault(source, set()).add(position)
                last[source] = position
        self.unread = [[] for _ in entries]
        for source, position in last.items():
            self.unread[position].append(source)
        self.calls = [
            Call(e.name, e.layer, e.sources, False, e.folded, alone)
            for position, e in enumerate(entries)
            for alone in [all(readers[s] == {position} for s in e.sources)]
        ]

    def check(self, x, output, net):
        """Compare the first output with what the model itself gave for that sample."""
        own, self._own = self._own, None
        if own is not None:
            self._verdict = self._compare(x, output[: self._count], own, net)
        if self._verdict:
            raise self._verdict

    def _compare(self, x, found, own, net):
        """Return the error about an output that is not the model's own, or None."""
        if found.numel() != own.numel():
            shapes = [list(each.shape) for each in (found, own)]
            return _differs(net, "shape {}, not {}".format(*shapes))
        if not (own.isfinite().all() and found.isfinite().all()):
            return None  # said elsewhere, with the layer where it begins
        gap = (found.reshape(own.shape) - own).abs().max().item()
        size = own.abs().max().item()
        if gap <= TOLERANCE[x.dtype] * size:
            return None
        # Logits may be what is left of sums that cancel, and rules may compute with
        # more than the network does, as with a reference: what do the layers alone say?
        plain, largest = self._plain(x[: self._count])
        eps = torch.finfo(x.dtype).eps
        near = TOLERANCE[x.dtype] * size + 100 * eps * largest
        off = (plain.reshape(own.shape) - own).abs().max().item()
        if off > near:  # does the model itself tell inputs apart that are one to us?
            other = record(net, x[: self._count] * (1 + 4 * eps)).output
            near += 1000 * (other - own).abs().max().item()
        if not (off <= near and gap <= max(near, ROUGH * size)):
            return _differs(net, f"a logit that is off by {max(off, gap):.2g}")
        return None

    def _plain(self, x):
        """Return what the layers give without any rule, and the largest on the way."""
        outputs = [x]
        for call in self.calls[1:]:
            inputs = [outputs[source] for source in call.sources]
            outputs.append(call.layer.forward(*inputs))
        return outputs[-1], max(z.abs().max().item() for z in outputs)


def _differs(net, what):
    return TraceError(
        f"{type(net).__name__} computes something else than the layers that modbp "
        f"sees in it: {what}. A forward may depend on the batch, write to its weights "
        "or use autocast: take that out, or use method='gradient'."
    )


def _who(module, path):
    return f"module {path or 'itself'!r} ({type(module).__name__})"


def _check_state(module, path):
    who = _who(module, path)
    if module.training:
        raise InputError(
            "the model is in training mode (first found: "
            f"{who.removeprefix('module ')}), where dropout and batch norm are random "
            "or data dependent. Call net.eval() first."
        )
    if isinstance(module, nn.modules.lazy.LazyModuleMixin):
        raise InputError(f"{who} has no weights yet. Call the network once, net(x).")


def _is_exported(module):
    return any(
        kind.__module__.startswith("torch.export") for kind in type(module).__mro__
    )


def _is_quantised(module):
    return "quantized" in type(module).__module__


def _unreadable(module, path):
    """Return the error about a module that does not call torch from Python, or None."""
    who = _who(module, path)
    if isinstance(module, torch.jit.ScriptModule):
        return TraceError(f"{who} is scripted. Explain the module it was made from.")
    if _is_exported(module):
        return TraceError(f"{who} is exported. Explain the module it was made from.")
    if hasattr(module, "_orig_mod"):
        name = ".".join(["net", *filter(None, [path]), "_orig_mod"])
        what = f"the network with {name} in its place" if path else name
        return TraceError(f"{who} is compiled. Explain {what}.")
    if module._compiled_call_impl is not None:
        return TraceError(
            f"{who} is compiled. Explain copy.deepcopy(net), which is the same network "
            "without that."
        )
    if _is_quantised(module):
        return TraceError(f"{who} is quantised. Explain the float model it came from.")
    return None
