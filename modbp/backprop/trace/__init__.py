"""A network as a list of layer calls.

Every call is an entry, whether it is a module, a function or an operator. The model is
only read: nothing of it is called, hooked or written. A batch norm is folded into the
linear layer whose output it alone reads, and then has no entry of its own.
"""

from dataclasses import dataclass

from torch import fx, nn

from modbp.backprop.trace.folding import absorb, foldable
from modbp.backprop.trace.graph import constants_and_nodes, name_of
from modbp.backprop.trace.layers import INPUT, Layer
from modbp.backprop.trace.reading import is_question, read
from modbp.errors import InputError, ModbpError, TraceError

__all__ = ["Call", "Layer", "Trace"]


@dataclass(frozen=True, eq=False)
class Call:
    """One call of a layer.

    Attributes
    ----------
    name : str
        Dotted path of the module; for a function the path of the module that calls it,
        then the function. Further calls of the same name get ``:2``, ``:3``…
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


@dataclass(frozen=True)
class _Ref:
    """Stands for the output of the call at a position while arguments are resolved."""

    position: int


class Trace:
    """A model in evaluation mode, written as a list of layer calls."""

    def __init__(self, net, fold=True):
        if not isinstance(net, nn.Module):
            found = type(net).__name__
            raise TraceError(f"the model is a {found}; give a torch.nn.Module.")
        for path, module in net.named_modules():
            if module.training:
                where = f"{path!r} ({type(module).__name__})" if path else "itself"
                raise InputError(
                    f"the model is in training mode (first found: {where}), where "
                    "dropout and batch norm are random or data dependent. "
                    "Call net.eval() first."
                )
            who = f"module {path or 'itself'!r} ({type(module).__name__})"
            if isinstance(module, nn.modules.lazy.LazyModuleMixin):
                told = "has no weights yet. Call the network once, net(x)."
                raise TraceError(f"{who} {told}")
            if module._forward_pre_hooks:
                raise TraceError(
                    f"{who} has a hook that runs before its forward, as old "
                    "weight_norm and pruning do; modbp reads weights without running "
                    "it. Make it permanent with torch.nn.utils.remove_weight_norm or "
                    "prune.remove, or remove it."
                )
        self._constants, self._nodes = constants_and_nodes(net)
        self.net, self._modules = net, dict(net.named_modules())
        self._norms = foldable(self._nodes, self._modules) if fold else {}
        self._order = {node: place for place, node in enumerate(self._nodes)}
        self._last_reader = {
            node: max((self._order[user] for user in node.users), default=-1)
            for node in self._nodes
        }

    def run(self, x, visit=None, forget=None):
        """Return the calls for ``[N, …]``, input first, outputs, and the last position.

        ``visit(call, *inputs)`` computes an output, ``forget(position)`` is told of
        each that no later call reads, which is not kept here either.
        """
        state = _Walk(x)
        for here, node in enumerate(self._nodes):
            if node.op == "placeholder":
                state.values[node] = self._input(node, state)
            elif node.op == "output":
                result = fx.map_arg(node.args[0], state.values.__getitem__)
                if not isinstance(result, _Ref):
                    found = type(result).__name__.removeprefix("immutable_")
                    raise TraceError(
                        f"the network returns a {found} instead of one tensor. Wrap it "
                        "in a module that returns the logits alone."
                    )
                return state.calls, state.outputs, result.position
            elif node not in state.values:  # else a batch norm that is already done
                state.values[node] = self._step(node, state, visit)
            if forget:
                for position in state.unread(self._last_reader, here):
                    state.outputs[position] = None
                    forget(position)
        raise TraceError("the network has no output.")

    def _input(self, node, state):
        if not state.values:
            return _Ref(0)
        if node.args:
            return node.args[0]  # a further argument of forward, at its default
        raise TraceError(
            f"the network takes a second input {node.target!r}. Wrap it in a module "
            "whose forward takes one tensor."
        )

    def _step(self, node, state, visit):
        args = fx.map_arg(node.args, state.values.__getitem__)
        kwargs = fx.map_arg(node.kwargs, state.values.__getitem__)
        read_from = [state.values[each] for each in node.all_input_nodes]
        refs = [value for value in read_from if isinstance(value, _Ref)]
        if node.op == "get_attr":
            return self._constants[node]
        if not refs:
            return _evaluated(node, args, kwargs)
        name = state.name(name_of(node))
        if is_question(node.op, node.target, args):
            # A size or a type: a plain value, no layer.
            tensor = state.outputs[args[0].position]
            return _evaluated(node, (tensor, *args[1:]), kwargs)
        module = self._modules[node.target] if node.op == "call_module" else None
        shapes = {ref: state.outputs[ref.position].shape for ref in refs}
        try:
            layer, sources = read(module or node.target, args, kwargs, shapes)
        except ModbpError as error:
            raise type(error)(f"layer {name!r}: {error}") from None
        positions = tuple(ref.position for ref in sources)
        inputs = [state.outputs[position] for position in positions]
        folded, norm = "", self._norms.get(node)
        if norm is not None:
            whole = absorb(layer, self._modules[norm.target], inputs[0].ndim)
            if whole is not None:
                layer, folded = whole, state.name(norm.target)
        nonnegative = all(state.nonnegative[position] for position in positions)
        alone = all(state.readers(ref) == {node} for ref in sources)
        call = Call(name, layer, positions, nonnegative, folded, alone)
        try:
            output = visit(call, *inputs) if visit else layer.forward(*inputs)
        except TraceError as error:
            raise TraceError(f"{call}: {error}") from None
        except ModbpError:
            raise
        except (RuntimeError, ValueError, IndexError, TypeError) as error:
            found = ", ".join(str(list(tensor.shape)) for tensor in inputs)
            raise InputError(
                f"{call} cannot take an input of shape {found}: {error}. Give the "
                "network images of the size and channels that it was made for."
            ) from error
        if output.ndim < 2 or output.shape[0] != state.count:
            raise TraceError(
                f"{call}: {list(inputs[0].shape)} becomes {list(output.shape)}. Keep "
                "the first dimension, which counts the samples, and one more, as in "
                "x.flatten(1)."
            )
        position = state.add(call, output)
        if layer.in_place:
            self._rebind(node, sources[0], position, state)
        if folded:
            state.values[norm] = _Ref(position)
        return _Ref(position)

    def _rebind(self, node, changed, position, state):
        """After an in-place layer, its input's name means its output."""
        here = self._order[node]
        for other, value in state.values.items():
            used_later = self._last_reader[other] > here
            if isinstance(value, _Ref) and value == changed:
                state.values[other] = _Ref(position)
            elif used_later and state.root(value) == state.root(changed):
                raise TraceError(
                    f"layer {state.calls[position].name!r} changes in place a tensor "
                    "that is also used later under another shape. Write it out of "
                    "place."
                )


