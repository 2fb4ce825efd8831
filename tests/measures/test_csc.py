"""Cosine similarity convergence: by hand, by replication, and what must not matter."""

import json
from itertools import combinations, product

import numpy as np
import pytest
import torch

import modbp
from modbp.errors import InputError
from modbp.measures.csc import CSCResult, interval, random_relevance

SHIFT = [[2, 1, -2], [-2, 2, 1], [1, -2, 2]]
LAYERS = ["pool4", "conv3", "conv1", "input"]


@pytest.fixture(scope="module")
def net():
    return modbp.models.cifar10(None)


@pytest.fixture(scope="module")
def x():
    return modbp.data.images(3, folder="photographs").x


def test_csc_equals_the_definition_written_out_in_loops(net, x):
    result = modbp.csc(net, x, "gradient", "conv3", ["pool2"], relevances=3)
    chain = modbp.chain(net, x, "gradient")
    r = chain.pull(random_relevance(chain, "conv3", 3), "conv3", "pool2")["pool2"]
    r = r.double().numpy()
    values, some, pairs = [], range(0, 16, 3), combinations(range(3), 2)
    for n, (i, j), row, column in product(range(3), pairs, some, some):
        u, v = r[i, n, :, row, column], r[j, n, :, row, column]
        values.append(abs(u @ v) / np.linalg.norm(u) / np.linalg.norm(v))
    grid = result.cosines["pool2"].reshape(3, 3, 16, 16)[:, :, ::3, ::3]
    assert grid.ravel() == pytest.approx(np.array(values), abs=1e-6)


def test_random_relevance_at_its_own_layer_scores_the_floor(net, x):
    result = modbp.csc(net, x, "gradient", "conv3", ["conv3"])
    # 3 · 10 · 256 values; their median scatters by less than 0.003.
    assert result.median()["conv3"] == pytest.approx(result.floor()["conv3"], abs=0.01)


@pytest.mark.parametrize("method", ["gradient", "lrp-a1b0", "lrp-a2b1", "guided-bp"])
def test_neither_batch_nor_order_changes_an_image(net, x, method):
    together = modbp.csc(net, x, method, "fc6", LAYERS)
    turned = modbp.csc(net, x.flip(0), method, "fc6", LAYERS)
    alone = [modbp.csc(net, one[None], method, "fc6", LAYERS).cosines for one in x]
    for layer in LAYERS:
        joined = np.concatenate([cosines[layer] for cosines in alone])
        for other in (turned.cosines[layer][::-1], joined):
            # A denominator near zero enlarges rounding, in few places.
            off = np.abs(together.cosines[layer] - other)
            assert np.nanmax(off) < 2e-2 and np.nanquantile(off, 0.999) < 2e-3
            assert (np.isnan(together.cosines[layer]) == np.isnan(other)).all()
            assert abs(together.median()[layer] - np.nanmedian(other)) < 1e-5


def test_seed_layer_and_image_each_give_other_draws(net, x):
    chain = modbp.chain(net, x, "gradient")
    draw = random_relevance(chain, "fc6", 5)
    first, again, other = (
        modbp.csc(net, x[:1], "gradient", "fc6", ["conv1"], seed=seed).cosines["conv1"]
        for seed in (7, 7, 8)
    )
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    assert torch.equal(draw, random_relevance(chain, "fc6", 5, seed=0))
    assert not torch.equal(draw, random_relevance(chain, "fc6", 5, seed=1))
    assert not torch.equal(draw[:, 0], draw[:, 1])
    twice = modbp.models.dense(SHIFT, SHIFT)
    pair = modbp.chain(twice, torch.ones(1, 3).double(), "lrp-z")
    upper, lower = (random_relevance(pair, layer, 5) for layer in ("fc1", "fc2"))
    assert not torch.equal(upper, lower)


