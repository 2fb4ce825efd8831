"""Multiply-adds, counted: each method at its floor, the forward pass only once.

The unit is the plain gradient: one forward and one backward to the input by autograd.
"""

import pytest
from nets import normal, photographs
from torch.utils.flop_counter import FlopCounterMode

import modbp
from modbp import methods

# One product per layer and pass: Wa up and Wᵀr down make 1. z⁺ also needs W⁺a for its
# denominator, as γ does behind ReLUs; αβ needs W⁺a and W⁻a, whose sum is Wa, and both
# transposes. Composites count dense layers, 10 % here, as 1.
FLOORS = {
    "gradient": 1.0,
    "gradient-x-input": 1.0,
    "smoothgrad": 50.0,
    "integrated-gradients": 50.0,
    "guided-bp": 1.0,
    "deconv": 1.0,
    "rectgrad": 1.0,
    "lrp-z": 1.0,
    "lrp-eps": 1.0,
    "lrp-a1b0": 1.5,
    "excitation-bp": 1.5,
    "lrp-a2b1": 2.0,
    "lrp-a5b4": 2.0,
    "lrp-gamma": 1.5,
    "dtd": 1.5,
    "contrastive-lrp": 1.5,
    "lrp-cmp-a1b0": 1.45,
    "lrp-cmp-a2b1": 1.90,
    "lrp-eps-plus": 1.45,
    "lrp-eps-gamma-box": 1.45,
    # On two images, which share one forward pass of the reference: 0.5/2.
    "deeplift-rescale": 1.0 + 0.25,
    # W⁺ and Wᵀ down, the second for units that did not change.
    "deeplift-ablation": 1.5 + 0.25,
    # W⁺ and W⁻ on both signs up, which is the forward pass too; W and |W| down.
    "deeplift-revealcancel": 3.0 + 0.25,
}

# One rule for all layers with weights, whichever their share of the products.
SINGLE_RULE = ["guided-bp", "rectgrad", "lrp-eps", "lrp-a1b0", "excitation-bp"]
SINGLE_RULE += ["lrp-a2b1", "lrp-gamma", "dtd", "deeplift-rescale"]


@pytest.fixture(scope="module")
def net():
    return modbp.models.cifar10(None).requires_grad_(False)


@pytest.fixture(scope="module")
def x():
    return photographs(2)[0].float()


def multiply_adds(action):
    with FlopCounterMode(display=False) as counter:
        action()
    return counter.get_total_flops() / 2


def gradient(net, x):
    net(x.clone().requires_grad_())[:, 0].sum().backward()


def test_the_unit_is_twice_the_forward_pass(net, x):
    # Each image: 3·32·9·32² + 32·64·9·32² + 64·128·9·16² + 128·128·9·16² in the
    # convolutions, 8192·1024 + 1024·10 in the dense layers, and the same backwards.
    forward = 884_736 + 18_874_368 + 18_874_368 + 37_748_736 + 8_388_608 + 10_240
    assert multiply_adds(lambda: net(x)) == 2 * forward
    assert multiply_adds(lambda: gradient(net, x)) == 2 * 2 * forward


def test_every_method_has_a_floor():
    patterns = {"patternnet", "patternattribution"}
    assert set(FLOORS) | patterns == set(methods.names())


def look(net, x):
    """What the look at the model costs: one forward of one sample, exactly."""
    return multiply_adds(lambda: net(x[:1]))


def in_gradients(net, x, method):
    """What an explanation costs, in units of the plain gradient, without that look."""
    unit = multiply_adds(lambda: gradient(net, x))
    whole = multiply_adds(lambda: modbp.explain(net, x, method, 0))
    return (whole - look(net, x)) / unit


