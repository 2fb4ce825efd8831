"""Leading directions, one power step towards them, ratios of singular values."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from nets import filled, mlp, none, normal, relative, uniform
from torch import nn

import modbp
from modbp import patterns
from modbp.errors import InputError
from modbp.measures import neurons, spectra


def test_the_ratio_by_hand():
    assert spectra.ratio(np.diag([6.0, 3.0, 1.0])) == pytest.approx(2)
    assert spectra.ratio(np.outer([1.0, 2], [3.0, 4])) > 1e15
    assert spectra.ratio(np.zeros((2, 2))) == float("inf")
    with pytest.raises(InputError, match="one singular value"):
        spectra.ratio(np.ones((1, 5)))


@pytest.mark.parametrize("method", ["gradient", "lrp-a1b0", "patternattribution"])
def test_an_operator_has_the_ratio_of_its_matrix(method):
    layers = [nn.Conv2d(2, 3, 3, padding=1), nn.ReLU(), nn.Conv2d(3, 5, 2), nn.ReLU()]
    net = nn.Sequential(*layers, nn.MaxPool2d(2), nn.Flatten(), nn.Linear(20, 4))
    net, x = filled(net, seed=1, bias=none), uniform(2, 4, 2, 6, 6)
    if method == "patternattribution":
        method = modbp.methods.get(method, patterns=patterns.fit(net, x))
    chain = modbp.chain(net, x, method)
    for layer in ("0", "2", "6"):
        operator = chain.operator(layer, 1)
        wanted = spectra.ratio(chain.matrix(layer, 1).numpy())
        assert spectra.ratio(operator) == pytest.approx(wanted, rel=1e-3)


def test_between_agrees_with_the_literal_form_of_the_code():
    rng = np.random.default_rng(0)
    left, right = rng.standard_normal((4, 7)), rng.standard_normal((7, 3))
    u, s, v = np.linalg.svd(left)
    U, S, V = np.linalg.svd(right)
    s, S = (np.diag(np.pad(np.sqrt(values), (0, 7 - len(values)))) for values in (s, S))
    values = np.linalg.svd(s @ v @ U @ S, compute_uv=False)
    assert spectra.between(left, right) == pytest.approx(values[0] / values[1])


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
    cosines = np.minimum([step.after[0], step.before[0]], 1)
    assert cosines[0] >= cosines[1] - 1e-12
    after, before = np.sqrt(1 - cosines**2) / cosines
    assert after <= before / step.ratio * (1 + 1e-9) + 1e-6
