"""Stored sanity checks: whole, and computed again."""

import random

import numpy as np
import pytest
from study import stored as book

from modbp.study import experiments

MEASURES = ("ssim", "corrected")
STORED = book.names_of("random-logit", "cascade")


def labels(name, by_patterns):
    """Return the methods of a result that take one gradient, by patterns or not."""
    return [a for a in book.with_patterns(name, by_patterns) if a != "smoothgrad"]


@pytest.mark.parametrize("name", STORED)
def test_no_value_is_missing(name):
    for label, entry in experiments.read(name)["results"].items():
        for kind in MEASURES:
            for cell in (
                *(c[kind] for c in entry["stages"].values()),
                entry["floor"][kind],
            ):
                assert None not in cell["values"] and "missing" not in cell, label


def check_first_images(name, label, generator):
    """Compute the first images of a result again, at a stage chosen at random."""
    stored, count = experiments.read(name), 3
    config = stored["config"]
    cells = stored["results"][label]["stages"]
    # The first images have the first draw of weights.
    config.pop("draws", None)
    if "stages" in config:
        # Weights do not depend on which other stages there are.
        stage = generator.choice(config["stages"])
        config, cells = config | {"stages": [stage]}, {stage: cells[stage]}
    about = book.subject_of(config, book.precision_of(config["parts"][label]), count)
    again = book.again(about, config, [label])
    found = again.compute(label, 0)
    # A smaller batch rounds otherwise in float32, which LRP-α2β1 on ResNet-50 enlarges.
    near = {"abs": 5e-3, "nan_ok": True}
    for kind in MEASURES:
        wanted = [cell[kind]["values"][:count] for cell in cells.values()]
        assert found[kind].T == pytest.approx(np.array(wanted, float), **near), label
    # The last one's next image is another one here.
    floor = stored["results"][label]["floor"]["ssim"]["values"][: count - 1]
    assert found["floor ssim"][:-1] == pytest.approx(np.array(floor, float), **near)


SANITY = [name for name in STORED if labels(name, False)]
AGAIN = book.trained_again("random-logit", "cascade")
AGAIN = [pytest.param(n, marks=pytest.mark.long) for n in AGAIN if labels(n, False)]


@pytest.mark.parametrize("name", book.small_first(SANITY) + AGAIN)
@pytest.mark.parametrize("count", [1, pytest.param(3, marks=pytest.mark.long)])
def test_the_first_images_can_be_computed_again(name, count):
    generator, there = random.Random(f"{name} {count}"), labels(name, False)
    for label in generator.sample(there, min(count, len(there))):
        check_first_images(name, label, generator)


@pytest.mark.long
@pytest.mark.parametrize("name", [name for name in STORED if labels(name, True)])
def test_the_first_images_with_patterns_can_be_computed_again(name):
    book.need_time(name)
    generator = random.Random(name)
    check_first_images(name, generator.choice(labels(name, True)), generator)
