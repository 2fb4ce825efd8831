"""Which layer a module of torch.nn stands for."""

from functools import partial

import torch.nn.functional as F
from torch import nn

from modbp.backprop.trace.layers import (
    convolution,
    dense,
    identity,
    parametrised,
    pooling,
    relu,
    reshape,
)
from modbp.errors import TraceError

__all__ = ["BATCH_NORMS", "MODULES", "POOLINGS"]


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
    function = getattr(F, POOLINGS[name])
    known = (
        "kernel_size stride padding dilation ceil_mode count_include_pad "
        "divisor_override output_size"
    )
    options = {
        key: getattr(module, key) for key in known.split() if hasattr(module, key)
    }
    return pooling(kind, name, partial(function, **options))


BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
POOLINGS = {
    f"{adaptive}{what}Pool{rank}d": f"{adaptive.lower() and 'adaptive_'}"
    f"{what.lower()}_pool{rank}d"
    for adaptive in ("", "Adaptive")
    for what in ("Max", "Avg")
    for rank in (1, 2, 3)
}
MODULES = {
    **{getattr(nn, f"Conv{rank}d"): _conv_module for rank in (1, 2, 3)},
    **{getattr(nn, f"ConvTranspose{rank}d"): _conv_module for rank in (1, 2, 3)},
    **dict.fromkeys(BATCH_NORMS, _batch_norm),
    **{getattr(nn, name): _pool_module for name in POOLINGS},
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
