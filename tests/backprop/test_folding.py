"""Batch norm is folded into the layer before it, by value; the model stays as it is."""

import pytest
import torch
from nets import Only, fingerprint, normal, relative, uniform
from torch import nn

import modbp
from modbp.backprop.trace import Trace
from modbp.errors import TraceError, UnknownName


def trained(net, seed=0):
    """Draw all parameters and statistics, as if the network had been trained."""
    for place, (name, entry) in enumerate(net.state_dict().items()):
        if entry.is_floating_point():
            above_zero = name.endswith(("running_var", "scale"))
            draw = uniform if above_zero else normal
            entry.copy_(draw(100 * seed + place, *entry.shape) + 0.5 * above_zero)
    return net.double().eval()


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
        nn.ConvTranspose2d(4, 6, 3, stride=2, groups=2),
        nn.BatchNorm2d(6, eps=0.1),
        (4, 4, 5, 5),
    ),
    "ConvTranspose3d": (
        nn.ConvTranspose3d(3, 2, 2, bias=False),
        nn.BatchNorm3d(2),
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
    kind = f"{type(linear).__name__} + {type(norm).__name__}"
    assert (call.layer.type, call.kind) == (
        kind,
        "dense" if "Linear" in name else "conv",
    )
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
    """Behind the input, a joining, a ReLU, tokens, and where the output is used twice.

    The last one is a linear layer whose output feeds a skip connection as well.
    """

    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.joined = nn.BatchNorm1d(4), nn.BatchNorm1d(7)
            self.fc, self.norm = nn.Linear(4, 3), nn.BatchNorm1d(3)
            self.rectified = nn.BatchNorm1d(7)

        def forward(self, x):
            a = self.first(x)
            b = self.fc(a)
            c = self.joined(torch.cat([a, self.norm(b) + b], 1))
            return self.rectified(c.relu())

    found, _ = calls(trained(Own()), normal(1, 3, 4))
    kinds = {call.name: call.kind for call in found}
    assert [name for name, kind in kinds.items() if kind == "norm"] == [
        "first",
        "norm",
        "joined",
        "rectified",
    ]
    assert not any(call.folded for call in found)
    tokens = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))
    found, _ = calls(trained(tokens), normal(1, 3, 4, 4))
    assert [call.kind for call in found] == ["dense", "norm"]


def test_asking_for_the_size_of_a_layers_output_does_not_hinder_folding():
    class Sized(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.norm = nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3)

        def forward(self, x):
            a = self.conv(x)
            return self.norm(a).view(a.shape[0], -1)

    net, x = trained(Sized()), normal(1, 2, 2, 5, 5)
    found, output = calls(net, x)
    assert [call.name for call in found] == ["conv", "view"]
    assert relative(output, net(x).detach()) < 1e-14


def test_a_layer_used_twice_takes_each_of_its_batch_norms():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(4, 4)
            self.one, self.two = nn.BatchNorm1d(4), nn.BatchNorm1d(4)

        def forward(self, x):
            a = self.one(self.fc(x)).relu()
            return self.two(self.two(self.fc(a)))

    net, x = trained(Twice()), normal(1, 3, 4)
    found, output = calls(net, x)
    names = [(call.name, call.folded) for call in found]
    assert names == [("fc", "one"), ("relu", ""), ("fc:2", "two"), ("two:2", "")]
    assert relative(output, net(x).detach()) < 1e-14


def test_relevance_at_the_folded_layer_is_that_of_the_batch_norms_output():
    parts = nn.Linear(4, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 3)
    net, x = trained(nn.Sequential(*parts)), normal(1, 3, 4)
    chain = modbp.chain(net, x, "gradient")
    assert "Linear + BatchNorm1d" in str(chain)
    assert relative(chain.output("0"), net[:2](x).detach()) < 1e-14
    between = net[:2](x).detach().requires_grad_()
    r = normal(2, 3, 3)
    (wanted,) = torch.autograd.grad(net[2:](between), between, r)
    assert relative(chain.pull(r, "3", "0")["0"], wanted) < 1e-14


@pytest.mark.parametrize("method", ["gradient", "lrp-z", "lrp-a1b0"])
def test_without_folding_batch_norm_has_its_own_layer_as_in_the_2020_code(method):
    parts = nn.Linear(4, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 3)
    net, x = trained(nn.Sequential(*parts)), normal(1, 3, 4)
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
    parts = nn.Linear(4, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 3)
    net, x = trained(nn.Sequential(*parts)), normal(1, 3, 4)
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
    assert abs(apart.cosines["1"] - whole.cosines["0"]).max() < 1e-12
    assert abs(apart.cosines["0"] - whole.cosines["0"]).max() > 1e-2
    assert modbp.csc(net, x, "lrp-a1b0", "1", fold=False).layers == ["1", "0", "input"]
    with pytest.raises(
        UnknownName, match="'1' is a batch norm that was folded.* Use '0'"
    ):
        modbp.csc(net, x, "lrp-a1b0", "1")


def test_patterns_are_those_of_the_layers_of_the_chain():
    # Of an output that is s times as large, y = s wᵀx, the pattern is 1/s as large.
    norm = nn.BatchNorm1d(5)
    net = trained(nn.Sequential(nn.Linear(4, 5), norm, nn.ReLU(), nn.Linear(5, 3)))
    x, r = normal(1, 64, 4), normal(2, 64, 5)
    found = {
        fold: modbp.patterns.fit(net, x, kind="linear", fold=fold)
        for fold in (True, False)
    }
    factor = norm.weight.detach() / (norm.running_var + norm.eps).sqrt()
    assert relative(found[True]["0"] * factor[:, None], found[False]["0"]) < 1e-10
    for fold, at in (True, "0"), (False, "1"):
        method = modbp.methods.get("patternnet", patterns=found[fold])
        chain = modbp.chain(net, x, method, fold=fold)
        wanted = (r if fold else r * factor) @ found[fold]["0"]
        assert relative(chain.pull(r, at)["input"], wanted) < 1e-12


@pytest.mark.parametrize(
    "norm, message",
    [
        (nn.BatchNorm2d(3, track_running_stats=False), "track_running_stats=True"),
        (nn.BatchNorm2d(4), "it takes 4 channels"),
        (nn.BatchNorm2d(1), "it takes 1 channels"),
    ],
)
def test_a_batch_norm_that_cannot_be_folded_is_refused_under_its_own_name(
    norm, message
):
    net = nn.Sequential(nn.Conv2d(2, 3, 3), norm).eval().double()
    with pytest.raises((TraceError, modbp.errors.InputError)) as caught:
        calls(net, normal(1, 2, 2, 5, 5))
    assert "layer '1'" in str(caught.value) and message in str(caught.value)


def test_a_function_that_convolves_takes_the_batch_norm_too():
    class Functional(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight, self.norm = (
                nn.Parameter(torch.zeros(3, 2, 3, 3)),
                nn.BatchNorm2d(3),
            )

        def forward(self, x):
            return self.norm(nn.functional.conv2d(x, self.weight))

    net, x = trained(Only(Functional())), normal(1, 2, 2, 5, 5)
    (call,), output = calls(net, x)
    assert call.layer.type == "conv2d + BatchNorm2d"
    assert relative(output, net(x).detach()) < 1e-14
