"""After any call, network and input are as before."""

from contextlib import nullcontext

import pytest
import torch
from nets import CHAINS, Modules, fingerprint, normal, spelled, uniform, zoo
from torch import nn

import modbp
from modbp import methods
from modbp.backprop.methods import Method
from modbp.errors import InputError


class Broken(Exception):
    """What a rule of the user's can raise."""


def raising(place):
    """Return a method that breaks in the middle of the network, up or down."""

    def rule(call, a):
        if place == "forward":
            raise Broken
        return call.layer.forward(a), back

    def back(r):
        raise Broken

    return Method("broken", {**methods.get("lrp-z").rules, "avgpool": rule})


def used(net, x):
    """Everything a user would do, on the way that goes well."""
    for name in set(CHAINS) - {"excitation-bp"}:
        chain = modbp.chain(net, x, name)
        chain.explain(1)
        chain.pull(normal(0, 3, len(x), 5), "fc", to=chain.layers)
        chain.matrix("left")
        str(chain)


def training(net, x):
    net.norm.train()
    before = fingerprint(net, x)
    try:
        modbp.explain(net, x, "lrp-z", 1)
    finally:
        assert fingerprint(net, x) == before
        net.norm.eval()


# What a user does, and the error that ends it; for refused inputs see refusals.txt.
USES = {
    "every method": (used, None),
    "training mode": (training, InputError),
    "a rule that breaks going up": (
        lambda net, x: modbp.explain(net, x, raising("forward"), 1),
        Broken,
    ),
    "a rule that breaks going down": (
        lambda net, x: modbp.explain(net, x, raising("back"), 1),
        Broken,
    ),
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("grad", [True, False], ids=["grad", "no grad"])
def test_after_a_call_network_and_input_are_as_before(use, grad):
    net = zoo()
    # A state that is not the default anywhere it could be reset to.
    for place, entry in enumerate(net.parameters()):
        entry.requires_grad = bool(place % 2)
        entry.grad = torch.ones_like(entry) if place % 3 else None
    net.left.register_forward_hook(lambda *_: None)
    net.note = "the user's own"
    x = uniform(1, 2, 2, 6, 6).requires_grad_()
    with torch.set_grad_enabled(grad):
        before = fingerprint(net, x)
        run, error = USES[use]
        with pytest.raises(error) if error else nullcontext():
            run(net, x)
        assert fingerprint(net, x) == before


CHANGES = {
    "parameter": lambda net: net.fc.weight.data.mul_(2),
    "one bit of a buffer": lambda net: net.norm.running_mean.data[0].add_(1e-16),
    "training flag": lambda net: net.drop.train(),
    "attribute": lambda net: setattr(net.left, "activations", 1),
    "hook": lambda net: net.up.register_forward_hook(lambda *_: None),
    "gradient": lambda net: setattr(net.fc.bias, "grad", torch.ones(5).double()),
    "requires_grad": lambda net: net.fc.bias.requires_grad_(False),
    "another module": lambda net: setattr(net, "drop", nn.Dropout().eval()),
    "replaced parameter": lambda net: setattr(
        net.fc, "bias", nn.Parameter(net.fc.bias.data.clone())
    ),
    "random numbers": lambda net: torch.rand(1),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_fingerprint_sees(change):
    net = zoo()
    before = fingerprint(net)
    assert fingerprint(net) == before
    CHANGES[change](net)
    assert fingerprint(net) != before


def test_hooks_of_the_user_run_once_on_the_first_sample():
    net, x, seen = zoo(), uniform(1, 2, 2, 6, 6), []
    net.left.register_forward_hook(lambda module, inputs, output: seen.append(output))
    wanted = net.left(net.stem_relu(net.stem(x))).detach()
    seen.clear()
    modbp.explain(net, x, "lrp-z", 1)
    (found,) = seen
    assert type(found) is torch.Tensor
    torch.testing.assert_close(found.detach(), wanted[:1])


@pytest.mark.parametrize("name", CHAINS)
def test_relevance_given_is_not_written(name):
    # Where an input is added to what was made of it, the same relevance goes two ways.
    chain = modbp.chain(spelled(Modules), uniform(1, 2, 2, 6, 6), name)
    r = normal(2, *chain.output("sum.add").shape)
    copied = r.clone()
    chain.pull(r, "sum.add", to=chain.below("sum.add"))
    assert torch.equal(r, copied)


def test_a_chain_can_be_pulled_again_with_the_same_result():
    chain = modbp.chain(zoo(), uniform(1, 2, 2, 6, 6), "lrp-a2b1")
    r = normal(2, 2, 5)
    first = chain.pull(r, "fc")["input"]
    chain.pull(normal(3, 4, 2, 5), "fc", to=chain.layers)
    assert torch.equal(chain.pull(r, "fc")["input"], first)


@pytest.mark.parametrize("name", CHAINS)
def test_explaining_works_where_no_gradients_can_be_made(name):
    net, x = zoo(name), uniform(1, 2, 2, 6, 6)
    wanted = modbp.explain(net, x, name, 1)
    net.requires_grad_(False)
    with torch.inference_mode():
        found = modbp.explain(net, x, name, 1)
    assert torch.equal(found, wanted)
