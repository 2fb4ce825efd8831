"""One layer's operator without its matrix: the same as the matrix, at any size."""

import pytest
import torch
from nets import (
    CONSERVING,
    RECTIFYING,
    Zoo,
    cifar10,
    mlp,
    normal,
    photographs,
    relative,
    switched_on,
    uniform,
    zoo,
)
from torch import nn

import modbp
from modbp import methods, rules
from modbp.backprop.methods import Method
from modbp.errors import InputError, MethodError

METHODS = ("gradient", "lrp-z", "lrp-a1b0", "lrp-a2b1", "excitation-bp")
# One of each kind.
LAYERS = "stem stem_relu left add largest mean cat norm up turn.permute flatten drop"
LAYERS = [*LAYERS.split(), "fc"]


def dot(u, v):
    return (u * v).flatten(1).sum(1)


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("name", METHODS)
def test_apply_and_adjoint_are_the_matrix_and_its_transpose(name, layer):
    chain = modbp.chain(zoo(name), uniform(1, 2, 2, 6, 6), name)
    operator = chain.operator(layer)
    rows, columns = operator.shape
    r, u = normal(2, 3, 2, columns), normal(3, 3, 2, rows)
    down, up = operator.apply(r), operator.adjoint(u)
    for sample in range(2):
        matrix = chain.matrix(layer, sample)
        assert matrix.shape == operator.shape
        assert relative(down[:, sample], r[:, sample] @ matrix.T) < 1e-12
        assert relative(up[:, sample], u[:, sample] @ matrix) < 1e-12
        one = chain.operator(layer, sample)
        assert relative(one.apply(r[0, [sample]]), down[0, [sample]]) < 1e-12
    assert relative(operator.adjoint(u[1]), up[1]) < 1e-14
    sums = torch.stack([chain.matrix(layer, sample).sum(0) for sample in range(2)])
    assert relative(operator.column_sums().flatten(1), sums) < 1e-12
    assert operator.output == chain.output(layer).shape[1:]


@pytest.mark.parametrize("layer", ["conv1", "conv2", "relu2", "pool4", "fc5"])
@pytest.mark.parametrize("name", ["gradient", "lrp-eps", "lrp-a1b0", "lrp-a2b1"])
def test_the_adjoint_is_one_where_the_matrix_is_too_large_to_write_out(name, layer):
    operator = modbp.chain(cifar10(), photographs(2)[0], name).operator(layer)
    r, u = normal(1, 2, operator.shape[1]), normal(2, 2, operator.shape[0])
    left, right = dot(operator.apply(r), u), dot(r, operator.adjoint(u))
    size = operator.apply(r).norm() * u.norm()
    assert ((left - right).abs() < 1e-12 * size).all()


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("name", CONSERVING)
def test_column_sums_are_one_where_relevance_is_conserved(name, layer):
    method = methods.get(name, **CONSERVING[name])
    chain = modbp.chain(switched_on(Zoo()), uniform(1, 2, 2, 6, 6) + 0.1, method)
    sums = chain.operator(layer).column_sums()
    assert ((sums - 1).abs() < 1e-10).all()
    assert sums.shape == chain.output(layer).shape


@pytest.mark.parametrize("layer", ["stem", "stem_relu", "add", "largest", "up", "fc"])
def test_the_norm_is_the_largest_singular_value(layer):
    chain = modbp.chain(zoo(), uniform(1, 2, 2, 6, 6), "lrp-a1b0")
    wanted = torch.stack(
        [torch.linalg.matrix_norm(chain.matrix(layer, i), 2) for i in range(2)]
    )
    found = chain.operator(layer).norm(tolerance=1e-3, steps=5000)
    assert (found <= wanted * (1 + 1e-12)).all()
    assert relative(found, wanted) < 1e-3


def test_the_norm_of_a_layer_that_hands_nothing_on_is_zero():
    net = mlp(4, 3)
    net[0].weight.data.zero_()
    norm = modbp.chain(net, normal(1, 2, 4), "gradient").operator("0").norm()
    assert norm.tolist() == [0, 0]


def test_a_norm_that_is_not_reached_is_refused_with_the_residual():
    operator = modbp.chain(zoo(), uniform(1, 1, 2, 6, 6), "lrp-z").operator("fc")
    with pytest.raises(InputError, match="'fc'.*2 steps.*residual.*more steps"):
        operator.norm(tolerance=1e-12, steps=2)


@pytest.mark.parametrize("name", RECTIFYING)
def test_a_rule_that_rectifies_relevance_has_no_transpose(name):
    operator = modbp.chain(zoo(), uniform(1, 2, 2, 6, 6), name).operator("stem_relu")
    for ask in (operator.column_sums, operator.norm):
        with pytest.raises(MethodError, match="'stem_relu'.*not linear.*apply"):
            ask()
    positive = operator.apply(normal(1, 2, 144)) >= 0
    assert positive.all() or name == "rectgrad"


def test_a_rule_of_ones_own_has_an_operator():
    class Halved(rules.Pass):
        def __call__(self, call, a):
            return call.layer.forward(a), lambda r: (r / 2,)

    mine = Method("mine", {"linear": rules.Gradient(), "relu": Halved()})
    net = nn.Sequential(nn.Linear(4, 3), nn.ReLU()).double().eval()
    operator = modbp.chain(net, normal(1, 2, 4), mine).operator("1")
    assert operator.norm().tolist() == pytest.approx([0.5, 0.5])
    assert str(operator) == "layer '1' (ReLU): 3 × 3, 2 samples"
