"""DeepLIFT: by hand, beside Captum, and by what contributions must sum to."""

import warnings
from dataclasses import replace

import pytest
import torch
from nets import (
    BEST,
    WEIGHTS,
    Only,
    Zoo,
    call,
    cifar10,
    filled,
    fingerprint,
    mlp,
    none,
    normal,
    photographs,
    relative,
    spelled,
    uniform,
    zoo,
)
from nets import Modules as Branching
from torch import nn

import modbp
from modbp import deeplift, methods, rules
from modbp.backprop.methods import Method
from modbp.errors import InputError, MethodError
from modbp.zoo.vision import load_torchvision

vision = load_torchvision()
from captum.attr import DeepLift  # noqa: E402

NAMES = [name for name in methods.names() if name.startswith("deeplift")]
SUMMING = ["deeplift-rescale", "deeplift-revealcancel"]


def linear(weight, bias=None):
    """Return a linear layer with given numbers."""
    weight = torch.tensor(weight, dtype=torch.float64)
    layer = nn.Linear(weight.shape[1], len(weight), bias is not None)
    layer.weight.data = weight
    if bias is not None:
        layer.bias.data = torch.tensor(bias, dtype=torch.float64)
    return layer


def row(*values):
    return torch.tensor([values], dtype=torch.float64)


# By hand ------------------------------------------------------------------------------


def smaller():
    """Two hidden units: relu(x₁) − relu(x₁ − x₂), which is min(x₁, x₂) for x₁ > 0."""
    first, last = linear([[1, 0], [1, -1]]), linear([[1, -1]])
    return nn.Sequential(first, nn.ReLU(), last).eval()


def test_rescale_on_two_units_by_hand():
    # At x = (2, 1), from 0: z = (2, 1), both slopes 2/2 = 1/1 = 1, so the multipliers
    # are 1 − 1 = 0 for x₁ and 1 for x₂: the minimum is said to be all due to x₂.
    found = modbp.explain(smaller(), row(2, 1), "deeplift-rescale", 0)
    assert found.tolist() == [[0, 1]]


def test_revealcancel_on_two_units_by_hand():
    # z₂ = x₁ − x₂ has Δ⁺ = 2 and Δ⁻ = −1. With f = relu and a reference of 0:
    #   out⁺ = ½[f(2) − f(0) + f(1) − f(−1)] = ½[2 + 1] = 3/2
    #   out⁻ = ½[f(−1) − f(0) + f(1) − f(2)] = ½[0 − 1] = −1/2.
    # From above it gets −1, so m⁺ = −(3/2)/2 = −3/4 and m⁻ = −(−1/2)/(−1) = −1/2.
    # z₁ = x₁ has m⁺ = 1. Hence x₁ has 1 − 3/4 = 1/4, by Δ = 2 is 1/2, and x₂, whose
    # weight is negative, has −1 · m⁻ = 1/2. Both are due one half of the minimum.
    found = modbp.explain(smaller(), row(2, 1), "deeplift-revealcancel", 0)
    assert found.tolist() == [[1 / 2, 1 / 2]]


def test_revealcancel_with_a_reference_that_is_on_by_hand():
    # z = 2x₁ − 3x₂ + 1/2 at (1, 1) from (0, 0): z0 = 1/2, Δ⁺ = 2, Δ⁻ = −3.
    #   out⁺ = ½[f(5/2) − f(1/2) + f(−1/2) − f(−5/2)] = ½[2 + 0] = 1
    #   out⁻ = ½[f(−5/2) − f(1/2) + f(−1/2) − f(5/2)] = ½[−1/2 − 5/2] = −3/2.
    net = nn.Sequential(linear([[2, -3]], [1 / 2]), nn.ReLU()).eval()
    found = modbp.explain(net, row(1, 1), "deeplift-revealcancel", 0)
    torch.testing.assert_close(found, row(1, -3 / 2), rtol=1e-15, atol=0)


def test_the_ablation_on_two_units_by_hand():
    # Of the multipliers 1, −1 at the top only W⁺ is kept: (1, 0), and below (1, 0).
    found = modbp.explain(smaller(), row(2, 1), "deeplift-ablation", 0)
    assert found.tolist() == [[2, 0]]


