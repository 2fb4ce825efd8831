"""Stored results: made by the code that is here, from the weights that are here."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
from study.stored import labels_by_precision, precision_of, subject_of

import modbp
from modbp import data
from modbp.measures.csc import median
from modbp.study import experiments

RESULTS = Path(__file__).parents[2] / "book" / "results" / "csc"
STORED = sorted(RESULTS.glob("*.json"), key=lambda path: path.stem)


def run(tmp_path, names=("gradient",), **options):
    about = experiments.subject(count=2, folder="photographs")
    experiment = experiments.CSC(about, names, **options)
    return experiments.run(experiment, tmp_path / "csc.json")


def test_there_are_results():
    assert [path.stem for path in STORED] == [
        "cifar10",
        "cifar10-255",
        "cifar10-photographs",
        "resnet50",
        "resnet50-clip",
        "resnet50-photographs",
        "vgg16",
        "vgg16-photographs",
    ]


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_a_result_was_made_with_this_code_and_these_weights(path):
    config = experiments.read(path)["config"]
    for precision, labels in labels_by_precision(config).items():
        about = subject_of(config, precision)
        now = experiments.CSC(about, labels, batch=config["batch"])
        stored = {label: config["methods"][label] for label in labels}
        assert {**config, "methods": stored} == {**now.settings, "methods": now.parts}


# On pixels up to 255 not all methods are defined; the clip is one of some methods.
@pytest.mark.parametrize(
    "path",
    [path for path in STORED if not path.stem.endswith(("-255", "-clip"))],
    ids=lambda path: path.stem,
)
def test_the_methods_are_those_of_the_plan(path):
    config = experiments.read(path)["config"]
    planned = experiments.PLANS[config["network"]].methods
    assert set(config["methods"]) == set(planned)


@pytest.mark.parametrize("stem", ["cifar10", "cifar10-255", "resnet50", "vgg16"])
def test_the_full_results_use_the_200_images_of_the_paper(stem):
    config = experiments.read(RESULTS / f"{stem}.json")["config"]
    assert [int(name) for name in config["image_names"]] == data.paper_indices(200)
    assert config["relevances"] == 5
    plan = experiments.PLANS[config["network"]]
    assert config["starts"] == list(plan.starts)
    assert config["layers"] == list(plan.layers)


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_results_say_how_they_were_made(path):
    provenance = experiments.read(path)["provenance"]
    assert provenance["command"].startswith("python -m modbp run csc")
    assert {"numpy", "torch", "torchvision"} <= provenance["versions"].keys()


def recomputed(stored, label, start, layer, unit):
    """Return a cell's median over one unit of images, computed again."""
    config = stored["config"]
    precision = precision_of(config["methods"][label])
    about, batch = subject_of(config, precision), config["batch"]
    plan = experiments.Plan((start,), (layer,), ())
    options = {"plan": plan, "batch": batch, "seed": config["seed"]}
    experiment = experiments.CSC(about, [label], **options)
    (distances,) = (
        value
        for key, value in experiment.compute(label, unit).items()
        if not key.endswith("channels")
    )
    return 1 - median(distances)


def cells(path, with_patterns=False):
    """Choose three cells of a result at random, and a unit of images for each."""
    stored = experiments.read(path)
    generator = random.Random(path.stem)
    labels = [
        label
        for label in stored["config"]["methods"]
        if experiments.needs_patterns(label) == with_patterns
    ]
    for _ in range(3):
        label = generator.choice(labels)
        start, layers = generator.choice([*stored["results"][label].items()])
        layer, cell = generator.choice([*layers.items()])
        unit = generator.randrange(len(cell["units"]))
        yield label, start, layer, unit, cell["units"][unit]


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_three_random_cells_can_be_computed_again(path):
    stored = experiments.read(path)
    for *place, unit, value in cells(path):
        found = recomputed(stored, *place, unit)
        assert found == pytest.approx(value, abs=1e-5), (place, unit)


@pytest.mark.long
@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_three_random_cells_with_patterns_can_be_computed_again(path):
    stored = experiments.read(path)
    for *place, unit, value in cells(path, with_patterns=True):
        found = recomputed(stored, *place, unit)
        assert found == pytest.approx(value, abs=1e-5), (place, unit)


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
