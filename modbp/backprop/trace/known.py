"""What is known of torch: the layer that a module or a function stands for."""

from functools import partial

import torch.nn.functional as F
from torch import nn

from modbp.backprop.trace.layers import (
    as_tuple,
    convolution,
    dense,
    identity,
    parametrised,
    permute,
    pooling,
    relu,
    reshape,
)
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
    return convolution(
        type(module).__name__,
        module.weight,
        module.bias,
        module.stride,
        module.padding,
        module.dilation,
        module.groups,
        module.transposed,
        module.output_padding,
    )


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

    return parametrised("norm", type(module).__name__, scale, bias, linear, adjoint)


def _pool_module(module):
    """Bind a pooling module's options to the function of the same name."""
    name = type(module).__name__
    if getattr(module, "return_indices", False):
        raise TraceError(f"{name} also returns indices, which no rule can use.")
    kind = "maxpool" if "Max" in name else "avgpool"
    function = getattr(F, _POOLINGS[name])
    known = (
        "kernel_size stride padding dilation ceil_mode count_include_pad "
        "divisor_override output_size"
    )
    options = {
        key: getattr(module, key) for key in known.split() if hasattr(module, key)
    }
    return pooling(kind, name, partial(function, **options))


BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
MODULES = {
    **{getattr(nn, f"Conv{rank}d"): _conv_module for rank in (1, 2, 3)},
    **{getattr(nn, f"ConvTranspose{rank}d"): _conv_module for rank in (1, 2, 3)},
    **dict.fromkeys(BATCH_NORMS, _batch_norm),
    **{getattr(nn, name): _pool_module for name in _POOLINGS},
    nn.Linear: lambda m: dense("Linear", m.weight, m.bias),
    nn.ReLU: lambda m: relu("ReLU", m.inplace),
    nn.ReLU6: lambda m: relu("ReLU6", m.inplace, top=6),
    nn.Flatten: lambda m: reshape("Flatten", m.forward),
    nn.Unflatten: lambda m: reshape("Unflatten", m.forward),
    **{
        getattr(nn, name): lambda m: identity(type(m).__name__)
        for name in ("Identity", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d")
    },
}

# Functions ----------------------------------------------------------------------------


def _convolution(rank):
    def read(
        a, weight, bias=None, stride=1, padding=0, dilation=1, groups=1
    ):  # the signature of torch.nn.functional.conv2d
        return convolution(
            f"conv{rank}d", weight, bias, stride, padding, dilation, groups
        )

    return read


def _transposed(rank):
    def read(
        a,
        weight,
        bias=None,
        stride=1,
        padding=0,
        output_padding=0,
        groups=1,
        dilation=1,
    ):  # the signature of torch.nn.functional.conv_transpose2d
        name, options = f"conv_transpose{rank}d", (stride, padding, dilation, groups)
        return convolution(name, weight, bias, *options, True, output_padding)

    return read


def _relu(name, in_place=False, top=None):
    def read(a, inplace=False):
        return relu(name, in_place or inplace, top)

    return read


def _pool(name):
    function = getattr(F, name)
    kind = "maxpool" if "max" in name else "avgpool"

    def read(a, *args, **kwargs):
        if kwargs.pop("return_indices", False):
            raise TraceError(f"{name} also returns indices, which no rule can use.")

        def forward(a, **more):
            return function(a, *args, **kwargs, **more)

        return pooling(kind, name, forward)

    return read


def _permute(a, *dims):
    return permute("permute", dims[0] if isinstance(dims[0], (tuple, list)) else dims)


def _mean(a, dim=None, keepdim=False):
    if dim is None:
        raise TraceError("mean runs over the samples; name only later dimensions.")

    def forward(a):
        if any(entry % a.ndim == 0 for entry in as_tuple(dim, 1)):
            raise TraceError("mean runs over the samples; name only later dimensions.")
        return a.mean(dim, keepdim)

    return pooling("avgpool", "mean", forward)


def _dropout(a, p=0.5, training=True, inplace=False):
    if training:  # which is the default, even in a model in evaluation mode
        raise TraceError(
            "dropout is switched on by its argument. Pass training=self.training."
        )
    return identity("dropout")


FUNCTIONS = {
    **{f"conv{rank}d": _convolution(rank) for rank in (1, 2, 3)},
    **{f"conv_transpose{rank}d": _transposed(rank) for rank in (1, 2, 3)},
    "linear": lambda a, weight, bias=None: dense("linear", weight, bias),
    "relu": _relu("relu"),
    "relu_": _relu("relu_", in_place=True),
    "relu6": _relu("relu6", top=6),
    **{name: _pool(name) for name in _POOLINGS.values()},
    "permute": _permute,
    "mean": _mean,
    **{name: _dropout for name in ("dropout", "dropout1d", "dropout2d", "dropout3d")},
    "contiguous": lambda a, memory_format=None: identity("contiguous"),
}
# boolean_dispatch hides the names of the max pooling functions.
NAMES = {getattr(F, name): name for name in _POOLINGS.values()}
