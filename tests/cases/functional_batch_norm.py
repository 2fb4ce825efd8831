"""Batch norm may be called as a function."""

import torch
import torch.nn.functional as F
from told import must_work
from torch import nn


# Batch norm with its activation in one module, called as a function: timm's spelling.
class NormAct(nn.BatchNorm2d):
    def forward(self, x):
        x = F.batch_norm(
            x,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            False,
            0.1,
            self.eps,
        )
        return F.relu(x)


net = nn.Sequential(
    nn.Conv2d(3, 4, 3, bias=False), NormAct(4), nn.Flatten(), nn.Linear(144, 3)
)
must_work(
    net.double().eval(),
    torch.rand(2, 3, 8, 8).double(),
    "F.batch_norm in evaluation mode",
)
