"""Bits about the class that are left in maps of networks."""

import numpy as np
import pytest
import torch
from torch import nn

import modbp
from modbp import models, theory
from modbp.errors import InputError, MethodError

ONES = torch.ones(1, 2).double()


def positive(*sizes, seed=0):
    """A network of non-negative weights without biases, with ReLUs between."""
    generator = np.random.default_rng(seed)
    weights = [
        generator.random((out, into))
        for into, out in zip(sizes, sizes[1:], strict=False)
    ]
    return models.dense(*weights).double()


def test_by_hand():
    # Maps (3/4, 1/4) and (1/4, 3/4): 1 - H(1/4) = 1 - 2 + 3/4 log2 3.
    found = modbp.bits(models.dense([[3, 1], [1, 3]]).double(), ONES, "lrp-a1b0")
    assert found.left["input"] == pytest.approx([0.75 * np.log2(3) - 1], abs=1e-15)
    assert found.whole == 1


def test_equals_the_dense_computation():
    net = positive(6, 5, 4, 3)
    x = torch.rand(3, 6, generator=torch.Generator().manual_seed(1)).double()
    found = modbp.bits(net, x, "lrp-a1b0", to=["fc2", "fc1", "input"], over="entries")
    for sample in range(3):
        chain = modbp.chain(net, x, "lrp-a1b0")
        mats = [chain.matrix(layer, sample).numpy() for layer in ("fc1", "fc2", "fc3")]
        for below, layer in enumerate(("input", "fc1", "fc2")):
            wanted = theory.bits(mats[below:])
            assert found.left[layer][sample] == pytest.approx(wanted, abs=1e-12)
        # No layer has more than one above it.
        assert (np.diff([found.left[k][sample] for k in found.left]) <= 1e-12).all()


def test_classes_may_be_named_otherwise_and_go_back_in_any_batches():
    net, x = models.cifar10(), modbp.data.images(2, folder="photographs").x
    one = modbp.bits(net, x, "lrp-a1b0")
    other = modbp.bits(net, x, "lrp-a1b0", [3, 1, 9, 0, 2, 5, 4, 7, 8, 6], batch=3)
    assert one.left["input"] == pytest.approx(other.left["input"], rel=1e-9)
    assert one.left["input"] == pytest.approx(
        modbp.bits(net.double(), x.double(), "lrp-a1b0").left["input"], rel=1e-9
    )
    assert 0 < one.left["input"].min() and one.left["input"].max() < one.whole
    assert next(models.cifar10().parameters()).dtype == torch.float32


@pytest.mark.parametrize("count", [2, 8])
def test_nothing_is_left_of_one_map_and_all_of_maps_apart(count):
    x = torch.ones(1, count).double()
    blind = models.dense(np.ones((count, count))).double()
    assert modbp.bits(blind, x, "lrp-a1b0").left["input"] == pytest.approx(0, abs=1e-15)
    apart = models.dense(np.eye(count)).double()
    found = modbp.bits(apart, x, "lrp-a1b0").left["input"]
    assert found == pytest.approx(np.log2(count), abs=1e-12)


def test_over_places_colours_do_not_tell_classes_apart():
    net = nn.Sequential(nn.Conv2d(2, 2, 2, bias=False), nn.Flatten()).double().eval()
    with torch.no_grad():
        net[0].weight[:] = 0
        net[0].weight[0, 0], net[0].weight[1, 1] = 1, 1
    x = torch.ones(1, 2, 2, 2).double()
    assert modbp.bits(net, x, "lrp-a1b0").left["input"] == pytest.approx(0, abs=1e-15)
    found = modbp.bits(net, x, "lrp-a1b0", over="entries").left["input"]
    assert found == pytest.approx(1, abs=1e-12)


def test_signs_are_refused_and_the_positive_part_is_named_so():
    net = models.dense([[2, -1], [-1, 2]]).double()
    with pytest.raises(MethodError, match="both signs.*part='positive'"):
        modbp.bits(net, ONES, "lrp-z")
    found = modbp.bits(net, ONES, "lrp-z", part="positive")
    assert found.left["input"] == pytest.approx(1, abs=1e-12)
    assert str(found).startswith("lrp-z, positive part: of 1.00 bits are left")


class Bottleneck(nn.Module):
    """What is added has signs, and no ReLU follows: as in an inverted residual."""

    def __init__(self):
        super().__init__()
        self.expand, self.relu = nn.Linear(4, 8), nn.ReLU()
        self.project, self.fc = nn.Linear(8, 4), nn.Linear(4, 3)

    def forward(self, x):
        return self.fc(x + self.project(self.relu(self.expand(x))))


def test_where_signed_layers_are_added_up_the_advice_works():
    torch.manual_seed(0)
    net, x = Bottleneck().double().eval(), torch.randn(2, 4).double()
    advice = r"bias='ignore', addition=modbp.rules.AlphaBetaSplit\(1, 0\)\)"
    with pytest.raises(MethodError, match=advice):
        modbp.bits(net, x, "lrp-a1b0")
    split = modbp.rules.AlphaBetaSplit(1, 0)
    method = modbp.methods.get("lrp-a1b0", bias="ignore", addition=split)
    assert 0 < modbp.bits(net, x, method).median()["input"] < np.log2(3)


def test_what_no_class_can_be_told_by_is_named():
    silent = models.dense([[1, 1], [0, 0], [1, 2]]).double()
    with pytest.raises(InputError, match=r"1 of the classes.*\[1\]. Leave them"):
        modbp.bits(silent, ONES, "lrp-a1b0")
    assert modbp.bits(silent, ONES, "lrp-a1b0", [0, 2]).classes == 2
    for classes in ([0], [0, 0], [0, 3], []):
        with pytest.raises(InputError, match=r"classes.*two different ones.*0…2"):
            modbp.bits(silent, ONES, "lrp-a1b0", classes)
