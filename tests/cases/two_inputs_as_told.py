"""Two inputs may be wrapped in one, as a message tells."""

import torch
import torch.nn.functional as F
from told import must_work
from torch import nn


# Two inputs are refused: "Wrap it in a module whose forward takes one tensor".
class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.top = nn.Linear(3, 4), nn.Linear(3, 4), nn.Linear(8, 2)

    def forward(self, u, v):
        return self.top(torch.cat([F.relu(self.a(u)), F.relu(self.b(v))], 1))


class One(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net(x[:, :3], x[:, 3:])


must_work(One(Two()).double().eval(), torch.rand(2, 6).double(), "wrapped as told")
