"""Pull relevance through a network: a method, bound to one recorded forward pass."""

import torch

from modbp.backprop import checks, methods
from modbp.backprop.operator import Operator
from modbp.backprop.trace import Trace
from modbp.backprop.trace.layers import channels_last, each_channels_last
from modbp.errors import InputError, MethodError, ModbpError

__all__ = ["Chain", "chain"]


def chain(net, x, method, *, fold=True):
    """Run the network once and keep what the method needs to carry relevance back.

    Equation: ``r[l-1] = M_l(x) r[l]``, one operator per layer, fixed by the input.

    Parameters
    ----------
    net : torch.nn.Module
        A ReLU network in evaluation mode; it is only read.
    x : torch.Tensor
        ``[N, …]`` inputs, float32 or float64, as the network's parameters.
    method : str or Method
        A name of `modbp.methods.names()`, or a method of yours.
    fold : bool
        Whether batch norm becomes part of the linear layer before it, where it can.

    Returns
    -------
    Chain
        Printing it shows layer, shape and rule.

    Raises
    ------
    ModbpError
        If the input, the network or the method does not fit; see `modbp.errors`.
    """
    return Chain(net, x, method, fold=fold)


class Chain:
    """A method bound to a recorded forward pass; made by :func:`modbp.chain`.

    It reads input and weights where they are: change neither while it is in use.

    Attributes
    ----------
    logits : torch.Tensor
        ``[N, C]``, the network's output.
    layers : list of str
        The names of the calls, input first.
    method : Method
        The method.
    """

    @torch.no_grad()
    def __init__(self, net, x, method, *, fold=True):
        self.method = methods.get(method)
        if isinstance(self.method, methods.Averaged):
            raise MethodError(
                f"method {self.method.name!r} averages {self.method.count} inputs, so "
                f"it is no chain. Use modbp.explain, or {self.method.method.name!r}."
            )
        trace = Trace(net, fold)
        x = channels_last(checks.check_input(net, x))
        # What rules see of each output; for most methods the output itself.
        self._frame = self.method.frame
        self._states = [self._frame.begin(x)]
        self._rules, self._backs = [None], [None]
        self._raw = {0}  # positions that still hold the input, in whatever shape
        self._calls, self._outputs, self._last = trace.run(x, self._visit)
        self.logits = self._outputs[self._last]
        self.layers = [call.name for call in self._calls]
        checks.check_finite(self._calls, self._states, self._last, self._frame.finite)

    def _visit(self, call, *_):
        position = len(self._rules)
        first = all(source in self._raw for source in call.sources)
        if first and call.layer.shares_memory:
            self._raw.add(position)
        rule = self.method.rule(call, first)
        try:
            state, back = rule(call, *(self._states[source] for source in call.sources))
        except (RuntimeError, ValueError, IndexError, TypeError) as error:
            if isinstance(error, ModbpError) or type(rule).__module__[:5] == "modbp":
                raise
            raise MethodError(
                f"{call}: rule {rule} failed with {error!r}. A rule takes the call and "
                "its inputs and returns the output and a function."
            ) from error
        self._rules.append(rule)
        self._backs.append(back)
        self._states.append(state)
        return self._frame.value(state)

    def output(self, layer):
        """Return what a layer gave in the forward pass.

        Parameters
        ----------
        layer : str
            Name of the layer.

        Returns
        -------
        torch.Tensor
            ``[N, …]``; to be read, not written.
        """
        return self._outputs[self._position(layer)]

    def below(self, layer):
        """Return a layer and all that feed it, from the top down.

        Parameters
        ----------
        layer : str
            Name of the layer.

        Returns
        -------
        list of str
            The last is "input".
        """
        feeding, start = {self._position(layer)}, self._position(layer)
        for position in range(start, 0, -1):
            if position in feeding:
                feeding.update(self._calls[position].sources)
        return [self.layers[position] for position in sorted(feeding, reverse=True)]

    @torch.no_grad()
    def pull(self, r, start, to="input"):
        """Carry relevance from one layer down to others.

        Relevance "at a layer" belongs to its output, summed over all that read it, and
        before the layer's own rule. A layer that took in the batch norm behind it gives
        that batch norm's output. For DeepLIFT a multiplier goes in at `start`, and
        contributions are read below it.

        Parameters
        ----------
        r : torch.Tensor
            ``[N, *shape]`` of `start`, or ``[K, N, *shape]`` for `K` at once.
        start : str
            Name of the layer where it enters.
        to : str, sequence of str or None
            Names of the layers where it is read, `start` or below; all of them if None.

        Returns
        -------
        dict of str to torch.Tensor
            Relevance at each layer of `to`, with a leading ``K`` if `r` has one.

        Raises
        ------
        UnknownName
            If there is no such layer.
        InputError
            If `r` does not fit `start`, or a layer of `to` does not feed `start`.
        """
        first = self._position(start)
        to = self.below(start) if to is None else to
        single = isinstance(to, str) or not hasattr(to, "__iter__")
        wanted = [to] if single else list(to)
        targets = {self._position(name): name for name in wanted}
        r, many = checks.check_relevance(r, self._outputs[first], start)
        flowing, found = {first: self._frame.enter(each_channels_last(r))}, {}
        lowest = min(targets, default=first)
        for position in range(first, lowest - 1, -1):
            relevance = flowing.pop(position, None)
            if relevance is None:
                continue
            if position in targets:
                found[targets[position]] = self._frame.leave(
                    relevance, self._states[position]
                )
            if position == lowest:
                break
            call, parts = self._calls[position], self._backs[position](relevance)
            who = f"{call}: rule {self._rules[position]}"
            inputs = [self._outputs[source] for source in call.sources]
            checks.check_parts(parts, inputs, len(relevance), who)
            for source, part in zip(call.sources, parts, strict=True):
                flowing[source] = flowing[source] + part if source in flowing else part
        found.update({name: r for name in wanted if name == start})
        for name in wanted:
            if name not in found:
                raise InputError(
                    f"layer {name!r} does not feed layer {start!r}, so no relevance "
                    "arrives there. Choose `to` among the layers below `start`."
                )
        if self.method.times_input and "input" in found:
            found["input"] = found["input"] * self._outputs[0]
        return {name: found[name] if many else found[name][0] for name in wanted}

    @torch.no_grad()
    def explain(self, target=None):
        """Explain one logit per sample.

        Parameters
        ----------
        target : int or sequence of int, optional
            One for all or one per sample; the largest logit if left out.

        Returns
        -------
        torch.Tensor
            Relevance of the input, ``[N, …]``.

        Raises
        ------
        InputError
            If a target is out of range, or the network has no logits.
        """
        target = checks.check_target(target, self.logits)
        r = self.method.begin(self.logits, target)
        return self.pull(r, self.layers[self._last])["input"].contiguous()

    @torch.no_grad()
    def matrix(self, layer, sample=0):
        """Return the explicit operator of one layer for one sample.

        Equation: ``r_in = M r_out``, with both flattened. The inputs of an addition or
        a concatenation are stacked in order. For DeepLIFT `r_out` is a multiplier.

        Parameters
        ----------
        layer : str
            Name of the layer.
        sample : int
            Which sample of the batch.

        Returns
        -------
        torch.Tensor
            ``[in, out]``.

        Raises
        ------
        InputError
            If the matrix would be too large, or there is no such sample.
        """
        sample = checks.check_sample(sample, len(self.logits))
        return self.operator(layer, sample).matrix()

    @torch.no_grad()
    def operator(self, layer, sample=None):
        """Return the operator of one layer, which needs no matrix: for any size.

        Equation: ``r_in = M r_out``.

        Parameters
        ----------
        layer : str
            Name of the layer.
        sample : int, optional
            Which sample of the batch; all of them if left out.

        Returns
        -------
        modbp.operators.Operator

        Raises
        ------
        InputError
            If there is no such sample, or `layer` is the input.
        """
        position = self._position(layer)
        call, rule = self._calls[position], self._rules[position]
        if rule is None:
            raise InputError("the input is no layer, so it has no matrix.")
        frame = self._frame
        states = [self._states[source] for source in call.sources]
        state, back = self._states[position], self._backs[position]
        if sample is not None:
            sample = checks.check_sample(sample, len(self.logits))
            states = [frame.sample(each, sample) for each in states]
            state, back = rule(call, *states)

        def through(r):
            parts = back(frame.enter(r))
            return tuple(frame.leave(*each) for each in zip(parts, states, strict=True))

        inputs = [frame.value(each) for each in states]
        return Operator(call, through, inputs, frame.value(state))

    def __str__(self):
        entries = [("layer", "type", "output shape", "rule")]
        for call, z, rule in zip(self._calls, self._outputs, self._rules, strict=True):
            shape = "×".join(map(str, z.shape[1:]))
            entries.append((call.name, call.layer.type, shape, str(rule or "")))
        widths = [max(map(len, column)) for column in zip(*entries, strict=True)]
        lines = ["  ".join(map(str.ljust, entry, widths)).rstrip() for entry in entries]
        return f"{self.method.name}, {len(self.logits)} samples\n" + "\n".join(lines)

    __repr__ = __str__

    def _position(self, name):
        return checks.check_layer(name, self._calls)
