"""One layer's operator without its matrix: the same as the matrix, at any size."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from nets import (
    CONSERVING,
    RECTIFYING,
    Zoo,
    cifar10,
    filled,
    mlp,
    normal,
    photographs,
    relative,
    repeatable,
    switched_on,
    uniform,
    zoo,
)
from torch import nn

import modbp
from modbp import deeplift, methods, rules
from modbp.backprop.methods import Method
from modbp.backprop.methods.method import Activations
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


# Every rule that is linear in relevance, and layers of every kind with inputs for them.
WEIGHTED = [
    rules.Gradient(), rules.WSquare(), rules.Flat(), rules.Box(-9, 9),
    *(rules.Epsilon(e, bias) for e in (0, 0.1) for bias in ("denominator", "ignore")),
    *(rules.AlphaBeta(1 + b, b, "unit", s) for b in (0, 1, 4) for s in (0, 0.1)),
    *(rules.Gamma(g, bias, split=split) for g in (0.25, 9) for split in (True, False)
      for bias in ("denominator", "unit")),
    deeplift.Weighted(), deeplift.Ablated(), deeplift.BySign(),
]  # fmt: skip
WITH_WEIGHTS = {
    "dense": lambda: (nn.Linear(5, 4), (5,)),
    "tokens": lambda: (nn.Linear(3, 4), (2, 3)),
    "conv": lambda: (nn.Conv2d(2, 3, 3, padding=1), (2, 3, 3)),
    "grouped": lambda: (nn.Conv1d(4, 2, 2, stride=2, groups=2), (4, 5)),
    "transposed": lambda: (nn.ConvTranspose2d(2, 3, 2, stride=2), (2, 2, 2)),
    "norm": lambda: (nn.BatchNorm1d(3), (3, 4)),
}
WITHOUT = {
    "relu": (nn.ReLU(), (5,), [
        rules.Pass(), rules.ReLUGradient(), rules.ReLUMask(), deeplift.Rescale(),
        deeplift.RevealCancel(),
    ]),
    "maxpool": (nn.MaxPool2d(2, 1, padding=1), (2, 3, 3), [
        rules.MaxPool(), deeplift.LargestChange(), deeplift.LargestChange("winner"),
    ]),
    "avgpool": (nn.AvgPool1d(2, 1), (2, 4), [
        rules.AvgPool(), rules.AvgPool(True), deeplift.Along(rules.AvgPool()),
    ]),
}  # fmt: skip


def operator_of(layer, rule, a):
    """Return the operator of one layer by one rule."""
    frame = Activations()
    if isinstance(rule, deeplift.frame.OnPairs):
        signed = (deeplift.BySign, deeplift.ScaleParts, deeplift.RevealCancel)
        frame = deeplift.Differences(None, 2 if isinstance(rule, signed) else 1)
    table = dict.fromkeys(("linear", "relu", "maxpool", "avgpool"), rule)
    net = nn.Sequential(filled(layer)).eval()
    return modbp.chain(net, a, Method("one", table, frame=frame)).operator("0")


def is_transposed(operator, seed, samples=2):
    """Compare with matrices that are written out, one unit after the other."""
    rows, columns = operator.shape
    units = torch.eye(columns, dtype=torch.float64)[:, None].expand(-1, samples, -1)
    matrix = operator.apply(units).permute(1, 2, 0)
    u = normal(seed, 3, samples, rows)
    size = matrix.abs().max().clamp(min=1e-9)
    up, sums = torch.einsum("kni,nij->knj", u, matrix), matrix.sum(1)
    assert (operator.adjoint(u) - up).abs().max() < 1e-10 * size
    assert (operator.column_sums().flatten(1) - sums).abs().max() < 1e-10 * size
    found, wanted = operator.norm(0.1), torch.linalg.matrix_norm(matrix, 2)
    assert (found <= wanted * (1 + 1e-9)).all() and (found >= 0.3 * wanted).all()


@pytest.mark.parametrize("sign", ["any", "non-negative"])
@pytest.mark.parametrize("kind", WITH_WEIGHTS)
@settings(repeatable, max_examples=2)
@given(seed=st.integers(0, 10**6))
def test_the_adjoint_is_the_transpose_of_every_linear_rule(kind, sign, seed):
    layer, shape = WITH_WEIGHTS[kind]()
    a = normal(seed, 2, *shape)
    a = a.clamp(min=0) if sign == "non-negative" else a
    for rule in WEIGHTED:
        if kind == "norm" and isinstance(rule, deeplift.BySign):
            rule = deeplift.ScaleParts()
        is_transposed(operator_of(layer, rule, a), seed)


@pytest.mark.parametrize("kind", WITHOUT)
def test_the_adjoint_is_the_transpose_in_layers_without_weights(kind):
    layer, shape, choices = WITHOUT[kind]
    for rule in choices:
        is_transposed(operator_of(layer, rule, normal(1, 2, *shape)), 2)


def test_the_adjoint_of_the_gamma_rule_has_the_units_that_are_off():
    # a = (1, 2), z = (1 − 2, 2 − 1)·(1, 2) = (−1, 3/2): of the first the negative
    # contribution is enlarged, 1 − 2·2 = −3, of the second the positive, 2·2 − 1/2.
    net = nn.Sequential(nn.Linear(2, 2, bias=False)).double().eval()
    net[0].weight.data = torch.tensor([[1, -1], [2, -0.25]]).double()
    x = torch.tensor([[1.0, 2.0]]).double()
    method = Method("gamma", {"linear": rules.Gamma(1)})
    operator = modbp.chain(net, x, method).operator("0")
    up = operator.adjoint(torch.tensor([[1.0, 0.0]]).double())
    torch.testing.assert_close(up, torch.tensor([[-1 / 3, 4 / 3.5]]).double())


def test_a_short_cut_at_no_relevance_does_not_hide_an_operator():
    def hasty(call, a):
        return call.layer.forward(a), lambda r: (r * 0 if not r.any() else 3 * r,)

    mine = Method("mine", {"linear": rules.Gradient(), "relu": hasty})
    operator = modbp.chain(mlp(4, 3, 2), normal(1, 2, 4), mine).operator("1")
    assert operator.column_sums().eq(3).all()


def test_a_rule_that_autograd_cannot_follow_has_no_transpose_but_a_matrix():
    def half_hidden(call, a):
        return call.layer.forward(a), lambda r: (r + 2 * r.detach(),)

    def nothing(call, a):
        return call.layer.forward(a), lambda r: (torch.zeros_like(r),)

    def operator(rule):
        mine = Method("mine", {"linear": rules.Gradient(), "relu": rule})
        return modbp.chain(mlp(4, 3, 2), normal(1, 1, 4), mine).operator("1")

    with pytest.raises(MethodError, match="cannot follow.*matrix()"):
        operator(half_hidden).column_sums()
    assert operator(half_hidden).matrix().equal(3 * torch.eye(3).double())
    assert operator(nothing).norm().tolist() == [0]


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.LayerNorm(5), (5,)),
        (nn.GroupNorm(2, 4), (4, 3)),
        (nn.SiLU(), (5,)),
        (nn.Softmax(1), (5,)),
        (nn.LeakyReLU(), (5,)),
        (nn.Upsample(scale_factor=2), (2, 3)),
    ],
)
def test_the_adjoint_of_the_derivative_is_the_transpose(layer, shape):
    net, x = nn.Sequential(filled(layer)).eval(), normal(1, 2, *shape)
    is_transposed(modbp.chain(net, x, "gradient").operator("0"), 3)


def test_a_rule_that_selects_or_cuts_has_no_transpose():
    def largest(call, a):  # odd, and scales with relevance, but no matrix
        return call.layer.forward(a), lambda r: (r * (r.abs() == r.abs().max()),)

    def limited(call, a):
        return call.layer.forward(a), lambda r: (r.clamp(-1e3, 1e3),)

    for rule in (largest, limited):
        mine = Method("mine", {"linear": rules.Gradient(), "relu": rule})
        operator = modbp.chain(mlp(4, 3, 2), normal(1, 2, 4), mine).operator("1")
        with pytest.raises(MethodError, match="not linear"):
            operator.column_sums()


@pytest.mark.parametrize("size", [1e-30, 1e-22, 1e18, 1e30])
def test_the_norm_of_very_small_and_very_large_weights(size):
    net = mlp(6, 5).float()
    net[0].weight.data *= size
    norm = modbp.chain(net, torch.ones(1, 6), "gradient").operator("0").norm(1e-4)
    wanted = torch.linalg.matrix_norm(net[0].weight.double(), 2).item()
    assert norm.tolist() == pytest.approx([wanted], rel=1e-3)


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
