"""Random small networks under random methods: what must hold for all of them.

A few of them in every run; ``python3 noxfile.py tests -- -m long tests/test_graphs.py``
takes 1,050, others each time.
"""

import peers
import pytest
import torch
from graphs import KINDS, PARITY, Case, Graph, cases
from hypothesis import HealthCheck, assume, given, settings
from nets import CHAINS, RECTIFYING, fingerprint, normal, relative

import modbp
from modbp import methods
from modbp.errors import MethodError

LINEAR = sorted(set(CHAINS) - set(RECTIFYING))
# Whose layers hand on all they get, or nothing where nothing contributes.
SHARING = {
    name: {"bias": "ignore"}
    for name in ("lrp-z", "lrp-gamma", "lrp-a1b0", "lrp-a2b1", "lrp-a5b4", "dtd")
}
SHARING |= {"excitation-bp": {}}
SUMMING = ("deeplift-rescale", "deeplift-revealcancel")
ZENNIT = {
    "lrp-z": peers.rules.Epsilon(peers.NONE),
    "lrp-eps": peers.rules.Epsilon(1e-6),
    "lrp-gamma": peers.rules.Gamma(stabilizer=peers.NONE),
    "lrp-a1b0": peers.rules.AlphaBeta(1, 0, peers.NONE),
    "lrp-a2b1": peers.rules.AlphaBeta(2, 1, peers.NONE),
    "lrp-a5b4": peers.rules.AlphaBeta(5, 4, peers.NONE),
}


def bound(case, **options):
    """Bind the method to the input, or end the example where it says it cannot be."""
    try:
        return modbp.chain(case.net, case.x, methods.get(case.name, **options))
    except MethodError as error:
        why = dict.fromkeys(("dtd", "lrp-eps-gamma-box"), "rule for pixels")
        why["excitation-bp"] = "negative inputs"
        assert why.get(case.name, "softmax") in str(error)
        assume(False)


def calls(chain):
    """Return the calls that relevance of the output reaches, from the top down."""
    below = chain.below(chain.layers[-1])[:-1]
    return [chain._pass.calls[chain.layers.index(name)] for name in below]


def scale(chain, r, top):
    """Return the largest relevance anywhere, which rounding is a part of."""
    at = chain.pull(r.abs(), top, to=chain.below(top)).values()
    return max(1e-300, *(found.abs().max().item() for found in at))


def many_at_once_as_one_by_one(case):
    chain, top = bound(case), "last"
    r = normal(case.net.seed, 3, *chain.output(top).shape)
    together = chain.pull(r, top, to=chain.below(top))
    size = max(scale(chain, each, top) for each in r)
    for place, each in enumerate(r):
        alone = chain.pull(each, top, to=chain.below(top))
        for layer, found in together.items():
            assert (found[place] - alone[layer]).abs().max() <= 1e-9 * size


def batch_as_one_at_a_time(case):
    chain = bound(case)
    target = chain.logits.argmax(1)
    both, top = chain.explain(target), chain.layers[-1]
    size = scale(chain, chain.method.begin(chain.logits, target[:, None]), top)
    for n in range(2):
        one = modbp.chain(case.net, case.x[n : n + 1], chain.method)
        found = one.explain(target[n : n + 1])
        assert (found - both[n : n + 1]).abs().max() <= 1e-9 * size


def matrices_do_what_pulling_does(case):
    chain = bound(case)
    for call in calls(chain):
        r = normal(case.net.seed, *chain.output(call.name).shape)
        below = [chain.layers[source] for source in call.sources]
        reached = set(below) & set(chain.below(call.name))  # but for gates
        pulled = chain.pull(r, call.name, to=reached)
        # What feeds another input of this call gets relevance by two ways.
        direct = reached - {n for name in reached for n in chain.below(name)[1:]}
        for n in range(2):
            matrix, given = chain.matrix(call.name, n), r[n].flatten()
            product = matrix @ given
            # Where contributions cancel, what is left is their rounding.
            rounding = (
                1e-14 * (matrix.abs() @ given.abs() + given.abs().max()).max().item()
            )
            sizes = [chain.output(name)[n].numel() for name in below]
            parts = dict.fromkeys(below, 0)
            for name, part in zip(below, product.split(sizes), strict=True):
                parts[name] = parts[name] + part  # an input can be read twice
            assert not any(parts[name].any() for name in set(below) - reached)
            for name in direct:
                part = parts[name]
                wanted = pulled[name][n].flatten()
                if name == "input" and chain.method.times_input:
                    part = part * case.x[n].flatten()
                size = 1e-9 * wanted.abs().max().item()
                assert (part - wanted).abs().max() <= max(rounding, size), call.name


