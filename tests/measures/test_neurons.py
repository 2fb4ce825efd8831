"""What the neurons of each layer see, and the central taps of their weights."""

import numpy as np
import pytest
import torch
from nets import Modules, Zoo, filled, mlp, none, normal, spelled
from torch import nn

from modbp.errors import InputError, MethodError
from modbp.measures import neurons, spectra


def test_what_is_seen_are_the_patches_that_the_weights_are_multiplied_with():
    conv = nn.Conv2d(2, 4, 3, stride=2, padding=2, dilation=2)
    net, x = filled(nn.Sequential(conv), bias=normal), normal(1, 3, 2, 7, 7)
    layer = neurons.seen(net, x)["0"]
    z = (layer.x @ layer.weight.T + layer.bias).reshape(3, -1, 4)
    wanted = net(x).detach().flatten(2).transpose(1, 2).numpy()
    # A picture's locations come in a random order.
    np.testing.assert_allclose(np.sort(z, axis=1), np.sort(wanted, axis=1), atol=1e-12)
    patches = torch.nn.functional.unfold(x, 3, dilation=2, padding=2, stride=2)
    rows = patches.transpose(1, 2).flatten(0, 1).numpy()
    np.testing.assert_allclose(np.sort(layer.x, axis=0), np.sort(rows, axis=0))


def test_of_a_large_picture_a_hundred_locations_are_chosen_and_a_seed_repeats_them():
    net = filled(nn.Sequential(nn.Conv2d(1, 2, 3)), bias=none)
    x = normal(2, 4, 1, 16, 16)
    one, two = (neurons.seen(net, x, seed=3)["0"].x for _ in range(2))
    assert one.shape == (400, 9)
    np.testing.assert_array_equal(one, two)
    assert len(neurons.seen(net, x, most=250)["0"].x) == 250
    assert len(np.unique(one, axis=0)) == 400


def test_locations_where_a_neuron_is_off_do_not_count():
    # On where x₁ > 0: there (1, 1) and (3, 3), centred ±(1, 1).
    net = nn.Sequential(nn.Linear(2, 1, bias=False)).double().eval()
    net[0].weight.data = torch.tensor([[1.0, 0]]).double()
    x = torch.tensor([[1.0, 1], [3, 3], [-5, 2]]).double()
    layer = neurons.seen(net, x)["0"]
    np.testing.assert_array_equal(layer.centred(0), [[-1, -1], [1, 1]])
    assert len(layer.centred()) == 3


def test_a_neuron_that_is_never_on_and_groups_are_refused():
    net = mlp(3, 2, bias=normal)
    net[0].bias.data.fill_(-100)
    layer = neurons.seen(net, normal(1, 9, 3))["0"]
    with pytest.raises(InputError, match="neuron 1 is on at 0 of 9"):
        spectra.power_step(layer, 1)
    grouped = filled(nn.Sequential(nn.Conv2d(4, 4, 3, groups=2)))
    for net, x in ((grouped, normal(1, 2, 4, 5, 5)), (Zoo(), normal(1, 3, 2, 6, 6))):
        with pytest.raises(MethodError, match="different channels"):
            neurons.seen(filled(net), x)


# Central taps -------------------------------------------------------------------------


def test_taps_are_central_and_fit_as_a_chain():
    layers = [nn.Conv2d(2, 3, 3, padding=1), nn.ReLU(), nn.Conv2d(3, 5, 2), nn.ReLU()]
    layers += [nn.MaxPool2d(2), nn.Flatten(), nn.Linear(20, 4), nn.ReLU()]
    net = filled(nn.Sequential(*layers, nn.Linear(4, 3)), seed=1, bias=none)
    taps = neurons.taps(net, normal(0, 1, 2, 6, 6))
    shapes = {"0": (2, 3), "2": (3, 5), "6": (5, 4), "8": (4, 3)}
    assert {name: M.shape for name, M in taps.items()} == shapes
    weight = {name: net[int(name)].weight.detach() for name in taps}
    np.testing.assert_array_equal(taps["0"], weight["0"][:, :, 1, 1].T)
    np.testing.assert_array_equal(taps["2"], weight["2"][:, :, 0, 0].T)
    # 20 = 5 channels of 2 × 2; torch flattens channels first.
    np.testing.assert_array_equal(taps["6"], weight["6"][:, ::4].T)
    twice = {name: 2 * W for name, W in weight.items()}
    doubled = neurons.taps(net, normal(0, 1, 2, 6, 6), twice)
    np.testing.assert_array_equal(doubled["8"], 2 * weight["8"].T)


def test_a_network_that_is_no_plain_chain_is_refused():
    # Its last layer reads four channels twice, pooled in two ways.
    with pytest.raises(MethodError, match="conv2 gives 4 .* reads 8: no plain chain"):
        neurons.taps(spelled(Modules), normal(0, 2, 2, 6, 6))


def test_only_the_dense_layer_behind_the_picture_is_read_as_one():
    layers = [nn.Conv2d(1, 2, 1), nn.Flatten(), nn.Linear(8, 8), nn.Linear(8, 3)]
    net = filled(nn.Sequential(*layers), bias=none)
    taps = neurons.taps(net, torch.ones(1, 1, 2, 2).double())
    assert [M.shape for M in taps.values()] == [(1, 2), (2, 8), (8, 3)]
    dense = mlp(5, 4, 3)
    taps = neurons.taps(dense, torch.ones(1, 5).double())
    np.testing.assert_array_equal(taps["0"], dense[0].weight.detach().T)
