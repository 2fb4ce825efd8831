"""Torchvision's classifiers, small enough for tests: random weights, few classes.

Beside them the paper's network, and one that is written as users write theirs.
"""

from functools import cache

import torch
import torch.nn.functional as F
from nets import normal, uniform
from torch import nn

from modbp import models
from modbp.zoo.vision import load_torchvision

# Name, and the side of the images it gets here.
NETWORKS = {
    **dict.fromkeys(("vgg11", "vgg16", "vgg16_bn", "vgg19"), 32),
    **dict.fromkeys(("resnet18", "resnet50", "resnet101"), 32), "squeezenet1_0": 48,
    "squeezenet1_1": 32, "googlenet": 32, "densenet121": 32, "mobilenet_v2": 32,
    "alexnet": 64,
}  # fmt: skip
# Relatives of these, which are only shown to be read as they are.
RELATIVES = {
    "resnet152": 32, "resnext50_32x4d": 32, "regnet_x_400mf": 32, "mnasnet0_5": 32,
    "inception_v3": 80,
}  # fmt: skip
# Those that are none of torchvision's.
OTHERS = {"cifar10": 32, "own": 16}
# Those with layers that no method has a rule for: the first of them, and its type.
FOREIGN = {"swin_t": "softmax (kind 'other', 12, 'features.1.0.attn.softmax' first)"}
_OPTIONS = {
    "googlenet": {"aux_logits": False, "init_weights": False},
    "inception_v3": {"init_weights": False},
}


class Own(nn.Module):
    """ReLUs as functions, as methods and in place, ``+``, ``cat``, two layers reused.

    Takes ``[N, 3, 16, 16]``.
    """

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.twice = nn.Conv2d(8, 8, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.left = nn.Conv2d(8, 6, 1)
        self.right = nn.Conv2d(8, 6, 5, padding=2, groups=2)
        self.fc = nn.Linear(48, 24)
        self.again = nn.Linear(24, 24)
        self.last = nn.Linear(24, 5)

    def forward(self, x):
        a = F.relu(self.stem(x))
        b = torch.relu(self.twice(a))
        b = self.norm(self.twice(b)) + a
        b = F.max_pool2d(b.relu_(), 2)
        c = torch.cat([F.relu(self.left(b)), self.right(b).relu()], 1)
        c = F.adaptive_avg_pool2d(F.max_pool2d(c, 2), 2)
        d = F.relu(self.fc(torch.flatten(c, 1)), inplace=True)
        e = F.relu(self.again(d))
        e = torch.add(F.relu(self.again(e)), d)
        return self.last(F.dropout(e, training=self.training))


def _torchvisions(name):
    build = getattr(load_torchvision().models, name)
    # Its own initialisation takes seconds. RegNet computes its widths with tensors.
    with torch.device("cpu" if "regnet" in name else "meta"):
        net = build(num_classes=5, **_OPTIONS.get(name, {}))
        for path, module in list(net.named_modules()):
            if isinstance(module, nn.Linear):
                width = [32 if n == 4096 else n for n in module.weight.shape]
                net.set_submodule(path, nn.Linear(*width[::-1]))
    return net


@cache
def network(name, bias=False):
    """Return a classifier, in float64: torchvision's with five classes, or another.

    Without biases, batch norm's shift and running mean are zero as well. The dense
    layers of VGG and AlexNet are narrow: 100 million weights would only cost time.
    """
    if name in OTHERS:
        net = Own() if name == "own" else models.build("cifar10")
    else:
        net = _torchvisions(name)
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


def foreign(name):
    """Return a torchvision classifier whose weights are all zero, in float32."""
    with torch.device("meta"):
        net = getattr(load_torchvision().models, name)()
    net = net.to_empty(device="cpu").eval()
    with torch.no_grad():
        for entry in [*net.parameters(), *net.buffers()]:
            entry.zero_()
    return net


def pictures(name, count=2):
    """Return inputs for a network, in [0, 1]."""
    side = {**NETWORKS, **RELATIVES, **OTHERS}[name]
    return uniform(7, count, 3, side, side)
