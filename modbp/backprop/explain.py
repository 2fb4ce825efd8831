"""Explain a network's decision in one call."""

from collections.abc import Iterable, Sequence

import torch
from torch import nn

from modbp.backprop import methods
from modbp.backprop.chain import Recording
from modbp.backprop.checks import check_input, check_target, out_of_range
from modbp.backprop.inference import outside_inference_mode
from modbp.backprop.methods import get
from modbp.backprop.methods import names as named_methods
from modbp.backprop.methods.method import no_rule
from modbp.backprop.trace import Trace
from modbp.backprop.trace.graph import Writes, is_random, states, varies
from modbp.backprop.trace.untouched import unchanged
from modbp.errors import (
    InputError,
    MethodError,
    ModbpError,
    TraceError,
    check_option,
)

__all__ = ["explain", "explain_each", "explain_many", "reduce", "supported"]


def explain(
    net: nn.Module, x: torch.Tensor, method: str | methods.Method | methods.Averaged,
    target: int | Sequence[int] | None = None, *, fold: bool = True,
) -> torch.Tensor:  # fmt: skip
    """Explain one logit per sample by relevance of the input.

    Parameters
    ----------
    net : A classifier in evaluation mode; it is only read.
    x : ``[N, …]`` inputs, each of which is explained as the network takes it alone.
    method : A name of :func:`modbp.methods.names`, or a method of yours.
    target
        The class to explain, one for all or ``[N]``; the largest logit if left out.
    fold : Whether batch norm becomes part of the linear layer before it, where it can.

    Returns
    -------
    torch.Tensor : Of the shape, type and device of `x`.

    Raises
    ------
    ModbpError
        If the input, the network or the method does not fit; see `modbp.errors`.

    Examples
    --------
    >>> modbp.explain(net, x, "gradient", target=1)
    tensor([[2., 1.]], dtype=torch.float64)
    """
    method = methods.get(method)
    return explain_each(Trace(net, fold), x, method, lambda _: [target])[0]


def explain_many(net, x, methods, target=None, *, fold=True):
    """Explain by several methods with one look at the network: a dict like theirs."""
    trace, many = Trace(net, fold), {key: get(each) for key, each in methods.items()}
    return {
        key: explain_each(trace, x, method, lambda _: [target])[0]
        for key, method in many.items()
    }


def supported(
    net: nn.Module, x: torch.Tensor,
    methods: Sequence[str | methods.Method | methods.Averaged] | None = None,
    *, fold: bool = True,
) -> dict[str, str]:  # fmt: skip
    """Tell which methods explain a network for an input, and why others do not.

    Every method explains the input to the end, by its own rules and at the cost of an
    explanation.

    Parameters
    ----------
    net, x, fold : As for :func:`explain`.
    methods : Names, or methods of yours; all named ones if left out.

    Returns
    -------
    dict of str to str
        For each method's name nothing, or why :func:`explain` refuses it.

    Raises
    ------
    InputError : If the input does not fit the network, whatever the method.

    Examples
    --------
    >>> found = modbp.supported(net, x)
    >>> found["gradient"], found["patternnet"][:35]
    ('', "layer 'fc1' (Linear) has no pattern")
    """
    trace, found = Trace(net, fold), {}
    check_input(net, x)
    if methods is not None:
        is_many = isinstance(methods, Iterable) and not isinstance(methods, str)
        remedy = "give several, as in ['gradient', 'lrp-eps']."
        check_option("methods", methods, lambda given: is_many and [*given], remedy)
    for method in map(get, named_methods() if methods is None else methods):
        try:
            explain_each(trace, x, getattr(method, "method", method), lambda _: [None])
            found[method.name] = ""
        except ModbpError as error:
            found[method.name] = str(error)
    return found


@outside_inference_mode
def explain_each(trace, x, method, choose):
    """Explain the `K` targets of ``choose(recording)`` in one pass: ``[K, N, …]``."""
    if not isinstance(method, methods.Averaged):
        return _explained(trace, x, method, choose)
    own = _recorded(trace, x, method.method)  # whose classes count for all inputs
    targets = [check_target(target, own.logits)[:, 0] for target in choose(own)]
    del own

    def explained(point):
        return _explained(trace, point, method.method, lambda _: targets)

    return _finite(method.average(x, explained), f"the average of {method.name!r}")


