"""Batch norm is folded into the layer before it, by value; the model stays as it is."""

import numpy as np
import pytest
import torch
from nets import Net, fingerprint, normal, relative, trained
from torch import nn

import modbp
from modbp.backprop.trace import Trace
from modbp.errors import InputError, MethodError, UnknownName


def small():
    """A small network with a batch norm, and inputs."""
    parts = nn.Linear(4, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 3)
    return trained(nn.Sequential(*parts)), normal(1, 3, 4)


def calls(net, x):
    with torch.no_grad():
        found, outputs, last = Trace(net).run(x)
    return found[1:], outputs[last]


# Every linear layer that a batch norm can follow.
PAIRS = {
    "Conv1d": (nn.Conv1d(2, 3, 3), nn.BatchNorm1d(3), (4, 2, 7)),
    "Conv2d": (nn.Conv2d(2, 3, 3, bias=False), nn.BatchNorm2d(3), (4, 2, 5, 5)),
    "grouped": (nn.Conv2d(4, 6, 3, groups=2), nn.BatchNorm2d(6), (4, 4, 5, 5)),
    "depthwise": (nn.Conv2d(4, 8, 3, groups=4), nn.BatchNorm2d(8), (4, 4, 5, 5)),
    "Conv3d": (nn.Conv3d(2, 3, 2), nn.BatchNorm3d(3, affine=False), (2, 2, 3, 3, 3)),
    "ConvTranspose1d": (nn.ConvTranspose1d(2, 3, 3), nn.BatchNorm1d(3), (4, 2, 5)),
    "ConvTranspose2d": (
        *(nn.ConvTranspose2d(4, 6, 3, 2, groups=2), nn.BatchNorm2d(6, eps=0.1)),
        (4, 4, 5, 5),
    ),
    "ConvTranspose3d": (
        *(nn.ConvTranspose3d(3, 2, 2, bias=False), nn.BatchNorm3d(2)),
        (2, 3, 3, 3, 3),
    ),
    "Linear": (nn.Linear(4, 3), nn.BatchNorm1d(3), (5, 4)),
    "Linear without bias": (nn.Linear(4, 3, False), nn.BatchNorm1d(3), (5, 4)),
}


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize(
    "dtype, limit", [(torch.float32, 1e-6), (torch.float64, 1e-14)]
)
def test_a_folded_layer_is_the_two_layers_in_one(name, dtype, limit):
    linear, norm, shape = PAIRS[name]
    net = trained(nn.Sequential(linear, norm)).to(dtype)
    x = normal(1, *shape).to(dtype)
    (call,), output = calls(net, x)
    assert (call.name, call.folded) == ("0", "1")
    assert call.layer.type == f"{type(linear).__name__} + {type(norm).__name__}"
    assert call.kind == ("dense" if "Linear" in name else "conv")
    assert relative(output, net(x).detach()) < limit
    # The parts that rules use belong to the same layer.
    layer = call.layer
    assert torch.equal(layer.linear(x, layer.weight, layer.bias), output)
    x.requires_grad_()
    r = normal(2, *output.shape).to(dtype)
    (wanted,) = torch.autograd.grad(net(x), x, r)
    found = layer.adjoint(r, layer.weight, x.shape)
    assert relative(found, wanted) < limit


def test_a_batch_norm_keeps_its_own_layer_where_nothing_can_take_it():
    """Behind the input, a joining, a ReLU, tokens, and where two read the output."""

    def forward(n, x):
        a = n.first(x)
        b = n.fc(a)  # feeds a skip connection as well
        c = n.joined(torch.cat([a, n.norm(b) + b], 1))
        return n.rectified(c.relu())

    sizes = {"first": 4, "norm": 3, "joined": 7, "rectified": 7}
    norms = {name: nn.BatchNorm1d(size) for name, size in sizes.items()}
    net = Net(forward, fc=nn.Linear(4, 3), **norms)
    found, _ = calls(trained(net), normal(1, 3, 4))
    assert [call.name for call in found if call.kind == "norm"] == list(sizes)
    assert not any(call.folded for call in found)
    tokens = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))
    found, _ = calls(trained(tokens), normal(1, 3, 4, 4))
    assert [call.kind for call in found] == ["dense", "norm"]


def test_asking_for_the_size_of_a_layers_output_does_not_hinder_folding():
    def forward(n, x):
        a = n.conv(x)
        return n.norm(a).view(a.shape[0], -1)

    net = trained(Net(forward, conv=nn.Conv2d(2, 3, 3), norm=nn.BatchNorm2d(3)))
    x = normal(1, 2, 2, 5, 5)
    found, output = calls(net, x)
    assert [call.name for call in found] == ["conv", "view"]
    assert relative(output, net(x).detach()) < 1e-14


def test_a_layer_used_twice_takes_each_of_its_batch_norms():
    def forward(n, x):
        a = n.one(n.fc(x)).relu()
        return n.two(n.two(n.fc(a)))

    norms = {"one": nn.BatchNorm1d(4), "two": nn.BatchNorm1d(4)}
    net, x = trained(Net(forward, fc=nn.Linear(4, 4), **norms)), normal(1, 3, 4)
    found, output = calls(net, x)
    names = [(call.name, call.folded) for call in found]
    assert names == [("fc", "one"), ("relu", ""), ("fc:2", "two"), ("two:2", "")]
    assert relative(output, net(x).detach()) < 1e-14


