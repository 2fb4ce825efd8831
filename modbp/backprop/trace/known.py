"""What is known of torch: the layer that a function of one input stands for.

Each entry takes the node of a call and the arguments behind its input, and returns a
layer; or None, where the call is not one that modbp knows.
"""

import math

import torch
import torch.nn.functional as F

from modbp.backprop.trace import layers
from modbp.backprop.trace.layers import as_tuple
from modbp.errors import InputError

__all__ = ["SINGLE", "SQUASHING", "WHY", "constant", "replayed"]

SINGLE = {}


def _entry(*names):
    def note(function):
        SINGLE.update(dict.fromkeys(names, function))
        return function

    return note


def replayed(node, key=None):
    """Return the call as a function of its input alone, which it leaves as it is."""

    def forward(a):
        first = a.clone() if node.in_place else a
        found = node.call(first, *node.args[1:], **node.kwargs)
        return found if key is None else found[key]

    return forward


def constant(value, node):
    """Return a number or a tensor of numbers with the dimensions of a node's output."""
    value = torch.as_tensor(value, dtype=node.dtype).detach()
    return value.reshape(*(1,) * (len(node.shape) - value.ndim), *value.shape)


def _check_rank(node, rank):
    found = len(node.args[0].shape) if node.args else len(node.shape)
    if found != rank + 2:
        raise InputError(
            f"layer {node.name!r} ({node.type}) takes {rank + 2} dimensions, samples "
            f"and channels first, but got {found}. Give a batch, as in x[None]."
        )


# With weights -------------------------------------------------------------------------