@pytest.mark.parametrize("size", [1e-30, 1, 1e30])
def test_a_small_difference_takes_the_derivative_at_the_reference(size):
    # Small beside the unit itself; of the third it is all there is, and the quotient 1.
    # Of the last one 3/4 of the way is above the kink.
    net = nn.Sequential(nn.Dropout(), nn.ReLU()).eval()
    reference = size * row(1, -1, 0, -1e-8)
    step = size * row(5e-8, 5e-8, 5e-8, 4e-8)
    method = methods.get("deeplift-rescale", reference=reference, readout="multiplier")
    chain = modbp.chain(net, reference + step, method)
    found = chain.pull(row(1, 1, 1, 1), "1")["input"]
    assert found.tolist() == [pytest.approx([1, 0, 1, 0.75])]


def test_smooth_functions_take_the_derivative_before_the_quotient_is_rounding():
    class Square:  # a layer with a slope of its own everywhere
        forward, slope = torch.square, staticmethod(lambda a: 2 * a)

    entry = call(nn.ReLU(), row(1, 1))
    layer = replace(entry.layer, forward=Square.forward, slope=Square.slope)
    reference, delta = row(1, 3), row(1e-12, 1)
    pair = deeplift.Pair(reference + delta, reference, (delta,))
    (found,) = deeplift.Rescale()(replace(entry, layer=layer), pair)[1](row(1, 1))
    assert found.tolist() == [[2, 7]]


# Each rule against its equation, written out ------------------------------------------


def case(layer, *shape, count=2):
    """Return a call and a pair with differences of both signs, some exactly zero."""
    a = normal(5, 3, *shape)
    a0 = torch.where(uniform(6, 3, *shape) < 0.3, a, normal(7, 3, *shape))
    frame = deeplift.Differences(a0, count)
    return call(layer, a), frame.begin(a)


LINEAR = {
    "dense": (nn.Linear(4, 5), (4,)),
    "conv": (nn.Conv2d(2, 3, 3, padding=1), (2, 4, 4)),
}


@torch.no_grad()
@pytest.mark.parametrize("kind", LINEAR)
def test_parts_and_multipliers_of_linear_layers_are_those_of_the_equation(kind):
    layer, shape = LINEAR[kind]
    entry, pair = case(filled(layer), *shape)
    up, back = deeplift.BySign()(entry, pair)
    weight, delta = entry.layer.weight, pair.value - pair.reference
    P, N = weight.clamp(min=0), weight.clamp(max=0)
    gain, loss = delta.clamp(min=0), delta.clamp(max=0)
    apply, transpose = entry.layer.linear, entry.layer.adjoint
    assert relative(up.parts[0], apply(gain, P) + apply(loss, N)) < 1e-14
    assert relative(up.parts[1], apply(gain, N) + apply(loss, P)) < 1e-14
    assert relative(up.value, layer(pair.value)) < 1e-13
    m = normal(8, 2, *up.value.shape)
    (plus, minus), size = m, pair.value.shape
    rises = transpose(plus, P, size) + transpose(minus, N, size)
    falls = transpose(plus, N, size) + transpose(minus, P, size)
    still = transpose(plus + minus, weight, size) / 2
    wanted = torch.where(delta > 0, rises, torch.where(delta < 0, falls, still))
    (found,) = back(m)
    assert (delta == 0).any() and (delta > 0).any() and (delta < 0).any()
    for part in found:
        assert relative(part, wanted) < 1e-13


@torch.no_grad()
@pytest.mark.parametrize("kind", LINEAR)
def test_the_ablation_drops_negative_weights_where_something_changed(kind):
    layer, shape = LINEAR[kind]
    entry, pair = case(filled(layer), *shape, count=1)
    up, back = deeplift.Ablated()(entry, pair)
    m, weight = normal(8, 1, *up.value.shape), entry.layer.weight
    whole, kept = (
        entry.layer.adjoint(m[0], w, pair.value.shape)
        for w in (weight, weight.clamp(min=0))
    )
    wanted = torch.where(pair.value == pair.reference, whole, kept)
    assert relative(back(m)[0][0], wanted) < 1e-14


