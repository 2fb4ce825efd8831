"""What relevance sums to across layers, and other properties of whole chains."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from nets import (
    BEST,
    CONSERVING,
    RECTIFYING,
    Zoo,
    cifar10,
    filled,
    mlp,
    none,
    normal,
    photographs,
    repeatable,
    switched_on,
    uniform,
)

import modbp
from modbp import methods, rules
from modbp.backprop.methods import Method

# Conservation, across every layer -----------------------------------------------------


def spread(net, x, method, r, cuts):
    """Return the largest relative loss of relevance between the top and any cut."""
    chain = modbp.chain(net, x, method)
    at = chain.pull(r, cuts[0][0], to=chain.layers)
    top = r.flatten(1).sum(1)
    losses = []
    for cut in cuts:
        total = sum(at[layer].flatten(1).sum(1) for layer in cut)
        losses.append(((total - top).abs() / top.abs()).max().item())
    return max(losses)


@pytest.mark.parametrize("name", ["lrp-z", "lrp-eps"])
def test_relevance_is_conserved_across_every_layer_of_a_branching_net(name):
    # Without biases: a branch whose output is its bias alone has nothing to share.
    net = filled(Zoo(), seed=1, bias=none)
    method = methods.get(name, **CONSERVING[name])
    r = uniform(5, 3, 5)
    assert spread(net, normal(2, 3, 2, 6, 6), method, r, Zoo.CUTS) < 1e-10


@pytest.mark.parametrize("name", ["lrp-a1b0", "lrp-a2b1", "lrp-a5b4", "excitation-bp"])
def test_alpha_beta_conserves_where_both_signs_contribute_to_every_unit(name):
    # At an addition, a branch can be handed relevance for a negative output to which
    # nothing contributes positively; α1β0 would lose it, hence the condition.
    method = methods.get(name, **CONSERVING.get(name, {"bias": "ignore"}))
    x, r = uniform(2, 3, 2, 6, 6) + 0.1, uniform(5, 3, 5)
    assert spread(switched_on(Zoo()), x, method, r, Zoo.CUTS) < 1e-10


# α2β1 conserves where both signs contribute to every unit; trained units can be on by
# contributions of one sign alone.
CASES = [(name, None) for name in CONSERVING]
CASES += [(name, BEST) for name in CONSERVING if BEST and name != "lrp-a2b1"]


@pytest.mark.parametrize("name, weights", CASES)
def test_relevance_is_conserved_across_every_layer_of_the_papers_net(name, weights):
    # Photographs have pixels with a channel at exactly 0, where α2β1 lacks a sign too.
    x = photographs(2)[0] - (0.5 if name == "lrp-a2b1" else 0)
    net = cifar10(weights)
    cuts = [(layer,) for layer in modbp.chain(net, x, "gradient").layers[::-1]]
    method = methods.get(name, **CONSERVING[name])
    assert spread(net, x, method, uniform(5, 2, 10), cuts) < 1e-10


@pytest.mark.parametrize("name", ["lrp-z", "lrp-a1b0", "lrp-a2b1"])
def test_a_bias_in_the_denominator_keeps_its_share(name):
    # So conservation across a network with biases needs bias="ignore".
    net, r = filled(Zoo(), seed=1), uniform(5, 3, 5)
    assert spread(net, normal(2, 3, 2, 6, 6), name, r, Zoo.CUTS) > 1e-2


# By property --------------------------------------------------------------------------

widths = st.lists(st.integers(1, 6), min_size=2, max_size=5)
seeds = st.integers(0, 10_000)
signs = st.sampled_from([uniform, normal])


@pytest.mark.parametrize("name", RECTIFYING)
@repeatable
@given(widths, seeds, st.floats(0.1, 10))
def test_what_rectifies_is_homogeneous_for_positive_factors(name, widths, seed, c):
    chain = modbp.chain(mlp(*widths, seed=seed), normal(seed, 2, widths[0]), name)
    r, top = normal(seed, 2, widths[-1]), chain.layers[-1]
    scaled = chain.pull(c * r, top)["input"]
    torch.testing.assert_close(scaled, c * chain.pull(r, top)["input"])


@pytest.mark.parametrize("name", ["lrp-a1b0", "excitation-bp"])
@repeatable
@given(widths, seeds)
def test_z_plus_keeps_non_negative_relevance_non_negative(name, widths, seed):
    net = mlp(*widths, seed=seed)
    chain = modbp.chain(net, uniform(seed, 2, widths[0]), name)
    r = uniform(seed, 2, widths[-1])
    for found in chain.pull(r, chain.layers[-1], to=chain.layers).values():
        assert (found >= 0).all()


@repeatable
@given(st.integers(0, 4), widths, seeds, signs)
def test_alpha_beta_enlarges_by_at_most_alpha_plus_beta_per_layer(
    beta, widths, seed, draw
):
    rule = rules.AlphaBeta(1 + beta, beta)
    mine = Method("mine", {"linear": rule, "relu": rules.Pass()})
    chain = modbp.chain(mlp(*widths, seed=seed), draw(seed, 2, widths[0]), mine)
    r = normal(seed, 2, widths[-1])
    found = chain.pull(r, chain.layers[-1])["input"]
    bound = (1 + 2 * beta) ** (len(widths) - 1) * r.abs().sum()
    assert found.abs().sum() <= bound * (1 + 1e-12)


def off(seed, *shape):
    """Biases that switch no unit on: one on by its bias alone has nothing to share."""
    return -uniform(seed, *shape) / 4


@repeatable
@given(widths, seeds, signs)
def test_lrp_z_conserves_wherever_something_arrives(widths, seed, draw):
    net = mlp(*widths, seed=seed, bias=off)
    method = methods.get("lrp-z", bias="ignore")
    chain = modbp.chain(net, draw(seed, 2, widths[0]), method)
    r = uniform(seed, 2, widths[-1])
    top = chain.layers[-1]
    # A sample whose last hidden layer is off as a whole has nothing to share.
    alive = (chain.output(chain.layers[-2]) != 0).any(1)
    found = chain.pull(r, top, to=chain.layers)
    for at in found.values():
        size = max(1, max(each.abs().sum() for each in found.values()))
        assert ((at.sum(1) - r.sum(1))[alive].abs() <= 1e-12 * size).all()


def pulled_by(linear, net, x, r):
    mine = Method("mine", {"linear": linear, "relu": rules.ReLUGradient()})
    chain = modbp.chain(net, x, mine)
    return chain.pull(r, chain.layers[-1])["input"]


@repeatable
@given(widths, seeds, signs, st.booleans())
def test_gamma_of_zero_is_the_z_rule(widths, seed, draw, split):
    net, x = mlp(*widths, seed=seed), draw(seed, 2, widths[0])
    found, wanted = (
        pulled_by(rule, net, x, normal(seed, 2, widths[-1]))
        for rule in (rules.Gamma(0, split=split), rules.Epsilon())
    )
    torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-12)


@repeatable
@given(widths, seeds)
def test_gamma_approaches_z_plus_with_gamma(widths, seed):
    # Behind slopes every output but the last is positive; the last is made so.
    net, x = mlp(*widths, seed=seed), uniform(seed, 2, widths[0])
    r = uniform(seed, 2, widths[-1]) * (net(x).detach() > 0)
    wanted, *found = (
        pulled_by(rule, net, x, r)
        for rule in (rules.AlphaBeta(), *map(rules.Gamma, (1e3, 1e6, 1e9)))
    )
    away = [(each - wanted).abs().max().item() for each in found]
    assert away[-1] <= 1e-3 * max(away[0], 1e-6)


@repeatable
@given(widths, seeds, signs, st.floats(0.01, 100))
def test_gamma_conserves_wherever_something_contributes(widths, seed, draw, gamma):
    # Split by contribution no denominator is smaller than z, whatever the signs.
    net = mlp(*widths, seed=seed)
    method = methods.get("lrp-gamma", gamma=gamma)
    chain = modbp.chain(net, draw(seed, 2, widths[0]), method)
    for layer in chain.layers[1::2]:
        sums = chain.matrix(layer).sum(0)
        lit = chain.output(layer)[0] != 0
        assert ((sums - 1).abs() <= 1e-9)[lit].all() and (sums[~lit] == 0).all()


@repeatable
@given(widths, seeds, st.sampled_from([rules.Box(), rules.WSquare(), rules.Flat()]))
def test_rules_for_pixels_conserve_and_keep_the_sign(widths, seed, first):
    method = methods.get("lrp-z", bias="ignore", first=first)
    net = mlp(*widths, seed=seed, bias=normal)
    matrix = modbp.chain(net, uniform(seed, 1, widths[0]), method).matrix("0")
    assert (matrix >= 0).all()
    assert ((matrix.sum(0) - 1).abs() <= 1e-12).all()


@repeatable
@given(widths, seeds, signs)
def test_lrp_eps_approaches_gradient_times_input_with_epsilon(widths, seed, draw):
    net, x = mlp(*widths, seed=seed), draw(seed, 2, widths[0])
    limit = modbp.explain(net, x, "gradient-x-input", 0)
    found = [
        modbp.explain(net, x, methods.get("lrp-eps", epsilon=epsilon), 0)
        for epsilon in (1e-1, 1e-4, 1e-7, 1e-10)
    ]
    away = [(r - limit).abs().max().item() for r in found]
    # Each unit loses ε/(|z| + ε) of its relevance, so the way is straight.
    assert all(later <= sooner for sooner, later in zip(away, away[1:], strict=False))
    assert away[-1] <= 1e-6 * max(away[0], 1e-6)
