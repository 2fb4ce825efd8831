"""What is known of torch: the layer that a module or a function stands for."""

from functools import partial

import torch.nn.functional as F
from torch import nn

from modbp.backprop.trace import layers
from modbp.errors import TraceError

__all__ = ["BATCH_NORMS", "FUNCTIONS", "MODULES", "NAMES"]

_POOLINGS = {
    f"{adaptive}{what}Pool{rank}d": f"{adaptive.lower() and 'adaptive_'}"
    f"{what.lower()}_pool{rank}d"
    for adaptive in ("", "Adaptive")
    for what in ("Max", "Avg")
    for rank in (1, 2, 3)
}

# Modules ------------------------------------------------------------------------------


def _conv_module(module):
    if module.padding_mode != "zeros":
        raise TraceError(
            f"{type(module).__name__} pads with {module.padding_mode!r}; only zeros "
            "keep it a layer of its weights alone. Pad in a layer of its own."
        )
    names = "weight bias stride padding dilation groups transposed output_padding"
    options = {name: getattr(module, name) for name in names.split()}
    return layers.convolution(type(module).__name__, **options)


def _batch_norm(module):
    if module.running_mean is None:
        raise TraceError(
            f"{type(module).__name__} keeps no running statistics, so each sample's "
            "output depends on its batch. Train with track_running_stats=True."
        )
    scale = (module.running_var + module.eps).rsqrt()
    if module.weight is not None:
        scale = scale * module.weight
    bias = -module.running_mean * scale
    if module.bias is not None:
        bias = bias + module.bias

    def across(vector, a):
        return vector.reshape(1, -1, *(1,) * (a.ndim - 2))

    def linear(a, weight, bias=None):
        if a.shape[1] != len(weight):  # one channel would be broadcast
            raise TypeError(f"it takes {len(weight)} channels")
        z = a * across(weight, a)
        return z if bias is None else z + across(bias, a)

    def adjoint(s, weight, shape):
        return s * across(weight, s)

    parts = (scale, bias, linear, adjoint)
    return layers.parametrised("norm", type(module).__name__, *parts)


def _pool_module(module):
    """Bind a pooling module's options to the function of the same name."""
    name = type(module).__name__
    if getattr(module, "return_indices", False):
        raise TraceError(f"{name} also returns indices, which no rule can use.")
    kind = "maxpool" if "Max" in name else "avgpool"
    function = getattr(F, _POOLINGS[name])
    known = "kernel_size stride padding dilation ceil_mode output_size".split()
    known += ["count_include_pad", "divisor_override"]
    options = {key: getattr(module, key) for key in known if hasattr(module, key)}
    return layers.pooling(kind, name, partial(function, **options))


BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
MODULES = {
    **{getattr(nn, f"Conv{rank}d"): _conv_module for rank in (1, 2, 3)},
    **{getattr(nn, f"ConvTranspose{rank}d"): _conv_module for rank in (1, 2, 3)},
    **dict.fromkeys(BATCH_NORMS, _batch_norm),
    **{getattr(nn, name): _pool_module for name in _POOLINGS},
    nn.Linear: lambda m: layers.dense("Linear", m.weight, m.bias),
    nn.ReLU: lambda m: layers.relu("ReLU", m.inplace),
    nn.ReLU6: lambda m: layers.relu("ReLU6", m.inplace, top=6),
    nn.Flatten: lambda m: layers.reshape("Flatten", m.forward),
    nn.Unflatten: lambda m: layers.reshape("Unflatten", m.forward),
    **{
        getattr(nn, name): lambda m: layers.identity(type(m).__name__)
        for name in ("Identity", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d")
    },
}

# Functions ----------------------------------------------------------------------------


def _convolution(name):
    """Return what reads a convolution's arguments, in torch's order."""
    transposed = "transpose" in name
    order = ["dilation", "groups"]
    if transposed:
        order = ["output_padding", "groups", "dilation"]

    def read(a, weight, bias=None, stride=1, padding=0, *args, **kwargs):
        options = {**dict(zip(order, args, strict=False)), **kwargs}
        options["transposed"] = transposed
        return layers.convolution(name, weight, bias, stride, padding, **options)

    return read


def _pool(name):
    function = getattr(F, name)
    kind = "maxpool" if "max" in name else "avgpool"

    def read(a, *args, **kwargs):
        kwargs.pop("return_indices", None)  # if True, it is another function of torch

        def forward(a, **more):
            return function(a, *args, **kwargs, **more)

        return layers.pooling(kind, name, forward)

    return read


def _permute(a, *dims):
    several = isinstance(dims[0], (tuple, list))
    return layers.permute("permute", dims[0] if several else dims)


def _mean(a, dim=None, keepdim=False):
    def forward(a):
        if dim is None or any(entry % a.ndim == 0 for entry in layers.as_tuple(dim, 1)):
            raise TraceError("mean runs over the samples; name only later dimensions.")
        return a.mean(dim, keepdim)

    return layers.pooling("avgpool", "mean", forward)


def _dropout(a, p=0.5, training=True, inplace=False):
    if training:  # which is the default, even in a model in evaluation mode
        raise TraceError(
            "dropout is switched on by its argument. Pass training=self.training."
        )
    return layers.identity("dropout")


FUNCTIONS = {
    **{name: _convolution(name) for name in ("conv1d", "conv2d", "conv3d")},
    **{f"conv_transpose{n}d": _convolution(f"conv_transpose{n}d") for n in (1, 2, 3)},
    "linear": lambda a, weight, bias=None: layers.dense("linear", weight, bias),
    "relu": lambda a, inplace=False: layers.relu("relu", inplace),
    "relu_": lambda a: layers.relu("relu_", True),
    "relu6": lambda a, inplace=False: layers.relu("relu6", inplace, top=6),
    **{name: _pool(name) for name in _POOLINGS.values()},
    "permute": _permute,
    "mean": _mean,
    **{name: _dropout for name in ("dropout", "dropout1d", "dropout2d", "dropout3d")},
    "contiguous": lambda a, memory_format=None: layers.identity("contiguous"),
}
# boolean_dispatch hides the names of the max pooling functions.
NAMES = {getattr(F, name): name for name in _POOLINGS.values()}