def test_a_negative_scale_of_a_batch_norm_exchanges_the_parts():
    norm = filled(nn.BatchNorm1d(4))
    norm.running_mean, norm.running_var = normal(1, 4), uniform(2, 4) + 0.5
    first, x = filled(nn.Linear(3, 4)), normal(3, 5, 3)
    scale = (norm.weight / (norm.running_var + norm.eps).sqrt()).detach()
    assert (scale < 0).any() and (scale > 0).any()
    folded = nn.Linear(3, 4).double()
    folded.weight.data = scale[:, None] * first.weight.data
    folded.bias.data = norm(first(torch.zeros(2, 3).double()))[0].detach()
    last, chains = filled(nn.Linear(4, 2), seed=4), []
    for head in ([first, norm], [folded]):
        net = nn.Sequential(*head, nn.ReLU(), last).eval()
        chains.append(modbp.explain(net, x, "deeplift-revealcancel", 1))
    assert relative(*chains) < 1e-13


@pytest.mark.parametrize("name", SUMMING)
def test_an_addition_is_a_linear_layer_whose_weights_are_one(name):
    class Adding(nn.Module):
        def __init__(self, written):
            super().__init__()
            self.one, self.two = (filled(nn.Linear(4, 3), seed=s) for s in (1, 2))
            eye = torch.eye(3).tolist()
            self.sum = linear([line + line for line in eye])
            self.last, self.written = filled(nn.Linear(3, 2)), written

        def forward(self, x):
            one, two = self.one(x).relu(), self.two(x).relu()
            joined = self.sum(torch.cat([one, two], 1))
            return self.last((one + two if self.written else joined).relu())

    x, options = normal(3, 5, 4), {"reference": normal(4, 4)}
    method = methods.get(name, **options)
    plus, matrix = (modbp.explain(Adding(w).eval(), x, method, 1) for w in (1, 0))
    assert relative(plus, matrix) < 1e-13


# Captum -------------------------------------------------------------------------------


def by_captum(net, x, reference, target):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # says that it sets hooks on the model
        return DeepLift(net).attribute(x, reference, target=target).detach()


def conv_net(*middle):
    """Every ReLU a module of its own, which Captum needs; takes [N, 3, 8, 8]."""
    layers = [nn.Conv2d(3, 4, 3, padding=1), *middle, nn.Conv2d(4, 5, 3), nn.ReLU()]
    net = nn.Sequential(*layers, nn.Flatten(), nn.LazyLinear(4))
    net(torch.zeros(1, 3, 8, 8))
    return filled(net, seed=2)


# The rule of max pooling comes last. Of two layers in a row that are not linear, Captum
# loses the upper one's rule: both hooks sit on one tensor, and the lower one's reads
# before the upper one's has written. What is left is the derivative.
PEERS = {
    "max pooling": ([nn.MaxPool2d(2)], "difference"),
    "max pooling behind a ReLU": ([nn.ReLU(), nn.MaxPool2d(2)], "winner"),
    "average pooling": ([nn.ReLU(), nn.AvgPool2d(2)], "difference"),
}


@pytest.mark.parametrize("baseline", ["zero", "one for all", "one each"])
@pytest.mark.parametrize("peer", PEERS)
def test_rescale_is_captums(peer, baseline):
    middle, rule = PEERS[peer]
    net, x = conv_net(*middle), normal(1, 5, 3, 8, 8)
    target, count = torch.tensor([0, 1, 2, 3, 0]), 5 if baseline == "one each" else 1
    reference = normal(2, count, 3, 8, 8) * (baseline != "zero")
    method = methods.get("deeplift-rescale", reference=reference, maxpool=rule)
    found = modbp.explain(net, x, method, target)
    wanted = by_captum(net, x, reference.expand_as(x), target)
    assert relative(found, wanted) < 1e-9


@pytest.mark.parametrize("weights", WEIGHTS)
def test_rescale_is_captums_on_the_papers_net(weights):
    net, (x, y) = modbp.models.cifar10(weights).double(), photographs(2)
    method = methods.get("deeplift-rescale", maxpool="winner")
    found = modbp.explain(net, x, method, y)
    wanted = by_captum(net, x, torch.zeros_like(x), y)
    assert relative(found, wanted) < 1e-9


