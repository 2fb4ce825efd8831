"""Networks that the book did not make, trained by ``python -m modbp train NAME``.

Each is a ``FILE.py:FUNCTION`` for the command line; weights are looked for in
``runs/NAME``, below the folder that ``MODBP_RUNS`` names, or the present one.
"""

import os
from pathlib import Path

from modbp import models
from modbp.study.training.guests import GUESTS, guest
from modbp.zoo.data import CLASSES
from modbp.zoo.data.preparation import Preparation


def weights(name):
    """Return where the weights of a network are, if it was trained."""
    return Path(os.environ.get("MODBP_RUNS", "runs"), name, f"{name}.safetensors")


def network(name):
    """Return a trained network, how pictures are prepared for it, and its classes."""
    net = guest(name)
    models.load(net, weights(name))
    return net, Preparation(32), CLASSES


def resnet18():
    return network(GUESTS[0])


def vgg11_bn():
    return network(GUESTS[1])


def squeezenet1_1():
    return network(GUESTS[2])


def mobilenet_v2():
    return network(GUESTS[3])
