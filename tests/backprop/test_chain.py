"""Pulling relevance through a network: shapes, sums, matrices."""

from functools import partial

import numpy as np
import pytest
import torch
from nets import (
    BEST,
    CHAINS,
    EXPLAINING,
    RECTIFYING,
    Modules,
    Net,
    cifar10,
    mlp,
    normal,
    photographs,
    relative,
    spelled,
    uniform,
    zoo,
)
from torch import nn

import modbp
from modbp import methods
from modbp.backprop.methods import Method
from modbp.backprop.trace import Trace
from modbp.errors import InputError, MethodError

# What a chain says about the network --------------------------------------------------


def test_layers_are_named_input_first():
    names = modbp.chain(cifar10(), photographs()[0], "gradient").layers
    assert names == ["input", *(name for name, _ in cifar10().named_children())]


def test_logits_are_those_of_the_network():
    net, x = zoo(), normal(1, 3, 2, 6, 6)
    for name in ("lrp-z", "lrp-a1b0", "lrp-a2b1"):
        assert relative(modbp.chain(net, x, name).logits, net(x).detach()) < 1e-12


def test_a_chain_prints_as_a_table_of_layers_shapes_and_rules():
    chain = modbp.chain(cifar10(), photographs(2)[0], "lrp-a2b1")
    title, *table = str(chain).splitlines()
    assert title == "lrp-a2b1, 2 samples"
    assert [line.split()[0] for line in table] == ["layer", *chain.layers]
    for heading in ("type", "output shape", "rule"):
        column = table[0].index(heading)
        edges = [line.ljust(column)[column - 2 : column + 1] for line in table]
        assert all(edge[:2] == "  " and edge[2:] != " " for edge in edges)
    conv2 = next(line for line in table if line.startswith("conv2"))
    assert "Conv2d" in conv2 and "64×32×32" in conv2 and "AlphaBeta(alpha=2" in conv2
    assert repr(chain) == str(chain)


def test_a_rule_that_is_a_function_is_printed_by_its_name():
    def magnitude(call, a):
        return modbp.rules.share(call, a, (a.abs(), torch.abs))

    chain = modbp.chain(
        mlp(2, 3), normal(1, 1, 2), Method("mine", {"linear": magnitude})
    )
    assert str(chain).splitlines()[-1].split() == ["0", "Linear", "3", "magnitude"]


def test_a_layer_that_reads_the_input_in_another_shape_is_a_first_one():
    net = nn.Sequential(nn.Flatten(), nn.Dropout(), *mlp(4, 3, 2)).eval()
    chain = modbp.chain(net, uniform(1, 2, 1, 2, 2), methods.get("lrp-z", first="flat"))
    rules = [line.split()[-1].partition("(")[0] for line in str(chain).splitlines()]
    assert rules[-3:] == ["Flat", "Pass", "bias='denominator')"]


def test_a_rule_that_fails_is_blamed_itself_and_not_the_image():
    def broken(call, a):
        raise ValueError("my mistake")

    with pytest.raises(MethodError, match="'0'.*: rule broken failed.*my mistake"):
        modbp.chain(mlp(2, 3), normal(1, 1, 2), Method("mine", {"linear": broken}))


# Relevance in, relevance out ----------------------------------------------------------


def test_explaining_is_pulling_the_start_value_from_the_logits():
    chain = modbp.chain(zoo(), normal(1, 3, 2, 6, 6), "lrp-z")
    target = torch.tensor([4, 0, 2])
    r = chain.logits * torch.nn.functional.one_hot(target, 5)
    assert torch.equal(chain.explain(target), chain.pull(r, "fc")["input"])


@pytest.mark.parametrize("kind", [np.uint16, np.int32, np.uint64, torch.uint32])
def test_targets_are_whole_numbers_of_any_width_and_memory(kind):
    chain, target = modbp.chain(zoo(), uniform(1, 3, 2, 6, 6), "gradient"), [4, 0, 2]
    wanted = chain.explain(target)
    if isinstance(kind, torch.dtype):
        given = torch.tensor(target, dtype=kind)
    else:  # torch has no negative strides
        given = np.array(target[::-1], kind)[::-1]
        assert torch.equal(chain.explain(kind(4)), chain.explain(4))
        assert torch.equal(chain.explain(np.array(4, kind)), chain.explain(4))
    assert torch.equal(chain.explain(given), wanted)