def _evaluated(node, args, kwargs):
    """Evaluate what is no layer: a size, or what does not depend on the input."""
    if node.op == "call_module":
        raise TraceError(
            f"module {node.target!r} is called on something that does not depend on "
            "the input. Compute it once and keep it as a buffer."
        )
    if node.op == "call_method":
        return getattr(args[0], node.target)(*args[1:], **kwargs)
    return node.target(*args, **kwargs)


class _Walk:
    """What is known while walking: values of nodes, and the calls so far."""

    def __init__(self, x):
        self.count, self.values = len(x), {}
        self.calls = [Call("input", INPUT, ())]
        self.outputs = [x]
        self.nonnegative = [bool((x >= 0).all())]
        self.roots = [0]
        self._seen = {"input": 1}

    def name(self, path):
        """Return a name that no earlier call has; the caller may drop it unused."""
        count = self._seen.get(path, 0) + 1
        return path if count == 1 else f"{path}:{count}"

    def root(self, value):
        """Return the position whose memory a value shares; None for plain values."""
        return self.roots[value.position] if isinstance(value, _Ref) else None

    def unread(self, last_reader, here):
        """Return the positions that are kept and that nothing behind a step reads."""
        read = {
            value.position
            for node, value in self.values.items()
            if isinstance(value, _Ref) and last_reader[node] > here
        }
        kept = (n for n, output in enumerate(self.outputs) if output is not None)
        return [position for position in kept if position not in read]

    def readers(self, ref):
        """Return the steps that read an output, under whatever name."""
        known = self.values.items()
        names = {n for n, value in known if isinstance(value, _Ref) and value == ref}
        return {user for node in names for user in node.users} - names

    def add(self, call, output):
        self.calls.append(call)
        self.outputs.append(output)
        for name in filter(None, (call.name, call.folded)):
            path = name.partition(":")[0]
            self._seen[path] = self._seen.get(path, 0) + 1
        sign = call.layer.output_sign
        self.nonnegative.append(call.nonnegative if sign == "keeps" else sign == "≥ 0")
        same = call.layer.shares_memory
        self.roots.append(self.roots[call.sources[0]] if same else len(self.calls) - 1)
        return len(self.calls) - 1