CAPTUM_LOSES = {
    "windows that overlap": [nn.MaxPool2d(3, stride=1)],
    "a max pooling behind a ReLU": [nn.ReLU(), nn.MaxPool2d(2)],
    "a ReLU behind a max pooling": [nn.MaxPool2d(2), nn.ReLU()],
}


@pytest.mark.parametrize("where", CAPTUM_LOSES)
def test_captum_does_not_sum_there_and_modbp_does(where):
    net, x = conv_net(*CAPTUM_LOSES[where]), normal(1, 3, 3, 8, 8)
    reference = normal(2, 1, 3, 8, 8).expand_as(x)
    with torch.no_grad():
        wanted = (net(x) - net(reference))[:, 1]
    method = methods.get("deeplift-rescale", reference=reference)
    ours = modbp.explain(net, x, method, 1).flatten(1).sum(1)
    theirs = by_captum(net, x, reference, 1).flatten(1).sum(1)
    assert relative(ours, wanted) < 1e-12 < 1e-2 < relative(theirs, wanted)


# What contributions sum to ------------------------------------------------------------


def spread(net, x, reference, method, target, cuts=(), **options):
    """Return how far contributions at the input and any cut are from f(x) − f(x0)."""
    method = methods.get(method, reference=reference, **options)
    chain = modbp.chain(net, x, method)
    with torch.no_grad():
        assert relative(chain.logits, net(x)) < 1e-9
        wanted = (net(x) - net(reference.expand_as(x)))[:, target]
    layers = [layer for cut in cuts for layer in cut]
    r = torch.zeros_like(chain.logits)
    r[:, target] = 1
    at = chain.pull(r, chain.layers[-1], to=[*layers, "input"])
    sums = [sum(at[k].flatten(1).sum(1) for k in cut) for cut in [*cuts, ("input",)]]
    return max(relative(found, wanted) for found in sums)


@pytest.mark.parametrize("baseline", ["zero", "other", "one each"])
@pytest.mark.parametrize("name", SUMMING)
def test_contributions_sum_across_every_cut_of_a_branching_net(name, baseline):
    # Convolutions of all sorts, +, cat, batch norm, overlapping max pooling, average.
    x = normal(1, 4, 2, 6, 6)
    reference = {
        "zero": x[:1] * 0,
        "other": normal(2, 1, 2, 6, 6),
        "one each": x.flip(0),
    }
    net = zoo()
    net.norm.weight.data[0] = -0.7
    assert spread(net, x, reference[baseline], name, 3, Zoo.CUTS[1:]) < 1e-9


