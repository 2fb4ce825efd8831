"""The αβ-rule at additions, against a layer of ones and the 2020 code's clipping."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from nets import Sum, call, filled, normal, relative, repeatable, uniform
from torch import nn

import modbp
from modbp import methods, rules
from modbp.backprop.methods import Method
from modbp.backprop.rules import CODE_LIMIT, AlphaBetaSplit
from modbp.errors import InputError

# The methods of the 2020 code that follow the αβ-rule, and their α.
METHODS = {
    "lrp-a1b0": 1, "lrp-a2b1": 2, "lrp-a5b4": 5, "dtd": 1, "lrp-cmp-a1b0": 1,
    "lrp-cmp-a2b1": 2,
}  # fmt: skip


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


@pytest.mark.parametrize(
    "limit, one, two",
    # r = (4, 12, 10): 2·2·4/8 = 2; 4·12/−4 = −12; 2·5·10/5 = 20; and clipped.
    [(None, [2, -12, 20], [6, 24, -10]), (5.0, [2, 0, 5], [5, 5, 0])],
)
def test_each_sign_gets_its_own_share(limit, one, two):
    summands = torch.tensor([[[2.0, -4, 5]], [[6.0, 3, -1]]])
    _, back = AlphaBetaSplit(2, 1, limit)(call(lambda a: a + a, summands[0]), *summands)
    parts = back(torch.tensor([[[4.0, 12, 10]]]))
    assert [part[0, 0].tolist() for part in parts] == [one, two]


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


class Residual(nn.Module):
    """A residual block whose two branches end in a batch norm, as in ResNet-50."""

    def __init__(self):
        super().__init__()
        self.fc, self.fc_norm = nn.Linear(6, 5), nn.BatchNorm1d(5)
        self.skip, self.skip_norm = nn.Linear(6, 5), nn.BatchNorm1d(5)
        self.head = nn.Linear(5, 3)

    def forward(self, x):
        branch, skip = self.fc_norm(self.fc(x)), self.skip_norm(self.skip(x))
        return self.head(torch.relu(branch + skip))


def as_in_2020(weight, bias, a, r, alpha):
    """The αβ-rule of the 2020 code, whose layers all become kernels; in NumPy."""
    up, down = np.maximum(a, 0), np.minimum(a, 0)
    plus, minus = np.maximum(weight, 0), np.minimum(weight, 0)

    def divided(z):
        return r / np.where(z == 0, 1e-7, z)

    gain = divided(up @ plus.T + down @ minus.T + bias)
    loss = divided(up @ minus.T + down @ plus.T + bias)
    return alpha * (up * (gain @ plus) + down * (gain @ minus)) - (alpha - 1) * (
        up * (loss @ minus) + down * (loss @ plus)
    )


@pytest.mark.parametrize("name", METHODS)
def test_a_residual_block_is_explained_as_in_the_2020_code(name):
    net, alpha = filled(Residual(), seed=1), METHODS[name]
    for place, norm in enumerate((net.fc_norm, net.skip_norm)):
        norm.running_mean.copy_(normal(20 + place, 5))
        norm.running_var.copy_(uniform(30 + place, 5) + 0.5)
    options = {"addition": AlphaBetaSplit(alpha, alpha - 1, CODE_LIMIT)}
    if name == "dtd":
        options["first"] = rules.AlphaBeta()  # instead of the box
    found = methods.get(name, **options)
    x, r = uniform(2, 4, 6), 3e3 * normal(5, 4, 5)
    chain = modbp.chain(net, x, found, fold=False)
    parts = chain.pull(r, "relu", None)

    def numbers(layer):
        return chain.output(layer).numpy()

    def kernel(norm):
        scale = (norm.weight / (norm.running_var + norm.eps).sqrt()).detach().numpy()
        shift = norm.bias.detach().numpy() - norm.running_mean.numpy() * scale
        return np.diag(scale), shift

    ends = ("fc_norm", "skip_norm")
    joined = np.concatenate([numbers(end) for end in ends], 1)
    top = r.numpy() * (numbers("add") > 0 if name == "dtd" else 1)
    ones = np.concatenate([np.eye(5)] * 2, 1)
    split = as_in_2020(ones, np.zeros(5), joined, top, alpha)
    clipped = np.clip(split, 0, 1000)
    assert (split < 0).any() and (split > 1000).any()
    total = 0
    for end, piece in zip(ends, np.split(clipped, 2, axis=1), strict=True):
        layer = end.removesuffix("_norm")
        assert relative(parts[end], torch.from_numpy(piece)) < 1e-12
        piece = as_in_2020(*kernel(getattr(net, end)), numbers(layer), piece, alpha)
        dense = getattr(net, layer)
        weight, bias = dense.weight.detach().numpy(), dense.bias.detach().numpy()
        if "cmp" in name:  # the ε-rule in dense layers, and αβ in batch norm alone
            z = numbers(layer)
            below = x.numpy() * ((piece / (z + 1e-10 * np.sign(z))) @ weight)
        else:
            below = as_in_2020(weight, bias, x.numpy(), piece, alpha)
        total = total + below
    assert relative(parts["input"], torch.from_numpy(total)) < 1e-10


@pytest.mark.parametrize("name", METHODS)
def test_additions_follow_the_rule_that_is_given_and_else_split_by_contribution(name):
    assert methods.get(name).rules["add"] == rules.Split()
    assert methods.get(name, addition=rules.Copy()).rules["add"] == rules.Copy()


summand = st.floats(-8, 8, width=32)


@repeatable
@given(st.lists(st.tuples(summand, summand), min_size=1, max_size=9), st.floats(-3, 3))
def test_it_conserves_wherever_both_signs_have_a_summand(pairs, beta):
    beta = abs(beta)
    one, two = torch.tensor(pairs, dtype=torch.float64).T[:, None]
    split, r = AlphaBetaSplit(1 + beta, beta), normal(1, 1, *one.shape)
    _, back = split(call(lambda a: a + a, one), one, two)
    total = sum(back(r))
    mixed = (one * two < 0).expand_as(r)
    assert torch.allclose(total[mixed], r[mixed], rtol=1e-9)
    # Where one sign is missing its share is: only α or only −β of it arrives.
    above = ((one + two > 0) & (one * two >= 0)).expand_as(r)
    below = ((one + two < 0) & (one * two >= 0)).expand_as(r)
    assert torch.allclose(total[above], (1 + beta) * r[above], rtol=1e-9)
    assert torch.allclose(total[below], -beta * r[below], rtol=1e-9, atol=1e-12)
    _, clipped = AlphaBetaSplit(1 + beta, beta, 0.5)(
        call(lambda a: a + a, one), one, two
    )
    for free, tied in zip(back(r), clipped(r), strict=True):
        assert torch.equal(tied, free.clamp(0, 0.5))


@pytest.mark.parametrize("addition", ["alphabeta", "", AlphaBetaSplit])
def test_what_is_no_rule_for_additions_is_refused(addition):
    with pytest.raises(InputError, match="addition is .*AlphaBetaSplit.1, 0."):
        methods.get("lrp-cmp-a2b1", addition=addition)