def test_all_layers_below_the_start_are_measured_if_none_are_named(net, x):
    result = modbp.csc(net, x[:1], "gradient", "pool2")
    assert result.layers == ["pool2", "relu2", "conv2", "relu1", "conv1", "input"]
    assert "pool2" in str(result) and "1 - median" in str(result)


def test_a_summary_holds_what_a_file_stores(net, x):
    result = modbp.csc(net, x, "gradient", "pool2", ["pool2", "conv1"])
    (start,) = found = result.summary()
    assert start == "pool2" and json.loads(json.dumps(found)) == found
    values = result.cosines["conv1"].astype(float).ravel()
    cell, median = found["pool2"]["conv1"], pytest.approx(np.median(values))
    assert cell["median"] == result.median()["conv1"] == median
    assert cell["mean"] == pytest.approx(values.mean())
    ends = cell["percentiles"][0], cell["percentiles"][-1]
    assert ends == pytest.approx((values.min(), values.max()))
    assert sum(cell["histogram"]) == values.size and cell["channels"] == 32
    assert cell["histogram"][0] == (values < 0.9).sum() and cell["dropped"] == 0


def test_vectors_without_a_direction_are_left_out_and_counted():
    half = np.array([[[0.5, np.nan, np.nan, 0.7]]])
    cosines = {"half": half, "empty": np.full((1, 1, 4), np.nan)}
    result = CSCResult("m", "s", cosines, {"half": 3, "empty": 3})
    cells = result.summary()["s"]
    assert result.median()["half"] == cells["half"]["median"] == pytest.approx(0.6)
    assert cells["half"]["dropped"] == 0.5
    assert np.isnan(result.median()["empty"]) and cells["empty"]["dropped"] == 1
    assert cells["empty"]["median"] is None and not any(cells["empty"]["percentiles"])


def test_positive_chains_converge_and_the_gradient_does_not():
    generator = torch.Generator().manual_seed(0)
    weights = [torch.randn(64, 64, generator=generator) for _ in range(8)]
    net = modbp.models.dense(*weights)
    x = torch.rand(4, 64, generator=generator, dtype=torch.float64)
    # (π − 1) · π / 64 = 0.105 per layer is the mean-field rate of z⁺: 1e-7 after 7.
    assert 1 - modbp.csc(net, x, "lrp-a1b0", "fc8").median()["input"] < 1e-4
    assert modbp.csc(net, x, "gradient", "fc8").median()["input"] < 0.9


@pytest.mark.parametrize("relevances", [1, 0, 2.5])
def test_fewer_than_two_relevances_are_refused(net, x, relevances):
    with pytest.raises(modbp.ModbpError, match="from 2 to"):
        modbp.csc(net, x, "gradient", "fc6", relevances=relevances)


# Over places --------------------------------------------------------------------------


def test_over_places_the_amounts_are_compared(net, x):
    result = modbp.csc(net, x, "lrp-z", "conv3", ["pool2"], relevances=3, over="places")
    chain = modbp.chain(net, x, "lrp-z")
    r = chain.pull(random_relevance(chain, "conv3", 3), "conv3", "pool2")["pool2"]
    amounts = r.double().sum(2).flatten(2).numpy()
    for n, (pair, (i, j)) in product(range(3), enumerate(combinations(range(3), 2))):
        u, v = amounts[i, n], amounts[j, n]
        wanted = abs(u @ v) / np.linalg.norm(u) / np.linalg.norm(v)
        assert result.cosines["pool2"][n, pair] == pytest.approx([wanted], abs=1e-6)
    assert result.channels["pool2"] == 256


def pooled(weight, top):
    """A convolution of single pixels, a ReLU, the mean over places, a dense layer."""
    layers = torch.nn.Sequential()
    layers.conv = torch.nn.Conv2d(weight.shape[1], len(weight), 1, bias=False)
    layers.relu = torch.nn.ReLU()
    layers.pool, layers.flatten = torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()
    layers.fc = torch.nn.Linear(len(weight), len(top), bias=False)
    layers.conv.weight.data = weight[:, :, None, None]
    layers.fc.weight.data = top
    return layers.double().eval()