def _evenly(weight, padding, dilation):
    """Return the padding on both sides; None where there is more on one side."""
    if padding != "same":
        return padding
    dilation = as_tuple(dilation, weight.ndim - 2)
    total = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True)]
    return None if any(entry % 2 for entry in total) else [n // 2 for n in total]


@_entry("conv1d", "conv2d", "conv3d")
def _convolution(node, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    _check_rank(node, weight.ndim - 2)
    padding = _evenly(weight, padding, dilation)
    if padding is None:
        why = "It pads 'same' with an even kernel: pad in a layer of its own before it"
        return layers.other(node.type, why)
    return layers.convolution(
        node.type, weight, bias, stride, padding, dilation, groups
    )


@_entry("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
def _transposed(
    node, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1,
    dilation=1,
):  # fmt: skip
    _check_rank(node, weight.ndim - 2)
    options = {"transposed": True, "output_padding": output_padding}
    return layers.convolution(
        node.type, weight, bias, stride, padding, dilation, groups, **options
    )


@_entry("linear")
def _linear(node, weight, bias=None):
    return layers.dense(node.type, weight, bias) if weight.ndim == 2 else None


@_entry("matmul", "mm")
def _matmul(node, other):
    return layers.dense(node.type, other.mT, None) if other.ndim == 2 else None


@_entry("batch_norm")
def _batch_norm(
    node, mean, var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5
):
    if training or mean is None:
        return layers.other(node.type, WHY["statistics"])
    scale = (var + eps).rsqrt()
    scale = scale if weight is None else scale * weight
    shift = -mean * scale
    shift = shift if bias is None else shift + bias

    def across(vector, a):
        return vector.reshape(1, -1, *(1,) * (a.ndim - 2))

    def linear(a, weight, bias=None):
        z = a * across(weight, a)
        return z if bias is None else z + across(bias, a)

    def adjoint(s, weight, shape):
        return s * across(weight, s)

    parts = (scale.detach(), shift.detach(), linear, adjoint)
    return layers.parametrised("norm", node.type, *parts)


# Functions of one entry ---------------------------------------------------------------


@_entry("relu", "relu_")
def _relu(node, inplace=False):
    return layers.relu(node.type)


@_entry("relu6")
def _relu6(node, inplace=False):
    return layers.relu(node.type, top=6)


@_entry("clamp", "clamp_", "clip", "clip_")
def _clamp(node, min=None, max=None):
    if any(isinstance(bound, torch.Tensor) for bound in (min, max)):
        return None
    if min == 0 and (max is None or max > 0):
        return layers.relu(node.type, top=max)
    sign = "≥ 0" if min is not None and min >= 0 else "any"
    return layers.activation(node.type, replayed(node), sign)


@_entry("clamp_min", "clamp_min_", "clamp_max", "clamp_max_")
def _clamp_one(node, bound):
    return _clamp(node, **{node.function.strip("_")[6:]: bound})


@_entry("hardtanh", "hardtanh_")
def _hardtanh(node, min_val=-1.0, max_val=1.0, inplace=False):
    return _clamp(node, min_val, max_val)


_KEEPING = "silu silu_ hardswish gelu elu elu_ selu selu_ celu celu_ leaky_relu tanh"
_KEEPING += " leaky_relu_ prelu tanh_ mish softsign tanhshrink softshrink"
_POSITIVE = "sigmoid sigmoid_ hardsigmoid softplus"


@_entry(*_KEEPING.split())
def _activation(node, *args, **kwargs):
    return layers.activation(node.type, replayed(node))


@_entry(*_POSITIVE.split())
def _positive(node, *args, **kwargs):
    return layers.activation(node.type, replayed(node), "≥ 0")


@_entry("logsigmoid", "rrelu")
def _signed(node, *args, **kwargs):
    return layers.activation(node.type, replayed(node), "any")


# Bounded functions, whose output opens and shuts what it is multiplied with.
SQUASHING = {
    "softmax": 3, "sigmoid": 3, "hardsigmoid": 3, "relu6": 2, "hardtanh": 2,
    "clamp": 2, "tanh": 1,
}  # fmt: skip

# By statistics of the sample ----------------------------------------------------------


@_entry("layer_norm", "group_norm", "rms_norm", "local_response_norm", "normalize")
def _statistic(node, *args, **kwargs):
    return layers.Layer("layernorm", node.type, replayed(node))


@_entry("instance_norm")
def _instance_norm(
    node, mean=None, var=None, weight=None, bias=None, use_input_stats=True,
    momentum=0.1, eps=1e-5,
):  # fmt: skip
    if not use_input_stats:
        return _batch_norm(node, mean, var, weight, bias, False, momentum, eps)

    def forward(a):
        return F.instance_norm(a, None, None, weight, bias, True, momentum, eps)

    return layers.Layer("layernorm", node.type, forward)


# Pooling ------------------------------------------------------------------------------


@_entry(
    *(
        f"{adaptive}{what}_pool{rank}d"
        for adaptive in ("", "adaptive_")
        for what in ("max", "avg")
        for rank in (1, 2, 3)
    )
)
def _pool(node, *args, **kwargs):
    _check_rank(node, int(node.function[-2]))
    function = getattr(F, node.function)
    kwargs.pop("return_indices", None)  # if True, it is another function of torch

    def forward(a, **more):
        return function(a, *args, **kwargs, **more)

    kind = "maxpool" if "max" in node.function else "avgpool"
    return layers.pooling(kind, node.type, forward)


@_entry("mean", "sum")
def _mean(node, *args, **kwargs):
    if kwargs.get("dtype") is not None or not args and "dim" not in kwargs:
        return None
    return layers.pooling("avgpool", node.type, replayed(node))


@_entry("interpolate", "upsample")
def _interpolate(node, size=None, scale_factor=None, mode="nearest", *args, **kwargs):
    if mode.startswith("nearest"):
        return layers.selection(node.type, replayed(node))
    return layers.pooling("avgpool", node.type, replayed(node))


# Moving entries -----------------------------------------------------------------------


@_entry(
    *("flatten", "reshape", "view", "squeeze", "unsqueeze", "unflatten", "ravel"),
    *("reshape_as", "view_as", "squeeze_", "unsqueeze_", "resize"),
)
def _reshape(node, *args, **kwargs):
    if math.prod(node.shape) != math.prod(node.args[0].shape):
        return None
    if node.dtype != node.args[0].dtype:
        return None
    return layers.reshape(node.type, node.shape[1:])


@_entry(
    *("permute", "transpose", "swapaxes", "swapdims", "movedim", "moveaxis", "t"),
    *("transpose_", "mT", "T", "swapdims_", "swapaxes_", "t_", "adjoint", "H", "mH"),
)
def _permute(node, *args, **kwargs):
    # Sizes that tell dimensions apart show where each of them goes.
    sizes = range(2, 2 + len(node.shape))
    moved = node.call(torch.empty(*sizes, device="meta"), *args, **kwargs)
    dims = [size - 2 for size in moved.shape]
    if dims[0] != 0:
        return layers.other(node.type, WHY["samples"])
    return layers.permute(node.type, dims)


@_entry("expand", "expand_as", "broadcast_to")
def _expand(node, *args, **kwargs):
    if len(node.shape) != len(node.args[0].shape):
        return None
    return expanded(node.type, node.shape[1:])


def expanded(type, shape):
    """Return the layer that repeats a sample's entries up to a shape, as a view."""
    return layers.selection(type, lambda a: a.expand(len(a), *shape))


@_entry(
    *("repeat", "tile", "flip", "roll", "narrow", "select", "getitem", "index_select"),
    *("pixel_shuffle", "pixel_unshuffle", "channel_shuffle", "repeat_interleave"),
    *(
        "unfold",
        "diagonal",
        "tril",
        "triu",
        "rot90",
        "fliplr",
        "native_channel_shuffle",
    ),
)
def _selection(node, *args, **kwargs):
    return layers.selection(node.type, replayed(node))


@_entry("pad")
def _pad(node, pad, mode="constant", value=None):
    if mode != "constant" or not value:
        return layers.selection(node.type, replayed(node))

    def zeros(a):
        return F.pad(a, pad)

    sign = "keeps" if value >= 0 else "any"
    return layers.selection(node.type, replayed(node), zeros, sign)


# Nothing ------------------------------------------------------------------------------


@_entry(
    *("contiguous", "clone", "to", "float", "double", "type", "type_as", "cpu", "cuda"),
    *("positive", "requires_grad_", "alias", "real", "nan_to_num", "view_as_real"),
    *("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "identity"),
    *("feature_dropout", "feature_alpha_dropout", "dropout_", "as_tensor", "asarray"),
)
def _identity(node, *args, **kwargs):
    before = node.args[0]
    if before.dtype != node.dtype:
        return layers.other(node.type, WHY["type"], replayed(node))
    return layers.identity(node.type) if before.shape == node.shape else None


@_entry("detach", "data", "detach_")
def _detach(node):
    return layers.identity(node.type, "detach")


# What speaks against the others.
WHY = {
    "samples": "It moves or removes the first dimension, which counts the samples: "
    "keep it first, as in x.flatten(1), or use method='gradient'",
    "statistics": "It keeps no running statistics, so each sample's output depends on "
    "its batch: train with track_running_stats=True, or use method='gradient'",
    "attention": "Attention multiplies activations with each other: use "
    "method='gradient', or explain the part of the model before it",
    "type": "Numbers change their type there: keep that of the input, leave out "
    "autocast, or use method='gradient'",
    "softmax": "Explain the logits: leave the softmax out of the model",
    "indices": "It also returns indices, which no rule can use: leave return_indices "
    "out, or use method='gradient'",
    "recurrent": "A recurrent layer multiplies activations with each other: use "
    "method='gradient', or explain the part of the model before it",
}
