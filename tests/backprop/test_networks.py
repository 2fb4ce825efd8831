"""The classifiers of torchvision under every method: conservation, autograd, Zennit.

Weights are random, images small. `tests/networks.py` makes both.
"""

import copy

import pytest
import torch
from nets import fingerprint, relative
from networks import FOREIGN, NETWORKS, RELATIVES, foreign, network, pictures
from torch import nn

import modbp
from modbp import methods
from modbp.backprop.trace import Trace
from modbp.errors import MethodError

# The larger ones differ from these in depth alone; every method takes its time.
LARGE = {"vgg11", "vgg16", "vgg16_bn", "vgg19"}
LARGE |= {"resnet50", "resnet101", "squeezenet1_0"}
FEW = sorted(set(NETWORKS) - LARGE)
# Siblings of networks that are tested anyway; `pytest -m long` takes them too.
LONG = {"vgg11", "vgg16", "vgg19", "resnet101", "squeezenet1_0", "googlenet"}
LONG |= set(RELATIVES)


def each(names, *more):
    """Parameters for a list of networks, of which some are for the long run."""
    for name in names:
        marks = [pytest.mark.long] if name in LONG else []
        yield pytest.param(name, *more, marks=marks)


# Relevance in one walk down, without anything to be fitted or given before.
SINGLE = (
    "gradient gradient-x-input guided-bp deconv lrp-z lrp-eps lrp-a1b0 lrp-a2b1 "
    "lrp-a5b4 excitation-bp"
).split()
# Here a linear layer reads signed values: an addition without a ReLU behind it in
# MobileNet-V2, batch norm that no layer can take in, behind a joining, in DenseNet.
SIGNED = ("mobilenet_v2", "densenet121")
CONSERVING = {
    "lrp-z": {"bias": "ignore"},
    "lrp-eps": {"bias": "ignore", "epsilon": 1e-14},
    "lrp-a1b0": {"bias": "ignore"},
}


@pytest.mark.parametrize("name", list(each([*NETWORKS, *RELATIVES])))
def test_the_output_and_the_gradient_are_those_of_torch(name):
    net, x = network(name, bias=True), pictures(name)
    chain = modbp.chain(net, x, "gradient")
    inputs = x.clone().requires_grad_()
    logits = net(inputs)
    assert relative(chain.logits, logits.detach()) < 1e-12
    y = logits.argmax(1, keepdim=True)
    (wanted,) = torch.autograd.grad(logits.gather(1, y).sum(), inputs)
    assert wanted.abs().max() > 0
    assert relative(chain.explain(), wanted) < 1e-12


@pytest.mark.long
@pytest.mark.parametrize("name", FEW)
def test_every_method_explains_each_image_on_its_own_and_changes_nothing(name):
    net, x = network(name, bias=True), pictures(name)
    before = fingerprint(net, x)
    for method in SINGLE:
        if method == "excitation-bp" and name in SIGNED:
            with pytest.raises(MethodError, match="negative inputs.*Use 'lrp-a1b0'"):
                modbp.explain(net, x, method)
            continue
        both = modbp.explain(net, x, method)
        assert both.isfinite().all() and both.abs().max() > 0, method
        if method in ("guided-bp", "lrp-a1b0"):
            second = modbp.explain(net, x[1:], method)
            assert relative(second, both[1:]) < 1e-8, method
    assert fingerprint(net, x) == before


@pytest.mark.parametrize("name", [*FEW, "vgg16_bn", "resnet50"])
def test_in_float32_folding_costs_no_more_than_rounding_does_anyway(name):
    net, x = network(name, bias=True), pictures(name)
    single = copy.deepcopy(net).float()
    chain = modbp.chain(single, x.float(), "gradient")
    exact = modbp.chain(net, x, "gradient")
    # Deep networks of random weights amplify rounding: VGG-11 with batch norm is off by
    # 5e-6 as torch computes it. Convolutions round otherwise with channels last.
    own = 0
    for order in (torch.contiguous_format, torch.channels_last):
        with torch.no_grad():
            logits = single(x.float().contiguous(memory_format=order)).double()
        own = max(own, relative(logits, exact.logits))
    assert relative(chain.logits.double(), exact.logits) < max(1e-6, 3 * own)


