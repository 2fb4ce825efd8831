"""Stored results about patterns: made by the code that is here, from real images."""

import json
from pathlib import Path

import numpy as np
import pytest

import modbp
from modbp import data, models, patterns
from modbp.measures import neurons, spectra
from modbp.study import experiments
from modbp.study.experiments import cells
from modbp.study.experiments import patterns as experiment
from modbp.study.experiments.subject import weights_fingerprint

BOOK = Path(__file__).parents[2] / "book" / "results" / "patterns"
# What rounding of another machine does to float32 sums, and Lanczos to close values.
CLOSE = {"rel": 5e-3, "abs": 2e-3}


@pytest.fixture(scope="module")
def stored():
    return experiments.read(BOOK / "cifar10.json")


def fitting_images(stored, count):
    found = data.images(indices=range(count), split="train")
    if found.source != stored["config"]["images"]:
        pytest.skip(f"needs {stored['config']['images']}; found {found.source}")
    return found


def close(found, wanted):
    """Say whether two cells have the same keys, texts and numbers."""
    if isinstance(wanted, dict):
        assert found.keys() == wanted.keys()
        return all(close(found[key], wanted[key]) for key in wanted)
    return found == pytest.approx(wanted, **CLOSE)


@pytest.mark.parametrize("name", ["cifar10", "vgg16"])
def test_the_result_says_how_it_was_made(name):
    stored, net = experiments.read(BOOK / f"{name}.json"), getattr(models, name)()
    config, command = stored["config"], stored["provenance"]["command"]
    assert "run_patterns" in command or command.startswith("python -m modbp run patt")
    assert config["weights_sha256"] == weights_fingerprint(net)
    assert config["kinds"] == list(cells.KINDS)
    assert [int(name) for name in config["tested_names"]] == data.paper_indices(20)
    assert config["image_names"] == ["00000", "…", "01999"]
    shapes = {
        n[:-7]: list(w.flatten(1).shape)
        for n, w in net.named_parameters()
        if n.endswith("weight")
    }
    assert {
        n: cell["shape"] for n, cell in stored["results"]["layers"].items()
    } == shapes


@pytest.mark.parametrize("layer", ["conv1", "conv2"])
def test_power_steps_of_the_stored_result_can_be_recomputed(stored, layer):
    # A convolution's locations come from the first 200 images, however many there are.
    x = fitting_images(stored, 200).x
    part = models.cifar10()[:3].eval()
    cell = cells.step_cell(neurons.seen(part, x)[layer])
    wanted = stored["results"]["layers"][layer]
    assert close(cell, {key: wanted[key] for key in cell})


@pytest.mark.parametrize("layer", ["conv3", "fc6"])
def test_gradients_of_the_stored_result_can_be_recomputed(stored, layer):
    net, x = models.cifar10(), data.images(1, folder="photographs").x
    # Without patterns it depends on the weights alone, so any image will do.
    chain = experiment.backward(net, x, "W", {})
    operator = chain.operator(layer, 0)
    cell = stored["results"]["layers"][layer]
    assert spectra.ratio(operator) == pytest.approx(cell["operator"]["W"], **CLOSE)
    W = net.get_submodule(layer).weight.detach().flatten(1).double().numpy()
    kernel = cells.sign_cell({"W": W})
    for key, value in kernel.items():
        assert value["W"] == pytest.approx(cell[key]["W"], **CLOSE), key


@pytest.mark.long
def test_a_layers_patterns_of_the_stored_result_can_be_recomputed(stored):
    x = fitting_images(stored, 2000).x
    part = models.cifar10()[:2].eval()
    fitted = {
        e: patterns.fit(part, x.split(100), estimator=e) for e in ("code", "eq41")
    }
    W = part[0].weight.detach().flatten(1).double().numpy()
    mats = {"W": W}
    for e, entry in fitted.items():
        A = entry["conv1"].flatten(1).double().numpy()
        mats |= {f"A {e}": A, f"AW {e}": A * W}
    wanted = stored["results"]["layers"]["conv1"]
    cell = cells.sign_cell(mats)
    assert close(cell, {key: wanted[key] for key in cell})


