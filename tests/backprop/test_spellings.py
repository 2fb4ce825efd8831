"""Modules, functions, operators, in place or used twice: one explanation."""

import copy

import pytest
import torch
from nets import EXPLAINING, SPELLINGS, Modules, filled, relative, spelled, uniform
from torch import nn

import modbp


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("name", EXPLAINING)
def test_every_spelling_of_a_network_gives_the_same_explanation(name, spelling):
    x, y = uniform(1, 3, 2, 6, 6), torch.tensor([0, 3, 4])
    twin, net = spelled(Modules), spelled(spelling)
    assert torch.equal(twin(x), net(x))
    found, wanted = (modbp.explain(n, x, name, y) for n in (net, twin))
    assert relative(found, wanted) < 1e-13


class Twice(nn.Module):
    """Two layers, maybe the same, around a ReLU and beside a skip connection."""

    def __init__(self, first, second):
        super().__init__()
        self.first, self.second, self.relu = first, second, nn.ReLU()
        self.last = filled(nn.Linear(16, 3), seed=5)

    def forward(self, x):
        a = self.relu(self.first(x))
        return self.last((self.relu(self.second(a)) + a).flatten(1))


@pytest.mark.parametrize("kind", ["dense", "conv"])
@pytest.mark.parametrize("name", EXPLAINING)
def test_a_layer_used_twice_equals_two_with_the_same_weights(name, kind):
    if kind == "dense":
        layer, x = nn.Linear(16, 16), uniform(1, 3, 16)
    else:
        layer, x = nn.Conv2d(1, 1, 3, padding=1), uniform(1, 3, 1, 4, 4)
    shared = filled(layer, seed=2)
    found = modbp.explain(Twice(shared, shared).eval(), x, name, 1)
    unshared = Twice(shared, copy.deepcopy(shared)).eval()
    assert torch.equal(found, modbp.explain(unshared, x, name, 1))
