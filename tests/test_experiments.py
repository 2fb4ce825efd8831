"""Stored results: made by the code that is here, from the weights that are here."""

import json
from pathlib import Path

import numpy as np
import pytest

import modbp
from modbp import data, experiments, models
from modbp.csc import CSCResult, measure

RESULTS = Path(__file__).parents[1] / "book" / "results" / "csc"
STORED = sorted(RESULTS.glob("*.json"), key=lambda path: path.stem)
ON_PHOTOGRAPHS = RESULTS / "cifar10-photographs.json"


def images_of(config):
    """Return the images of a stored result, or skip where this machine lacks them."""
    if "photographs" in config["images"]:
        return data.images(len(config["image_names"]), folder="photographs")
    found = data.images(len(config["image_names"]))
    if found.source != config["images"]:
        pytest.skip(f"needs {config['images']}; this machine has {found.source}")
    return found


def run(tmp_path, names=("gradient",), **options):
    about = experiments.subject(count=2, folder="photographs")
    experiment = experiments.CSC(about, names, **options)
    return experiments.run(experiment, tmp_path / "csc.json")


def test_there_are_results():
    assert [path.stem for path in STORED] == [
        "cifar10",
        "cifar10-255",
        "cifar10-photographs",
    ]


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_a_result_was_made_with_this_code_and_these_weights(path):
    config = experiments.read(path)["config"]
    images_of(config)  # or skip
    about = experiments.subject(
        config["network"],
        count=len(config["image_names"]),
        folder="photographs" if "photographs" in config["images"] else None,
        scale=config["scale"],
    )
    now = experiments.CSC(about, list(config["methods"]))
    assert config == {**now.settings, "methods": now.parts}


@pytest.mark.parametrize("stem", ["cifar10", "cifar10-photographs"])
def test_the_methods_are_those_of_the_plan(stem):
    config = experiments.read(RESULTS / f"{stem}.json")["config"]
    assert set(config["methods"]) <= set(experiments.PLANS["cifar10"].methods)


@pytest.mark.parametrize("stem", ["cifar10", "cifar10-255"])
def test_the_full_results_use_the_200_images_of_the_paper(stem):
    config = experiments.read(RESULTS / f"{stem}.json")["config"]
    assert [int(name) for name in config["image_names"]] == data.paper_indices(200)
    assert config["relevances"] == 5
    assert config["starts"] == ["fc6", "fc5", "conv4", "conv3", "conv2"]


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_results_say_how_they_were_made(path):
    provenance = experiments.read(path)["provenance"]
    assert provenance["command"].startswith("python -m modbp run csc")
    assert {"numpy", "torch", "torchvision"} <= provenance["versions"].keys()


def test_cells_recomputed_from_the_shipped_weights_equal_the_stored_ones():
    stored = experiments.read(ON_PHOTOGRAPHS)
    config = stored["config"]
    images = images_of(config)
    net = models.cifar10()
    # Rounding differs between machines and orders of memory. A division by a sum near
    # zero enlarges it, and a ReLU on relevance makes of it a vector that is there or
    # not; so the last two have a wider tolerance.
    for method, start, tolerance in (
        ("lrp-a1b0", "fc6", 1e-5),
        ("lrp-z", "conv4", 2e-4),
        ("deconv", "fc5", 2e-4),
    ):
        layers = config["layers"][config["layers"].index(start) :]
        parts = [
            measure(
                modbp.chain(net, chunk, method),
                start,
                layers,
                config["relevances"],
                config["seed"],
            )
            for chunk in images.x.split(experiments.CHUNK)
        ]
        result = CSCResult.join(parts)
        for layer, median in result.median().items():
            cell = stored["results"][method][start][layer]
            assert median == pytest.approx(cell["median"], abs=tolerance), layer


def test_the_first_images_of_the_full_result_can_be_recomputed():
    stored = experiments.read(RESULTS / "cifar10.json")
    images = images_of({**stored["config"], "image_names": [0] * 20})
    net, layers = models.cifar10(), ["conv1"]
    parts = [
        measure(modbp.chain(net, part, "lrp-a1b0"), "fc6", layers)
        for part in images.x.split(experiments.CHUNK)
    ]
    median = CSCResult.join(parts).median()["conv1"]
    # A tenth of the images: the order of magnitude of 1 − median must be the same.
    far, stored_far = (
        1 - value
        for value in (median, stored["results"]["lrp-a1b0"]["fc6"]["conv1"]["median"])
    )
    assert stored_far / 3 < far < stored_far * 3


def test_what_the_chapter_says_of_the_full_result_is_so():
    results = experiments.read(RESULTS / "cifar10.json")["results"]
    at = {name: entry["fc6"]["conv1"]["median"] for name, entry in results.items()}
    assert at["lrp-a1b0"] > 0.99 and at["excitation-bp"] > 0.99
    assert at["gradient"] < 0.9 and at["lrp-z"] < 0.9
    assert at["lrp-a5b4"] < at["lrp-a2b1"] < at["lrp-a1b0"]


def test_deeplift_is_read_as_multipliers_and_as_contributions():
    results = experiments.read(RESULTS / "cifar10.json")["results"]
    at = {name: entry["fc6"]["conv1"]["median"] for name, entry in results.items()}
    assert at["deeplift-rescale"] < 0.9 and at["deeplift-revealcancel"] < 0.9
    assert at["deeplift-rescale-multiplier"] < 0.9
    assert at["deeplift-ablation"] > 0.99 and at["deeplift-ablation-multiplier"] > 0.99


def test_at_the_start_every_method_scores_the_floor():
    results = experiments.read(RESULTS / "cifar10.json")["results"]
    for method, entry in results.items():
        for start, layers in entry.items():
            cell = layers[start]
            floor = modbp.similarity.random_floor(cell["channels"])
            # fc6 pools 2,000 pairs only; their median scatters by about 0.01.
            assert cell["median"] == pytest.approx(floor, abs=0.03), (method, start)


def test_histograms_count_every_pair_that_has_an_angle(tmp_path):
    cell = run(tmp_path)["results"]["gradient"]["fc6"]["conv1"]
    kept = round(2 * 10 * 1024 * (1 - cell["dropped"]))
    assert sum(cell["histogram"]) == kept
    assert cell["percentiles"] == sorted(cell["percentiles"])
    assert np.isclose(cell["percentiles"][5], cell["median"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such result"),
        ("{", "not JSON"),
        ("[]", "is no result"),
        ('{"config": {}}', "provenance"),
    ],
)
def test_a_missing_or_damaged_result_is_named(tmp_path, content, message):
    path = tmp_path / "csc.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(modbp.ModbpError, match=message):
        experiments.read(path)


def test_results_are_plain_json(tmp_path):
    run(tmp_path)
    text = (tmp_path / "csc.json").read_text()
    assert "NaN" not in text and json.loads(text)