def test_what_the_chapter_says_is_so(stored):
    layers, chains = stored["results"]["layers"], stored["results"]["chains"]
    joints = {k: v["product"] for k, v in stored["results"]["matrices"].items()}
    at = {kind: entry["csc"]["conv1"] for kind, entry in chains.items()}
    assert at["A code"] > 0.999 and at["A eq41"] > 0.99
    assert at["W"] < at["AW code"] < at["AW eq41"] < at["A eq41"] < at["A code"]
    assert joints["A code"] > 10 * joints["W"] > 10 * joints["AW code"]
    for name, cell in layers.items():
        assert cell["on"]["nearer"] > 0.9, name
        assert cell["on"]["before"][1] < 0.1 < 0.2 < cell["on"]["after"][1], name
        mass = cell["positive mass"]
        assert mass["AW eq41"] > mass["AW code"] > 0.5, name
        if name.startswith("conv"):
            assert all(value < 1.05 for value in cell["operator"].values()), name
    # The order of convergence is that of positive mass.
    masses = {
        kind: np.median([cell["positive mass"][kind] for cell in layers.values()])
        for kind in at
    }
    assert sorted(at, key=at.get) == sorted(masses, key=masses.get)
    assert min(cell["estimators"][0] for cell in layers.values()) < 0


def test_sign_cells_by_hand():
    # Σ₁/σ₂ of diag(2, −1) is 2; one of its four entries is positive, with 2 of 3 mass.
    cell = cells.sign_cell({"W": np.diag([2.0, -1.0])})
    assert cell["kernel"]["W"] == 2
    assert cell["positive"]["W"] == 0.25
    assert cell["positive mass"]["W"] == 0.66667
    assert cell["largest"]["W"] == 2
    assert cell["absolute sum"]["W"] == [1.05, 1.5, 1.95]


SMALL = """
import torch
from torch import nn

def small():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(8))
    return net.extend([nn.Flatten(), nn.Linear(64, 3)])
"""


def run(tmp_path, **changes):
    (tmp_path / "net.py").write_text(SMALL)
    images = data.images(48, folder="photographs")
    settings = {"images": images, "tested": images, "neurons": 2, **changes}
    output = tmp_path / "patterns.json"
    return experiments.run_patterns(f"{tmp_path}/net.py:small", output, **settings)


def test_any_network_by_name_is_measured_and_a_finished_layer_is_kept(
    tmp_path, monkeypatch
):
    first = run(tmp_path)
    assert list(first["results"]["layers"]) == ["0", "4"]
    assert set(first["results"]["chains"]) == set(cells.KINDS)
    text = (tmp_path / "patterns.json").read_text()
    assert "NaN" not in text and json.loads(text) == first
    monkeypatch.setattr(experiment, "step_cell", None)  # measuring would now fail
    assert run(tmp_path)["results"] == first["results"]


def test_other_settings_do_not_mix_into_a_result(tmp_path):
    run(tmp_path)
    with pytest.raises(modbp.ModbpError, match="another neurons"):
        run(tmp_path, neurons=3)


def test_every_row_of_patterns_times_weights_sums_to_one():
    net, x = models.cifar10()[:4].eval(), data.images(8, folder="photographs").x
    for estimator in cells.ESTIMATORS:
        for name, A in patterns.fit(net, x, estimator=estimator).items():
            rows = (A * net.get_submodule(name).weight).flatten(1).sum(1)
            assert ((rows - 1).abs() < 1e-3)[A.flatten(1).any(1)].all(), name


def test_too_few_images_for_a_covariance_are_refused(tmp_path):
    few = data.images(2, folder="photographs")
    with pytest.raises(modbp.ModbpError, match="no neuron is on at 10"):
        run(tmp_path, images=few, tested=few)
