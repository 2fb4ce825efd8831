"""Pull relevance through a network: a method, bound to one recorded forward pass."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from numbers import Integral

import torch
from torch import nn

from modbp.backprop import checks, methods
from modbp.backprop.inference import outside_inference_mode
from modbp.backprop.methods.method import check_places, handed, no_rule, rules_of
from modbp.backprop.operator import Operator
from modbp.backprop.trace import Call, Trace
from modbp.backprop.trace.layers import channels_last, each_channels_last
from modbp.errors import InputError, MethodError, ModbpError, check_option

__all__ = ["Chain", "chain"]


def chain(
    net: nn.Module, x: torch.Tensor, method: str | methods.Method, *, fold: bool = True
) -> "Chain":  # fmt: skip
    """Run the network once and keep what the method needs to carry relevance back.

    Equation: ``r[l-1] = M_l(x) r[l]``, one operator per layer, fixed by the input.

    Parameters
    ----------
    net, x, method, fold : As for :func:`modbp.explain`; no average.

    Returns
    -------
    Chain : Printing it shows layer, shape and rule.

    Raises
    ------
    ModbpError
        If the input, the network or the method does not fit; see `modbp.errors`.

    Examples
    --------
    >>> modbp.chain(net, x, "lrp-z")
    lrp-z, 1 samples
    layer  type    output shape  rule
    input  input   2
    fc1    Linear  2             Epsilon(epsilon=0.0, bias='denominator')
    relu1  ReLU    2             Pass()
    fc2    Linear  2             Epsilon(epsilon=0.0, bias='denominator')
    """
    return Chain(net, x, method, fold=fold)


@dataclass
class _Step:
    """One call, the rule chosen for it, and what came of it in the forward pass."""

    call: Call
    rule: object
    state: object  # what rules see of the output
    back: Callable | None
    shape: torch.Size  # of the output [N, …], which it outlives


class Recording:
    """One forward pass by a method's rules; one that keeps nothing goes down once."""

    @outside_inference_mode
    def __init__(self, trace, x, method, keep):
        self.method, self.frame, self.keep = method, method.frame, keep
        # Seen in the order of memory that the user gave, where x.view(...) may work.
        calls = trace.plan(checks.check_input(trace.net, x)).calls
        x = channels_last(x)
        check_places(self.method, calls)
        self.rules, self._reached = rules_of(self.method, calls)
        # What rules see of each output; for most methods the output itself.
        self.steps = [_Step(calls[0], None, self.frame.begin(x), None, x.shape)]
        forget = None if keep else self._forget
        self.calls, _, self.last = trace.run(x, self._visit, forget)
        self.output = self.frame.value(self.steps[self.last].state)
        # A regression may give one number per sample without a dimension of its own.
        self.logits = self.output[:, None] if self.output.ndim == 1 else self.output
        if not self.frame.finite(self.steps[self.last].state):
            steps = self.steps if keep else Recording(trace, x, method, True).steps
            bad = [step.call for step in steps if not self.frame.finite(step.state)]
            raise InputError(
                f"{bad[0]} gives values that are not finite. Check the network's "
                "weights and the range of the input, and of the reference where there "
                "is one."
            )

    def _visit(self, call, *inputs):
        position = len(self.steps)
        rule = self.rules[position]
        if rule is None:  # no relevance comes here: a gate is a constant
            output = call.layer.forward(*inputs)
            self.steps.append(_Step(call, None, output, None, output.shape))
            return output
        states = [self.steps[source].state for source in call.sources]
        try:
            state, back = rule(self._overwriting(call), *states)
        except (RuntimeError, ValueError, IndexError, TypeError) as error:
            if isinstance(error, ModbpError) or type(rule).__module__[:5] == "modbp":
                raise
            raise MethodError(
                f"{call}: rule {_name(rule)} failed with {error!r}. A rule takes the "
                "call and its inputs and returns the output and a function."
            ) from error
        output = self.frame.value(state)
        self.steps.append(_Step(call, rule, state, back, output.shape))
        return output

    def _overwriting(self, call):
        """Let a ReLU write over its input where neither call nor rule looks again."""
        if self.keep or not call.alone or not call.layer.overwrite:
            return call
        below = type(self.steps[call.sources[0]].rule)
        if vars(below).get("keeps_output", True):  # of its own: heirs may keep it
            return call
        layer = replace(call.layer, forward=call.layer.overwrite)
        return replace(call, layer=layer)

    def _forget(self, position):
        if position:  # at the input relevance is read by what rules see of it
            self.steps[position].state = None

    @outside_inference_mode
    def down(self, r, start, targets, by=lambda step, r, who: step(r)):
        """Return relevance ``[K, N, …]`` at those positions of `targets` it reaches."""
        flowing, found = {start: self.frame.enter(each_channels_last(r))}, {}
        lowest, ours = min(targets, default=start), set()
        self.spoken_for = checks.is_there(r)  # has something below, not only zeros
        for position in range(start, lowest - 1, -1):
            flow = flowing.pop(position, None)
            if flow is None:
                continue
            step = self.steps[position]
            if position in targets:

                def read(flow, state=step.state):
                    return self.frame.leave(flow, state)

                found[position] = by(read, flow, str(step.call))
            if position == lowest:
                break
            if step.back is None:
                raise no_rule(self.method, [step.call])
            spend = getattr(step.back, "spend", None) if position in ours else None
            who = f"{step.call}: rule {_name(step.rule)}"
            parts = by(spend or step.back, flow, who)
            if not self.keep:
                step.back = None
            shapes = [self.steps[source].shape for source in step.call.sources]
            checks.check_parts(parts, shapes, len(flow), who)
            if position == start:
                there = checks.is_there(parts)
                there = there.unflatten(0, (-1, len(r))).any(0) if there.ndim else there
                self.spoken_for = there
            for source, part in zip(step.call.sources, parts, strict=True):
                if part is None:
                    continue
                flowing[source] = flowing[source] + part if source in flowing else part
                if not self.keep and _is_new(part, flow, step.rule):
                    ours.add(source)
        if self.method.times_input and 0 in found:
            x = self.frame.value(self.steps[0].state)
            found[0] = by(x.mul, found[0], "the product with the input")
        return found

    def checked(self, r, start, targets):
        """Do the same, and refuse relevance that leaves the range of its type."""
        found = self.down(r, start, targets)
        there = checks.is_there(r)
        lost = [checks.is_lost(part, there) for part in found.values()]
        lost = torch.stack(lost).any(0) if lost else there.new_zeros(1)
        if lost.any():  # once more, to see where
            self.down(r, start, targets, partial(checks.watch, lost))
        return found

    @outside_inference_mode
    def explain(self, targets):
        """Explain the logits of each of `targets` at once: ``[K, N, …]``.

        One that keeps nothing returns None if relevance is lost, and cannot say where.
        """
        targets = [checks.check_target(target, self.logits) for target in targets]
        r = torch.stack([self.method.begin(self.logits, target) for target in targets])
        r = r.reshape(len(r), *self.output.shape)
        found = (self.checked if self.keep else self.down)(r, self.last, {0})
        if 0 not in found:
            raise MethodError(
                f"method {self.method.name!r} brings no relevance to the input: "
                "comparisons and rounding have no derivative. Use an LRP method, or "
                "explain the part of the model behind them."
            )
        lost = not self.keep and checks.is_lost(found[0], self.spoken_for).any()
        return None if lost else found[0].contiguous()


