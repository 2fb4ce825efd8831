"""The classifiers of torchvision under every method: conservation, autograd, Zennit.

Weights are random, images small. `tests/networks.py` makes both.
"""

import copy
from functools import cache

import pytest
import torch
from nets import fingerprint, relative
from networks import NETWORKS, RELATIVES, RESNETS, network, pictures
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

import modbp
from modbp import methods
from modbp.errors import MethodError
from modbp.vision import load_torchvision

# Zennit imports torchvision at once, and cannot beside some builds of torch.
load_torchvision()
from zennit import rules as zennit  # noqa: E402
from zennit.composites import LayerMapComposite  # noqa: E402
from zennit.layer import Sum  # noqa: E402
from zennit.torchvision import ResNetCanonizer  # noqa: E402
from zennit.types import Activation, AvgPool, Linear  # noqa: E402

# The larger ones differ from these in depth alone; every method takes its time.
LARGE = {"vgg11", "vgg16_bn", "vgg19", "resnet50", "resnet101", "squeezenet1_0"}
FEW = sorted(set(NETWORKS) - LARGE)
# Siblings of networks that are tested anyway; `pytest -m long` takes them too.
LONG = {"vgg11", "vgg19", "resnet101", "squeezenet1_0", "googlenet", *RELATIVES}


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
                modbp.explain(net, x, method=method)
            continue
        both = modbp.explain(net, x, method=method)
        assert both.isfinite().all() and both.abs().max() > 0, method
        if method in ("guided-bp", "lrp-a1b0"):
            second = modbp.explain(net, x[1:], method=method)
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
    orders = (torch.contiguous_format, torch.channels_last)
    with torch.no_grad():
        own = max(
            relative(
                single(x.float().contiguous(memory_format=o)).double(), exact.logits
            )
            for o in orders
        )
    assert relative(chain.logits.double(), exact.logits) < max(1e-6, 3 * own)


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


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "squeezenet1_1", "googlenet"])
def test_every_addition_and_concatenation_hands_on_what_it_gets(name):
    chain = modbp.chain(network(name), pictures(name), "lrp-z")
    joins = [n for n in chain.layers if n.rpartition(".")[2].startswith(("add", "cat"))]
    assert len(joins) >= 8
    for layer in joins:
        sums = chain.operator(layer).column_sums()
        # Zero plus zero has nothing to split.
        wanted = torch.ones_like(sums)
        if "add" in layer:
            wanted = (chain.output(layer) != 0).double()
        assert relative(sums, wanted) < 1e-8


# Zennit -------------------------------------------------------------------------------

# Zennit adds a constant to every denominator, modbp replaces exact zeros only. With
# 1e-12, sums that are almost zero in an addition would make 3e-9 of a difference.
RULES = {
    "lrp-a1b0": zennit.AlphaBeta(1, 0, 1e-30),
    "lrp-a2b1": zennit.AlphaBeta(2, 1, 1e-30),
    "lrp-eps": zennit.Epsilon(1e-6),
}


@cache
def merged(name):
    """Return a copy of a network with batch norm merged by torch.

    Zennit's own merging leaves a division by sqrt(1 + 1e-5) behind every layer.
    """
    net = copy.deepcopy(network(name))
    for module in list(net.modules()):
        children = list(module.named_children())
        for (key, conv), (after, norm) in zip(children, children[1:], strict=False):
            if isinstance(norm, nn.BatchNorm2d):
                fused = fuse_conv_bn_eval(conv, norm)
                assert not fused.bias.any()
                fused.bias = None
                setattr(module, key, fused)
                setattr(module, after, nn.Identity())
    return net


def by_zennit(net, x, rule, residual):
    x = x.clone().requires_grad_()
    table = [
        (Activation, zennit.Pass()),
        (Sum, zennit.Norm(1e-30)),
        (AvgPool, zennit.Norm(1e-30)),
        (Linear, rule),
    ]
    canonizers = [ResNetCanonizer()] if residual else []
    with LayerMapComposite(table, canonizers=canonizers).context(net) as modified:
        logits = modified(x)
        top = logits.detach().amax(1, keepdim=True)
        return torch.autograd.grad(logits, x, top * (logits == top))[0]


@pytest.mark.parametrize("method", RULES)
@pytest.mark.parametrize(
    "name",
    [
        *(pytest.param(n, marks=pytest.mark.long) for n in ("vgg16_bn", "resnet50")),
        *("resnet18", "squeezenet1_1", "alexnet"),
    ],
)
def test_lrp_is_zennits(name, method):
    x = pictures(name) - 0.3  # the first layer sees both signs
    wanted = by_zennit(merged(name), x, RULES[method], name in RESNETS)
    assert wanted.abs().max() > 0
    assert relative(modbp.explain(network(name), x, method=method), wanted) < 1e-9


# Refusals -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, layer, found",
    [
        ("shufflenet_v2_x0_5", "stage2.1.chunk", "chunk"),
        ("mobilenet_v3_small", "features.0.2", "Hardswish"),
        ("efficientnet_b0", "features.0.2", "SiLU"),
        ("convnext_tiny", "features.0.1", "layer_norm"),
        ("swin_t", "features.0.2", "LayerNorm"),
    ],
)
def test_what_has_no_rule_is_refused_by_its_name(name, layer, found):
    with torch.device("meta"):
        net = getattr(load_torchvision().models, name)()
    net = net.to_empty(device="cpu").eval()
    with torch.no_grad():
        for entry in net.parameters():
            entry.zero_()
    with pytest.raises(MethodError) as caught:
        modbp.explain(net, torch.rand(1, 3, 64, 64))
    assert f"layer '{layer}" in str(caught.value)
    assert f"({found}) is of kind 'other'" in str(caught.value)
    assert "Replace the layer by ones that modbp knows" in str(caught.value)
