"""Where channels are: the same numbers however a network is spelled."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from nets import Net, Zoo, filled, none, normal, relative, repeatable, uniform
from torch import nn

import modbp
from modbp.measures.channels import channel_dims, side_by_side
from modbp.measures.csc import random_relevance


def dims(net, x):
    """Return the channels of every layer by name, where they are not the second."""
    chain = modbp.chain(net, x, "gradient")
    shapes = [chain.output(layer).shape for layer in chain.layers]
    found = channel_dims(chain.calls, shapes)
    return {k: v for k, v in zip(chain.layers, found, strict=True) if v != (1,)}


def shuffled(net, x):
    """A channel shuffle between two convolutions, and what follows on tokens."""
    a = net.conv(x).unflatten(1, (2, 3)).transpose(1, 2).flatten(1, 2)
    a = F.relu(net.grouped(a)).flatten(2).transpose(1, 2)
    return net.head((net.drop(net.mlp(a)) + a).mean(1))


def test_channels_are_followed_through_moves_and_reshapes():
    parts = {
        "conv": nn.Conv2d(4, 6, 3),
        "grouped": nn.Conv2d(6, 6, 1, groups=3),
        "mlp": nn.Linear(6, 6),
        "drop": nn.Dropout(),
        "head": nn.Linear(6, 2),
    }
    net = filled(Net(shuffled, **parts))
    found = dims(net, normal(1, 2, 4, 6, 5))
    assert found == {
        "unflatten": (1, 2), "transpose": (1, 2), "transpose:2": (2,), "mlp": (2,),
        "drop": (2,), "add": (2,),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("run", "shape", "wanted"),
    [
        (lambda n, x: n.fc(x.flatten(1)), (1, 8), 1),  # pixels: colours, as always
        (lambda n, x: n.fc(x).flatten(1), (3, 8), 2),
        (lambda n, x: n.fc(F.relu(x)).flatten(1), (3, 8), 2),
        (lambda n, x: n.fc(x.transpose(1, 2)).flatten(1), (8, 3), 1),
        (lambda n, x: n.conv(x.transpose(1, 2)).flatten(1), (3, 8), 2),
        (lambda n, x: n.fc(x).flatten(1), (2, 3, 8), 3),
        (lambda n, x: n.conv(x.flatten(2)).flatten(1), (8, 2, 3), 1),
        (lambda n, x: F.relu(x).flatten(1), (3, 8), 1),
    ],
)
def test_the_input_s_channels_are_what_the_first_layer_reads(run, shape, wanted):
    net = filled(Net(run, fc=nn.Linear(8, 8), conv=nn.Conv1d(8, 4, 1)))
    found = dims(net, normal(1, 2, *shape))
    assert found.get("input", (1,)) == (wanted,)


def test_channels_that_became_places_leave_the_second_dimension():
    call = modbp.chain(filled(nn.Sequential(nn.Conv1d(2, 4, 1), nn.Flatten())),
                       normal(1, 2, 2, 3), "gradient").calls[2]  # fmt: skip
    assert channel_dims([call], [(2, 4, 3)]) == [(1,)]
    r = normal(1, 5, 2, 3, 4, 6)
    assert torch.equal(side_by_side(r, (1,)), r)
    assert torch.equal(side_by_side(r, (2, 3)), r.movedim(2, -1).flatten(2, 3))
    assert torch.equal(side_by_side(r, (3,)), r.movedim(-1, 2))


# One network on tokens, spelled with Linear on [N, T, C] and with convolutions of one
# place on [N, C, T].


def spellings(tokens, widths, seed, skip=False):
    """Return both, of the same function; the second of the input transposed."""

    def run(net, a):
        for layer, (wide, narrow) in zip(net.layers, pairs, strict=True):
            z = F.relu(layer(a))
            a = z + a if skip and wide == narrow else z
        return net.top(a.flatten(1))

    pairs = list(zip(widths, widths[1:], strict=False))
    dense = nn.ModuleList(nn.Linear(*pair) for pair in pairs)
    conv = nn.ModuleList(nn.Conv1d(*pair, 1) for pair in pairs)
    tops = [nn.Linear(widths[-1] * tokens, 4) for _ in range(2)]
    one = filled(Net(run, layers=dense, top=tops[0]), seed, none)
    two = filled(Net(run, layers=conv, top=tops[1]), seed, none)
    for ours, theirs in zip(dense, conv, strict=True):
        theirs.weight.data = ours.weight.data[:, :, None].clone()
    weight = tops[0].weight.data.unflatten(1, (tokens, -1))
    tops[1].weight.data = weight.mT.flatten(1).clone()
    return one, two


@repeatable
@given(
    st.integers(2, 5), st.lists(st.integers(2, 6), min_size=2, max_size=4),
    st.integers(0, 1000), st.booleans(),
    st.sampled_from(["gradient", "lrp-z", "lrp-a1b0", "lrp-gamma"]),
)  # fmt: skip
def test_convergence_does_not_depend_on_the_spelling(tokens, widths, seed, skip, name):
    one, two = spellings(tokens, widths, seed, skip)
    x = uniform(seed, 2, tokens, widths[0])
    chains = modbp.chain(one, x, name), modbp.chain(two, x.mT.contiguous(), name)
    assert relative(chains[1].logits, chains[0].logits) < 1e-12
    r, found = random_relevance(chains[0], "top", 3), []
    for chain in chains:
        shapes = [chain.output(layer).shape for layer in chain.layers]
        where = channel_dims(chain.calls, shapes)
        at = chain.pull(r, "top", chain.layers)
        each = zip(chain.layers, where, strict=True)
        found.append({k: side_by_side(at[k], dims) for k, dims in each})
    for layer in {*found[0]} - {"top", "flatten"}:
        one, two = (each[layer] + 1 for each in found)
        assert relative(one, two) < 1e-9, layer


def test_csc_on_tokens_is_that_of_convolutions_of_one_place():
    one, two = spellings(6, [16] * 9, 0)
    x = uniform(1, 2, 6, 16)
    tokens = modbp.csc(one, x, "lrp-a1b0", "top")
    places = modbp.csc(two, x.mT.contiguous(), "lrp-a1b0", "top")
    assert tokens.channels == places.channels
    assert tokens.channels["input"] == tokens.channels["layers.0"] == 16
    for layer in ("layers.4", "layers.0", "input"):  # the draws are not the same
        value = places.median()[layer]
        assert tokens.median()[layer] == pytest.approx(value, abs=0.01), layer
    assert tokens.floor() == places.floor()
    r = normal(1, 3, 2, 6, 16)
    both = modbp.similarity.pairwise(r, dim=-1), modbp.similarity.pairwise(r.mT)
    assert relative(*both) < 1e-12


def test_convergence_does_not_depend_on_where_a_convolution_s_channels_are():
    def turned(net, x):
        a = F.relu(net.one(x.permute(0, 3, 1, 2)))
        a = a.permute(0, 2, 3, 1)
        return net.two(a.permute(0, 3, 1, 2)).flatten(1)

    parts = {"one": nn.Conv2d(3, 5, 3), "two": nn.Conv2d(5, 4, 2)}
    x, net = uniform(1, 2, 5, 5, 3), filled(Net(turned, **parts))
    found = modbp.csc(net, x, "gradient", "two")
    assert found.channels == {
        "two": 4, "permute:3": 5, "permute:2": 5, "relu": 5, "one": 5, "permute": 3,
        "input": 3,
    }  # fmt: skip
    for lower, upper in (("input", "permute"), ("permute:2", "relu")):
        assert (
            relative(*map(torch.tensor, (found.cosines[lower], found.cosines[upper])))
            < 1e-12
        )


@torch.no_grad()
def test_neurons_and_central_weights_do_not_depend_on_the_spelling():
    one, two = spellings(3, [4, 6, 5], 2)
    x = uniform(1, 2, 3, 4)
    neurons = modbp.measures.neurons
    ours, theirs = neurons.seen(one, x), neurons.seen(two, x.mT.contiguous())
    assert [*ours] == [*theirs] == ["layers.0", "layers.1", "top"]
    for layer in ours:
        a, b = (torch.tensor(each[layer].x) for each in (ours, theirs))
        assert a.shape == b.shape
    assert neurons.seen(one, x)["layers.0"].x.shape == (6, 4)
    mats = neurons.taps(one, x), neurons.taps(two, x.mT.contiguous())
    for layer in mats[0]:
        assert (mats[0][layer] == mats[1][layer]).all()


def test_one_number_per_sample_is_one_channel():
    net = filled(Net(lambda n, x: n.fc(x).squeeze(1), fc=nn.Linear(6, 1)))
    found = modbp.csc(net, normal(1, 2, 6), "gradient", "squeeze")
    assert found.channels == {"squeeze": 1, "fc": 1, "input": 6}
    assert [*found.median().values()] == pytest.approx([1, 1, 1])


def test_everything_else_has_its_channels_second():
    assert dims(filled(Zoo()), uniform(1, 2, 2, 6, 6)) == {"turn.permute": (3,)}
