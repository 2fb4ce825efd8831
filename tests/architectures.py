"""The classifiers of timm and torchvision as they are, with random weights, for tests.

`timm-models.txt` lists one model of each family of timm's.
"""

from pathlib import Path

import torch
from nets import normal, uniform
from torch.overrides import TorchFunctionMode

from modbp.zoo.vision import load_torchvision

torchvision = load_torchvision()
import timm  # noqa: E402 - it imports torchvision, which may need help first

_LISTED = Path(__file__).parent / "timm-models.txt"
_HAVING = set(timm.list_models())
# These take minutes each; and with random weights these amplify rounding so much that
# nothing can be told from it. Smaller ones of their families are there.
LEFT_OUT = {"vit_h_14", "vit_l_16", "vit_l_32"}
LEFT_OUT |= {"efficientnet_b7", "efficientnet_v2_m", "efficientnet_v2_l"}
LIBRARIES = {
    # Three of those listed are none of this version's.
    "timm": [n for n in _LISTED.read_text(encoding="utf-8").split() if n in _HAVING],
    "torchvision": [
        name
        for name in torchvision.models.list_models(module=torchvision.models)
        if name not in LEFT_OUT
    ],
}
# Sides of the pictures of those that cannot take 64 pixels.
SIDES = {
    **dict.fromkeys(("timm/inception_v3", "timm/inception_v4"), 80),
    **dict.fromkeys(("timm/inception_resnet_v2", "torchvision/inception_v3"), 80),
    **dict.fromkeys(("timm/resmlp_12_224", "timm/mixer_s32_224"), 224),
    **dict.fromkeys(("timm/vit_tiny_patch16_224", "timm/levit_128s"), 224),
    **dict.fromkeys(("timm/visformer_tiny", "timm/coatnet_nano_rw_224"), 224),
    **dict.fromkeys(("timm/bat_resnext26ts", "timm/halonet26t"), 256),
    **dict.fromkeys(("torchvision/vit_b_16", "torchvision/vit_b_32"), 224),
    **dict.fromkeys(("torchvision/vit_l_16", "torchvision/vit_l_32"), 224),
    **dict.fromkeys(("torchvision/vit_h_14", "torchvision/maxvit_t"), 224),
}


class _Undrawn(TorchFunctionMode):
    """Does not draw weights that are replaced anyway.

    Zeros, since what was in memory may be outside of where torch draws until all fits.
    """

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if getattr(function, "__name__", "") in ("normal_", "uniform_", "erfinv_"):
            return (args[0] if args else kwargs["tensor"]).zero_()
        return function(*args, **kwargs or {})


def _built(library, name):
    with _Undrawn():
        if library == "timm":
            return timm.create_model(name, pretrained=False)
        drawn = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
        return torchvision.models.get_model(name, weights=None, **drawn)


# What is added and not multiplied, by the ends of names.
_ADDED = ("bias", "beta", "mean", "tau", "token", "embed", "embedding")
_SEVERAL = normal(0, 1_000_003)


def _drawn(place, shape):
    """Return normal numbers; of very many the same ones again and again."""
    count = shape.numel()
    if count < len(_SEVERAL):
        return normal(place, *shape)
    several = _SEVERAL.roll(place * 7919)
    return several.repeat(-(-count // len(several)))[:count].reshape(shape)


def _entries(net):
    statistics = [e for e in net.named_buffers() if e[0].endswith(("mean", "var"))]
    return [*net.named_parameters(), *statistics]


@torch.no_grad()
def architecture(path):
    """Return "timm/resnet50" in float64; nothing stays where its authors put a zero."""
    net = _built(*path.split("/")).double().eval()
    for place, (name, entry) in enumerate(_entries(net)):
        if name.endswith(_ADDED):
            entry.copy_(0.1 * _drawn(place, entry.shape))
        elif entry.numel() == max(entry.shape, default=1):  # a factor per channel
            entry.copy_(0.5 + uniform(place, *entry.shape))
        else:
            gain = (2 / entry[0].numel()) ** 0.5
            entry.copy_(_drawn(place, entry.shape).mul_(gain))
    # Batch norms divide by what there is, so that activations do not grow: gates by a
    # sigmoid, far out, would multiply rounding.
    norms = [m for m in net.modules() if getattr(m, "running_var", None) is not None]
    hooks = [norm.register_forward_pre_hook(_divided) for norm in norms]
    net(pictures(path))
    for hook in hooks:
        hook.remove()
    return net


def _divided(norm, inputs):
    (a,) = inputs
    squares = a.transpose(0, 1).flatten(1).square().mean(1)
    # Channels that are off here may be on for another picture.
    norm.running_var.mul_(squares + squares.mean() + 1e-3)


@torch.no_grad()
def without_biases(net):
    """Set to zero what layers, norms and positions add, and running means."""
    for name, entry in _entries(net):
        if name.endswith(_ADDED):
            entry.zero_()
    return net


def pictures(path, seed=0, count=2):
    """Return inputs for a classifier, in [-0.5, 0.5]."""
    side = SIDES.get(path, 64)
    return uniform(seed, count, 3, side, side) - 0.5
