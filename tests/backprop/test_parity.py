"""The same answers as others give: Captum, Zennit, autograd, and loops over matrices.

Where a peer means something else, the test says what and why. Both keep denominators
away from zero by adding a constant to all of them, modbp replaces exact zeros only.
Zennit's constant can be set, Captum's 1e-9 only in its ε-rule. Of a bias, Zennit gives
b⁺ to the positive and b⁻ to the negative contributions (``bias="unit"``), and Captum
adds it as it is (``bias="denominator"``).
"""

from functools import cache

import pytest
import torch
from nets import (
    WEIGHTS,
    Zoo,
    cifar10,
    filled,
    mlp,
    none,
    normal,
    photographs,
    relative,
    uniform,
)
from torch import nn

import modbp
from modbp import methods, rules, surrogate
from modbp.zoo.vision import load_torchvision

# Zennit imports torchvision at once, and cannot beside some builds of torch.
load_torchvision()
from captum.attr import LRP, Deconvolution, GuidedBackprop  # noqa: E402
from captum.attr._utils import lrp_rules as captum  # noqa: E402
from zennit import rules as zennit  # noqa: E402
from zennit.composites import (  # noqa: E402
    EpsilonAlpha2Beta1,
    EpsilonGammaBox,
    EpsilonPlus,
    EpsilonPlusFlat,
    LayerMapComposite,
    SpecialFirstLayerMapComposite,
)
from zennit.types import Activation, Linear  # noqa: E402

SIGNS = {"non-negative": 0.0, "signed": 0.5}


@cache
def signed_and_not():
    """Return photographs with values in [0, 1], and the same around zero."""
    x, y = photographs(2)
    return torch.cat([x - shift for shift in SIGNS.values()]), y.repeat(2)


def by_zennit(net, x, composite, r):
    """Pull relevance of the logits to the input by Zennit: a composite, or one rule."""
    x = x.clone().requires_grad_()
    if isinstance(composite, zennit.BasicHook):
        composite = with_first(composite)
    with composite.context(net) as modified:
        return torch.autograd.grad(modified(x), x, r)[0]


def with_first(rule, *first):
    """Return Zennit's composite of one rule throughout, with another for pixels."""
    layers = [(Activation, zennit.Pass()), (Linear, rule)]
    if not first:
        return LayerMapComposite(layers)
    return SpecialFirstLayerMapComposite(layers, first_map=[(Linear, *first)])


def by_captum(method, net, x, y, **options):
    x = x.clone().requires_grad_()
    if method is LRP:
        return LRP(net).attribute(x, target=y, **options).detach()
    with pytest.warns(UserWarning, match="backward hooks on ReLU"):
        return method(net).attribute(x, target=y).detach()


def by_autograd(net, x, y):
    x = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(net(x).gather(1, y[:, None]).sum(), x)
    return gradient


def start(net, x, y):
    """Return the explained logit in its place."""
    logits = net(x).detach()
    target = y[:, None]
    return torch.zeros_like(logits).scatter_(1, target, logits.gather(1, target))


# The paper's network ------------------------------------------------------------------

# 1e-12 in Zennit against nothing in modbp.
PEERS = {
    "lrp-a1b0": ({}, zennit.AlphaBeta(1, 0, 1e-12)),
    "lrp-a2b1": ({}, zennit.AlphaBeta(2, 1, 1e-12)),
    "lrp-eps": ({"epsilon": 1e-3}, zennit.Epsilon(1e-3)),
}


@cache
def zennit_on_the_papers_net(name, weights):
    # Both signs at once: Zennit knows no cheap form for inputs ≥ 0.
    net, (x, y) = cifar10(weights), signed_and_not()
    return by_zennit(net, x, PEERS[name][1], start(net, x, y)).chunk(2)


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("name", PEERS)
@pytest.mark.parametrize("sign", SIGNS)
def test_lrp_is_zennits_on_the_papers_net_without_biases(name, weights, sign):
    (x, y), place = signed_and_not(), list(SIGNS).index(sign)
    x, y = x.chunk(2)[place], y.chunk(2)[place]
    method = methods.get(name, **PEERS[name][0])
    found = modbp.explain(cifar10(weights), x, method, y)
    assert relative(found, zennit_on_the_papers_net(name, weights)[place]) < 1e-9


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("sign", SIGNS)
def test_gradient_is_exactly_autograds(weights, sign):
    net, (x, y) = cifar10(weights), photographs()
    x = x - SIGNS[sign]
    found = modbp.explain(net, x, "gradient", y)
    assert torch.equal(found, by_autograd(net, x, y))
    product = modbp.explain(net, x, "gradient-x-input", y)
    assert torch.equal(product, x * by_autograd(net, x, y))


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize(
    "name, method", [("guided-bp", GuidedBackprop), ("deconv", Deconvolution)]
)
def test_rectifying_methods_are_captums(name, method, weights):
    net, (x, y) = cifar10(weights), photographs()
    found = modbp.explain(net, x, name, y)
    assert found.abs().max() > 0
    assert relative(found, by_captum(method, net, x, y)) < 1e-12


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("sign", SIGNS)
def test_without_biases_lrp_z_is_gradient_times_input_on_the_papers_net(weights, sign):
    net, (x, y) = cifar10(weights), photographs()
    x = x - SIGNS[sign]
    found = modbp.explain(net, x, "lrp-z", y)
    assert relative(found, x * by_autograd(net, x, y)) < 1e-9


