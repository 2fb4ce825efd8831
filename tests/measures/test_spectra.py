"""Ratios of singular values, of matrices and of operators that are none."""

import numpy as np
import pytest
import torch
from nets import filled, mlp, none, normal, uniform
from torch import nn

import modbp
from modbp import patterns
from modbp.errors import InputError, MethodError
from modbp.measures import neurons, spectra


def network():
    net = nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(3, 5, 2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(20, 4),
        nn.ReLU(),
        nn.Linear(4, 3),
    )
    return filled(net, seed=1, bias=none)


def test_the_ratio_by_hand():
    assert spectra.ratio(np.diag([6.0, 3.0, 1.0])) == pytest.approx(2)
    assert spectra.ratio(np.outer([1.0, 2], [3.0, 4])) > 1e15
    assert spectra.ratio(np.zeros((2, 2))) == float("inf")
    with pytest.raises(InputError, match="one singular value"):
        spectra.ratio(np.ones((1, 5)))


@pytest.mark.parametrize("method", ["gradient", "lrp-a1b0", "patternattribution"])
def test_an_operator_has_the_ratio_of_its_matrix(method):
    net, x = network(), uniform(2, 4, 2, 6, 6)
    if method == "patternattribution":
        method = modbp.methods.get(method, patterns=patterns.fit(net, x))
    chain = modbp.chain(net, x, method)
    for layer in ("0", "2", "6"):
        operator = chain.operator(layer, 1)
        wanted = spectra.ratio(chain.matrix(layer, 1).numpy())
        assert spectra.ratio(operator) == pytest.approx(wanted, rel=1e-3)


def test_between_by_hand():
    # diag(4, 1) then diag(9, 1): the joint is diag(6, 1). With the second turned by a
    # quarter, its first direction meets the other's second: (0 2; 3 0).
    left, right = np.diag([4.0, 1.0]), np.diag([9.0, 1.0])
    assert spectra.between(left, right) == pytest.approx(6)
    turned = np.array([[0, 1.0], [9, 0]])
    assert spectra.between(left, turned) == pytest.approx(1.5)


def test_between_agrees_with_the_literal_form_of_the_code():
    rng = np.random.default_rng(0)
    left, right = rng.standard_normal((4, 7)), rng.standard_normal((7, 3))
    u, s, v = np.linalg.svd(left)
    U, S, V = np.linalg.svd(right)
    s, S = (np.diag(np.pad(np.sqrt(values), (0, 7 - len(values)))) for values in (s, S))
    values = np.linalg.svd(s @ v @ U @ S, compute_uv=False)
    assert spectra.between(left, right) == pytest.approx(values[0] / values[1])


def test_taps_are_central_and_fit_as_a_chain():
    net = network()
    taps = neurons.taps(net, normal(0, 1, 2, 6, 6))
    assert {name: M.shape for name, M in taps.items()} == {
        "0": (2, 3),
        "2": (3, 5),
        "6": (5, 4),
        "8": (4, 3),
    }
    weight = {name: net[int(name)].weight.detach() for name in taps}
    np.testing.assert_array_equal(taps["0"], weight["0"][:, :, 1, 1].T)
    np.testing.assert_array_equal(taps["2"], weight["2"][:, :, 0, 0].T)
    # 20 = 5 channels of 2 × 2; torch flattens channels first.
    np.testing.assert_array_equal(taps["6"], weight["6"][:, ::4].T)
    doubled = neurons.taps(
        net, normal(0, 1, 2, 6, 6), {name: 2 * W for name, W in weight.items()}
    )
    np.testing.assert_array_equal(doubled["8"], 2 * weight["8"].T)


def test_a_network_that_is_no_plain_chain_is_refused():
    class Branches(nn.Module):
        def __init__(self):
            super().__init__()
            self.left, self.right = nn.Linear(3, 4), nn.Linear(3, 4)

        def forward(self, x):
            return self.left(x) + self.right(x)

    with pytest.raises(MethodError, match="no plain chain"):
        neurons.taps(Branches().double().eval(), normal(0, 2, 3))


def test_only_the_dense_layer_behind_the_picture_is_read_as_one():
    net = nn.Sequential(
        nn.Conv2d(1, 2, 1), nn.Flatten(), nn.Linear(8, 8), nn.Linear(8, 3)
    )
    net = filled(net, bias=none)
    taps = neurons.taps(net, torch.ones(1, 1, 2, 2).double())
    assert [M.shape for M in taps.values()] == [(1, 2), (2, 8), (8, 3)]
    dense = mlp(5, 4, 3)
    taps = neurons.taps(dense, torch.ones(1, 5).double())
    np.testing.assert_array_equal(taps["0"], dense[0].weight.detach().T)
