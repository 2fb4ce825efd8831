"""Padding in a layer of its own works, as a message once told."""

import torch
from told import must_work
from torch import nn

# A padding of its own before the convolution.
net = nn.Sequential(
    nn.ReflectionPad2d(1),
    nn.Conv2d(3, 4, 3),
    nn.ReLU(),
    nn.Flatten(),
    nn.Linear(256, 3),
)
must_work(
    net.double().eval(), torch.rand(2, 3, 8, 8).double(), "a padding layer of its own"
)
