"""Cosine similarity convergence: by hand, by replication, and what must not matter."""

import numpy as np
import pytest
import torch

import modbp
from modbp.measures.csc import CSCResult, measure, random_relevance

SHIFT = [[2, 1, -2], [-2, 2, 1], [1, -2, 2]]
LAYERS = ["pool4", "conv3", "conv1", "input"]


@pytest.fixture(scope="module")
def net():
    return modbp.models.cifar10(None)


@pytest.fixture(scope="module")
def x():
    return modbp.data.images(3, folder="photographs").x


def test_cosine_of_two_outputs_of_a_three_neuron_layer_by_hand():
    # On x = (1, 1, 1) the operator's columns are (2, 0, 1)/3 and (1, 2, 0)/3 …:
    # cos = (2·1 + 0·2 + 1·0) / 5 = 2/5 for any two of them.
    net = modbp.models.dense(SHIFT, SHIFT)
    chain = modbp.chain(net, torch.ones(1, 3, dtype=torch.float64), "lrp-a1b0")
    r = chain.pull(torch.eye(3, dtype=torch.float64)[:, None], "fc1")["input"]
    assert modbp.similarity.pairwise(r).flatten().tolist() == pytest.approx([0.4] * 3)


def test_csc_equals_the_definition_written_out_in_loops(net, x):
    result = modbp.csc(net, x, "gradient", "conv3", ["pool2"], relevances=3)
    chain = modbp.chain(net, x, "gradient")
    r = chain.pull(random_relevance(chain, "conv3", 3), "conv3", "pool2")["pool2"]
    r = r.double().numpy()
    values = []
    for n in range(3):
        for i, j in ((0, 1), (0, 2), (1, 2)):
            for row in range(0, 16, 3):
                for column in range(0, 16, 3):
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
    alone = CSCResult.join(
        [modbp.csc(net, one[None], method, "fc6", LAYERS) for one in x]
    )
    for layer in LAYERS:
        for other in (turned.cosines[layer][::-1], alone.cosines[layer]):
            # A denominator near zero enlarges rounding, in few places.
            off = np.abs(together.cosines[layer] - other)
            assert np.nanmax(off) < 2e-2 and np.nanquantile(off, 0.999) < 2e-3
            assert (np.isnan(together.cosines[layer]) == np.isnan(other)).all()
            assert together.median()[layer] == pytest.approx(
                np.nanmedian(other), abs=1e-5
            )


def test_seed_layer_and_image_each_give_other_draws(net, x):
    chain = modbp.chain(net, x, "gradient")
    draw = random_relevance(chain, "fc6", 5)
    assert torch.equal(draw, random_relevance(chain, "fc6", 5, seed=0))
    assert not torch.equal(draw, random_relevance(chain, "fc6", 5, seed=1))
    assert not torch.equal(draw[:, 0], draw[:, 1])
    pair = modbp.chain(
        modbp.models.dense(SHIFT, SHIFT), torch.ones(1, 3).double(), "lrp-z"
    )
    upper, lower = (random_relevance(pair, layer, 5) for layer in ("fc1", "fc2"))
    assert not torch.equal(upper, lower)


def test_a_seed_gives_the_same_draws_again_and_another_seed_others(net, x):
    first, again, other = (
        modbp.csc(net, x[:1], "gradient", "fc6", ["conv1"], seed=seed).cosines["conv1"]
        for seed in (7, 7, 8)
    )
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_all_layers_below_the_start_are_measured_if_none_are_named(net, x):
    result = modbp.csc(net, x[:1], "gradient", "pool2")
    assert result.layers == ["pool2", "relu2", "conv2", "relu1", "conv1", "input"]
    assert "pool2" in str(result) and "1 - median" in str(result)


def test_vectors_without_a_direction_are_left_out_and_counted():
    # The second neuron is off, so no relevance reaches it from above under z⁺.
    net = modbp.models.dense([[1, 0], [-1, 0]], [[1, 1], [2, 1]])
    chain = modbp.chain(net, torch.ones(1, 2, dtype=torch.float64), "gradient")
    value = modbp.similarity.pairwise(torch.zeros(2, 1, 3))
    assert torch.isnan(value).all()
    result = measure(chain, "fc2", ["fc1"])
    assert result.dropped()["fc1"] == 0
    empty = CSCResult("m", "s", {"l": np.full((1, 1, 4), np.nan)}, {"l": 3})
    assert empty.dropped()["l"] == 1 and np.isnan(empty.median()["l"])


def test_per_sample_medians_come_one_per_image(net, x):
    result = modbp.csc(net, x, "gradient", "pool2", ["conv1"])
    each = result.per_sample()["conv1"]
    assert each.shape == (3,)
    assert each[1] == pytest.approx(np.median(result.cosines["conv1"][1]))


def test_percentiles_are_those_of_all_values_together(net, x):
    result = modbp.csc(net, x, "gradient", "pool2", ["conv1"])
    values = np.sort(result.cosines["conv1"].ravel())
    found = result.percentiles((0, 50, 100))["conv1"]
    assert found == pytest.approx([values[0], np.median(values), values[-1]])


def test_positive_chains_converge_and_the_gradient_does_not():
    generator = torch.Generator().manual_seed(0)
    weights = [torch.randn(64, 64, generator=generator) for _ in range(8)]
    net = modbp.models.dense(*weights)
    x = torch.rand(4, 64, generator=generator, dtype=torch.float64)
    medians = {
        method: modbp.csc(net, x, method, "fc8").median()["input"]
        for method in ("lrp-a1b0", "gradient")
    }
    # (π − 1) · π / 64 = 0.105 per layer is the mean-field rate of z⁺: 1e-7 after 7.
    assert 1 - medians["lrp-a1b0"] < 1e-4
    assert medians["gradient"] < 0.9


@pytest.mark.parametrize("relevances", [1, 0, 2.5])
def test_fewer_than_two_relevances_are_refused(net, x, relevances):
    with pytest.raises(modbp.ModbpError, match="at least two"):
        modbp.csc(net, x, "gradient", "fc6", relevances=relevances)


def test_an_unknown_start_is_answered_with_the_nearest_names(net, x):
    with pytest.raises(modbp.ModbpError, match="conv4"):
        modbp.csc(net, x, "gradient", "conv44")
