"""A forward hook that returns something is part of the network."""

import torch
from told import same_or_refused
from torch import nn

# A hook that silences two units, as in ablation studies.
net = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3)).double().eval()
net[1].register_forward_hook(
    lambda m, i, o: o * torch.tensor([0.0, 0, 1, 1, 1]).double()
)
same_or_refused(net, torch.rand(2, 6).double(), "a forward hook that returns something")
