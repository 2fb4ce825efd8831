"""Patterns: for every neuron, the direction of the input that its output varies with.

A neuron's weights have to cancel what distracts, so they do not look like the signal. A
pattern is estimated from data: by regression of the neuron's input on its output.
"""

from collections.abc import Iterable

import torch
from torch import nn

from modbp.backprop.checks import check_input, out_of_range
from modbp.backprop.inference import outside_inference_mode
from modbp.backprop.rules.products import channel_dim
from modbp.backprop.trace import Trace
from modbp.errors import InputError, MethodError, unknown_name
from modbp.measures.channels import MIXING
from modbp.measures.precision import in_float64

__all__ = ["fit"]


@outside_inference_mode
def fit(
    net: nn.Module, batches: Iterable, kind: str = "relu", estimator: str = "code",
    *, fold: bool = True,
) -> dict[str, torch.Tensor]:  # fmt: skip
    r"""Fit the patterns of all convolutions and dense layers to data, in one pass.

    .. math:: c = E_+[x y] - E_+[x]\,E[y], \qquad a = \frac{c}{w^\top c}

    Here `x` is what a neuron sees, zero padding included, at any location; :math:`y =
    w^\top x` without the bias; and :math:`E_+` a mean over the locations where the
    neuron, bias included, is on. The 2020 code takes :math:`E[y]` over all locations;
    with :math:`E_+[y]` as in equation 41 of :cite:t:`sixt2020lie` it is
    :math:`a = \operatorname{cov}_+[x] w / (w^\top \operatorname{cov}_+[x] w)`, equation
    42 there. Every :math:`w^\top a` is one, but where the denominator is zero: such a
    neuron gets zeros. It is never on, or its output does not vary; or, with the code's
    two means, the terms happen to cancel.

    Parameters
    ----------
    net : a network in evaluation mode; it is only read
    batches
        Inputs ``[N, …]``, or pairs whose first entry is the inputs, as a DataLoader
        gives them. How they are cut changes nothing beyond rounding.
    kind, estimator
        Whether only locations count where the neuron is on, "relu", or all, "linear";
        and which mean of `y`, "code" or "eq41", the same for "linear".
    fold : as for :func:`modbp.chain`; patterns belong to chains with the same choice

    Returns
    -------
    dict: for each layer's name, a pattern of its weight's shape

    Raises
    ------
    ModbpError: if network or batches do not fit, or a convolution is transposed.

    Examples
    --------
    >>> inputs = torch.tensor([[1.0, 2.0], [3.0, 2.0], [-2.0, 5.0]]).double()
    >>> modbp.patterns.fit(modbp.models.dense([[1, 0]]), inputs, estimator="eq41")
    {'fc1': tensor([[1., 0.]], dtype=torch.float64)}
    """
    if not isinstance(kind, str) or kind not in ("relu", "linear"):
        raise unknown_name("kind of pattern", kind, ["relu", "linear"])
    if not isinstance(estimator, str) or estimator not in ("code", "eq41"):
        raise unknown_name("estimator", estimator, ["code", "eq41"])
    trace, sums = Trace(net, fold), {}

    def visit(call, *inputs):
        if call.kind in MIXING:
            sums.setdefault(call.name, _Sums(call)).add(call, *inputs, kind)
        return call.layer.forward(*inputs)

    if isinstance(batches, torch.Tensor):
        batches = [batches]
    if not isinstance(batches, Iterable):
        raise InputError(
            f"batches is a {type(batches).__name__}; give a list of inputs or a "
            "DataLoader."
        )
    for batch in batches:
        x = batch[0] if isinstance(batch, (tuple, list)) else batch
        check_input(net, x)
        trace.run(x, visit)
    if not sums:
        raise InputError(
            "there is nothing to fit: no batch, or no layer with weights. Give batches "
            "of inputs, as in [x] or a DataLoader."
        )
    found = {name: entry.pattern(estimator) for name, entry in sums.items()}
    for name, pattern in found.items():
        if not pattern.isfinite().all():
            told = f"layer {name!r}: its pattern is NaN or infinite"
            raise out_of_range(told, pattern)
    return found


class _Sums:
    """Sums over locations, per neuron; in float64, as differences are taken of them."""

    def __init__(self, call):
        if "ranspose" in call.layer.type:
            raise MethodError(
                f"{call}: patterns are not defined for transposed convolutions, whose "
                "neurons see different parts of the kernel. Use another method."
            )
        self.weight = call.layer.weight
        self.count = self.on = self.y = self.y_on = self.x_on = self.xy_on = 0

    def add(self, call, a, kind):
        layer = call.layer
        # The derivative by the weight, the same at all locations, collects what each
        # neuron sees: Σ g x for any g per location.
        y, collect = torch.func.vjp(lambda weight: layer.linear(a, weight), self.weight)
        on = (layer.forward(a) > 0) if kind == "relu" else torch.ones_like(y)
        on = on.to(y)
        self.count += y.numel() // len(self.weight)
        self.on += _per_neuron(call, on)
        self.y += _per_neuron(call, y)
        self.y_on += _per_neuron(call, y * on)
        self.x_on += in_float64(collect(on)[0])
        self.xy_on += in_float64(collect(y * on)[0])

    def pattern(self, estimator):
        def along(vector):
            return vector.reshape(-1, *(1,) * (self.weight.ndim - 1))

        on = self.on.clamp(min=1)
        y = self.y / self.count if estimator == "code" else self.y_on / on
        covariance = (self.xy_on - self.x_on * along(y)) / along(on)
        variance = (in_float64(self.weight) * covariance).flatten(1).sum(1)
        # Without any there is no pattern, even where the code's covariance is not zero.
        variance = torch.where(variance == 0, torch.inf, variance)
        return (covariance / along(variance)).to(self.weight)


def _per_neuron(call, values):
    dim = channel_dim(call, values.ndim)
    return in_float64(values).movedim(dim, 0).flatten(1).sum(1)
