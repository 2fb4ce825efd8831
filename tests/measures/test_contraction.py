"""What layers do to the angle between two classes, and what they prove about it."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from modbp import methods, models, theory
from modbp.backprop.chain import Chain
from modbp.errors import InputError, MethodError
from modbp.measures.contraction import contraction

RULES = ("lrp-a1b0", "lrp-gamma", "lrp-a2b1", "lrp-z")


def conserving(rule):
    return methods.get(rule, bias="ignore")


def bounds(rows, coefficient):
    """The sharp bound on the tangent after every layer."""
    units = np.array([row.units for row in rows])
    return np.sqrt(units / 2) * np.cumprod([getattr(row, coefficient) for row in rows])


def test_by_hand():
    # Columns (3, 1)/4 and (1, 3)/4: δ = σ = 1/2, cos = 3/5, tan(θ/2) = 1/2. Once more,
    # in the gauge of the input (1, 1): 1/4.
    net = models.dense([[3, 1], [1, 3]], [[3, 1], [1, 3]]).double()
    top, bottom = contraction(net, torch.ones(1, 2), "lrp-a1b0")
    assert (top.layer, bottom.layer) == ("fc2", "fc1")
    for row, tangent in ((top, 1 / 2), (bottom, 1 / 4)):
        assert (row.units, row.delta, row.sigma) == pytest.approx((2, 1 / 2, 1 / 2))
        assert row.tangent == pytest.approx(tangent)


def network(kind):
    """A random network, and an input; biases so small that they switch no neuron on."""
    torch.manual_seed(0)
    if kind == "dense":
        layers = [nn.Linear(20, 70), nn.ReLU(), nn.Linear(70, 12), nn.ReLU()]
        net, x = nn.Sequential(*layers, nn.Linear(12, 4)), torch.rand(1, 20)
    else:
        layers = [nn.Conv2d(2, 4, 3), nn.ReLU(), nn.MaxPool2d(2)]
        layers += [nn.Conv2d(4, 6, 2), nn.ReLU(), nn.Flatten(), nn.Linear(24, 3)]
        net, x = nn.Sequential(*layers), torch.rand(1, 2, 8, 8)
    for layer in net:
        if hasattr(layer, "bias"):
            nn.init.uniform_(layer.bias, -0.01, 0.01)
    return net.eval(), x


def dense(net, x, method):
    """The matrices of all units that relevance reaches, the top first."""
    chain = Chain(net.double(), x.double(), method)
    columns = np.arange(chain.logits.shape[1])
    for layer in chain.layers[:0:-1]:
        A = chain.matrix(layer).numpy()[:, columns]
        rows = np.flatnonzero(A.any(axis=1))
        yield A[rows]
        columns = rows


@pytest.mark.parametrize("kind", ["dense", "convolutions"])
@pytest.mark.parametrize("rule", RULES)
def test_equals_the_dense_computation(kind, rule):
    net, x = network(kind)
    rows = contraction(net, x, conserving(rule))
    found, mats, passed = iter(rows), [], []
    for A in dense(net, x, conserving(rule)):
        mats.insert(0, A)
        if A.shape[0] == A.shape[1] and (A == np.eye(len(A))).all():
            continue
        row = next(found)
        passed.append(row)
        assert row.units == len(A)
        assert row.delta == pytest.approx(theory.dobrushin(A))
        assert row.sigma == pytest.approx(theory.euclidean(A), rel=1e-5)
        s = theory.min_cosine(theory.products(mats)[-1])
        assert row.tangent == pytest.approx(math.sqrt((1 - s) / (1 + s)))
        for norm, name in (("dobrushin", "delta"), ("euclidean", "sigma")):
            bound = theory.sharp_bound(mats, norm)
            assert bounds(passed, name)[-1] == pytest.approx(bound, rel=1e-4)
            assert row.tangent <= bound
    assert passed == rows


def test_small_angles_keep_their_digits():
    # Twenty times: 1/2 to the power of twenty, whose 1 - cos is 2e-12.
    net = models.dense(*[[[3, 1], [1, 3]]] * 20).double()
    rows = contraction(net, torch.ones(1, 2), "lrp-a1b0")
    assert rows[-1].tangent == pytest.approx(2.0**-20, rel=1e-9)


def test_what_does_not_conserve_is_refused():
    net, x = network("dense")
    with pytest.raises(MethodError, match="columns sum to .*bias='ignore'"):
        contraction(net, x, "lrp-a1b0")
    with pytest.raises(MethodError, match="'4' does not conserve"):
        contraction(net, x, "gradient")


def test_it_ends_where_a_column_does_not_sum_to_one():
    # Nothing contributes to the lower neurons with a minus sign: α alone, 2.
    net = models.dense([[1, 1], [2, 1]], [[3, -1], [-1, 3]]).double()
    rows = contraction(net, torch.ones(1, 2), conserving("lrp-a2b1"))
    assert [row.layer for row in rows] == ["fc2"]


class Skip(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(3, 3), nn.Linear(3, 2)

    def forward(self, x):
        return self.fc2(x + self.fc1(x))


def test_branches_are_refused():
    with pytest.raises(InputError, match="'add' has 2 inputs"):
        contraction(Skip().eval(), torch.rand(1, 3), conserving("lrp-z"))
