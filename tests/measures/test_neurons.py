"""What neurons see, and one power step towards the leading direction of it."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from nets import Zoo, filled, mlp, none, normal, relative
from torch import nn

from modbp import patterns
from modbp.errors import InputError, MethodError
from modbp.measures import neurons, spectra


def strided():
    conv = nn.Conv2d(2, 4, 3, stride=2, padding=2, dilation=2)
    return filled(nn.Sequential(conv), bias=normal)


def test_what_is_seen_are_the_patches_that_the_weights_are_multiplied_with():
    net, x = strided(), normal(1, 3, 2, 7, 7)
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


def test_leading_directions_by_hand():
    # Rows (±3, 0), (0, ±1): XᵀX / 4 = diag(18/4, 2/4).
    x = np.array([[3.0, 0], [-3, 0], [0, 1], [0, -1]])
    values, vectors = spectra.leading(x)
    np.testing.assert_allclose(values, [4.5, 0.5])
    np.testing.assert_allclose(np.abs(vectors), np.eye(2), atol=1e-15)


def test_leading_directions_of_large_data_are_those_of_the_covariance():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((300, 100)) * np.linspace(1, 3, 100) ** 2
    values, vectors = spectra.leading(x)
    wanted, directions = np.linalg.eigh(x.T @ x / 300)
    np.testing.assert_allclose(values, wanted[::-1][:2], rtol=1e-4)
    assert abs(vectors[:, 0] @ directions[:, -1]) > 1 - 1e-6


def test_a_power_step_by_hand():
    # Covariance diag(4, 1) and w = (1, 2): cov w = (4, 2), wᵀ cov w = 8. The first
    # eigenvector is (1, 0), so |cos| goes from 1/√5 to 4/√20; the scale is √8 / √20.
    net = nn.Sequential(nn.Linear(2, 1)).double().eval()
    net[0].weight.data = torch.tensor([[1.0, 2.0]]).double()
    x = torch.tensor([[2.0, 1], [2, -1], [-2, 1], [-2, -1]]).double()
    step = spectra.power_step(neurons.seen(net, x)["0"])
    np.testing.assert_allclose(step.before, 1 / np.sqrt(5))
    np.testing.assert_allclose(step.after, 4 / np.sqrt(20))
    np.testing.assert_allclose(step.scale, np.sqrt(8 / 20))
    assert step.ratio == pytest.approx(4)


@pytest.mark.parametrize("kind", ["relu", "linear"])
def test_the_pattern_of_equation_41_points_where_the_power_step_ends(kind):
    net, x = mlp(5, 6, 4, seed=3, bias=normal), normal(1, 400, 5) + 0.3
    fitted = patterns.fit(net, [x], kind, estimator="eq41")
    for name, layer in neurons.seen(net, x).items():
        for neuron, a in enumerate(fitted[name]):
            rows = layer.centred(neuron if kind == "relu" else None)
            w = torch.from_numpy(layer.weight[neuron])
            after = torch.from_numpy(rows.T @ (rows @ layer.weight[neuron]) / len(rows))
            assert relative(a, after / (w @ after)) < 1e-10
            step = spectra.power_step(layer, neuron if kind == "relu" else None)
            place = 0 if kind == "relu" else neuron
            e = spectra.leading(rows)[1][:, 0]
            cosine = abs(a.numpy() @ e) / np.linalg.norm(a)
            assert step.after[place] == pytest.approx(cosine, abs=1e-9)


@given(seed=st.integers(0, 10**6), d=st.integers(2, 6))
def test_a_power_step_never_leads_away_and_gains_the_ratio_at_least(seed, d):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((40, d)) * rng.uniform(0.5, 3, d)
    net = nn.Sequential(nn.Linear(d, 1)).double().eval()
    net[0].weight.data = torch.from_numpy(rng.standard_normal((1, d)))
    step = spectra.power_step(neurons.seen(net, torch.from_numpy(x))["0"])
    assert step.after[0] >= step.before[0] - 1e-12

    def tangent(cosine):
        return np.sqrt(1 - min(cosine, 1) ** 2) / cosine

    after, before = tangent(step.after[0]), tangent(step.before[0])
    assert after <= before / step.ratio * (1 + 1e-9) + 1e-6


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
    with pytest.raises(MethodError, match="different channels"):
        neurons.seen(
            filled(nn.Sequential(nn.Conv2d(4, 4, 3, groups=2))), normal(1, 2, 4, 5, 5)
        )
    with pytest.raises(MethodError, match="different channels"):
        neurons.seen(filled(Zoo()), normal(1, 3, 2, 6, 6))