def test_with_biases_lrp_z_is_gradient_times_input_if_they_keep_their_share():
    net, x, y = mlp(5, 8, 3, bias=normal), normal(1, 4, 5), torch.tensor([0, 1, 2, 0])
    product = x * by_autograd(net, x, y)
    found = modbp.explain(net, x, methods.get("lrp-z", bias="denominator"), y)
    assert relative(found, product) < 1e-12
    other = modbp.explain(net, x, methods.get("lrp-z", bias="ignore"), y)
    assert relative(other, product) > 1e-2


# Autograd, on every kind of layer -----------------------------------------------------


@pytest.mark.parametrize("draw", [uniform, normal])
def test_gradient_is_exactly_autograds_on_every_kind_of_layer(draw):
    net, x = filled(Zoo(norm=True)), draw(1, 4, 2, 6, 6)
    y = torch.tensor([0, 1, 4, 4])
    wanted = by_autograd(net, x, y)
    # Batch norm is one product here and two in torch, so its last bits differ.
    assert relative(modbp.explain(net, x, "gradient", y), wanted) < 1e-14
    net = filled(Zoo())
    found = modbp.explain(net, x, "gradient", y)
    assert torch.equal(found, by_autograd(net, x, y))


def test_guided_backprop_is_captums_on_every_kind_of_layer():
    net, x, y = filled(Zoo(norm=True)), normal(1, 3, 2, 6, 6), torch.tensor([0, 1, 4])
    wanted = by_captum(GuidedBackprop, net, x, y)
    assert relative(modbp.explain(net, x, "guided-bp", y), wanted) < 1e-12


# Biases, where the conventions part ---------------------------------------------------

DENSE = (6, 8, 7, 3)


@pytest.mark.parametrize("draw", [uniform, normal])
@pytest.mark.parametrize("beta", [0, 1])
def test_zennit_splits_the_bias_by_sign(draw, beta):
    net, x, y = mlp(*DENSE, bias=normal), draw(1, 4, 6), torch.tensor([0, 1, 2, 0])
    rule = zennit.AlphaBeta(1 + beta, beta, 1e-12)
    wanted = by_zennit(net, x, rule, start(net, x, y))
    name = f"lrp-a{1 + beta}b{beta}"
    found = modbp.explain(net, x, methods.get(name, bias="unit"), y)
    assert relative(found, wanted) < 1e-8
    other = modbp.explain(net, x, methods.get(name, bias="denominator"), y)
    assert relative(other, wanted) > 1e-2


@pytest.mark.parametrize("beta", [0, 1])
def test_zennit_without_biases_in_its_rule_is_ignoring_them(beta):
    net, x, y = mlp(*DENSE, bias=normal), normal(1, 4, 6), torch.tensor([0, 1, 2, 0])
    rule = zennit.AlphaBeta(1 + beta, beta, 1e-12, zero_params="bias")
    wanted = by_zennit(net, x, rule, start(net, x, y))
    name = f"lrp-a{1 + beta}b{beta}"
    found = modbp.explain(net, x, methods.get(name, bias="ignore"), y)
    assert relative(found, wanted) < 1e-8


@pytest.mark.parametrize("draw", [uniform, normal])
def test_all_agree_on_the_bias_in_the_epsilon_rule(draw):
    net, x, y = mlp(*DENSE, bias=normal), draw(1, 4, 6), torch.tensor([0, 1, 2, 0])
    found = modbp.explain(net, x, methods.get("lrp-eps", epsilon=0.1), y)
    wanted = by_zennit(net, x, zennit.Epsilon(0.1), start(net, x, y))
    assert relative(found, wanted) < 1e-12
    for layer in net:
        layer.rule = captum.EpsilonRule(0.1)
    assert relative(found, by_captum(LRP, net, x, y)) < 1e-12


def captums_z_plus(net, x, y):
    for layer in net:
        if isinstance(layer, nn.Linear):
            layer.rule = captum.Alpha1_Beta0_Rule()
    return by_captum(LRP, net, x, y)


