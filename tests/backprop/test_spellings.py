"""Modules, functions, operators, in place or used twice: one explanation."""

import copy

import pytest
import torch
from nets import EXPLAINING, SPELLINGS, Modules, Net, filled, relative, spelled, uniform
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


def twice(first, second):
    """Two layers, maybe the same, around a ReLU and beside a skip connection."""

    def forward(n, x):
        a = n.relu(n.first(x))
        return n.last((n.relu(n.second(a)) + a).flatten(1))

    top = {"relu": nn.ReLU(), "last": filled(nn.Linear(16, 3), seed=5)}
    return Net(forward, first=first, second=second, **top).eval()


@pytest.mark.parametrize("kind", ["dense", "conv"])
@pytest.mark.parametrize("name", EXPLAINING)
def test_a_layer_used_twice_equals_two_with_the_same_weights(name, kind):
    if kind == "dense":
        layer, x = nn.Linear(16, 16), uniform(1, 3, 16)
    else:
        layer, x = nn.Conv2d(1, 1, 3, padding=1), uniform(1, 3, 1, 4, 4)
    shared = filled(layer, seed=2)
    found = modbp.explain(twice(shared, shared), x, name, 1)
    unshared = twice(shared, copy.deepcopy(shared))
    assert torch.equal(found, modbp.explain(unshared, x, name, 1))
