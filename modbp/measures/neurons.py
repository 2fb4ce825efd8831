"""What the neurons of each layer see, and the matrices of a plain chain's weights."""

from itertools import pairwise

import numpy as np
import torch
from torch import nn

from modbp.backprop.checks import check_input
from modbp.backprop.inference import outside_inference_mode
from modbp.backprop.rules.products import channel_dim
from modbp.backprop.trace import Trace
from modbp.errors import InputError, MethodError, check_whole
from modbp.measures.channels import MIXING, channel_dims, side_by_side
from modbp.measures.precision import in_float64

__all__ = ["Seen", "seen", "taps"]

# Neighbouring locations see nearly the same, so more pictures serve better than more
# locations.
_PER_PICTURE = 100


class Seen:
    """What the neurons of one layer see, zero padding included; see :func:`seen`."""

    def __init__(self, layer, x):
        self.x = x.cpu().numpy()
        self.weight = layer.weight.flatten(1).detach().cpu().numpy()
        zeros = torch.zeros(len(self.weight), device="cpu")
        self.bias = (zeros if layer.bias is None else layer.bias).cpu().numpy()

    def on(self, neuron):
        """Return where a neuron is on, wᵀx + b > 0, or several, as columns."""
        return self.x @ self.weight[neuron].T + self.bias[neuron] > 0

    def centred(self, neuron=None):
        """Return what is seen, minus its mean, where a neuron is on, or anywhere."""
        x = self.x if neuron is None else self.x[self.on(neuron)]
        if len(x) < 2:
            raise InputError(
                f"neuron {neuron} is on at {len(x)} of {len(self.x)} locations, and a "
                "covariance needs two. Give more inputs, or choose another neuron."
            )
        return x - x.mean(axis=0)


@outside_inference_mode
def seen(
    net: nn.Module, x: torch.Tensor, most: int = 20_000, seed: int = 0
) -> dict[str, Seen]:
    """Record what the neurons of every convolution and dense layer see.

    Parameters
    ----------
    net, x : a network in evaluation mode, only read, and its inputs ``[N, …]``
    most, seed : how many locations at most, of a picture 100; and of their choice

    Returns
    -------
    dict
        By layer, input first, with ``x``, ``[locations, d]`` and zero padding included,
        ``weight``, ``[neurons, d]``, and ``bias``; ``on(neuron)`` says where a neuron
        is on, and ``centred(neuron)`` returns `x` there, minus its mean.

    Raises
    ------
    ModbpError: if network or input do not fit, or neurons see different channels.

    Examples
    --------
    >>> modbp.measures.neurons.seen(net, x)["fc2"].x
    array([[0., 4.]])
    """
    check_whole("most", most, 1)
    check_whole("seed", seed, 0)
    found, rng, trace = {}, np.random.default_rng(seed), Trace(net)
    check_input(net, x)

    def visit(call, *inputs):
        if call.kind in MIXING:
            found[call.name] = Seen(call.layer, _patches(call, *inputs, most, rng))
        return call.layer.forward(*inputs)

    trace.run(x, visit)
    return found


def _patches(call, a, most, rng):
    """Return what is seen at each location, ``[locations, d]``."""
    layer, channels = call.layer, a.shape[channel_dim(call, a.ndim)]
    if "ranspose" in layer.type or layer.weight.shape[1] != channels:
        raise MethodError(
            f"{call}: its neurons see different channels, so they share no covariance. "
            "Choose a network without groups and transposed convolutions."
        )
    if call.kind == "dense":
        return a.flatten(0, -2)[:most]
    # A layer with one neuron per entry, which puts out what it sees.
    d = layer.weight[0].numel()
    copy = (
        torch.eye(d, device="cpu").to(layer.weight).reshape(d, *layer.weight.shape[1:])
    )
    rows = []
    for picture in a[: -(-most // _PER_PICTURE)]:
        places = layer.linear(picture[None], copy)[0].flatten(1).T
        few = min(_PER_PICTURE, len(places))
        rows.append(places[rng.choice(len(places), few, replace=False)])
    return torch.cat(rows)[:most]


@outside_inference_mode
def taps(net, x, weights=None):
    """Return the matrices ``[in, out]`` of a plain chain's weights, or patterns.

    As in the 2020 code they are a convolution's central taps, and behind a flattened
    picture the central position. Of `x` only the shape counts.
    """
    check_input(net, x)
    calls, outputs, _ = Trace(net).run(x[:1])
    dims, found = channel_dims(calls, [z.shape for z in outputs]), {}
    for call in calls:
        if call.kind not in MIXING:
            continue
        W = in_float64(call.layer.weight if weights is None else weights[call.name])
        read = call.sources[0]
        # Of a picture that was flattened on the way from the layer below.
        while outputs[read].ndim < 3 and calls[read].kind not in (*MIXING, "input"):
            read = calls[read].sources[0]
        shape = outputs[read].shape[1:]
        if outputs[call.sources[0]].ndim == 2 and shape.numel() == W.shape[1]:
            W = side_by_side(W[None].unflatten(2, shape), dims[read])[0]
        for _ in range(W.ndim - 2):
            W = W[:, :, (W.shape[2] - 1) // 2]
        found[call.name] = W.T.cpu().numpy()
    for below, above in pairwise(found):
        gives, reads = found[below].shape[1], found[above].shape[0]
        if gives != reads:
            raise MethodError(
                f"{below} gives {gives} channels and {above} reads {reads}: no plain "
                "chain. Choose a network without branches and groups."
            )
    return found