def test_captum_adds_the_bias_as_it_is_to_the_positive_contributions():
    net, x, y = mlp(*DENSE, bias=normal), uniform(1, 4, 6), torch.tensor([0, 1, 2, 0])
    wanted = captums_z_plus(net, x, y)
    found = modbp.explain(net, x, methods.get("lrp-a1b0", bias="denominator"), y)
    # Not closer: Captum adds 1e-9 to every denominator, with no option.
    assert relative(found, wanted) < 1e-6
    other = modbp.explain(net, x, methods.get("lrp-a1b0", bias="unit"), y)
    assert relative(other, wanted) > 1e-2


def test_captum_sorts_weights_by_sign_and_not_contributions():
    net, y = mlp(*DENSE), torch.tensor([0, 1, 2, 0])
    for draw, low, high in [(uniform, 0, 1e-6), (normal, 1e-2, 1e9)]:
        x = draw(1, 4, 6)
        found = modbp.explain(net, x, "lrp-a1b0", y)
        assert low <= relative(found, captums_z_plus(net, x, y)) < high


# Rules and composites with Zennit's own constants, in one preset ----------------------

NONE = 1e-12  # Zennit's stabilizer, where modbp has none.
PRESET = {
    "lrp-z": zennit.Epsilon(0),
    "lrp-eps": zennit.Epsilon(),
    "lrp-gamma": zennit.Gamma(),
    "lrp-a1b0": zennit.ZPlus(),
    "lrp-a2b1": zennit.AlphaBeta(2, 1),
    "lrp-eps-plus": EpsilonPlus(),
    "lrp-cmp-a2b1": EpsilonAlpha2Beta1(),
}
PIXELS = {
    "box": (rules.Box(-1, 1), zennit.ZBox(-1, 1, NONE)),
    "wsquare": ("wsquare", zennit.WSquare(NONE, zero_params="bias")),
    "flat": ("flat", zennit.Flat(NONE)),
}
BIASES = pytest.mark.parametrize("bias", [none, normal], ids=["no bias", "bias"])


def small_conv(bias):
    """Return convolutions and dense layers, for ``[N, 2, 6, 6]``."""
    net = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 2, stride=2, padding=1, groups=2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(24, 8),
        nn.ReLU(),
        nn.Linear(8, 4),
    )
    return filled(net, seed=0, bias=bias)


def of_both_signs(bias):
    """Return a network, pixels in [−1, 1], and the logits, negative ones among them."""
    net, x = small_conv(bias), normal(1, 8, 2, 6, 6).clamp(-1, 1)
    logits = net(x)
    y = torch.cat([logits[:4].argmax(1), logits[4:].argmin(1)])
    r = start(net, x, y)
    assert (r < 0).any(1).sum() > 1 and (r > 0).any(1).sum() > 1
    return net, x, y, r


@BIASES
@pytest.mark.parametrize("name", PRESET)
def test_the_preset_is_zennits_with_its_own_constants(name, bias):
    net, x, y, r = of_both_signs(bias)
    found = modbp.explain(net, x, methods.get(name, preset="zennit"), y)
    assert relative(found, by_zennit(net, x, PRESET[name], r)) < 1e-9


@BIASES
@pytest.mark.parametrize("first", PIXELS)
def test_rules_for_pixels_are_zennits(first, bias):
    net, x, y, r = of_both_signs(bias)
    own, theirs = PIXELS[first]
    method = methods.get("lrp-gamma", preset="zennit", first=own)
    wanted = by_zennit(net, x, with_first(zennit.Gamma(), theirs), r)
    assert relative(modbp.explain(net, x, method, y), wanted) < 1e-9


@BIASES
def test_the_composite_with_a_box_is_zennits(bias):
    net, x, y, r = of_both_signs(bias)
    options = {"first": rules.Box(-1, 1), "stabilizer": 0}
    method = methods.get("lrp-eps-gamma-box", preset="zennit", **options)
    wanted = by_zennit(net, x, EpsilonGammaBox(-1, 1, stabilizer=NONE), r)
    assert relative(modbp.explain(net, x, method, y), wanted) < 1e-9


GAMMA = zennit.Gamma(stabilizer=NONE)
ON_THE_PAPERS_NET = {
    "lrp-gamma": (None, with_first(GAMMA)),
    "lrp-gamma and box": (rules.Box(0, 1), with_first(GAMMA, zennit.ZBox(0, 1, NONE))),
    "lrp-gamma and wsquare": ("wsquare", with_first(GAMMA, zennit.WSquare(NONE))),
    "lrp-gamma and flat": ("flat", with_first(GAMMA, zennit.Flat(NONE))),
    "lrp-eps-plus": (None, EpsilonPlus(stabilizer=NONE)),
    "lrp-eps-plus and flat": ("flat", EpsilonPlusFlat(stabilizer=NONE)),
    "lrp-eps-gamma-box": ("box", EpsilonGammaBox(0, 1, stabilizer=NONE)),
}


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("name", ON_THE_PAPERS_NET)
def test_gamma_and_composites_are_zennits_on_the_papers_net(name, weights):
    net, (x, y) = cifar10(weights), photographs(2)
    first, composite = ON_THE_PAPERS_NET[name]
    method = methods.get(name.split(" and ")[0], first=first)
    wanted = by_zennit(net, x, composite, start(net, x, y))
    assert relative(modbp.explain(net, x, method, y), wanted) < 1e-9