WITH_NORM = "resnet18 resnet50 vgg16_bn densenet121 mobilenet_v2 googlenet".split()


@pytest.mark.parametrize("name", WITH_NORM)
def test_every_folded_layer_is_the_two_of_the_model(name):
    single = copy.deepcopy(network(name, bias=True)).float()
    modules, folded, own = dict(single.named_modules()), {}, []

    def visit(call, *inputs):
        output = call.layer.forward(*inputs)
        if call.folded:
            both = modules[call.folded](modules[call.name](*inputs))
            assert (output - both).norm() < 1e-5 * both.norm(), call.name
            folded[call.folded] = call.name
        own.extend([call.name] if call.kind == "norm" else [])
        return output

    with torch.no_grad():
        Trace(single).run(pictures(name).float(), visit)
    norms = [key for key, part in modules.items() if type(part) is nn.BatchNorm2d]
    assert norms and sorted([*folded, *own]) == sorted(norms)
    if name == "densenet121":
        # Behind a concatenation, and so behind no layer that could take it in.
        ends = ("norm1", "transition1.norm", "transition2.norm", "transition3.norm")
        assert own == [n for n in norms if n.endswith((*ends, "norm5"))]
        assert folded["features.norm0"] == "features.conv0"
    else:
        assert own == []


# Conservation -------------------------------------------------------------------------


def lost(net, x, method):
    """Return the largest part of the explained logit that the input does not get."""
    chain = modbp.chain(net, x, method)
    top = chain.logits.amax(1)
    found = chain.explain().flatten(1).sum(1)
    return ((found - top) / top).abs().max().item()


# What lrp-z does to the large ones is seen by lrp-eps, whose ε is almost nothing.
CASES = [
    case
    for method in CONSERVING
    for case in each(FEW if method == "lrp-z" else NETWORKS, method)
]


@pytest.mark.parametrize("name, method", CASES)
def test_without_biases_the_input_gets_the_explained_logit(name, method):
    method = methods.get(method, **CONSERVING[method])
    loss = lost(network(name), pictures(name), method)
    if (name, method.name) == ("mobilenet_v2", "lrp-a1b0"):
        # A depthwise unit has nine inputs. Where none contributes positively, what an
        # addition hands to it is lost.
        assert 1e-6 < loss < 1e-2
    else:
        assert loss < 1e-8


JOINS = {"resnet18": 8, "resnet50": 16, "squeezenet1_1": 8, "googlenet": 9}
JOINS |= {"densenet121": 62, "mobilenet_v2": 10, "own": 3}


@pytest.mark.parametrize("name", list(each(JOINS)))
def test_every_addition_and_concatenation_hands_on_what_it_gets(name):
    chain = modbp.chain(network(name), pictures(name), "lrp-z")
    joins = [n for n in chain.layers if n.rpartition(".")[2].startswith(("add", "cat"))]
    assert len(joins) == JOINS[name]
    for layer in joins:
        sums = chain.operator(layer).column_sums()
        # Zero plus zero has nothing to split.
        wanted = torch.ones_like(sums)
        if "add" in layer:
            wanted = (chain.output(layer) != 0).double()
        assert relative(sums, wanted) < 1e-8


# Refusals -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", FOREIGN)
def test_what_has_no_rule_is_refused_by_its_name(name):
    with pytest.raises(MethodError) as caught:
        modbp.explain(foreign(name), torch.rand(1, 3, 64, 64), "lrp-a1b0")
    assert FOREIGN[name] in str(caught.value)
    assert "Attention multiplies activations" in str(caught.value)
