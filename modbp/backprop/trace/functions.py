"""Which layer a function of torch, or a tensor's method, stands for."""

import torch.nn.functional as F

from modbp.backprop.trace.layers import (
    as_tuple,
    convolution,
    dense,
    identity,
    permute,
    pooling,
    relu,
)
from modbp.backprop.trace.modules import POOLINGS
from modbp.errors import TraceError

__all__ = ["FUNCTIONS", "NAMES"]


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
    **{name: _pool(name) for name in POOLINGS.values()},
    "permute": _permute,
    "mean": _mean,
    **{name: _dropout for name in ("dropout", "dropout1d", "dropout2d", "dropout3d")},
    "contiguous": lambda a, memory_format=None: identity("contiguous"),
}
# boolean_dispatch hides the names of the max pooling functions.
NAMES = {getattr(F, name): name for name in POOLINGS.values()}