def test_one_target_counts_for_all_samples_and_none_is_the_largest_logit():
    chain = modbp.chain(zoo(), normal(1, 3, 2, 6, 6), "gradient")
    assert torch.equal(chain.explain(2), chain.explain([2, 2, 2]))
    assert torch.equal(chain.explain(), chain.explain(chain.logits.argmax(1)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", EXPLAINING)
def test_an_explanation_has_the_shape_and_type_of_the_input(name, dtype):
    x = uniform(1, 3, 2, 6, 6).to(dtype)
    found = modbp.explain(zoo(name).to(dtype), x, name, 1)
    assert (found.shape, found.dtype, found.requires_grad) == (x.shape, dtype, False)


@pytest.mark.parametrize("name", CHAINS)
def test_many_relevances_at_once_equal_a_loop(name):
    chain = modbp.chain(zoo(name), uniform(1, 2, 2, 6, 6), name)
    r = normal(2, 4, 2, 5)
    wanted = ["up", "left", "stem", "input"]
    together = chain.pull(r, "fc", to=wanted)
    for k in range(4):
        alone = chain.pull(r[k], "fc", to=wanted)
        for layer in wanted:
            assert relative(together[layer][k], alone[layer]) < 1e-12


def test_the_first_dimension_of_the_result_is_that_of_the_relevance():
    chain = modbp.chain(zoo(), uniform(1, 2, 2, 6, 6), "lrp-z")
    for many in ([], [1], [7]):
        found = chain.pull(normal(0, *many, 2, 5), "fc")["input"]
        assert found.shape == (*many, 2, 2, 6, 6)


@pytest.mark.parametrize("name", CHAINS)
def test_a_batch_equals_one_sample_at_a_time(name):
    net, (x, y) = cifar10(BEST), photographs(2)
    together = modbp.explain(net, x, name, y)
    for n in range(2):
        alone = modbp.explain(net, x[n : n + 1], name, y[n : n + 1])
        assert relative(together[n : n + 1], alone) < 1e-12


def test_a_sample_of_known_sign_does_not_change_its_neighbour():
    # Alone, the first takes the cheap form for inputs ≥ 0; beside the second it cannot.
    x = torch.cat([uniform(1, 1, 2, 6, 6), normal(2, 1, 2, 6, 6)])
    for name in ("lrp-a1b0", "lrp-a2b1", "lrp-gamma"):
        together = modbp.explain(zoo(), x, name, 0)
        assert relative(together[:1], modbp.explain(zoo(), x[:1], name, 0)) < 1e-12


# DeepLIFT reads another quantity than what enters; see test_deeplift.py.
@pytest.mark.parametrize("name", [n for n in CHAINS if not n.startswith("deeplift")])
def test_relevance_can_enter_and_leave_anywhere(name):
    chain = modbp.chain(zoo(name), uniform(1, 2, 2, 6, 6), name)
    r = normal(2, 2, 5)
    middle = chain.pull(r, "fc", to="add_relu")["add_relu"]
    through = chain.pull(middle, "add_relu")["input"]
    assert relative(through, chain.pull(r, "fc")["input"]) < 1e-12


@pytest.mark.parametrize("name", ["gradient", "lrp-z"])
@pytest.mark.parametrize("net", [zoo, partial(spelled, Modules)], ids=["zoo", "skip"])
def test_many_layers_can_be_read_at_once(net, name):
    chain = modbp.chain(net(), uniform(1, 2, 2, 6, 6), name)
    r = normal(2, 2, 5)
    at_once = chain.pull(r, "fc", to=None)
    assert list(at_once) == chain.layers[::-1]
    for layer in chain.layers:
        assert torch.equal(at_once[layer], chain.pull(r, "fc", to=layer)[layer])


@pytest.mark.parametrize("name", ["lrp-z", "deeplift-rescale"])
def test_at_the_start_relevance_is_what_entered_and_no_layer_is_an_empty_answer(name):
    chain = modbp.chain(zoo(), uniform(1, 2, 2, 6, 6), name)
    r = normal(2, 2, 5)
    assert torch.equal(chain.pull(r, "fc", to="fc")["fc"], r)
    assert chain.pull(r, "fc", to=[]) == {}


def test_relevance_at_a_layer_is_the_sum_over_all_that_read_it():
    # The layers are y = 2x, u = 3y, v = 5y, u + v: the derivatives are 3 + 5 and 16.
    def fork(net, x):
        y = net.y(x)
        return net.u(y) + net.v(y)

    net = Net(fork, **{name: nn.Linear(1, 1, bias=False) for name in "yuv"})
    for layer, weight in (net.y, 2.0), (net.u, 3.0), (net.v, 5.0):
        layer.weight.data.fill_(weight)
    chain = modbp.chain(net.eval(), torch.ones(1, 1), "gradient")
    found = chain.pull(torch.ones(1, 1), "add", to=["u", "v", "y", "input"])
    values = {layer: r.item() for layer, r in found.items()}
    assert values == {"u": 1, "v": 1, "y": 8, "input": 16}


def test_relevance_at_a_layer_is_taken_before_its_own_rule():
    # At the ReLU all of r, also where it was off; below it the derivative.
    net = nn.Sequential(nn.Dropout(), nn.ReLU()).eval()
    chain = modbp.chain(net, torch.tensor([[-1.0, 1.0]]), "gradient")
    found = chain.pull(torch.ones(1, 2), "1", to=["1", "0"])
    assert found["1"].tolist() == [[1, 1]]
    assert found["0"].tolist() == [[0, 1]]


def test_a_layer_beside_the_start_is_refused():
    chain = modbp.chain(zoo(), uniform(1, 2, 2, 6, 6), "lrp-z")
    with pytest.raises(InputError, match="'left' does not feed layer 'right'"):
        chain.pull(chain.output("right"), "right", to=["input", "left"])


@torch.no_grad()
def test_output_is_what_a_layer_gave():
    net, x = zoo(), uniform(1, 2, 2, 6, 6)
    chain = modbp.chain(net, x, "gradient")
    calls, outputs, _ = Trace(net).run(x)
    for call, z in zip(calls, outputs, strict=True):
        assert torch.equal(chain.output(call.name), z)
    assert relative(chain.output("stem_relu"), net.stem(x).relu()) < 1e-12
    assert torch.equal(chain.output("fc"), chain.logits)


def test_below_lists_what_feeds_a_layer_from_the_top_down():
    chain = modbp.chain(zoo(), uniform(1, 2, 2, 6, 6), "lrp-z")
    assert chain.below("fc") == chain.layers[::-1]
    assert chain.below("right") == ["right", "stem_relu", "stem", "input"]
    assert chain.below("input") == ["input"]


def test_only_the_top_start_value_depends_on_the_method_bound():
    # The same r through the same table gives the same, whatever explain() starts from.
    net, x, r = zoo(), uniform(1, 2, 2, 6, 6), normal(2, 2, 5)
    one = modbp.chain(net, x, methods.get("lrp-z", output="one"))
    logit = modbp.chain(net, x, methods.get("lrp-z", output="logit"))
    assert torch.equal(one.pull(r, "fc")["input"], logit.pull(r, "fc")["input"])


# The explicit matrix of a layer -------------------------------------------------------

# Layer, and the layers that feed it; one of each kind.
KINDS = {
    "stem": ["input"], "stem_relu": ["stem"], "left": ["stem_relu"],
    "add": ["left", "right"], "largest": ["add_relu"], "mean": ["add_relu"],
    "cat": ["largest", "mean"], "norm": ["cat"], "up": ["norm"],
    "turn.permute": ["up_relu"], "flatten": ["turn.permute"], "drop": ["flatten"],
    "fc": ["drop"],
}  # fmt: skip


def test_every_kind_of_layer_is_among_those_whose_matrix_is_tested():
    calls = Trace(zoo()).run(uniform(1, 2, 2, 6, 6))[0]
    assert set(KINDS) < {call.name for call in calls}
    wanted = "input conv dense norm relu maxpool avgpool add cat shape identity"
    assert {call.kind for call in calls} == set(wanted.split())


@pytest.mark.parametrize("layer", KINDS)
@pytest.mark.parametrize("name", sorted(set(CHAINS) - set(RECTIFYING)))
def test_the_matrix_of_a_layer_is_what_pull_does_there(name, layer):
    chain = modbp.chain(zoo(name), uniform(1, 3, 2, 6, 6), name)
    r = normal(2, *chain.output(layer).shape)
    # Gradient × input multiplies once, at the input; no layer's matrix does.
    factor = {"input": 1 / chain.output("input")} if "x-input" in name else {}
    for sample in range(3):
        parts = chain.pull(r, layer, to=KINDS[layer])
        pulled = [
            (parts[source] * factor.get(source, 1))[sample].flatten()
            for source in KINDS[layer]
        ]
        product = chain.matrix(layer, sample) @ r[sample].flatten()
        assert relative(product, torch.cat(pulled)) < 1e-12


@pytest.mark.parametrize(
    "layer", ["stem", "left", "largest", "mean", "up", "norm", "fc"]
)
def test_the_matrix_of_the_gradient_is_the_transposed_jacobian(layer):
    net = zoo()
    chain = modbp.chain(net, normal(1, 1, 2, 6, 6), "gradient")
    a = chain.output(KINDS[layer][0])
    # Batch norm behind the transposed convolution is a part of it.
    parts = [getattr(net, layer), *([net.folded] if layer == "up" else [])]
    jacobian = torch.func.jacrev(nn.Sequential(*parts))(a)
    matrix = jacobian.reshape(-1, a.numel()).T.detach()
    assert relative(chain.matrix(layer), matrix) < 1e-12


def test_columns_of_alpha2_beta1_sum_to_one_where_both_signs_contribute():
    # Contributions to z: (1, 2, −3), only (1), only (−3): P/P·2 − N/N·1, 2, −1.
    net = nn.Linear(3, 3, bias=False).double()
    net.weight.data = torch.tensor([[1.0, 2, -3], [1, 0, 0], [0, 0, -3]]).double()
    chain = modbp.chain(nn.Sequential(net).eval(), uniform(0, 1, 3) + 1, "lrp-a2b1")
    torch.testing.assert_close(chain.matrix("0").sum(0).tolist(), [1.0, 2.0, -1.0])


def test_a_matrix_belongs_to_its_sample():
    chain = modbp.chain(zoo(), uniform(1, 2, 2, 6, 6), "lrp-z")
    assert not torch.equal(chain.matrix("fc", 0), chain.matrix("fc", 1))
    alone = modbp.chain(zoo(), uniform(1, 2, 2, 6, 6)[1:], "lrp-z")
    assert relative(chain.matrix("fc", 1), alone.matrix("fc")) < 1e-12


# Rules of the user's ------------------------------------------------------------------


def broken(back):
    """A method whose rule for linear layers hands down what `back` makes of it."""

    def rule(call, a):
        return call.layer.forward(a), back

    return Method("mine", {"linear": rule, "relu": modbp.rules.Pass()})


OTHERS = [
    lambda r: r, lambda r: (r,), lambda r: (r, r), lambda r: [r.new_ones(1, 1, 3)],
]  # fmt: skip


@pytest.mark.parametrize("back", OTHERS)
def test_a_rule_that_hands_down_something_else_is_named(back):
    with pytest.raises(MethodError, match="'0'.*rule .*rule hands.*tuple with one"):
        modbp.explain(mlp(3, 2), normal(1, 1, 3), broken(back))