def torchvisions(network):
    """Return a network with the random weights that torchvision starts from."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return getattr(vision.models, network)(num_classes=10).double().eval()


@pytest.mark.parametrize(
    "network", ["resnet18", "squeezenet1_1", "densenet121", "mobilenet_v2"]
)
@pytest.mark.parametrize("name", SUMMING)
def test_contributions_sum_on_networks_of_torchvision(name, network):
    # In-place ReLUs used twice, skip connections; fire modules; dense blocks; ReLU6.
    net, x, reference = (
        torchvisions(network),
        normal(1, 1, 3, 64, 64),
        uniform(2, 3, 64, 64),
    )
    assert spread(net, x, reference[None], name, 3) < 1e-9


@pytest.mark.parametrize("network", ["mobilenet_v2", "mnasnet1_0"])
@pytest.mark.parametrize("name", SUMMING)
def test_contributions_sum_where_activations_fade(name, network):
    # In these networks with random weights they fade to 1e-7 and less.
    net, x = torchvisions(network), normal(1, 1, 3, 64, 64)
    assert spread(net, x, x * 0, name, 3) < 1e-9


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1e3])
@pytest.mark.parametrize("name", SUMMING)
def test_the_size_of_layers_changes_nothing(name, scale, dtype):
    # Weights times s and biases times s, s², s³: the l-th layer's output is sˡ times
    # as large, and so is everything that is explained.
    x, reference = normal(1, 3, 3, 8, 8).to(dtype), normal(2, 1, 3, 8, 8).to(dtype)
    maps, depth = [], 0
    for factor in (1, scale):
        net, depth = conv_net(nn.ReLU(), nn.MaxPool2d(2)).to(dtype), 0
        for layer in net:
            if hasattr(layer, "weight"):
                depth += 1
                layer.weight.data *= factor
                layer.bias.data *= factor**depth
        method = methods.get(name, reference=reference)
        maps.append(modbp.explain(net, x, method, 1) / factor**depth)
        with torch.no_grad():
            wanted = (net(x) - net(reference))[:, 1] / factor**depth
        off = maps[-1].flatten(1).sum(1) - wanted
        assert off.abs().max() < (1e-12 if dtype == torch.float64 else 1e-4)
    assert relative(maps[1], maps[0]) < (1e-10 if dtype == torch.float64 else 1e-3)


@pytest.mark.parametrize("name", SUMMING)
def test_a_small_sample_is_explained_as_well_beside_a_large_one(name):
    net, x = mlp(6, 8, 8, 3, bias=none), normal(1, 2, 6)
    pair = torch.stack([x[0], 1e9 * x[1]])
    found = modbp.explain(net, pair, name, 1)
    assert relative(found[:1], modbp.explain(net, x[:1], name, 1)) < 1e-12
    assert relative(found[1:] / 1e9, modbp.explain(net, x[1:], name, 1)) < 1e-12


@pytest.mark.parametrize("name", SUMMING)
def test_contributions_sum_from_a_reference_that_is_near(name):
    net, x = zoo(), normal(1, 2, 2, 6, 6)
    reference = x[:1] + 1e-9 * normal(2, 1, 2, 6, 6)
    chain = modbp.chain(net, x[:1], methods.get(name, reference=reference))
    exact = modbp.chain(net, x[:1], "gradient").explain(1) * (x[:1] - reference)
    assert relative(chain.explain(1), exact) < 1e-4


def test_by_the_winner_max_pooling_misses_what_the_reference_had_more():
    # max(1, 0) = 1 from max(0, 3) = 3. The first entry won, and it rose by 1, where the
    # maximum fell by 2: off by 3, what the other entry had more in the reference.
    net = nn.Sequential(nn.MaxPool1d(2), nn.Flatten(1), linear([[1]])).eval()
    x, reference = row(1, 0)[None], row(0, 3)[None]
    for rule, expected in {"difference": [0, -2], "winner": [1, 0]}.items():
        options = {"reference": reference, "maxpool": rule}
        method = methods.get("deeplift-rescale", **options)
        assert modbp.explain(net, x, method, 0).tolist() == [[expected]]


# Relations ----------------------------------------------------------------------------


@pytest.mark.parametrize("weights", WEIGHTS)
def test_without_biases_and_from_zero_rescale_is_gradient_x_input(weights):
    # All activations of the reference are 0, so a ReLU's quotient relu(z)/z is its
    # derivative whatever the pattern, except for 0 < |z| < 1e-7. Behind a ReLU the
    # maximum only rises, and its winner is the derivative's.
    net, (x, y) = cifar10(weights), photographs(2)
    wanted = modbp.explain(net, x, "gradient-x-input", y)
    assert relative(modbp.explain(net, x, "deeplift-rescale", y), wanted) < 1e-11


@pytest.mark.parametrize("layer", ["left", "stem_relu", "largest", "mean", "up", "fc"])
def test_the_operators_of_the_ablation_are_non_negative_where_something_changed(layer):
    options = {"reference": normal(4, 2, 6, 6), "readout": "multiplier"}
    x, net = normal(3, 1, 2, 6, 6), zoo("excitation-bp")
    chain = modbp.chain(net, x, methods.get("deeplift-ablation", **options))
    plain = modbp.chain(net, x, methods.get("deeplift-rescale", **options))
    reference = modbp.chain(net, options["reference"][None], "gradient")
    below = chain.below(layer)[1]
    same = chain.output(below) - reference.output(below)
    same = same.abs().flatten() < 1e-13
    matrix = chain.matrix(layer)
    assert (matrix[~same] >= 0).all()
    assert torch.equal(matrix[same], plain.matrix(layer)[same])
    if layer in ("left", "up", "fc"):
        assert same.any() and (plain.matrix(layer) < 0).any()


# Multipliers in, contributions out ----------------------------------------------------


@pytest.mark.parametrize("name", ["deeplift-rescale", "deeplift-ablation"])
def test_a_contribution_is_the_multiplier_times_the_difference(name):
    net, x, r = zoo(), normal(1, 3, 2, 6, 6), normal(2, 4, 3, 5)
    options = {"reference": normal(3, 2, 6, 6)}
    chain = modbp.chain(net, x, methods.get(name, **options))
    below = modbp.chain(net, options["reference"][None], "gradient")
    m = modbp.chain(net, x, methods.get(name, readout="multiplier", **options))
    layers = ["up", "add_relu", "left", "input"]
    contributions, multipliers = (c.pull(r, "fc", to=layers) for c in (chain, m))
    for layer in layers:
        delta = chain.output(layer) - below.output(layer)
        assert relative(contributions[layer], multipliers[layer] * delta) < 1e-12


@pytest.mark.parametrize("name", ["deeplift-rescale", "deeplift-ablation"])
def test_multipliers_can_enter_and_leave_anywhere(name):
    method = methods.get(name, readout="multiplier")
    chain, r = modbp.chain(zoo(), normal(1, 2, 2, 6, 6), method), normal(2, 2, 5)
    middle = chain.pull(r, "fc", to="add_relu")["add_relu"]
    through = chain.pull(middle, "add_relu")["input"]
    assert relative(through, chain.pull(r, "fc")["input"]) < 1e-12


def test_for_revealcancel_a_multiplier_enters_for_both_parts():
    # At a layer that linear layers read, both parts have one multiplier anyway.
    net, x = spelled(Branching), uniform(1, 2, 2, 6, 6)
    chain = modbp.chain(net, x, "deeplift-revealcancel")
    below = modbp.chain(net, x[:1] * 0, "gradient")
    r = normal(2, 2, 5)
    at = chain.pull(r, "fc", to=["drop", "input"])
    multiplier = at["drop"] / (chain.output("drop") - below.output("drop"))
    through = chain.pull(multiplier, "drop")["input"]
    assert relative(through, at["input"]) < 1e-11


@pytest.mark.parametrize("name", NAMES)
def test_one_reference_for_all_is_one_for_each(name):
    net, x, reference = zoo(), normal(1, 3, 2, 6, 6), normal(2, 2, 6, 6)
    found = [
        modbp.explain(net, x, methods.get(name, reference=entry), 1)
        for entry in (reference, reference[None], reference.expand_as(x))
    ]
    assert torch.equal(found[0], found[1])
    assert relative(found[2], found[0]) < 1e-12


@pytest.mark.parametrize("name", NAMES)
def test_each_sample_has_its_own_reference(name):
    net, x, reference = zoo(), normal(1, 3, 2, 6, 6), normal(2, 3, 2, 6, 6)
    together = modbp.chain(net, x, methods.get(name, reference=reference))
    for n in range(3):
        method = methods.get(name, reference=reference[n])
        alone = modbp.chain(net, x[n : n + 1], method)
        assert relative(together.explain(1)[n : n + 1], alone.explain(1)) < 1e-12
        one, two = together.matrix("stem_relu", n), alone.matrix("stem_relu")
        assert relative(one, two) < 1e-12


def test_random_multipliers_converge_under_the_ablation_alone():
    net, (x, _) = modbp.models.cifar10(BEST), photographs(2)
    at = {
        name: modbp.csc(net, x.float(), name, "fc6", ["conv1"]).median()["conv1"]
        for name in NAMES
    }
    assert at["deeplift-ablation"] > 0.99
    assert max(at[name] for name in SUMMING) < 0.9


# Bad input ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_reference_equal_to_the_input_gives_zeros(name, dtype):
    x, net = uniform(1, 2, 2, 6, 6).to(dtype), zoo().to(dtype)
    found = modbp.explain(net, x, methods.get(name, reference=x), 1)
    assert torch.equal(found, torch.zeros_like(x))


WRONG = {
    "too few channels": (torch.zeros(1, 6, 6).double(), r"\[1, 6, 6\]; give \[2, 6, 6"),
    "another count": (
        torch.zeros(2, 2, 6, 6).double(),
        "or .3, 2, 6, 6., one for each",
    ),
    "a number": (0.0, "is a float; give a torch.Tensor"),
    "single precision": (torch.zeros(2, 6, 6), "float32 .*reference.to"),
    "integers": (torch.zeros(2, 6, 6).long(), "int64 .*reference.to"),
    "another device": (torch.zeros(2, 6, 6, device="meta").double(), "on meta"),
    "NaN": (torch.full((2, 6, 6), torch.nan).double(), "reference holds NaN"),
    "infinity": (torch.full((2, 6, 6), torch.inf).double(), "reference holds NaN"),
    "overflow": (torch.ones(2, 6, 6).double() * 1e308, "not finite"),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("wrong", WRONG)
def test_a_reference_that_does_not_fit_is_refused_with_what_would(wrong, name):
    reference, message = WRONG[wrong]
    net, x = zoo(), uniform(1, 3, 2, 6, 6)
    net.stem.weight.data *= 10
    with pytest.raises(InputError, match=message):
        modbp.explain(net, x, methods.get(name, reference=reference), 1)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("option", ["maxpool", "readout"])
def test_an_option_that_does_not_exist_is_refused_with_those_that_do(name, option):
    with pytest.raises(InputError, match=option):
        methods.get(name, **{option: "both"})


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("small", [-1e-7, float("nan"), 1, float("inf")])
def test_a_threshold_that_is_no_share_is_refused(name, small):
    with pytest.raises(InputError, match="small is .*at least 0"):
        methods.get(name, small=small)


@pytest.mark.parametrize(
    "rule, frame, found",
    [
        (deeplift.Weighted(), None, "Weighted.* works on Differences, .* Activations"),
        (rules.Epsilon(), 1, "Epsilon.* works on Activations, .* Differences"),
    ],
)
def test_a_rule_in_a_table_for_another_frame_is_refused(rule, frame, found):
    more = {"frame": deeplift.Differences()} if frame else {}
    mine = Method("mine", {"linear": rule}, **more)
    with pytest.raises(MethodError, match=f"layer '0' .Linear.: the rule {found}"):
        modbp.chain(mlp(2, 3), normal(0, 1, 2), mine)


@pytest.mark.parametrize(
    "kind, rule", [("relu", rules.ReLUGradient()), ("linear", rules.Gradient())]
)
def test_what_does_not_add_up_cannot_be_taken_along(kind, rule):
    table = {"linear": deeplift.Weighted(), "relu": deeplift.Rescale()}
    table[kind] = deeplift.Along(rule)
    mine = Method("mine", table, frame=deeplift.Differences())
    with pytest.raises(MethodError, match="is wrong for kind .*It is for avgpool"):
        modbp.chain(mlp(3, 4, 2), normal(0, 2, 3), mine)


def test_two_parts_have_no_single_multiplier_to_read():
    with pytest.raises(InputError, match="positive and a negative part"):
        deeplift.Differences(None, 2, "multiplier")


@pytest.mark.parametrize("name", NAMES)
def test_the_reference_is_left_as_it_was(name):
    reference, x = normal(2, 2, 6, 6).requires_grad_(), normal(1, 3, 2, 6, 6)
    net, before = zoo(), fingerprint(Only(zoo()), reference)["input"]
    found = modbp.explain(net, x, methods.get(name, reference=reference), 1)
    assert fingerprint(net, reference)["input"] == before
    assert not found.requires_grad


def test_a_method_prints_its_reference():
    method = methods.get("deeplift-rescale", reference=torch.zeros(3, 8, 8))
    assert "reference [3, 8, 8], parts 1, read as contribution" in str(method)
    assert "reference zeros" in str(methods.get("deeplift-revealcancel"))


def test_a_reference_of_another_size_is_rounding_and_no_other_function():
    # The value is reference plus difference: seven digits of sixteen are left of it.
    net = mlp(6, 5, 3)
    x, reference = uniform(1, 2, 6), 1e7 * uniform(2, 6)
    method = methods.get("deeplift-rescale", reference=reference)
    with torch.no_grad():
        change = (net(x) - net(reference[None]))[:, 1]
    found = modbp.explain(net, x, method, 1).sum(1)
    assert (found - change).abs().max() < 1e-9 * change.abs().max()
