"""The same answers as others give: Captum, Zennit, autograd, and loops over matrices.

Where a peer means something else, the test says what and why. Both keep denominators
away from zero by adding a constant to all of them, modbp replaces exact zeros only.
Zennit's constant can be set, Captum's 1e-9 only in its ε-rule. Of a bias, Zennit gives
b⁺ to the positive and b⁻ to the negative contributions (``bias="unit"``), and Captum
adds it as it is (``bias="denominator"``).
"""

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
from peers import by_captum
from torch import nn

import modbp
from modbp import methods, rules, surrogate
from modbp.zoo.vision import load_torchvision

# Zennit imports torchvision at once, and cannot beside some builds of torch.
load_torchvision()
from captum.attr import LRP  # noqa: E402
from captum.attr._utils import lrp_rules as captum  # noqa: E402
from zennit import composites  # noqa: E402
from zennit import rules as zennit  # noqa: E402
from zennit.types import Activation, Linear  # noqa: E402

NONE = 1e-12  # Zennit's stabilizer, where modbp has none.
BIASES = pytest.mark.parametrize("bias", [none, normal], ids=["no bias", "bias"])


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
        return composites.LayerMapComposite(layers)
    special = composites.SpecialFirstLayerMapComposite
    return special(layers, first_map=[(Linear, *first)])


def by_autograd(net, x, y):
    x = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(net(x).gather(1, y[:, None]).sum(), x)
    return gradient


def start(net, x, y):
    """Return the explained logit in its place."""
    logits = net(x).detach()
    return logits * nn.functional.one_hot(y, logits.shape[1])


# The paper's network ------------------------------------------------------------------

GAMMA = zennit.Gamma(stabilizer=NONE)
# Zennit's composite or rule for a method, maybe with another rule for pixels.
PEERS = {
    "lrp-a1b0": zennit.AlphaBeta(1, 0, NONE),
    "lrp-a2b1": zennit.AlphaBeta(2, 1, NONE),
    "lrp-eps": zennit.Epsilon(1e-3),
    "lrp-gamma": GAMMA,
    "lrp-gamma and box": with_first(GAMMA, zennit.ZBox(0, 1, NONE)),
    "lrp-gamma and wsquare": with_first(GAMMA, zennit.WSquare(NONE)),
    "lrp-gamma and flat": with_first(GAMMA, zennit.Flat(NONE)),
    "lrp-eps-plus": composites.EpsilonPlus(stabilizer=NONE),
    "lrp-eps-plus and flat": composites.EpsilonPlusFlat(stabilizer=NONE),
    "lrp-eps-gamma-box": composites.EpsilonGammaBox(0, 1, stabilizer=NONE),
}
SIGNED = ("lrp-a1b0", "lrp-a2b1", "lrp-eps")  # compared for signed inputs as well


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("name", PEERS)
def test_lrp_is_zennits_on_the_papers_net_without_biases(name, weights):
    net, (x, y) = cifar10(weights), photographs(2)
    peer, (name, _, first) = PEERS[name], name.partition(" and ")
    options = {"first": first} if first else {}
    options |= {"epsilon": 1e-3} if name == "lrp-eps" else {}
    method = methods.get(name, **options)
    for image in [x, x - 0.5] if name in SIGNED else [x]:
        wanted = by_zennit(net, image, peer, start(net, image, y))
        assert relative(modbp.explain(net, image, method, y), wanted) < 1e-9


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("shift", [0, 0.5], ids=["non-negative", "signed"])
def test_gradient_is_exactly_autograds_and_lrp_z_its_product_with_x(weights, shift):
    net, (x, y) = cifar10(weights), photographs()
    x = x - shift
    wanted = by_autograd(net, x, y)
    assert torch.equal(modbp.explain(net, x, "gradient", y), wanted)
    assert torch.equal(modbp.explain(net, x, "gradient-x-input", y), x * wanted)
    assert relative(modbp.explain(net, x, "lrp-z", y), x * wanted) < 1e-9


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("name", ["guided-bp", "deconv"])
def test_rectifying_methods_are_captums(name, weights):
    net, (x, y) = cifar10(weights), photographs()
    found = modbp.explain(net, x, name, y)
    assert found.abs().max() > 0
    assert relative(found, by_captum(name, net, x, y)) < 1e-12


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
    wanted = by_captum("guided-bp", net, x, y)
    assert relative(modbp.explain(net, x, "guided-bp", y), wanted) < 1e-12


# Biases, where the conventions part ---------------------------------------------------

DENSE = (6, 8, 7, 3)


