"""The αβ-rule at additions, against a layer of ones and the 2020 code's clipping."""

import pytest
import torch
from nets import Sum, normal, relative, uniform
from networks import network, pictures
from torch import nn

import modbp
from modbp import methods, rules
from modbp.errors import InputError
from modbp.methods import Method
from modbp.rules.additions import CODE_LIMIT, AlphaBetaSplit


class Halves(nn.Module):
    """Add the two halves of a vector, as an addition or as a linear layer of ones."""

    def __init__(self, as_layer):
        super().__init__()
        self.one, self.two = nn.Linear(6, 4, False), nn.Linear(6, 4, False)
        self.ones = nn.Linear(8, 4, False)
        self.sum, self.as_layer = Sum(), as_layer
        self.one.weight.data, self.two.weight.data = normal(1, 4, 6), normal(2, 4, 6)
        eye = torch.eye(4, dtype=torch.float64)
        self.ones.weight.data = torch.cat([eye, eye], 1)

    def forward(self, x):
        a, b = self.one(x), self.two(x)
        return self.ones(torch.cat([a, b], 1)) if self.as_layer else self.sum(a, b)


def method(add, alpha=1):
    linear = rules.AlphaBeta(alpha, alpha - 1)
    return Method("mine", {"linear": linear, "relu": rules.Pass(), "add": add})


@pytest.mark.parametrize("alpha", [1, 2, 5])
def test_an_addition_is_a_linear_layer_of_ones(alpha):
    x, r = normal(3, 5, 6), normal(4, 5, 4)
    split = AlphaBetaSplit(alpha, alpha - 1)
    found = modbp.chain(Halves(False).eval(), x, method(split, alpha))
    wanted = modbp.chain(Halves(True).eval(), x, method(split, alpha))
    one, two = (chain.pull(r, chain.layers[-1])["input"] for chain in (found, wanted))
    assert relative(one, two) < 1e-12


def test_it_is_the_plain_split_where_both_summands_are_above_zero():
    net, x, r = Halves(False).eval(), uniform(3, 5, 6) + 0.1, normal(4, 5, 4)
    net.one.weight.data.abs_(), net.two.weight.data.abs_()
    both = [
        modbp.chain(net, x, method(add)).pull(r, "sum.add", ["one", "two"])
        for add in (AlphaBetaSplit(), rules.Split())
    ]
    for branch in ("one", "two"):
        assert relative(both[0][branch], both[1][branch]) < 1e-12


def test_the_limit_clips_what_each_branch_gets():
    net, x = Halves(False).eval(), normal(3, 5, 6)
    r = 1e4 * normal(4, 5, 4)
    free = modbp.chain(net, x, method(AlphaBetaSplit(2, 1), 2))
    tied = modbp.chain(net, x, method(AlphaBetaSplit(2, 1, CODE_LIMIT), 2))
    for branch in ("one", "two"):
        wanted = free.pull(r, "sum.add", branch)[branch]
        found = tied.pull(r, "sum.add", branch)[branch]
        assert (wanted < 0).any() and (wanted > CODE_LIMIT).any()
        assert torch.equal(found, wanted.clamp(0, CODE_LIMIT))


def test_a_residual_network_is_explained_with_it():
    net, x = network("resnet18"), pictures("resnet18")
    table = dict(methods.get("lrp-a1b0").rules)
    plain = modbp.explain(net, x, method=Method("plain", table))
    signed = Method("signed", {**table, "add": AlphaBetaSplit()})
    r = modbp.explain(net, x, method=signed)
    assert (r >= 0).all()  # α1β0 makes nothing negative, the plain split does
    assert relative(r, plain) > 1e-2


@pytest.mark.parametrize(
    "options, message",
    [
        ({"alpha": 2}, "alpha = 1 \\+ beta"),
        ({"limit": 0}, "limit is 0; give a number above 0"),
        ({"limit": float("nan")}, "limit is nan"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        AlphaBetaSplit(**options)