def _name(rule):
    """Return what a rule is called: a plain function by its name."""
    return getattr(rule, "__name__", str(rule))


def _is_new(part, flow, rule):
    """Whether a rule of modbp put a part in memory that nobody else holds."""
    ours, theirs = part.untyped_storage(), flow.untyped_storage()
    trusted = type(rule).__module__.startswith("modbp.")
    return trusted and ours.data_ptr() != theirs.data_ptr()


class Chain:
    """A method bound to a recorded forward pass; made by :func:`modbp.chain`.

    It reads input and weights where they are: change neither while it is in use.

    Parameters
    ----------
    net, x, method, fold : As for :func:`modbp.chain`.

    Attributes
    ----------
    method : Method
        The method.
    logits : torch.Tensor
        ``[N, C]``, the network's output.
    calls, layers : list
        The calls, input first, and their names.
    top : str
        The layer whose output the logits are, where relevance of a class enters.

    Examples
    --------
    >>> modbp.chain(net, x, "gradient").layers
    ['input', 'fc1', 'relu1', 'fc2']
    """

    @outside_inference_mode
    def __init__(self, net, x, method, *, fold=True):
        self.method = methods.get(method)
        if isinstance(self.method, methods.Averaged):
            raise MethodError(
                f"method {self.method.name!r} averages {self.method.count} inputs, so "
                f"it is no chain. Use modbp.explain, or {self.method.method.name!r}."
            )
        self._pass = Recording(Trace(net, fold), x, self.method, keep=True)
        self._steps, self._frame = self._pass.steps, self.method.frame
        self.logits = self._pass.logits
        self.calls = self._pass.calls
        self.layers = [call.name for call in self.calls]
        self.top = self.layers[self._pass.last]

    def output(self, layer: str) -> torch.Tensor:
        """Return what a layer gave in the forward pass, to be read and not written.

        Parameters
        ----------
        layer : Name of the layer.

        Returns
        -------
        torch.Tensor : ``[N, …]``.

        Examples
        --------
        >>> modbp.chain(net, x, "gradient").output("fc1")
        tensor([[-1.,  4.]], dtype=torch.float64)
        """
        return self._frame.value(self._steps[self._position(layer)].state)

    def below(self, layer: str) -> list[str]:
        """Return a layer and all that its relevance reaches, from the top down.

        These are all that feed it, without what only opens gates where the method takes
        gates for constants.

        Parameters
        ----------
        layer : Name of the layer.

        Returns
        -------
        list of str

        Examples
        --------
        >>> modbp.chain(net, x, "gradient").below("relu1")
        ['relu1', 'fc1', 'input']
        """
        feeding, start = {self._position(layer)}, self._position(layer)
        for position in range(start, 0, -1):
            if position in feeding:
                step = self._steps[position]
                feeding.update(handed(step.rule, step.call.sources))
        return [self.layers[position] for position in sorted(feeding, reverse=True)]

    @outside_inference_mode
    def pull(
        self, r: torch.Tensor, start: str, to: str | Sequence[str] | None = "input"
    ) -> dict[str, torch.Tensor]:
        """Carry relevance from one layer down to others.

        Relevance "at a layer" belongs to its output, summed over all that read it, and
        before the layer's own rule. With a batch norm folded into the layer, that is
        the batch norm's output. For DeepLIFT a multiplier goes in at `start`, and
        contributions are read below it.

        Parameters
        ----------
        r : ``[N, *shape]`` of `start`, or ``[K, N, *shape]`` for `K` at once.
        start : Name of the layer where it enters.
        to
            Names of the layers where it is read, `start` or below; all of them if None.

        Returns
        -------
        dict of str to torch.Tensor
            Relevance at each layer of `to`, with a leading ``K`` if `r` has one.

        Raises
        ------
        ModbpError
            If there is no such layer, `r` does not fit `start`, or a layer of `to` does
            not feed it.

        Examples
        --------
        >>> ones = torch.ones(1, 2, dtype=torch.float64)
        >>> modbp.chain(net, x, "gradient").pull(ones, "fc2", to=["relu1"])
        {'relu1': tensor([[ 4., -1.]], dtype=torch.float64)}
        """
        first = self._position(start)
        to = self.below(start) if to is None else to
        is_one = isinstance(to, (str, torch.Tensor)) or not isinstance(to, Iterable)
        wanted = [to] if is_one else list(to)
        places = [self._position(name) for name in wanted]
        targets = dict(zip(wanted, places, strict=True))
        z, who = self.output(start), f"layer {start!r}: relevance"
        r, many = checks.check_vector(r, z.shape, z, who)
        found = self._pass.checked(r, first, set(targets.values()))
        for name, position in targets.items():
            if position not in found:
                raise InputError(
                    f"layer {name!r} does not feed layer {start!r}, or by gates alone, "
                    "so no relevance arrives there. Choose `to` among the layers below "
                    "`start`: chain.below(start)."
                )
        found[first] = r
        return {name: found[n] if many else found[n][0] for name, n in targets.items()}

    @outside_inference_mode
    def explain(self, target: int | Sequence[int] | None = None) -> torch.Tensor:
        """Explain one logit per sample.

        Parameters
        ----------
        target : One class for all or ``[N]``; the largest logit if left out.

        Returns
        -------
        torch.Tensor : Relevance of the input, ``[N, …]``.

        Raises
        ------
        InputError : If a target is out of range, or the network has no logits.

        Examples
        --------
        >>> modbp.chain(net, x, "gradient").explain(1)
        tensor([[2., 1.]], dtype=torch.float64)
        """
        return self._pass.explain([target])[0]

    @outside_inference_mode
    def matrix(self, layer: str, sample: int = 0) -> torch.Tensor:
        """Return the explicit operator of one layer for one sample.

        Equation: ``r_in = M r_out``, as in :class:`modbp.backprop.operator.Operator`.
        For DeepLIFT `r_out` is a multiplier.

        Parameters
        ----------
        layer, sample : Name of the layer, and which sample of the batch.

        Returns
        -------
        torch.Tensor : ``[in, out]``.

        Raises
        ------
        InputError : If the matrix would be too large, or there is no such sample.

        Examples
        --------
        >>> modbp.chain(net, x, "gradient").matrix("fc1")
        tensor([[ 1.,  2.],
                [-1.,  1.]], dtype=torch.float64)
        """
        return self.operator(layer, sample).matrix()

    @outside_inference_mode
    def operator(self, layer: str, sample: int | None = None) -> Operator:
        """Return the operator of one layer, which needs no matrix: for any size.

        Parameters
        ----------
        layer, sample
            Name of the layer, and which sample of the batch; all of them if left out.

        Returns
        -------
        modbp.backprop.operator.Operator

        Raises
        ------
        InputError : If there is no such sample, or `layer` is the input.

        Examples
        --------
        >>> modbp.chain(net, x, "gradient").operator("fc1")
        layer 'fc1' (Linear): 2 × 2, 1 samples
        """
        position, frame = self._position(layer), self._frame
        step = self._steps[position]
        if not position:
            raise InputError("the input is no layer, so it has no matrix.")
        if step.rule is None:
            raise no_rule(self.method, [step.call])
        states = [self._steps[source].state for source in step.call.sources]
        state, back = step.state, step.back
        if sample is not None:
            count = len(self.logits)
            fits = isinstance(sample, Integral) and 0 <= sample < count
            told = f"the batch has samples 0…{count - 1}."
            check_option("sample", sample, lambda _: fits, told)
            states = [frame.sample(each, sample) for each in states]
            state, back = step.rule(step.call, *states)

        def through(r):
            flow = frame.enter(r)
            each = zip(back(flow), states, strict=True)
            return tuple(
                flow.new_zeros(*r.shape[:2], *frame.value(state).shape[1:])
                if part is None
                else frame.leave(part, state)
                for part, state in each
            )

        inputs = [frame.value(each) for each in states]
        return Operator(step.call, through, inputs, frame.value(state))

    def __str__(self):
        entries = [("layer", "type", "output shape", "rule")]
        for step in self._steps:
            shape, call = "×".join(map(str, step.shape[1:])), step.call
            rule = _name(step.rule) if step.rule else ""
            entries.append((call.name, call.layer.type, shape, rule))
        widths = [max(map(len, column)) for column in zip(*entries, strict=True)]
        lines = ["  ".join(map(str.ljust, entry, widths)).rstrip() for entry in entries]
        return f"{self.method.name}, {len(self.logits)} samples\n" + "\n".join(lines)

    __repr__ = __str__

    def _position(self, name):
        return checks.check_layer(name, self._pass.calls)
