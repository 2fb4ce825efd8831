"""Patterns fitted to one set of images after another."""

import random

import pytest
import torch
from study import stored as book

import modbp
from modbp.errors import InputError
from modbp.study import experiments
from modbp.study.experiments.patterns import unpacked
from modbp.study.experiments.refits import quieted


@pytest.fixture(scope="module")
def about():
    return experiments.subject("cifar10", count=1, folder="photographs")


@pytest.mark.long
def test_a_cell_is_what_fitting_and_csc_give(about, tmp_path):
    refits = experiments.Refits(about, patterns=6, refits=2)
    found = experiments.run(refits, tmp_path / "refits")["results"]
    for part, cells in found.items():
        for unit, cell in enumerate(cells):
            images = refits._set(unit)
            assert cell["different"] == len({*images.indices}) <= 6
            fitted = modbp.patterns.fit(
                about.net, about.prepared(images), estimator=part
            )
            method = modbp.methods.get("patternattribution", patterns=fitted)
            x = about.prepared(about.images)
            wanted = modbp.csc(about.net, x, method, "fc6", ["conv1"]).median()["conv1"]
            assert cell["csc"]["conv1"] == pytest.approx(wanted, abs=1e-5)
    # Another set than the first, without replacement, and the same for both parts.
    assert refits._set(1).indices != refits._set(0).indices
    assert found["code"][1]["different"] == 6


def test_a_loud_neuron_is_named_and_left_out():
    pattern = torch.ones(5, 3)
    pattern[1, 2], pattern[3] = -250.0, 0  # a hundred times the others; never on
    quiet, loud = quieted({"fc": pattern})
    assert loud == {"fc": {"1": 250.0}}
    assert quiet["fc"].tolist() == [[1] * 3, [0] * 3, [1] * 3, [0] * 3, [1] * 3]
    pattern[1, 2] = 99.0
    quiet, loud = quieted({"fc": pattern})
    assert loud == {"fc": {}} and torch.equal(quiet["fc"], pattern)


def test_other_methods_have_no_patterns(about):
    with pytest.raises(InputError, match="patternnet or patternattribution"):
        experiments.Refits(about, method="gradient")


STORED = book.names_of("refits")


def test_both_networks_are_stored():
    assert STORED == ["refits/cifar10", "refits/vgg16"]


@pytest.mark.long
@pytest.mark.parametrize("name", STORED)
def test_a_random_set_can_be_fitted_again(name):
    stored = experiments.read(name)
    config, results = stored["config"], stored["results"]
    about = book.subject_of(config)
    refits = experiments.Refits(about, patterns=config["patterns"])
    draw = random.Random(name)
    part, unit = draw.choice([*refits.parts]), draw.randrange(8)
    (found,) = unpacked(lambda key: [refits.compute(part, unit)[key]])
    wanted = results[part][unit]
    assert found["different"] == wanted["different"]
    assert found["loud"].keys() == wanted["loud"].keys()
    for kind in ("csc", "without"):
        # Where a denominator nearly cancels, rounding counts.
        assert found[kind] == pytest.approx(wanted[kind], abs=5e-3)
