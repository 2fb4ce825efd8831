"""A method: a table from kind of call to rule."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

from modbp.backprop import rules
from modbp.errors import InputError, MethodError, check_option, unknown_name

__all__ = ["Activations", "Method"]

# The rules that no method of the paper changes.
_STRUCTURE = {
    "maxpool": rules.Winner(),
    "cat": rules.Piece(),
    "shape": rules.Undo(),
    "identity": rules.Pass(),
}
_LINEAR = ("conv", "dense", "scale")
_KINDS = (*_LINEAR, "linear", "relu", "avgpool", "add", *_STRUCTURE)
_STARTS = ("logit", "one", "contrast")
_REDUCTIONS = ("sum", "max-abs")


@dataclass(frozen=True)
class Activations:
    """What rules see of a forward pass: the activations, and relevance as it is.

    Another frame may show them more, such as differences from a reference; see
    :class:`modbp.deeplift.Differences`.
    """

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
    """A table from kind of call to rule, and what goes in at the top.

    Parameters
    ----------
    name : str
        What figures call it.
    rules : mapping of str to rule
        Keys are kinds of call: ``conv``, ``dense``, ``scale`` (batch norm), or
        ``linear`` for all three; ``relu``, ``maxpool``, ``avgpool``, ``add``, ``cat``,
        ``shape``, ``identity``. The last two, ``maxpool`` and ``cat`` have defaults.
    first : rule, optional
        The rule of linear layers that read the network's input.
    start : {"logit", "one", "contrast"}
        The relevance of the explained logit: its own value, or one; or its own value
        against an equal share of minus that value at every other logit.
    times_input : bool
        Whether the result at the input is multiplied by the input.
    reduction : {"sum", "max-abs"}
        How figures make one number of a pixel's colour channels.
    frame : Activations or modbp.deeplift.Differences
        What the rules see of the forward pass, and how relevance enters and leaves.
    about : str
        Equation, source, needs.

    Examples
    --------
    >>> from modbp import methods, rules
    >>> table = {"linear": rules.Epsilon(0.1), "relu": rules.Pass()}
    >>> mine = methods.Method("mine", table)
    >>> mine.rules["relu"]
    Pass()
    """

    name: str
    rules: Mapping
    first: object = None
    start: str = "logit"
    times_input: bool = False
    reduction: str = "sum"
    frame: object = Activations()
    about: str = field(default="", repr=False, compare=False)

    def __post_init__(self):
        starts = f"choose among {', '.join(_STARTS)}."
        check_option("start", self.start, _STARTS.__contains__, starts)
        reductions = "choose 'sum' or 'max-abs'."
        check_option("reduction", self.reduction, _REDUCTIONS.__contains__, reductions)
        check_option("rules", self.rules, _is_mapping, "give a dict, kind: rule.")
        for kind in self.rules:
            if kind not in _KINDS:
                raise unknown_name("kind of call", kind, _KINDS)
        remedy = "give a rule, as in modbp.rules.Box(-1, 1); a class is none."
        if self.first is not None:
            check_option("first", self.first, _is_rule, remedy)
        for kind, rule in self.rules.items():
            check_option(kind, rule, _is_rule, remedy)
        object.__setattr__(self, "rules", {**_STRUCTURE, **self.rules})

    def rule(self, call, is_first=False):
        """Return the rule for a call.

        Parameters
        ----------
        call : modbp.trace.Call
            The call.
        is_first : bool
            Whether it reads the network's input.

        Returns
        -------
        rule

        Raises
        ------
        MethodError
            If the table has none, or one that is made for another frame.
        """
        linear = call.kind in _LINEAR
        found = self.rules.get(call.kind, self.rules.get("linear") if linear else None)
        if is_first and linear and self.first is not None:
            found = self.first
        if found is None:
            raise MethodError(
                f"{call} is of kind {call.kind!r}, for which method {self.name!r} has "
                f"no rule. {_remedy(call)}"
            )
        wanted = getattr(found, "frame", Activations)
        if not isinstance(self.frame, wanted):
            raise MethodError(
                f"{call}: the rule {found} works on {wanted.__name__}, method "
                f"{self.name!r} shows it {type(self.frame).__name__}. Give Method(...) "
                f"frame={wanted.__name__}(...), or another rule for {call.kind!r}."
            )
        return found

    def begin(self, logits, target):
        """Return the relevance that explains one class per sample.

        Parameters
        ----------
        logits : torch.Tensor
            ``[N, C]``.
        target : torch.Tensor
            ``[N, 1]`` int64, the classes.

        Returns
        -------
        torch.Tensor
            ``[N, C]``.

        Raises
        ------
        InputError
            If there is no other class to contrast with.
        """
        value = logits.gather(1, target)
        if self.start == "one":
            value = torch.ones_like(value)
        r = torch.zeros_like(logits)
        if self.start == "contrast":
            others = logits.shape[1] - 1
            if not others:
                raise InputError(
                    f"method {self.name!r} sets one class against the others, but the "
                    "network has a single logit. Choose start='logit'."
                )
            r = r - value / others
        return r.scatter(1, target, value)

    def __str__(self):
        lines = [f"{self.name}: start {self.start}, reduction {self.reduction}"]
        lines += [f"  {kind:<9} {rule}" for kind, rule in sorted(self.rules.items())]
        if self.first is not None:
            lines.append(f"  first     {self.first}")
        if self.times_input:
            lines.append("  at the input: times the input")
        if self.frame != Activations():
            lines.append(f"  {self.frame}")
        return "\n".join(lines)


def _is_mapping(value):
    return isinstance(value, Mapping)


def _is_rule(value):
    return callable(value) and not isinstance(value, type)


def _remedy(call):
    if "softmax" in call.layer.type.lower():
        return "Explain the logits: leave the softmax out of the model."
    if call.kind == "other":
        return (
            "Replace the layer by ones that modbp knows (convolution, linear, batch "
            "norm, ReLU, pooling, addition, concatenation, reshaping), or explain the "
            "part of the model before it."
        )
    return f"Give Method(...) a rule for {call.kind!r}."
