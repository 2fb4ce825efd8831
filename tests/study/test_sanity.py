"""Stored sanity checks: made by the code and from the weights that are here."""

import random
from pathlib import Path

import numpy as np
import pytest
from study.stored import labels_by_precision, precision_of, subject_of

from modbp import data
from modbp.study import experiments

RESULTS = Path(__file__).parents[2] / "book" / "results"
MADE = {"random-logit": experiments.RandomLogit, "cascade": experiments.Cascade}
MEASURES = ("ssim", "corrected")
STORED = sorted(path for kind in MADE for path in (RESULTS / kind).glob("*.json"))


def name(path):
    """Return what a result is called in a test."""
    return f"{path.parent.name}-{path.stem}"


def again(about, config, labels):
    """Return the experiment that a stored result is of."""
    own = {key: config[key] for key in ("stages", "own", "stale") if key in config}
    return MADE[config["experiment"]](about, labels, seed=config["seed"], **own)


def test_there_are_results():
    assert {path.parent.name for path in STORED} == {*MADE}


@pytest.mark.parametrize("path", STORED, ids=name)
def test_a_result_was_made_with_this_code_and_these_weights(path):
    stored = experiments.read(path)
    config = stored["config"]
    count = len(config["image_names"])
    for precision, labels in labels_by_precision(config).items():
        now = again(subject_of(config, precision), config, labels)
        stored_parts = {label: config["methods"][label] for label in labels}
        assert {**config, "methods": stored_parts} == {
            **now.settings,
            "methods": now.parts,
        }
    wanted = f"python -m modbp run {config['experiment']} "
    assert stored["provenance"]["command"].startswith(wanted)
    assert [int(name) for name in config["image_names"]] == data.paper_indices(count)


def labels(path, with_patterns):
    """Return the methods of a result that take one gradient, by patterns or not."""
    return [
        label
        for label in experiments.read(path)["config"]["methods"]
        if label != "smoothgrad" and experiments.needs_patterns(label) == with_patterns
    ]


def first_again(path, with_patterns):
    """Compute the first images of a result again, by one of the methods at random."""
    stored, count = experiments.read(path), 3
    generator = random.Random(str(path.relative_to(RESULTS)))
    label, config = generator.choice(labels(path, with_patterns)), stored["config"]
    cells = stored["results"][label]["stages"]
    if "stages" in config:
        # Weights do not depend on which other stages there are.
        stage = generator.choice(config["stages"])
        config, cells = config | {"stages": [stage]}, {stage: cells[stage]}
    about = subject_of(config, precision_of(config["methods"][label]), count)
    found = again(about, config, [label]).compute(label, 0)
    for kind in MEASURES:
        wanted = [cell[kind]["values"][:count] for cell in cells.values()]
        assert found[kind].T == pytest.approx(np.array(wanted, float), abs=2e-3), label
    # The last one's next image is another one here.
    floor = stored["results"][label]["floor"]["ssim"]["values"][: count - 1]
    assert found["floor ssim"][:-1] == pytest.approx(np.array(floor, float), abs=2e-3)


@pytest.mark.parametrize("path", [p for p in STORED if labels(p, False)], ids=name)
def test_the_first_images_can_be_computed_again(path):
    first_again(path, with_patterns=False)


@pytest.mark.long
@pytest.mark.parametrize("path", [p for p in STORED if labels(p, True)], ids=name)
def test_the_first_images_with_patterns_can_be_computed_again(path):
    first_again(path, with_patterns=True)


def test_converging_methods_do_not_see_which_logit_they_explain():
    results = experiments.read(RESULTS / "random-logit" / "cifar10.json")["results"]
    at = {
        name: [entry["stages"]["random logit"][k]["median"] for k in MEASURES]
        for name, entry in results.items()
    }
    for code, corrected in (at[name] for name in ("lrp-a1b0", "dtd")):
        assert code > 0.99 and corrected > 0.98
    for code, corrected in (at[name] for name in ("gradient", "lrp-z", "smoothgrad")):
        assert code < 0.6 and corrected < 0.5
    for name, entry in results.items():
        floor = [entry["floor"][kind]["median"] for kind in MEASURES]
        assert all(np.greater(at[name], floor)), name
