"""Stored results: made by the code that is here, from the weights that are here."""

import random

import pytest
from study import stored as book

import modbp
from modbp import data
from modbp.errors import UnknownName
from modbp.measures.csc import median
from modbp.study import experiments

STORED = book.names_of("csc")


def test_there_are_results():
    names = "cifar10 cifar10-255 cifar10-draws cifar10-gamma cifar10-photographs "
    names += "efficientnet_lite0 efficientnet_lite0-gamma resnet50 resnet50-clip "
    names += "resnet50-photographs vgg16 vgg16-photographs"
    assert STORED == [f"csc/{name}" for name in names.split()]


MADE = book.names_of(*book.MADE) + book.trained_again(*book.MADE)


@pytest.mark.parametrize("name", book.small_first(MADE))
def test_a_result_was_made_with_this_code_and_these_weights(name):
    stored = experiments.read(name)
    book.check_made_by_this_code(stored)
    if "CIFAR-10" in stored["config"]["images"]:
        found = [int(name) for name in stored["config"]["image_names"]]
        assert found == data.paper_indices(len(found))


# On pixels up to 255 not all methods are defined; others are about a few methods.
SOME = ("-255", "-clip", "-draws", "-gamma")


@pytest.mark.parametrize("name", [name for name in STORED if not name.endswith(SOME)])
def test_the_methods_are_those_of_the_plan(name):
    config = experiments.read(name)["config"]
    planned = experiments.PLANS[config["network"]].methods
    assert set(config["parts"]) == set(planned)


@pytest.mark.parametrize("name", ["cifar10", "cifar10-255", "resnet50", "vgg16"])
def test_the_full_results_use_images_of_the_papers_list(name):
    found = [
        int(image) for image in experiments.read(f"csc/{name}")["config"]["image_names"]
    ]
    assert len(found) >= (200 if "cifar10" in name else 100)
    assert found == modbp.data.paper_indices(len(found))


def check_cells(name, label, generator):
    """Compute a unit of images again, for a start and layers chosen at random."""
    stored = experiments.read(name)
    config, cells = stored["config"], stored["results"][label]
    # Where lower starts got fewer images, a unit of them is smaller than it is here.
    starts, layers = config["starts"], config["layers"]
    start = starts[0] if "lower" in config else generator.choice(starts)
    some = {*generator.sample(layers, 4), "input"}
    plan = experiments.Plan((start,), tuple(filter(some.__contains__, layers)), ())
    about = book.subject_of(config, book.precision_of(config["parts"][label]))
    experiment = book.again(about, config, [label], plan=plan)
    # Starts below the first may have been given to fewer images.
    unit = generator.randrange(len(cells[start]["input"]["units"]))
    for key, distances in experiment.compute(label, unit).items():
        _, layer, *channels = key.split("\n")
        if not channels:
            # Made where parts below 1e-7, and not below that share of the unit, were
            # no denominators: in two networks a few units are so quiet.
            near = 2e-3 if label == "deeplift-revealcancel" else 1e-5
            wanted = pytest.approx(cells[start][layer]["units"][unit], abs=near)
            assert 1 - median(distances) == wanted, (label, start, layer, unit)


AGAIN = [pytest.param(n, marks=pytest.mark.long) for n in book.trained_again("csc")]


@pytest.mark.parametrize("name", book.small_first(STORED) + AGAIN)
@pytest.mark.parametrize("count", [1, pytest.param(3, marks=pytest.mark.long)])
def test_random_cells_can_be_computed_again(name, count):
    generator = random.Random(f"{name} {count}")
    for label in generator.sample(book.with_patterns(name, False), count):
        check_cells(name, label, generator)


@pytest.mark.long
@pytest.mark.parametrize(
    "name", [name for name in STORED if book.with_patterns(name, True)]
)
def test_random_cells_with_patterns_can_be_computed_again(name):
    book.need_time(name)
    generator = random.Random(name)
    check_cells(name, generator.choice(book.with_patterns(name, True)), generator)


def test_intervals_hold_medians_of_other_draws_of_relevance():
    stored, other = map(experiments.read, ("csc/cifar10", "csc/cifar10-draws"))
    assert other["config"]["seed"] != stored["config"]["seed"]
    assert other["config"]["image_names"] == stored["config"]["image_names"]
    inside = []
    for method, starts in other["results"].items():
        for start, layers in starts.items():
            for layer, cell in layers.items():
                there = stored["results"][method][start][layer]
                low, high = there["interval"]
                assert cell["median"] != there["median"] and low < high
                inside.append(low <= 1 - cell["median"] <= high)
    drawn = random.Random(0).sample(inside, 40)
    assert 0.85 <= sum(drawn) / 40 and 0.85 <= sum(inside) / len(inside) < 1