def _explained(trace, x, method, choose):
    recording = _recorded(trace, x, method)
    targets = choose(recording)
    found = recording.explain(targets)
    if found is None:  # where it is lost, only a recording that keeps all can say
        return Recording(trace, x, method, keep=True).explain(targets)
    return found


def _finite(r, who):
    if not r.isfinite().all():
        raise out_of_range(f"{who} is NaN or infinite", r)
    return r


def _recorded(trace, x, method):
    """Record a forward pass; autograd may do where gradients are asked for."""
    try:
        if method.derivative:
            calls = trace.plan(check_input(trace.net, x)).calls
            foreign = [call for call in calls if call.kind == "other"]
            if foreign:
                raise no_rule(method, foreign)
        return Recording(trace, x, method, keep=False)
    except (TraceError, MethodError) as error:
        if not method.derivative:
            raise
        return _Autograd(trace.net, x, method, error)


class _Autograd:
    """A forward pass that autograd goes back through, for the derivative itself."""

    def __init__(self, net, x, method, error):
        self._method, self._error = method, error
        self._x = x.detach().requires_grad_()
        before = states(net)
        try:
            with torch.enable_grad(), unchanged(net) as kept, Writes(kept) as writes:
                # A copy, which the model may overwrite.
                self._output = net(self._x.clone())
                drawn = writes.is_random
                if not drawn and states(net) != before:
                    drawn = varies(net, self._x, self._output)
                self.logits = self._output
                if self._output.ndim == 1:
                    self.logits = self._output[:, None]
        except Exception as stop:
            raise error from stop
        if drawn:
            raise is_random() from error
        if not isinstance(self._output, torch.Tensor):
            raise error
        if not _reaches(self._output, self._x):
            raise _no_gradient() from error

    @property
    def calls(self):
        """There are none: say why."""
        raise self._error

    def explain(self, targets):
        """Explain the logits of each of `targets`: ``[K, N, …]``."""
        found = []
        for target in targets:
            with torch.no_grad():
                r = self._method.begin(self.logits, check_target(target, self.logits))
            try:
                (each,) = torch.autograd.grad(
                    self.logits, self._x, r, retain_graph=True, allow_unused=True
                )
            except RuntimeError as stop:
                raise MethodError(
                    f"autograd stops on its way back: {stop} Write that part with "
                    "functions that autograd goes through."
                ) from stop
            if each is None:
                raise _no_gradient() from self._error
            found.append(each * self._x.detach() if self._method.times_input else each)
        return _finite(torch.stack(found), f"the result of {self._method.name!r}")


def _reaches(output, x):
    """Whether autograd has a way from an output back to an input."""
    waiting, seen = [output.grad_fn], set()
    while waiting:
        step = waiting.pop()
        if step is None or step in seen:
            continue
        seen.add(step)
        if getattr(step, "variable", None) is x:
            return True
        waiting += [below for below, _ in step.next_functions]
    return False


def _no_gradient():
    return MethodError(
        "the output has no gradient with respect to the input: on every way from the "
        "one to the other stands a detach(), a torch.no_grad() or a step that is not "
        "in torch. Take that out of the forward."
    )


def reduce(
    r: torch.Tensor, method: str | methods.Method | methods.Averaged
) -> torch.Tensor:
    """Make one number per pixel of a relevance with colour channels.

    Parameters
    ----------
    r : ``[N, C, H, W]``.
    method : Says whether channels are summed or the largest absolute value counts.

    Returns
    -------
    torch.Tensor : ``[N, H, W]``.

    Raises
    ------
    InputError : If `r` is not an image-shaped batch.

    Examples
    --------
    >>> r = torch.tensor([1.0, -3.0, 1.0]).reshape(1, 3, 1, 1)
    >>> [modbp.figures.reduce(r, name).item() for name in ("lrp-z", "gradient")]
    [-1.0, 3.0]
    """
    if not isinstance(r, torch.Tensor) or r.ndim != 4:
        found = f"has shape {list(r.shape)}" if hasattr(r, "shape") else f"is {r!r}"
        raise InputError(
            f"relevance {found}; a map needs a tensor [N, channels, height, width]."
        )
    largest = methods.get(method).reduction == "max-abs"
    found = r.abs().amax(1) if largest else r.sum(1)
    return _finite(found, "a map of this relevance")