@pytest.mark.parametrize("draw", [uniform, normal])
def test_captums_gamma_sorts_weights_by_sign_and_not_contributions(draw):
    net, x, y = mlp(*DENSE, bias=normal), draw(1, 4, 6), torch.tensor([0, 1, 2, 0])
    for layer in net:
        if isinstance(layer, nn.Linear):
            layer.rule = captum.GammaRule(0.25)
    wanted = by_captum(LRP, net, x, y)
    found = modbp.explain(net, x, methods.get("lrp-gamma", preset="captum"), y)
    assert relative(found, wanted) < 1e-6
    split = modbp.explain(net, x, "lrp-gamma", y)
    assert relative(split, wanted) > 1e-2  # by negative logits alone, for inputs ≥ 0


# The γ-rule of the surrogate, which is written in numpy alone -------------------------


@pytest.mark.parametrize("bias", [none, normal], ids=["no bias", "bias"])
@pytest.mark.parametrize("gamma", [0.1, 0.25, 1, 10])
@pytest.mark.parametrize("split", [True, False])
def test_the_matrices_of_lrp_gamma_are_the_surrogates(gamma, split, bias):
    net, x = mlp(5, 9, 7, 4, seed=2, bias=bias), uniform(3, 3, 5)
    options = {"bias": "unit", "gamma": gamma, "split": split}
    chain = modbp.chain(net, x, methods.get("lrp-gamma", **options))
    linear = [layer for layer in net if isinstance(layer, nn.Linear)]
    weights = [layer.weight.detach().numpy() for layer in linear]
    biases = [layer.bias.detach().numpy() for layer in linear]
    for sample in range(3):
        wanted = surrogate.gamma_backward(
            weights, x[sample].numpy(), gamma, biases, relu=True, split=split
        )
        for place, matrix in enumerate(wanted):
            found = chain.matrix(str(2 * place), sample)
            # The surrogate has no column for units that are off.
            lit = chain.output(str(2 * place))[sample] > 0
            lit = lit if place < 2 else torch.ones_like(lit)
            assert relative(found * lit, torch.from_numpy(matrix)) < 1e-10


# A dense reference, written out -------------------------------------------------------


def dense(layer, shape):
    """Return the matrix of a linear layer as lists, one output at a time."""
    size = torch.Size(shape).numel()
    probes = torch.eye(size, dtype=torch.float64).reshape(size, *shape)
    with torch.no_grad():
        return layer(probes).flatten(1).T.tolist()


def z_plus(matrix, a, r):
    """Share each output's relevance among its positive contributions, one by one."""
    r_in = [0.0] * len(a)
    for weights, relevance in zip(matrix, r, strict=True):
        gains = [max(w * value, 0.0) for w, value in zip(weights, a, strict=True)]
        total = sum(gains)
        for place, gain in enumerate(gains):
            if gain > 0:
                r_in[place] += gain / total * relevance
    return r_in


def winners(windows, a, r):
    """Give each window's relevance to its first largest entry."""
    r_in = [0.0] * len(a)
    for window, relevance in zip(windows, r, strict=True):
        r_in[max(window, key=lambda place: a[place])] += relevance
    return r_in


def test_z_plus_is_a_loop_over_contributions():
    net = nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(3, 4, 2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(4, 3),
    )
    net, x = filled(net, bias=none), uniform(1, 1, 2, 4, 4)
    with torch.no_grad():
        first = net[:2](x)
        second = net[2](first)
        third = net[3:5](second)
        logits = net(x)
    r = [0.0, 0.0, logits[0, 2].item()]
    r = z_plus(dense(net[6], (4,)), third.flatten().tolist(), r)
    r = z_plus(dense(net[3], (3, 2, 2)), second.flatten().tolist(), r)
    windows = [
        [16 * c + 4 * (2 * i + u) + 2 * j + v for u in (0, 1) for v in (0, 1)]
        for c in range(3)
        for i in range(2)
        for j in range(2)
    ]
    r = winners(windows, first.flatten().tolist(), r)
    r = z_plus(dense(net[0], (2, 4, 4)), x.flatten().tolist(), r)
    wanted = torch.tensor(r, dtype=torch.float64).reshape(x.shape)
    assert wanted.abs().sum() > 0.1
    assert relative(modbp.explain(net, x, "lrp-a1b0", 2), wanted) < 1e-12
