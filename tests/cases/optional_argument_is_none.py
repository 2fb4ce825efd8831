"""An optional argument has its default."""

import torch
from told import same_or_refused
from torch import nn


# An optional argument decides which head answers; left out it is None.
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.usual, self.other = nn.Linear(6, 3), nn.Linear(6, 3)

    def forward(self, x, labels=None):
        return self.usual(x) if labels is None else self.other(x)


same_or_refused(Net().double().eval(), torch.rand(2, 6).double(), "`labels is None`")
