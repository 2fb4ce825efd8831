"""A method: a table from kind of call, or layer, to rule."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

import torch

from modbp.backprop import rules
from modbp.backprop.checks import check_layer
from modbp.backprop.rules.options import Output, Rule
from modbp.errors import (
    InputError,
    MethodError,
    check_flag,
    check_option,
    unknown_name,
)

__all__ = ["Activations", "Method"]

# The rules that no method of the paper changes.
_STRUCTURE = {
    "maxpool": rules.MaxPool(),
    "cat": rules.Concatenation(),
    "shape": rules.Reshape(),
    "identity": rules.Pass(),
}
_LINEAR = ("conv", "dense", "norm")
_KINDS = (*_LINEAR, "linear", "scale", "relu", "activation", "layernorm", "gate")
_KINDS += ("avgpool", "add", "detach", "other", *_STRUCTURE)
_FIRST = object()  # where the rule for pixels stands, which is not in the table
_OUTPUTS, _REDUCTIONS = get_args(Output), ("sum", "max-abs")


@dataclass(frozen=True)
class Activations:
    """What rules see of a forward pass: activations, and relevance as it is."""

    def begin(self, x):
        """Return what the first rule sees of the network's input."""
        return x

    def value(self, state):
        """Return the activation in what a rule sees."""
        return state

    def finite(self, state):
        """Return whether what a rule sees is finite."""
        return bool(state.isfinite().all())

    def sample(self, state, n):
        """Return what a rule sees of one sample, which keeps its dimension."""
        return state[n : n + 1]

    def enter(self, r):
        """Return what flows down when relevance enters, ``[…·K, N, …]``."""
        return r

    def leave(self, flow, state):
        """Return the relevance ``[K, N, …]`` at a layer from what flows there."""
        return flow