def layers_share_out_all_they_get(case):
    chain = bound(case, **SHARING[case.name])
    rule = chain.method.rules["linear"]
    most = getattr(rule, "alpha", 1)
    for call in calls(chain):
        for n in range(2):
            matrix = chain.matrix(call.name, n)
            sums, size = matrix.sum(0), matrix.abs().sum(0).clamp(min=1)
            # α of it where nothing speaks against, and −β where nothing speaks for it.
            known = [1.0, most, 1 - most] if call.layer.weight is not None else [1.0]
            near = [(sums - value).abs() <= 1e-9 * size for value in known]
            shared = torch.stack(near).any(0) | (matrix == 0).all(0)
            assert shared.all(), (call.name, sums[~shared])


def contributions_sum(case):
    reference = normal(case.net.seed + 1, 1, *case.x.shape[1:])
    chain = bound(case, reference=reference, small=0.0)
    found = chain.explain(1)
    with torch.no_grad():
        change = (case.net(case.x) - case.net(reference))[:, 1]
    r = torch.zeros_like(chain.logits)
    r[:, 1] = 1
    size = max(1.0, scale(chain, r, chain.layers[-1]))
    assert (found.flatten(1).sum(1) - change).abs().max() <= 1e-9 * size


def same_as_zennit(case):
    net, x = case.net, case.x
    other, logits = peers.twin(net), net(x).detach()
    # What is overwritten in place, the twin's reading of a network does not follow.
    if not torch.allclose(other(x), logits, rtol=1e-12, atol=1e-12):
        assume(False)
    chain = bound(case)
    r = normal(net.seed, *logits.shape)
    wanted = peers.by_zennit(other, x, r, ZENNIT[case.name])
    found = chain.pull(r, chain.layers[-1])["input"]
    size = scale(chain, r, chain.layers[-1])
    assert (found - wanted).abs().max() <= 1e-9 * size


def same_gradient_as_autograd(case):
    chain = bound(case)
    r = normal(case.net.seed, *chain.logits.shape)
    wanted = peers.by_autograd(case.net, case.x, r)
    found = chain.pull(r, chain.layers[-1])["input"]
    assert relative(chain.logits, case.net(case.x).detach()) < 1e-12
    assert (found - wanted).abs().max() <= 1e-12 * scale(chain, r, chain.layers[-1])


HOLDS = {
    many_at_once_as_one_by_one: cases(),
    batch_as_one_at_a_time: cases(),
    matrices_do_what_pulling_does: cases(LINEAR),
    layers_share_out_all_they_get: cases(sorted(SHARING)),
    contributions_sum: cases(SUMMING),
    same_as_zennit: cases(sorted(ZENNIT), bias=False, kinds=PARITY),
    same_gradient_as_autograd: cases(["gradient"]),
}
each = pytest.mark.parametrize("holds", HOLDS, ids=lambda holds: holds.__name__)
COUNTED = []


def run(holds, **options):
    """Try a property on many networks; none of them may be changed."""

    @settings(
        deadline=None, database=None, suppress_health_check=HealthCheck, **options
    )
    @given(HOLDS[holds])
    def on_each(case):
        before = fingerprint(case.net, case.x)
        holds(case)
        assert fingerprint(case.net, case.x) == before
        COUNTED.append(holds)

    on_each()


@each
def test_on_random_networks(holds):
    run(holds, max_examples=15, derandomize=True)


@pytest.mark.long
@each
def test_on_many_random_networks(holds):
    before = len(COUNTED)
    run(holds, max_examples=150)
    assert len(COUNTED) - before >= 150


@pytest.mark.parametrize("kind", KINDS)
def test_each_way_to_compute_each_kind_of_step(kind):
    for way in KINDS[kind].ways:
        steps = [
            ("conv", (0,), (2, 3, 1)),
            (kind, (1,), way),
            ("conv", (2,), (3, 1, 1)),
        ]
        net = Graph(steps, seed=2, bias=True)
        many_at_once_as_one_by_one(Case(net, True, "lrp-gamma"))
        batch_as_one_at_a_time(Case(net, True, "lrp-a2b1"))
        matrices_do_what_pulling_does(Case(net, True, "lrp-eps"))
        layers_share_out_all_they_get(Case(net, True, "lrp-a1b0"))
        same_gradient_as_autograd(Case(net, True, "gradient"))
        if way != "choose":  # by a softmax
            contributions_sum(Case(net, True, "deeplift-rescale"))
        if kind in PARITY:
            same_as_zennit(Case(Graph(steps, seed=2), True, "lrp-gamma"))