@pytest.mark.parametrize("samples", [2, pytest.param(5, marks=pytest.mark.long)])
def test_the_look_at_the_model_is_one_forward_of_one_sample(samples, net):
    x = photographs(samples)[0].float()
    whole = multiply_adds(lambda: modbp.explain(net, x, "gradient", 0))
    assert whole - multiply_adds(lambda: gradient(net, x)) == look(net, x)
    # Once for a trace, however often it runs: 50 gradients, and a forward for classes.
    unit = multiply_adds(lambda: gradient(net, x))
    whole = multiply_adds(lambda: modbp.explain(net, x, "smoothgrad", 0))
    assert whole - look(net, x) == 50 * unit + unit / 2


@pytest.mark.parametrize("name", FLOORS)
def test_an_explanation_costs_its_floor(name, net, x):
    assert in_gradients(net, x, name) == pytest.approx(FLOORS[name], rel=0.02)


@pytest.mark.long
@pytest.mark.parametrize("name", SINGLE_RULE)
def test_an_explanation_costs_its_floor_on_vgg16(name, x):
    deep = modbp.models.build("vgg16").requires_grad_(False)
    assert in_gradients(deep, x, name) == pytest.approx(FLOORS[name], rel=0.02)


@pytest.mark.parametrize("name", ["patternnet", "patternattribution"])
def test_an_explanation_by_patterns_costs_a_gradient(name, net, x):
    method = methods.get(name, patterns=modbp.patterns.fit(net, [x]))
    assert in_gradients(net, x, method) == 1


def test_gamma_favours_the_negative_only_where_relevance_asks_for_it(net, x):
    # Relevance at a logit below zero: another product and another transpose there.
    chain = modbp.chain(net, x, "lrp-gamma")
    z = chain.output("fc6")
    one = multiply_adds(lambda: chain.pull(z.clamp(min=0), "fc6"))
    assert (z < 0).any()
    assert multiply_adds(lambda: chain.pull(z, "fc6")) - one == 2 * 2 * 10_240
    # The product is kept for the next time.
    assert multiply_adds(lambda: chain.pull(z, "fc6")) - one == 2 * 10_240


@pytest.mark.parametrize("name", ["lrp-a1b0", "lrp-a2b1", "lrp-gamma"])
def test_inputs_of_either_sign_cost_more_in_the_first_layer_only(name, net, x):
    # Products with a⁺ and with a⁻ there, which is 1 % of the network.
    assert FLOORS[name] < in_gradients(net, x - 0.5, name) < FLOORS[name] * 1.02


@pytest.mark.parametrize("name", ["gradient", "lrp-z", "lrp-a1b0", "lrp-a2b1"])
def test_the_forward_runs_once_however_many_relevances_are_pulled(name, net, x):
    unit = multiply_adds(lambda: gradient(net, x))
    chains = []
    recording = multiply_adds(lambda: chains.append(modbp.chain(net, x, name)))
    recording -= look(net, x)
    (chain,) = chains

    def pulling(k):
        return multiply_adds(lambda: chain.pull(normal(0, k, 2, 10).float(), "fc6"))

    # Wᵀr for every relevance: half a unit; αβ pulls both halves back.
    backward = unit if name == "lrp-a2b1" else unit / 2
    assert [pulling(k) for k in (1, 3, 8)] == [backward, 3 * backward, 8 * backward]
    assert recording / unit == pytest.approx(FLOORS[name] - backward / unit)


def test_only_the_layers_between_start_and_end_are_computed(net, x):
    chain = modbp.chain(net, x, "gradient")
    r = normal(0, 2, 128, 16, 16).float()
    cost = multiply_adds(lambda: chain.pull(r, "relu4", to="relu3"))
    # conv4 alone: 128·128·9·16² for each of the two images.
    assert cost == 2 * 37_748_736


def test_reading_more_layers_on_the_way_costs_nothing(net, x):
    chain = modbp.chain(net, x, "lrp-a1b0")
    r = normal(0, 2, 10).float()
    one = multiply_adds(lambda: chain.pull(r, "fc6", to="input"))
    assert multiply_adds(lambda: chain.pull(r, "fc6", to=chain.layers)) == one