@dataclass(frozen=True)
class Method:
    """A table that says which rule where, and what goes in at the top.

    A layer's name goes before `first`, that before a range of layers, a range before a
    kind of call. What is a kind's name means the kind; a layer that is called so, with
    weights, is a range from itself to itself.

    >>> rules = modbp.rules
    >>> table = {"linear": rules.Epsilon(0.1), "relu": rules.Pass(),
    ...          "fc2": rules.AlphaBeta(2, 1)}
    >>> print(modbp.chain(net, x, modbp.methods.Method("mine", table)))
    mine, 1 samples
    layer  type    output shape  rule
    input  input   2
    fc1    Linear  2             Epsilon(epsilon=0.1, bias='denominator')
    relu1  ReLU    2             Pass()
    fc2    Linear  2             AlphaBeta(alpha=2, beta=1, ...)

    Parameters
    ----------
    name : What figures call it.
    rules
        ``{where: rule}``. Kinds of call are those of `modbp.backprop.trace.Layer`, and
        ``linear`` for ``conv``, ``dense`` and ``norm`` together; ``cat``, ``shape``,
        ``identity`` and ``maxpool`` have defaults.
        A layer goes by its name in the chain; ``("conv1", "conv3")`` is the range of
        all layers with weights from the one to the other, in order of execution.
    first : The rule of linear layers that read the network's input.
    output : {"logit", "one", "contrast", "softmax"}
        The relevance of the explained logit: its value, or one; or its value against
        equal shares of minus it at all others; or the derivative of its probability
        with respect to all logits.
    times_input : Whether the result at the input is multiplied by the input.
    reduction : {"sum", "max-abs"}
        How figures make one number of a pixel's colour channels.
    frame
        What rules see of the forward pass: activations, or
        ``modbp.deeplift.Differences``.
    derivative
        Whether it is the derivative, so that `modbp.explain` may ask autograd where a
        layer has no rule.
    """

    name: str
    rules: Mapping[str | tuple[str, str], Rule]
    first: Rule | None = None
    output: str = "logit"
    times_input: bool = False
    reduction: str = "sum"
    frame: object = Activations()
    derivative: bool = False

    def __post_init__(self):
        check_option("name", self.name, lambda n: n and isinstance(n, str), "name it.")
        check_flag("times_input", self.times_input)
        check_flag("derivative", self.derivative)
        outputs = f"choose among {', '.join(_OUTPUTS)}."
        check_option("output", self.output, _OUTPUTS.__contains__, outputs)
        reductions = "choose 'sum' or 'max-abs'."
        check_option("reduction", self.reduction, _REDUCTIONS.__contains__, reductions)
        is_mapping = isinstance(self.rules, Mapping)
        remedy = "give a dict, kind: rule."
        check_option("rules", self.rules, lambda _: is_mapping, remedy)
        remedy = "give a rule, as in modbp.rules.Box(-1, 1); a class is none."
        if self.first is not None:
            check_option("first", self.first, is_rule, remedy)
        for where, rule in self.rules.items():
            place = "name a kind of call, a layer, or the first and last of a range."
            check_option("a key of the table", where, _is_place, place)
            check_option(_label(where), rule, is_rule, remedy)
        object.__setattr__(self, "rules", {**_STRUCTURE, **self.rules})

    def begin(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the relevance that explains one class per sample.

        >>> lrp = modbp.methods.get("contrastive-lrp")
        >>> lrp.begin(torch.tensor([[1.0, 6.0, -3.0]]), torch.tensor([[1]]))
        tensor([[-3.,  6., -3.]])

        Parameters
        ----------
        logits, target : ``[N, C]``, and ``[N, 1]`` int64, the classes.

        Returns
        -------
        torch.Tensor : ``[N, C]``.
        """
        value = logits.gather(1, target)
        if self.output == "one":
            value = torch.ones_like(value)
        r = torch.zeros_like(logits)
        if self.output in ("contrast", "softmax"):
            others = logits.shape[1] - 1
            if not others:
                raise InputError(
                    f"method {self.name!r} sets one class against the others, but the "
                    "network has a single logit. Choose output='logit'."
                )
            r = r - value / others
        if self.output == "softmax":
            share = logits.softmax(1)
            r = -share.gather(1, target) * share
            # Not p (1 − p), which is zero where a network is sure.
            value = -r.scatter(1, target, 0).sum(1, keepdim=True)
        return r.scatter(1, target, value)

    def __str__(self):
        lines = [f"{self.name}: output {self.output}, reduction {self.reduction}"]
        table = {_label(where): rule for where, rule in self.rules.items()}
        lines += [f"  {where:<9} {table[where]}" for where in sorted(table)]
        if self.first is not None:
            lines.append(f"  first     {self.first}")
        if self.times_input:
            lines.append("  at the input: times the input")
        if self.frame != Activations():
            lines.append(f"  {self.frame}")
        return "\n".join(lines)


def rules_of(method, calls):
    """Return each call's rule, and which positions relevance of the output reaches.

    Calls that it does not reach need no rule, and have None if there is none.
    """
    found = [None]
    for call, first, before in _in_order(calls):
        found.append(_rule(method, call, first, before))
    reached, missing = {len(calls) - 1}, []
    for position in range(len(calls) - 1, 0, -1):
        if position not in reached:
            continue
        if found[position] is None:
            missing.append(calls[position])
        reached.update(handed(found[position], calls[position].sources))
    if missing:
        raise no_rule(method, missing[::-1])
    if 0 not in reached:
        raise MethodError(
            f"method {method.name!r} brings no relevance to the input: all ways go "
            "through gates, which are constants to it. Use a gradient method."
        )
    return found, reached


def handed(rule, sources):
    """Return what a rule hands relevance to; a gate is a constant to some."""
    return sources[:1] if getattr(rule, "signal_only", False) else sources


def no_rule(method, calls):
    """Return the error that names all layers for which a method has no rule."""
    types = {}
    for call in calls:
        types.setdefault((call.layer.type, call.kind), []).append(call.name)
    each = [
        f"{type} (kind {kind!r}, {len(names)}, {names[0]!r}"
        f"{' first' if names[1:] else ''})"
        for (type, kind), names in types.items()
    ]
    remedies = {}
    # Attention and recurrence also move the samples about: they are named first.
    for call in sorted(calls, key=lambda call: "counts the samples" in call.layer.why):
        types = remedies.setdefault(_remedy(method, call), {})
        types[call.layer.type] = None
    told = [each.replace("{}", " and ".join(types)) for each, types in remedies.items()]
    return MethodError(
        f"method {method.name!r} has no rule for {len(calls)} of the network's layers: "
        f"{', '.join(each)}. {' '.join(told)}"
    )


def _rule(method, call, is_first, before):
    found = _find(method, call, is_first, before)
    wanted = getattr(found, "frame", Activations)
    if found is not None and not isinstance(method.frame, wanted):
        raise MethodError(
            f"{call}: the rule {found} works on {wanted.__name__}, method "
            f"{method.name!r} shows it {type(method.frame).__name__}. Give Method(...) "
            f"frame={wanted.__name__}(...), or another rule for {call.kind!r}."
        )
    return found


def _find(method, call, is_first, before):
    where = _place(method, call, is_first, before)
    return method.first if where == _FIRST else method.rules.get(where)


def _place(method, call, is_first, before):
    """Return where in the table a call's rule stands, None if nowhere, or `_FIRST`."""
    table = method.rules
    if call.name in table and call.name not in _KINDS:
        return call.name
    if call.kind not in _LINEAR:
        return call.kind
    if is_first and method.first is not None:
        return _FIRST
    for where in table:
        if not isinstance(where, str):
            low, high = where
            if low in (call.name, *before) and high not in before:
                return where
    return call.kind if call.kind in table else "linear"


def _in_order(calls):
    """Yield each call, whether it reads the input alone, and the names before it."""
    raw, before = {0}, [calls[0].name]
    for position, call in enumerate(calls[1:], 1):
        first = raw.issuperset(call.sources)
        if first and call.layer.moves_or_scales:
            raw.add(position)
        yield call, first, before
        before.append(call.name)


def check_places(method, calls):
    """Refuse a method with a rule for layers that do not exist or have another one."""
    names = [name for call in calls for name in (call.name, call.folded) if name]
    used = {_place(method, *each) for each in _in_order(calls)}
    for where in method.rules:
        if where in _KINDS:
            continue
        ends = (where,) if isinstance(where, str) else where
        for name in ends:
            if name not in names:
                known = [*names[1:], *_KINDS]
                raise unknown_name("layer or kind of call", name, known)
        low, high = (check_layer(name, calls) for name in (ends[0], ends[-1]))
        kinds = {call.kind for call in calls[low : high + 1]}
        if len(ends) == 2 and kinds.isdisjoint(_LINEAR):
            raise InputError(
                f"method {method.name!r}: no layer with weights is in the range "
                f"{_label(where)}. Give the first and the last in order of execution, "
                "the one that is nearer to the input first."
            )
        if where not in used:
            raise MethodError(
                f"method {method.name!r}: the rule at {_label(where)} is used nowhere, "
                "since every layer there has one by its own name, by `first` or by an "
                "earlier range. Remove it, or put it before the others in the table "
                "and leave out `first`."
            )
    reading = [call for call, first, _ in _in_order(calls) if first]
    if method.first and not any(call.kind in _LINEAR for call in reading):
        raise MethodError(
            f"method {method.name!r}: {method.first}, the rule for pixels, is used "
            f"nowhere: no layer with weights reads the input, but {reading[-1]}. Leave "
            "it out, with first=None, or let a convolution read the input."
        )


def is_rule(value):
    """Return whether something can be called as a rule; a class makes one."""
    return callable(value) and not isinstance(value, type)


def _is_place(where):
    low, high = (where, where) if isinstance(where, str) else where
    return isinstance(low, str) and isinstance(high, str)


def _label(where):
    return where if isinstance(where, str) else f"{where[0]}…{where[1]}"


def _remedy(method, call):
    if call.layer.why:
        return f"{call.layer.why}."
    if call.kind == "other":
        return (
            "Write {} with layers that modbp knows, explain the part of the model "
            "before it, or use method='gradient'."
        )
    if call.kind == "detach":
        return (
            "Gradients end where a tensor is detached, in torch.no_grad() and in a "
            "function with a backward of its own: use an LRP method, or "
            "modbp.explain(…, 'gradient'), which asks autograd."
        )
    if call.kind in ("activation", "layernorm", "gate"):
        return (
            f"{method.name} is not defined for kind {call.kind!r}: use a gradient or "
            f"an LRP method, or give Method(...) a rule for {call.kind!r}."
        )
    return f"Give Method(...) a rule for {call.kind!r}."
