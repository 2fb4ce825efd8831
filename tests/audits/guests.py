"""Networks of torchvision for 32 pixels, which the book did not make.

``python -m modbp train tests/audits/guests.py:resnet18 --epochs 5`` trains one of them,
and ``--network tests/audits/guests.py:trained_resnet18`` takes it; vgg11_bn has 4
epochs, squeezenet1_1 16 with ``--batch 64``, and mobilenet_v2 7 with ``--precision
float32``, since its depthwise layers are twice as slow in bfloat16. Weights are looked
for in ``runs``, below the folder that ``MODBP_RUNS`` names, or the present one.
"""

import os
from functools import partial
from pathlib import Path

from torch import nn

from modbp import models
from modbp.zoo.data import CLASSES
from modbp.zoo.data.preparation import Preparation
from modbp.zoo.vision import load_torchvision


def _made(name):
    library = load_torchvision().models
    return library.get_model(name, weights=None, num_classes=len(CLASSES))


def resnet18():
    net = _made("resnet18")
    # With 7×7 pixels, stride 2 and pooling the last block would be left one pixel.
    net.conv1 = nn.Conv2d(3, 64, 3, stride=2, padding=1, bias=False)
    net.maxpool = nn.Identity()
    return net.eval()


def vgg11_bn():
    net = _made("vgg11_bn")
    net.avgpool, net.classifier = nn.Identity(), nn.Linear(512, len(CLASSES))
    return net.eval()


def squeezenet1_1():
    net = _made("squeezenet1_1")
    net.features[0] = nn.Conv2d(3, 64, 3, padding=1)
    return net.eval()


def mobilenet_v2():
    net = _made("mobilenet_v2")
    net.features[0][0].stride = (1, 1)
    return net.eval()


def folder(name):
    """Return where a training that the book does not ship has left its files."""
    return Path(os.environ.get("MODBP_RUNS", "."), "runs", name)


def weights(name):
    """Return where the weights of a network are, if it was trained."""
    return folder(name) / f"{name}.safetensors"


def trained(name):
    """Return a trained network, how pictures are prepared for it, and its classes."""
    net = globals()[name]()
    models.load(net, weights(name))
    return net.eval(), Preparation(32), CLASSES


trained_resnet18 = partial(trained, "resnet18")
trained_vgg11_bn = partial(trained, "vgg11_bn")
trained_squeezenet1_1 = partial(trained, "squeezenet1_1")
trained_mobilenet_v2 = partial(trained, "mobilenet_v2")
