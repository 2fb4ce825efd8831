"""A network that costs nothing, and pictures for it."""

import torch
from torch import nn

from modbp import data


def network(classes=4, seed=0):
    """Two convolutions and a dense layer, random, for pictures of 12 pixels."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(3, 6, 3),
            nn.ReLU(),
            nn.Conv2d(6, 6, 3),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(96, classes),
        ).eval()


def pictures(count):
    return data.images(count, folder="photographs", size=12).x