@pytest.mark.parametrize("draw", [uniform, normal])
@pytest.mark.parametrize("beta", [0, 1])
def test_zennit_splits_the_bias_by_sign_or_leaves_it_out(draw, beta):
    net, x, y = mlp(*DENSE, bias=normal), draw(1, 4, 6), torch.tensor([0, 1, 2, 0])
    rule, name = (1 + beta, beta, NONE), f"lrp-a{1 + beta}b{beta}"
    for bias, left_out in ("unit", ()), ("ignore", "bias"):
        peer = zennit.AlphaBeta(*rule, zero_params=left_out)
        wanted = by_zennit(net, x, peer, start(net, x, y))
        found = modbp.explain(net, x, methods.get(name, bias=bias), y)
        assert relative(found, wanted) < 1e-8
        other = modbp.explain(net, x, methods.get(name, bias="denominator"), y)
        assert relative(other, wanted) > 1e-2


@pytest.mark.parametrize("draw", [uniform, normal])
def test_all_agree_on_the_bias_in_the_epsilon_rule(draw):
    net, x, y = mlp(*DENSE, bias=normal), draw(1, 4, 6), torch.tensor([0, 1, 2, 0])
    found = modbp.explain(net, x, methods.get("lrp-eps", epsilon=0.1), y)
    wanted = by_zennit(net, x, zennit.Epsilon(0.1), start(net, x, y))
    assert relative(found, wanted) < 1e-12
    wanted = by_captums_lrp(net, x, y, lambda: captum.EpsilonRule(0.1))
    assert relative(found, wanted) < 1e-12


def by_captums_lrp(net, x, y, rule=captum.Alpha1_Beta0_Rule):
    """Explain by Captum, with one rule for linear layers."""
    for layer in net:
        if isinstance(layer, nn.Linear):
            layer.rule = rule()
    return LRP(net).attribute(x.clone().requires_grad_(), target=y).detach()


def test_captum_adds_the_bias_as_it_is_to_the_positive_contributions():
    net, x, y = mlp(*DENSE, bias=normal), uniform(1, 4, 6), torch.tensor([0, 1, 2, 0])
    wanted = by_captums_lrp(net, x, y)
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
        assert low <= relative(found, by_captums_lrp(net, x, y)) < high


# Rules and composites with Zennit's own constants, in one preset ----------------------

PRESET = {
    "lrp-z": zennit.Epsilon(0), "lrp-eps": zennit.Epsilon(),
    "lrp-gamma": zennit.Gamma(), "lrp-a1b0": zennit.ZPlus(),
    "lrp-a2b1": zennit.AlphaBeta(2, 1), "lrp-eps-plus": composites.EpsilonPlus(),
    "lrp-cmp-a2b1": composites.EpsilonAlpha2Beta1(),
}  # fmt: skip
PIXELS = {
    "box": (rules.Box(-1, 1), zennit.ZBox(-1, 1, NONE)),
    "wsquare": ("wsquare", zennit.WSquare(NONE, zero_params="bias")),
    "flat": ("flat", zennit.Flat(NONE)),
}


def small_conv(bias):
    """Return convolutions and dense layers, for ``[N, 2, 6, 6]``."""
    grouped = nn.Conv2d(4, 6, 2, stride=2, padding=1, groups=2)
    parts = nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), grouped
    top = nn.ReLU(), nn.Flatten(), nn.Linear(24, 8), nn.ReLU(), nn.Linear(8, 4)
    return filled(nn.Sequential(*parts, *top), seed=0, bias=bias)


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
    wanted = by_zennit(net, x, composites.EpsilonGammaBox(-1, 1, stabilizer=NONE), r)
    assert relative(modbp.explain(net, x, method, y), wanted) < 1e-9


@pytest.mark.parametrize("draw", [uniform, normal])
def test_captums_gamma_sorts_weights_by_sign_and_not_contributions(draw):
    net, x, y = mlp(*DENSE, bias=normal), draw(1, 4, 6), torch.tensor([0, 1, 2, 0])
    wanted = by_captums_lrp(net, x, y, lambda: captum.GammaRule(0.25))
    found = modbp.explain(net, x, methods.get("lrp-gamma", preset="captum"), y)
    assert relative(found, wanted) < 1e-6
    split = modbp.explain(net, x, "lrp-gamma", y)
    assert relative(split, wanted) > 1e-2  # by negative logits alone, for inputs ≥ 0


# The γ-rule of the surrogate, which is written in numpy alone -------------------------


@BIASES
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
    parts = (
        nn.Conv2d(2, 3, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(3, 4, 2),
    )
    net = nn.Sequential(*parts, nn.ReLU(), nn.Flatten(), nn.Linear(4, 3))
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
