"""Stored convergence: made by the code that is here, from the weights that are here."""

import json
import random

import pytest
from study.stored import check_made_by_this_code, names_of, precision_of, subject_of

import modbp
from modbp import data
from modbp.measures.csc import median
from modbp.study import experiments

STORED = names_of("csc")


def run(tmp_path, names=("gradient",), **options):
    about = experiments.subject(count=2, folder="photographs")
    experiment = experiments.CSC(about, names, **options)
    return experiments.run(experiment, tmp_path / "csc")


def test_there_are_results():
    networks = {"cifar10", "resnet50", "vgg16"}
    others = {f"{network}-photographs" for network in networks}
    others |= {"cifar10-255", "resnet50-clip"}
    assert set(STORED) == {f"csc/{name}" for name in networks | others}


@pytest.mark.parametrize("name", STORED)
def test_a_result_was_made_with_this_code_and_these_weights(name):
    stored = experiments.read(name)

    def now(precision, labels):
        about = subject_of(stored["config"], precision)
        return experiments.CSC(about, labels, batch=stored["config"]["batch"])

    check_made_by_this_code(stored, now)


# On pixels up to 255 not all methods are defined; the clip is one of some methods.
@pytest.mark.parametrize(
    "name", [name for name in STORED if not name.endswith(("-255", "-clip"))]
)
def test_the_methods_are_those_of_the_plan(name):
    config = experiments.read(name)["config"]
    planned = experiments.PLANS[config["network"]].methods
    assert set(config["parts"]) == set(planned)


@pytest.mark.parametrize("name", ["cifar10", "cifar10-255", "resnet50", "vgg16"])
def test_the_full_results_use_the_200_images_of_the_paper(name):
    config = experiments.read(f"csc/{name}")["config"]
    assert [int(name) for name in config["image_names"]] == data.paper_indices(200)
    assert config["relevances"] == 5


def labels(name, with_patterns):
    """Return the methods of a result that go back by patterns, or the others."""
    every = experiments.read(name)["config"]["parts"]
    return [a for a in every if experiments.needs_patterns(a) == with_patterns]


def check_cells(name, label, generator):
    """Compute a unit of images again, for a start and layers chosen at random."""
    stored = experiments.read(name)
    config, cells = stored["config"], stored["results"][label]
    start, layers = generator.choice(config["starts"]), config["layers"]
    some = {*generator.sample(layers, 4), "input"}
    plan = experiments.Plan((start,), tuple(filter(some.__contains__, layers)), ())
    about = subject_of(config, precision_of(config["parts"][label]))
    options = {"plan": plan, "batch": config["batch"], "seed": config["seed"]}
    experiment = experiments.CSC(about, [label], **options)
    unit = generator.randrange(experiment.counts[label])
    for key, distances in experiment.compute(label, unit).items():
        _, layer, *channels = key.split("\n")
        if not channels:
            wanted = pytest.approx(cells[start][layer]["units"][unit], abs=1e-5)
            assert 1 - median(distances) == wanted, (label, start, layer, unit)


@pytest.mark.parametrize("name", STORED)
def test_random_cells_can_be_computed_again(name):
    generator = random.Random(name)
    for label in generator.sample(labels(name, False), 3):
        check_cells(name, label, generator)


@pytest.mark.long
@pytest.mark.parametrize("name", [name for name in STORED if labels(name, True)])
def test_random_cells_with_patterns_can_be_computed_again(name):
    generator = random.Random(name)
    check_cells(name, generator.choice(labels(name, True)), generator)


def test_at_the_start_every_method_scores_the_floor():
    results = experiments.read("csc/cifar10")["results"]
    for method, entry in results.items():
        for start, layers in entry.items():
            cell = layers[start]
            floor = modbp.similarity.random_floor(cell["channels"])
            # fc6 pools 2,000 pairs only; their median scatters by about 0.01.
            assert cell["median"] == pytest.approx(floor, abs=0.03), (method, start)


def test_histograms_count_every_pair_that_has_an_angle(tmp_path):
    found = run(tmp_path, batch=1)
    cell = found["results"]["gradient"]["fc6"]["conv1"]
    kept = round(2 * 10 * 1024 * (1 - cell["dropped"]))
    assert sum(cell["histogram"]) == kept
    assert cell["percentiles"] == sorted(cell["percentiles"])
    assert cell["percentiles"][5] == cell["median"] and cell["channels"] == 32
    # Each image's own median, beside that of both.
    about = experiments.subject(count=2, folder="photographs")
    alone = modbp.csc(about.net, about.read(range(2))[0], "gradient", "fc6", ["conv1"])
    wanted = [median(each) for each in alone.cosines["conv1"]]
    assert cell["units"] == pytest.approx(wanted, abs=1e-6)


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
        path.write_text(content, encoding="utf-8")
    with pytest.raises(modbp.ModbpError, match=message):
        experiments.read(path)


def test_results_are_plain_json(tmp_path):
    run(tmp_path)
    text = (tmp_path / "csc" / "gradient.json").read_text(encoding="utf-8")
    assert "NaN" not in text and json.loads(text)
