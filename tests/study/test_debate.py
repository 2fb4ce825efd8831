"""Small experiments of the critics: maps whose scores are known."""

import pytest
import torch
from torch import nn

from modbp.study import debate


class Left(nn.Module):
    """Two logits: what is bright on the left side, and nothing."""

    def forward(self, x):
        left = x[:, 0, :, :8].mean((1, 2))
        return torch.stack([left, 0 * left], 1)


def test_deletion_is_quickest_where_the_class_is():
    x = torch.zeros(1, 1, 16, 16)
    x[:, :, ::2, :8] = 1  # stripes on the left, of mean one half
    sides = torch.zeros(2, 1, 16, 16)
    sides[0, :, :, :8] = sides[1, :, :, 8:] = 1
    target = torch.tensor([0])
    left, right = (
        debate.blurred_away(Left(), x, side, target).item() for side in sides
    )
    # On the right there is nothing to blur: all is left.
    assert left < right and right == pytest.approx(1)


def test_the_smoothed_map_of_a_linear_network_is_its_map():
    net = nn.Sequential(nn.Flatten(), nn.Linear(12, 2)).eval()
    x, target = torch.rand(2, 3, 2, 2), torch.tensor([0, 1])
    found = debate.smoothed(net, x, "gradient", target, samples=2)
    wanted = net[1].weight.detach().abs().reshape(2, 3, 2, 2).amax(1)
    torch.testing.assert_close(found, wanted)


def test_a_root_switches_neurons_that_share_what_it_takes_back():
    layer = nn.Linear(2, 3, bias=False)
    # The root of the first neuron is at a = (0, 1), where the second is off; that of
    # the second, too; the third lives on an input of its own.
    layer.weight.data = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]])
    share, count = debate.leaves_region(layer, torch.ones(2))
    assert (share, count) == (pytest.approx(1 / 3), 1)
