"""Networks of torchvision for pictures of 32 pixels: those that the book did not make.

They are trained here to be audited; their recipes are kept, and their weights are not.
"""

import copy

import torch
from torch import nn

from modbp.errors import unknown_name
from modbp.zoo.data import CLASSES
from modbp.zoo.vision import load_torchvision

__all__ = ["GUESTS", "finished", "guest"]


def _resnet18(net):
    # With 7×7 pixels, stride 2 and pooling the last block would be left one pixel.
    net.conv1 = nn.Conv2d(3, 64, 3, stride=2, padding=1, bias=False)
    net.maxpool = nn.Identity()


def _vgg11_bn(net):
    net.avgpool, net.classifier = nn.Identity(), nn.Linear(512, len(CLASSES))


def _squeezenet1_1(net):
    net.features[0] = nn.Conv2d(3, 64, 3, padding=1)


def _mobilenet_v2(net):
    net.features[0][0].stride = (1, 1)


_CHANGES = {
    "resnet18": _resnet18,
    "vgg11_bn": _vgg11_bn,
    "squeezenet1_1": _squeezenet1_1,
    "mobilenet_v2": _mobilenet_v2,
}
GUESTS = tuple(_CHANGES)


def guest(name: str, seed: int = 0) -> nn.Module:
    """Return one of the networks with random weights, for CIFAR-10's ten classes."""
    if name not in GUESTS:
        raise unknown_name("network", name, GUESTS)
    library = load_torchvision().models
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = library.get_model(name, weights=None, num_classes=len(CLASSES))
        _CHANGES[name](net)
    return net.eval()


def finished(name: str, net: nn.Module) -> nn.Module:
    """Return a copy of a trained network on the CPU, in evaluation mode."""
    found = guest(name)
    found.load_state_dict(copy.deepcopy(net.state_dict()))
    return found