def test_one_direction_everywhere_and_yet_amounts_that_know_the_class():
    """Two neurons, each alive at one of two places; each class asks for one of them.

    One colour: relevance of a place has one direction. The amounts of the classes are
    (1, 0) and (0, 1), whose mixtures by random numbers are random directions.
    """
    net = pooled(torch.tensor([[1.0], [-1.0]]), torch.eye(2))
    x = torch.tensor([[[[2.0, -3.0]]]]).double()
    r = modbp.chain(net, x, "lrp-a1b0").pull(torch.eye(2)[:, None].double(), "fc")
    assert r["input"].flatten(1).tolist() == [[1, 0], [0, 1]]
    found = modbp.csc(net, x, "lrp-a1b0", "fc", ["input"]).cosines["input"]
    assert found == pytest.approx(np.ones_like(found))
    over = modbp.csc(net, x, "lrp-a1b0", "fc", ["input"], 40, over="places")
    assert np.median(over.cosines["input"]) < 0.9


def test_amounts_that_agree_and_yet_directions_that_know_the_class():
    """Two colours, each read by one neuron; all places are alike."""
    net = pooled(torch.eye(2), torch.eye(2))
    x = torch.ones(1, 2, 1, 3).double()
    found = modbp.csc(net, x, "lrp-a1b0", "fc", ["input"], 40)
    assert np.median(found.cosines["input"]) < 0.9
    over = modbp.csc(net, x, "lrp-a1b0", "fc", ["input"], over="places")
    assert over.cosines["input"] == pytest.approx(np.ones((1, 10, 1)))


def test_layers_without_places_are_left_out_or_refused(net, x):
    found = modbp.csc(net, x, "gradient", "fc6", over="places")
    assert "fc5" not in found.layers and found.layers[-1] == "input"
    with pytest.raises(InputError, match="layer 'fc5' has no places") as caught:
        modbp.csc(net, x, "gradient", "fc6", ["fc5"], over="places")
    assert "compare over channels" in str(caught.value)
    with pytest.raises(InputError, match="choose channels or places"):
        modbp.csc(net, x, "gradient", "fc6", over="pixels")


# Intervals ----------------------------------------------------------------------------


def test_an_interval_is_the_bootstrap_over_images():
    generator = np.random.default_rng(0)
    images = [10 ** generator.normal(-3, 0.3, (10, 7)) for _ in range(12)]
    images[3][0, 0] = np.nan
    medians = []
    for _ in range(1000):
        chosen = [images[k].ravel() for k in generator.integers(12, size=12)]
        medians.append(np.nanmedian(np.concatenate(chosen)))
    wanted = np.percentile(medians, [2.5, 97.5])
    # A thousand draws leave the ends themselves uncertain.
    assert interval(images) == pytest.approx(wanted, rel=0.06)


def test_an_interval_covers_the_median_nineteen_times_in_twenty():
    """Images differ: each has a level of its own, and distances around it."""
    generator, covered = np.random.default_rng(1), 0
    for _ in range(100):
        level = generator.normal(-4, 0.5, (40, 1, 1))
        images = 10 ** (level + generator.normal(0, 0.3, (40, 10, 3)))
        low, high = interval([*images], resamples=200)
        covered += low <= 1e-4 <= high
    # 95 of 100; three standard deviations are six and a half.
    assert covered >= 88


def test_what_is_exactly_alike_has_a_narrow_interval_and_nothing_has_none():
    assert interval([np.zeros((3, 2))] * 4) == pytest.approx([1e-17] * 2, rel=0.01)
    assert interval([np.ones((1, 1))]) == pytest.approx([1, 1], rel=0.01)
    assert np.isnan(interval([np.full((2, 2), np.nan)])).all()
