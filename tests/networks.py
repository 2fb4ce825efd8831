"""Torchvision's classifiers, small enough for tests: random weights, few classes."""

from functools import cache

import torch
from nets import normal, uniform
from torch import nn

from modbp.vision import load_torchvision

# Name, and the side of the images it gets here.
RESNETS = {"resnet18": 32, "resnet50": 32, "resnet101": 32}
NETWORKS = {
    **dict.fromkeys(("vgg11", "vgg16_bn", "vgg19"), 32),
    **RESNETS,
    "squeezenet1_0": 48,
    "squeezenet1_1": 32,
    "googlenet": 32,
    "densenet121": 32,
    "mobilenet_v2": 32,
    "alexnet": 64,
}
# Relatives of these, which are only shown to be read as they are.
RELATIVES = {
    "resnet152": 32,
    "resnext50_32x4d": 32,
    "regnet_x_400mf": 32,
    "mnasnet0_5": 32,
    "inception_v3": 80,
}
_OPTIONS = {
    "googlenet": {"aux_logits": False, "init_weights": False},
    "inception_v3": {"init_weights": False},
}


@cache
def network(name, bias=False):
    """Return a torchvision classifier with five classes, in float64.

    Without biases, batch norm's shift and running mean are zero as well. The dense
    layers of VGG and AlexNet are narrow: 100 million weights would only cost time.
    """
    build = getattr(load_torchvision().models, name)
    # Its own initialisation takes seconds. RegNet computes its widths with tensors.
    with torch.device("cpu" if "regnet" in name else "meta"):
        net = build(num_classes=5, **_OPTIONS.get(name, {}))
        for path, module in list(net.named_modules()):
            if isinstance(module, nn.Linear):
                width = [32 if n == 4096 else n for n in module.weight.shape]
                net.set_submodule(path, nn.Linear(*width[::-1]))
    net = net.to_empty(device="cpu").double().eval()
    for place, (key, entry) in enumerate(net.state_dict().items()):
        if key.endswith("num_batches_tracked"):
            entry.zero_()
        elif key.endswith("running_var") or (
            key.endswith("weight") and entry.ndim == 1
        ):
            entry.copy_(0.5 + uniform(place, *entry.shape))
        elif entry.ndim == 1:
            entry.copy_(0.1 * bias * normal(place, *entry.shape))
        else:
            gain = (2 / entry[0].numel()) ** 0.5
            entry.copy_(gain * normal(place, *entry.shape))
    return net


def pictures(name, count=2):
    """Return inputs for a network, in [0, 1]."""
    side = {**NETWORKS, **RELATIVES}[name]
    return uniform(7, count, 3, side, side)