def test_at_the_start_every_method_scores_the_floor():
    results = experiments.read("csc/cifar10")["results"]
    for method, entry in results.items():
        for start, layers in entry.items():
            cell = layers[start]
            floor = modbp.similarity.random_floor(cell["channels"])
            # fc6 pools 2,000 pairs only; their median scatters by about 0.01.
            assert cell["median"] == pytest.approx(floor, abs=0.03), (method, start)


def test_histograms_count_every_pair_that_has_an_angle(tmp_path):
    about = experiments.subject(count=2, folder="photographs")
    experiment = experiments.CSC(about, ["gradient"], batch=1)
    found = experiments.run(experiment, tmp_path / "csc")
    text = (tmp_path / "csc" / "gradient.json").read_text(encoding="utf-8")
    assert "NaN" not in text
    cell = found["results"]["gradient"]["fc6"]["conv1"]
    kept = round(2 * 10 * 1024 * (1 - cell["dropped"]))
    assert sum(cell["histogram"]) == kept
    assert cell["percentiles"] == sorted(cell["percentiles"])
    assert cell["percentiles"][5] == cell["median"] and cell["channels"] == 32
    # Each image's own median, beside that of both.
    alone = modbp.csc(about.net, about.read(range(2))[0], "gradient", "fc6", ["conv1"])
    wanted = [median(each) for each in alone.cosines["conv1"]]
    assert cell["units"] == pytest.approx(wanted, abs=1e-6)
    low, high = cell["interval"]
    assert 0.9 * low <= 1 - cell["median"] <= 1.1 * high
    assert cell["images"] == pytest.approx([1 - m for m in wanted], rel=1e-3)
    over = modbp.csc(
        *(about.net, about.read(range(2))[0], "gradient", "fc6", ["conv1"]),
        over="places",
    )
    assert cell["places"]["median"] == pytest.approx(over.median()["conv1"], abs=1e-6)
    assert cell["places"]["channels"] == 1024 and len(cell["places"]["images"]) == 2
    assert "places" not in found["results"]["gradient"]["fc6"]["fc5"]


def test_lower_starts_may_get_fewer_images_than_the_top(tmp_path):
    about = experiments.subject(count=5, folder="photographs")
    plan = experiments.Plan(("fc6", "conv4"), ("conv4", "conv2"), ())
    found = {}
    for lower in (None, 3, 5):
        experiment = experiments.CSC(
            about, ["gradient"], plan=plan, batch=2, lower=lower
        )
        output = tmp_path / str(lower)
        found[lower] = experiments.run(experiment, output)["results"]["gradient"]
    whole, fewer = found[None], found[3]
    assert found[5] == whole and fewer["fc6"] == whole["fc6"]
    for layer, cell in fewer["conv4"].items():
        distances = pytest.approx(whole["conv4"][layer]["images"][:3], rel=1e-3)
        assert cell["images"] == distances and len(cell["units"]) == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such result"),
        ("{", "not JSON"),
        ("[]", "holds a list and no entries"),
        ('{"config": {}}', "provenance"),
    ],
)
def test_a_missing_or_damaged_result_is_named(tmp_path, content, message):
    path = tmp_path / "csc.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(modbp.ModbpError, match=message):
        experiments.read(path)


def test_what_is_stored_is_read_where_vectors_are_long():
    for name, result in experiments.stored("csc").items():
        cells = result["results"]["gradient"][result["config"]["starts"][0]]
        first, below = [*cells][-2:]
        assert (first, below) == (experiments.FIRST[name], "input")
        assert cells[first]["channels"] > cells[below]["channels"] == 3
    with pytest.raises(UnknownName, match="'cascades'. Did you mean 'cascade'"):
        experiments.stored("cascades")


def test_other_trainings_are_of_the_same_images_by_the_same_methods():
    for name in ("csc/cifar10", "random-logit/cifar10"):
        own, *others = experiments.trainings(name)
        for other in others:
            images = other["config"]["image_names"]
            assert images == own["config"]["image_names"][: len(images)]
            assert {*other["results"]} == {*own["results"]}
    with pytest.raises(UnknownName, match="trainings 'csc/vgg16'. Did you mean"):
        experiments.trainings("csc/vgg16")
