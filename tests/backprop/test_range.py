"""Relevance that leaves the range of its type: refused by layer, with what helps."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from nets import CHAINS, Net, filled, mlp, none, relative, repeatable, uniform
from torch import nn

import modbp
from modbp import methods, models, patterns, rules
from modbp.errors import InputError

TOO_MUCH = "gives relevance that is NaN or infinite.*net.double.*x.double"
TOO_LITTLE = "so small that nothing but zeros is left.*net.double.*x.double"


def deep(size, depth=4, width=6):
    """Linear layers with ReLUs whose positive weights are that large, in float32."""
    net = mlp(*[width] * (depth + 1), seed=1)
    for layer in net[::2]:
        layer.weight.data = layer.weight.data.abs() * size
    return net.float()


SIZES = pytest.mark.parametrize("size", [1e-13, 1e13])


def scaled(size):
    """Return a network that leaves the range on its way down, and not on its way up."""
    return deep(size), torch.full((2, 6), size**-2.8)


@pytest.mark.parametrize("method", ["gradient", "guided-bp"])
@SIZES
def test_an_explanation_names_the_layer_and_float64_helps(size, method):
    # Each layer takes relevance 13 decades on: 1e39 and more is infinite behind the
    # third, 1e-52 zero behind the fourth.
    net, x = scaled(size)
    where, told = ("2", TOO_MUCH) if size > 1 else ("0", TOO_LITTLE)
    for run in (modbp.explain, lambda *a: modbp.chain(*a[:3]).explain(a[3])):
        with pytest.raises(
            InputError, match=f"layer '{where}' .Linear.: rule .*{told}"
        ):
            run(net, x, method, 0)
    found = modbp.explain(net.double(), x.double(), method, 0)
    unit = modbp.explain(deep(1).double(), x.double(), method, 0)
    assert relative(found / size**4, unit) < 1e-5


@SIZES
def test_a_pull_a_measure_and_an_average_do_so_too(size):
    net, x = scaled(size)
    chain, r = modbp.chain(net, x, "gradient"), torch.ones(3, 2, 6)
    assert chain.pull(r, "6", "4")["4"].isfinite().all()
    few = {"smoothgrad": "samples", "integrated-gradients": "steps"}
    calls = [
        lambda: chain.pull(r, "6"),
        lambda: chain.pull(r, "6", None),
        lambda: modbp.csc(net, x, "gradient", "6"),
        *(
            lambda name=name, count=count: modbp.explain(
                net, x, methods.get(name, **{count: 2}), 0
            )
            for name, count in few.items()
        ),
    ]
    for call in calls:
        with pytest.raises(InputError, match=TOO_MUCH if size > 1 else TOO_LITTLE):
            call()


def test_the_product_with_the_input_is_looked_at():
    chain = modbp.chain(mlp(4, 3).float(), torch.full((1, 4), 1e9), "gradient-x-input")
    with pytest.raises(InputError, match="product with the input .* NaN or infinite"):
        chain.pull(torch.full((1, 3), 1e31), "0")


def test_one_sample_out_of_range_is_enough():
    net = nn.Sequential(nn.Linear(2, 2, bias=False), nn.ReLU()).eval()
    net[0].weight.data = torch.eye(2)
    chain = modbp.chain(net, torch.ones(2, 2), methods.get("lrp-eps", epsilon=1e30))
    r = torch.tensor([[1.0, 1.0], [1e-20, 1e-20]])
    with pytest.raises(InputError, match=TOO_LITTLE):
        chain.pull(r, "0")
    assert chain.pull(r[:1].expand(2, 2), "0")["input"].gt(0).all()


def test_zeros_that_are_right_stay():
    # No unit is on; nothing speaks for a logit; nothing is asked for; a rule drops all.
    net, x = mlp(4, 6, 6, 3).float(), torch.ones(2, 4)
    net[0].weight.data = -net[0].weight.data.abs()
    for method in {*CHAINS} - {"deconv"}:  # which lets through what is off
        assert modbp.explain(net, x, method, 0).eq(0).all()
    net, x = mlp(4, 6, 6, 3).float(), torch.rand(2, 4)
    chain = modbp.chain(net, x, "gradient")
    assert chain.pull(torch.zeros(2, 3), "4")["input"].eq(0).all()
    assert modbp.explain(net, x, "rectgrad", 0).eq(0).all()
    net[4].weight.data[0] = -1
    assert modbp.explain(net, x, "lrp-a1b0", 0).eq(0).all()


@repeatable
@given(st.integers(-40, 40), st.integers(0, 1000), st.sampled_from(CHAINS))
def test_whatever_the_size_an_explanation_is_right_or_refused(power, seed, name):
    net, x = mlp(5, 6, 4, 3, seed=seed, bias=none), uniform(seed, 2, 5)
    method = methods.get(name, **({} if "deeplift" in name else {"output": "one"}))
    exact = modbp.explain(net, x, method, 0)
    for layer in net[::2]:
        layer.weight.data *= 10.0**power
    single = [parameter.clone() for parameter in net.float().parameters()]
    if not all(p.isfinite().all() for p in single):
        return
    try:
        found = modbp.explain(net, x.float(), method, 0)
    except InputError as error:
        assert "double" in str(error) or "not finite" in str(error)
        return
    assert found.isfinite().all()
    forward = modbp.chain(net, x.float(), "gradient").logits
    if forward.eq(0).any():  # the network itself has gone under
        return
    assert exact.ne(0).any() <= found.ne(0).any()


def test_patterns_out_of_range_are_not_fitted():
    net = nn.Sequential(nn.Linear(2, 2, bias=False)).eval()
    net[0].weight.data = torch.full((2, 2), 1e-40)
    x = torch.tensor([[1.0, 2.0], [3.0, 1.0], [1e10, 1.0]])
    with pytest.raises(InputError, match="layer '0': its pattern .*net.double"):
        patterns.fit(net, x, kind="linear")
    fitted = patterns.fit(net.double(), x.double(), kind="linear")
    assert fitted["0"].isfinite().all()


@pytest.mark.parametrize(
    ("rule", "beside"),
    [(rules.AlphaBeta(), -3e38), (rules.Gamma(9), -3e38), (rules.Epsilon(), 0)],
)
def test_denominators_that_overflow_in_some_units_only_are_refused(rule, beside):
    # W⁺a = 4e38 in the first unit. With −3e38 beside it z itself is in range, and some
    # processors add in an order that never leaves it.
    net = nn.Sequential(nn.Linear(3, 2, bias=False)).eval()
    net[0].weight.data = torch.tensor([[2e38, 2e38, beside], [1.0, 1.0, 1.0]])
    method = methods.Method("mine", {"linear": rule})
    x = torch.tensor([[1.0, 1.0, 1.0]])
    with pytest.raises(InputError, match=r"'0' \(Linear\).*net.double"):
        modbp.explain(net, x, method, 1)
    assert modbp.explain(net.double(), x.double(), method, 1).sum().item() == (
        pytest.approx(3)
    )


def test_two_ways_that_overflow_where_they_meet():
    def run(net, x):
        return net.up(x) + net.down(x)

    parts = {name: nn.Linear(2, 1, bias=False) for name in ("up", "down")}
    net = filled(Net(run, **parts)).float()
    for part in parts.values():
        part.weight.data = torch.full((1, 2), 3e38)
    x = torch.full((1, 2), 1e-3)
    with pytest.raises(InputError, match="'input' .* NaN or infinite.*net.double"):
        modbp.explain(net, x, "gradient", 0)
    assert modbp.explain(net.double(), x.double(), "gradient", 0).gt(3.4e38).all()


def test_patternnet_on_a_trained_resnet50_names_float64_which_helps():
    x, net = modbp.data.images(8, folder="photographs").x, models.resnet50()
    fitted = patterns.fit(net, [x])
    method = methods.get("patternnet", patterns=fitted)
    with pytest.raises(InputError, match="'layer.*rule Pattern.*" + TOO_MUCH):
        modbp.explain(net, x[:1], method, 0)
    found = modbp.explain(net.double(), x[:1].double(), method, 0)
    assert found.isfinite().all() and found.abs().max() > 3.4e38


def test_a_rule_for_pixels_behind_a_pooling_goes_without_as_told():
    net = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(1, 2, 2), nn.ReLU(), nn.Flatten(),
                        nn.Linear(8, 3))  # fmt: skip
    net, x = filled(net), uniform(1, 2, 1, 6, 6)
    for name in ("dtd", "lrp-eps-gamma-box"):
        with pytest.raises(modbp.ModbpError, match="'0' .AvgPool2d.*first=None"):
            modbp.explain(net, x, name, 0)
        found = modbp.explain(net, x, methods.get(name, first=None), 0)
        assert found.abs().max() > 0
        scaled = nn.Sequential(nn.Conv2d(1, 1, 1), *net).double().eval()
        assert modbp.explain(scaled, x, name, 0).isfinite().all()