def test_relevance_at_the_folded_layer_is_that_of_the_batch_norms_output():
    net, x = small()
    chain = modbp.chain(net, x, "gradient")
    assert "Linear + BatchNorm1d" in str(chain)
    assert relative(chain.output("0"), net[:2](x).detach()) < 1e-14
    between = net[:2](x).detach().requires_grad_()
    r = normal(2, 3, 3)
    (wanted,) = torch.autograd.grad(net[2:](between), between, r)
    assert relative(chain.pull(r, "3", "0")["0"], wanted) < 1e-14


@pytest.mark.parametrize("method", ["gradient", "lrp-z", "lrp-a1b0"])
def test_without_folding_batch_norm_has_its_own_layer_as_in_the_2020_code(method):
    net, x = small()
    apart = modbp.chain(net, x, method, fold=False)
    whole = modbp.chain(net, x, method)
    assert apart.layers == ["input", "0", "1", "2", "3"]
    assert relative(apart.logits, whole.logits) < 1e-14
    r = normal(2, 3, 3)
    one, two = (link.pull(r, "3", ["input"])["input"] for link in (apart, whole))
    if method == "lrp-a1b0":  # of its own, it sorts one contribution by its sign
        assert relative(one, two) > 1e-2
    else:
        assert relative(one, two) < 1e-13
    # At the folded layer stands what stands at the batch norm.
    at_norm, at_layer = apart.pull(r, "3", "1")["1"], whole.pull(r, "3", "0")["0"]
    assert relative(at_layer, at_norm) < 1e-13


@pytest.mark.parametrize("method", ["lrp-a2b1", "smoothgrad", "deeplift-rescale"])
def test_explain_folds_or_leaves_batch_norm_as_the_chain_does(method):
    net, x = small()
    before, found = fingerprint(net, x), {}
    for fold in (True, False):
        found[fold] = modbp.explain(net, x, method, [0, 1, 2], fold=fold)
        if method != "smoothgrad":
            link = modbp.chain(net, x, method, fold=fold)
            assert torch.equal(found[fold], link.explain([0, 1, 2]))
    assert torch.equal(found[True], modbp.explain(net, x, method, [0, 1, 2]))
    difference = relative(found[False], found[True])
    assert difference > 1e-2 if method == "lrp-a2b1" else difference < 1e-12
    assert fingerprint(net, x) == before


def test_csc_starts_and_measures_at_a_batch_norm_of_its_own():
    parts = nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten()
    net = trained(nn.Sequential(*parts, nn.Linear(4 * 9, 3)))
    x = normal(1, 3, 2, 5, 5)
    apart = modbp.csc(net, x, "lrp-a1b0", "4", fold=False)
    assert apart.layers == ["4", "3", "2", "1", "0", "input"]
    whole = modbp.csc(net, x, "lrp-a1b0", "4")
    assert whole.layers == ["4", "3", "2", "0", "input"]
    # What stands at the batch norm stands at the layer that took it in.
    assert np.nanmax(abs(apart.cosines["1"] - whole.cosines["0"])) < 1e-12
    assert np.nanmax(abs(apart.cosines["0"] - whole.cosines["0"])) > 1e-2
    assert modbp.csc(net, x, "lrp-a1b0", "1", fold=False).layers == ["1", "0", "input"]
    told = "'1' is a batch norm that was folded.* Use '0'"
    with pytest.raises(UnknownName, match=told):
        modbp.csc(net, x, "lrp-a1b0", "1")


def test_patterns_are_those_of_the_layers_of_the_chain():
    # Of an output that is s times as large, y = s wᵀx, the pattern is 1/s as large.
    net, x, r = small()[0], normal(1, 64, 4), normal(2, 64, 5)
    fitted = (modbp.patterns.fit(net, x, "linear", fold=fold) for fold in (True, False))
    found = dict(zip((True, False), fitted, strict=True))
    norm = net[1]
    factor = norm.weight.detach() / (norm.running_var + norm.eps).sqrt()
    assert relative(found[True]["0"] * factor[:, None], found[False]["0"]) < 1e-10
    for fold, at in (True, "0"), (False, "1"):
        method = modbp.methods.get("patternnet", patterns=found[fold])
        chain = modbp.chain(net, x, method, fold=fold)
        wanted = (r if fold else r * factor) @ found[fold]["0"]
        assert relative(chain.pull(r, at)["input"], wanted) < 1e-12


def test_a_batch_norm_that_cannot_be_folded_is_refused_under_its_own_name():
    for norm, message in (
        (nn.BatchNorm2d(4), "layer '1'.* 3 elements not 4"),
        (nn.BatchNorm2d(1), "layer '1'.* 3 elements not 1"),
        (nn.BatchNorm2d(3, track_running_stats=False), "'1'.*track_running_stats=True"),
    ):
        net = nn.Sequential(nn.Conv2d(2, 3, 3), norm).eval().double()
        with pytest.raises((MethodError, InputError), match=message):
            modbp.chain(net, normal(1, 2, 2, 5, 5), "lrp-z")


def test_a_function_that_convolves_takes_the_batch_norm_too():
    def forward(n, x):
        return n.norm(nn.functional.conv2d(x, n.weight))

    weight = nn.Parameter(torch.zeros(3, 2, 3, 3))
    net = trained(Net(forward, weight=weight, norm=nn.BatchNorm2d(3)))
    x = normal(1, 2, 2, 5, 5)
    (call,), output = calls(net, x)
    assert call.layer.type == "conv2d + BatchNorm2d"
    assert relative(output, net(x).detach()) < 1e-14
