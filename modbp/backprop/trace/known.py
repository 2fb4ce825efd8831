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

__all__ = ["SINGLE", "WHY", "constant", "expanded", "padded_same", "pool", "replayed"]

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
    value = torch.as_tensor(value, dtype=node.dtype, device=node.device).detach()
    return value.reshape(*(1,) * (len(node.shape) - value.ndim), *value.shape)


def _check_rank(node, rank):
    found = len(node.args[0].shape) if node.args else len(node.shape)
    if found != rank + 2:
        raise InputError(
            f"layer {node.name!r} ({node.type}) takes {rank + 2} dimensions, samples "
            f"and channels first, but got {found}. Give a batch, as in x[None]."
        )


# With weights -------------------------------------------------------------------------


def padded_same(weight, dilation=1):
    """Return how ``padding="same"`` pads: on both sides, and then at the ends."""
    dilation = as_tuple(dilation, weight.ndim - 2)
    total = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True)]
    return [n // 2 for n in total], [n % 2 for n in total]


@_entry("conv1d", "conv2d", "conv3d")
def _convolution(node, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    _check_rank(node, weight.ndim - 2)
    if padding == "same":
        padding, _ = padded_same(weight, dilation)
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


@_entry("batch_norm")
def _batch_norm(
    node, running_mean, running_var, weight=None, bias=None, training=False,
    momentum=0.1, eps=1e-5, *more,
):  # fmt: skip
    if more:  # torch.batch_norm, where the weight comes first
        running_mean, running_var, weight, bias = (
            weight,
            bias,
            running_mean,
            running_var,
        )
    if training or running_mean is None:
        return layers.other(node.type, WHY["statistics"])
    scale = (running_var + eps).rsqrt()
    scale = scale if weight is None else scale * weight
    shift = -running_mean * scale
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
    opens = 0 if min is None or max is None else 2
    return layers.activation(node.type, replayed(node), sign, opens)


@_entry("clamp_min", "clamp_min_", "clamp_max", "clamp_max_")
def _clamp_one(node, bound):
    return _clamp(node, **{node.function.strip("_")[6:]: bound})


@_entry("hardtanh", "hardtanh_")
def _hardtanh(node, min_val=-1.0, max_val=1.0, inplace=False):
    return _clamp(node, min_val, max_val)


_KEEPING = "silu silu_ hardswish gelu elu elu_ selu selu_ celu celu_ leaky_relu tanh"
_KEEPING += " leaky_relu_ prelu tanh_ mish softsign tanhshrink softshrink hardshrink"
_POSITIVE = "sigmoid sigmoid_ hardsigmoid softplus"
# Bounded functions, whose output opens and shuts what it is multiplied with.
_OPENING = {"sigmoid": 3, "hardsigmoid": 3, "tanh": 1}


@_entry(*_KEEPING.split())
def _activation(node, *args, sign="keeps", **kwargs):
    opens = _OPENING.get(node.function.strip("_"), 0)
    return layers.activation(node.type, replayed(node), sign, opens)


@_entry(*_POSITIVE.split())
def _positive(node, *args, **kwargs):
    return _activation(node, sign="≥ 0")


@_entry("logsigmoid", "log_sigmoid", "rrelu", "threshold", "_threshold")
def _signed(node, *args, **kwargs):
    return _activation(node, sign="any")


# By statistics of the sample ----------------------------------------------------------


@_entry("local_response_norm", "normalize")
def _statistic(node, *args, **kwargs):
    return layers.Layer("layernorm", node.type, replayed(node))


def _in_groups(node, count, weight, eps, centred=True, forward=None):
    """Return a layer that is standardised in each of some groups of entries."""
    groups = layers.Groups(count, weight, eps, centred)
    return layers.Layer(
        "layernorm", node.type, forward or replayed(node), groups=groups
    )


@_entry("layer_norm")
def _layer_norm(node, normalized_shape, weight=None, bias=None, eps=1e-5, *more):
    count = math.prod(node.shape[1 : len(node.shape) - len(normalized_shape)])
    return _in_groups(node, count, weight, eps)


@_entry("rms_norm")
def _rms_norm(node, normalized_shape, weight=None, eps=None):
    count = math.prod(node.shape[1 : len(node.shape) - len(normalized_shape)])
    eps = torch.finfo(node.dtype).eps if eps is None else eps
    return _in_groups(node, count, weight, eps, centred=False)


def _by_channel(node, weight):
    """Return a weight per channel with the dimensions of a sample."""
    if weight is None:
        return None
    return weight.reshape(-1, *(1,) * (len(node.shape) - 2))


@_entry("group_norm")
def _group_norm(node, num_groups, weight=None, bias=None, eps=1e-5, *more):
    return _in_groups(node, num_groups, _by_channel(node, weight), eps)


@_entry("instance_norm")
def _instance_norm(
    node, running_mean=None, running_var=None, weight=None, bias=None,
    use_input_stats=True, momentum=0.1, eps=1e-5, *more,
):  # fmt: skip
    if more:  # torch.instance_norm, where the weight comes first
        return None
    if not use_input_stats:
        return _batch_norm(
            node, running_mean, running_var, weight, bias, False, momentum, eps
        )

    def forward(a):
        return F.instance_norm(a, None, None, weight, bias, True, momentum, eps)

    factors = _by_channel(node, weight)
    return _in_groups(node, node.shape[1], factors, eps, forward=forward)


# Pooling ------------------------------------------------------------------------------


@_entry(
    *(
        f"{adaptive}{what}_pool{rank}d"
        for adaptive in ("", "adaptive_")
        for what in ("max", "avg")
        for rank in (1, 2, 3)
    )
)
def pool(node, *args, **kwargs):
    """Return a pooling, of which the function is named, with indices or without."""
    name = node.function.removesuffix("_with_indices")
    _check_rank(node, int(name[-2]))
    function = getattr(F, name)
    # Whether indices are returned is for the rule to say; it comes last.
    kwargs.pop("return_indices", None)
    if "max" in name:
        args = args[: 1 if "adaptive" in name else 5]

    def forward(a, **more):
        return function(a, *args, **kwargs, **more)

    kind = "maxpool" if "max" in name else "avgpool"
    return layers.pooling(kind, node.type, forward)


@_entry("mean", "sum")
def _mean(node, *args, **kwargs):
    if not args and "dim" not in kwargs:
        return None
    return layers.pooling("avgpool", node.type, replayed(node))


@_entry("interpolate", "upsample")
def _interpolate(node, size=None, scale_factor=None, mode="nearest", *args, **kwargs):
    if mode.startswith("nearest"):
        return layers.selection(node.type, replayed(node))
    sign = "any" if mode == "bicubic" else "keeps"  # some of its weights are negative
    return layers.pooling("avgpool", node.type, replayed(node), sign)


# Moving entries -----------------------------------------------------------------------


@_entry(
    *("flatten", "reshape", "view", "squeeze", "unsqueeze", "unflatten", "ravel"),
    *("reshape_as", "view_as", "squeeze_", "unsqueeze_"),
)
def _reshape(node, *args, **kwargs):
    if math.prod(node.shape) != math.prod(node.args[0].shape):
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
    *("unfold", "diagonal", "tril", "triu", "rot90", "fliplr"),
    "native_channel_shuffle",
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
    "gates": "Both factors are gates, and none of them a signal: use method='gradient'",
    "type": "Numbers change their type there: keep that of the input, leave out "
    "autocast, or use method='gradient'",
    "softmax": "Explain the logits: leave the softmax out of the model",
    "indices": "It also returns indices, which no rule can use: leave return_indices "
    "out, or use method='gradient'",
    "recurrent": "A recurrent layer multiplies activations with each other: use "
    "method='gradient', or explain the part of the model before it",
}
