"""Stored results about patterns: made by the code that is here, from real images."""

import json

import numpy as np
import pytest
from conftest import long_but
from study import stored as book

import modbp
from modbp import data, models
from modbp.measures import neurons, spectra
from modbp.study import experiments
from modbp.study.experiments import patterns as experiment

# What rounding of another machine does to float32 sums, and Lanczos to close values.
CLOSE = {"rel": 5e-3, "abs": 2e-3}


@pytest.fixture(scope="module")
def stored():
    return experiments.read("patterns/cifar10")


def close(found, wanted):
    """Say whether two cells have the same keys, texts and numbers."""
    if isinstance(wanted, dict):
        assert found.keys() == wanted.keys()
        return all(close(found[key], wanted[key]) for key in wanted)
    return found == pytest.approx(wanted, **CLOSE)


@pytest.fixture
def now(stored):
    """The experiment of the stored result, or a skip where its images are not here."""
    made = experiments.Patterns(experiments.subject("cifar10", count=20))
    book.need_images(stored["config"], made.images)
    return made


@pytest.mark.parametrize("network", long_but("cifar10".__eq__, ["cifar10", "vgg16"]))
def test_the_result_says_what_it_was_made_of(network):
    stored = experiments.read(f"patterns/{network}")
    config, results = stored["config"], stored["results"]
    now = experiments.Patterns(experiments.subject(network, count=20))
    book.check_settings_but_images(stored, now)
    assert [int(name) for name in config["tested_names"]] == data.paper_indices(20)
    assert config["image_names"] == ["00000", "…", "01999"]
    assert list(results["layers"]) == now.layers
    assert list(results["chains"]) == list(experiment.KINDS)
    for made in stored["provenance"].values():
        ways = ("python -c", "python -m modbp run patterns")
        assert made["command"].startswith(ways)


def test_the_settings_are_those_of_the_stored_result(now, stored):
    assert book.made_of(now, *stored["config"]) == stored["config"]


@pytest.mark.long
@pytest.mark.parametrize("layer", ["conv1", "conv2"])
def test_power_steps_of_the_stored_result_can_be_recomputed(now, stored, layer):
    # A convolution's locations come from the first 200 images, however many there are.
    x = now.subject.prepared(now.images[:200])
    cell = experiment.step_cell(neurons.seen(models.cifar10()[:3].eval(), x)[layer])
    wanted = stored["results"]["layers"][layer]
    assert close(cell, {key: wanted[key] for key in cell})


@pytest.mark.parametrize("layer", ["conv3", "fc6"])
def test_gradients_of_the_stored_result_can_be_recomputed(stored, layer):
    net, x = models.cifar10(), data.images(1, folder="photographs").x
    # Without patterns it depends on the weights alone, so any image will do.
    chain = experiment.backward(net, x, "W", {})
    cell = stored["results"]["layers"][layer]
    found = spectra.ratio(chain.operator(layer, 0))
    assert found == pytest.approx(cell["operator"]["W"], **CLOSE)
    W = net.get_submodule(layer).weight.detach().flatten(1).double().numpy()
    kernel = experiment.sign_cell({"W": W})
    for key, value in kernel.items():
        assert value["W"] == pytest.approx(cell[key]["W"], **CLOSE), key


@pytest.mark.long
def test_units_of_the_stored_result_can_be_recomputed(now, stored):
    for part, unit, key in (("layers", 0, "conv1"), ("chains", 2, "AW code")):
        (text,) = now.compute(part, unit).values()
        assert close(json.loads(bytes(text)), stored["results"][part][key])


def test_the_order_of_convergence_is_that_of_positive_mass(stored):
    layers, chains = stored["results"]["layers"], stored["results"]["chains"]
    at = {kind: entry["csc"]["conv1"] for kind, entry in chains.items()}
    masses = {
        kind: np.median([cell["positive mass"][kind] for cell in layers.values()])
        for kind in at
    }
    assert sorted(at, key=at.get) == sorted(masses, key=masses.get)


def test_sign_cells_by_hand():
    # Σ₁/σ₂ of diag(2, −1) is 2; one of its four entries is positive, with 2 of 3 mass.
    cell = experiment.sign_cell({"W": np.diag([2.0, -1.0])})
    wanted = {"kernel": 2, "positive": 0.25, "positive mass": 0.66667, "largest": 2}
    wanted["absolute sum"] = [1.05, 1.5, 1.95]
    assert cell == {key: {"W": value} for key, value in wanted.items()}


SMALL = """
import torch
from torch import nn

def small():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(8))
    return net.extend([nn.Flatten(), nn.Linear(64, 3)])
"""


@pytest.fixture
def about(tmp_path):
    (tmp_path / "net.py").write_text(SMALL, encoding="utf-8")
    name = f"{tmp_path}/net.py:small"
    return experiments.subject(name, count=48, size=32, folder="photographs")


def run(about, output, patterns=48):
    made = experiments.Patterns(about, patterns=patterns, neurons=2)
    return experiments.run(made, output)


def test_any_network_is_measured_and_every_layer_is_a_unit(about, tmp_path):
    whole = run(about, tmp_path / "whole")
    assert list(whole["results"]["layers"]) == ["0", "4"]
    assert set(whole["results"]["chains"]) == set(experiment.KINDS)
    text = (tmp_path / "whole" / "layers.json").read_text(encoding="utf-8")
    assert "NaN" not in text
    counts = experiments.Patterns(about, patterns=48).counts
    assert counts == {"layers": 2, "matrices": 1, "chains": 5}


@pytest.mark.parametrize(
    ("count", "message"), [(2, "no neuron is on at 10"), (0, "patterns is 0")]
)
def test_too_few_images_for_a_covariance_are_refused(about, tmp_path, count, message):
    with pytest.raises(modbp.ModbpError, match=message):
        run(about, tmp_path / "few", patterns=count)
