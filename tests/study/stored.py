"""What the stored results of experiments on images are about, for tests."""

import os
import re

import pytest
from conftest import long_but
from study import trainings_table

from modbp.study import experiments
from modbp.study.runs.store import RESULTS

MADE = {"csc": experiments.CSC, "random-logit": experiments.RandomLogit}
MADE["cascade"] = experiments.Cascade


# What the book's results do not say, which are older.
_LATER = "code_sha256 pixels_sha256 tested_pixels_sha256 labels".split()


def made_of(experiment, *known):
    """Return settings and tables as a result with these settings states them."""
    settings = experiment.settings
    left_out = {key for key in _LATER if key not in known}
    found = {key: settings[key] for key in settings if key not in left_out}
    tables = experiment.parts
    if "code_sha256" in left_out:
        later = re.compile("\nwhose pixels have the SHA-256 [0-9a-f]{64}")
        tables = {part: later.sub("", table) for part, table in tables.items()}
    return found | {"parts": tables}


def names_of(*kinds):
    """Return the names of the book's results of some experiments."""
    return [
        f"{kind}/{p.name}" for kind in kinds for p in sorted((RESULTS / kind).iterdir())
    ]


def trained_again(*kinds):
    """Return the names of results of the small network with other training seeds."""
    return names_of(
        *(f"seeds/{seed}/{kind}" for seed in experiments.TRAINED for kind in kinds)
    )


def weights_of(config):
    """Return the weights that a result is of: the book's, or of another training."""
    for seed in experiments.TRAINED:
        about = experiments.read(f"seeds/{seed}/measured")["config"]["parts"]
        if config.get("weights_sha256", "none") in about.get(config["network"], ""):
            return trainings_table.there(seed)
    return "trained"


def small_first(names):
    """Return names of results, those of the larger networks marked as long."""
    return long_but(lambda name: "/cifar10" in name, names)


def precision_of(table):
    """Return what the table of a method says that it was computed in."""
    return "float64" if table.endswith("computed in float64") else "float32"


def subject_of(config, precision="float32", count=None):
    """Return what a stored result is about, or skip where this machine lacks it."""
    about = experiments.subject(
        config["network"],
        weights_of(config),
        count=count or len(config["image_names"]),
        folder="photographs" if "photographs" in config["images"] else None,
        scale=config["scale"],
        precision=precision,
    )
    need_images(config, about.images)
    return about


def need_images(config, images):
    """Skip where this machine lacks the images that a result was made of."""
    if images.source != config["images"]:
        pytest.skip(f"needs {config['images']}; there is {images.source}")


def need_time(name):
    """Skip where patterns are fitted for minutes, unless long runs are at home here."""
    if "efficientnet" in name and "MODBP_RUNS" not in os.environ:
        pytest.skip("fits patterns for minutes; runs where MODBP_RUNS is set")


def with_patterns(name, wanted):
    """Return the methods of a result that go back by patterns, or the others."""
    parts = experiments.read(name)["config"]["parts"]
    return [label for label in parts if experiments.needs_patterns(label) == wanted]


def check_settings_but_images(stored, now):
    """Compare what a result was made of with the code; images may be others here."""
    config, now = stored["config"], made_of(now, *stored["config"])
    images = {"images", "count", "image_names", "tested", "tested_names"}
    images |= {"pixels_sha256", "tested_pixels_sha256"}
    for key in (now.keys() | config.keys()) - images:
        assert now[key] == config[key], key
    assert config["count"] == 2000


def again(about, config, labels, **more):
    """Return the experiment on images that a stored result is of."""
    keys = ("seed", "batch", "lower", "stages", "own", "stale", "draws")
    own = {key: config[key] for key in keys if key in config}
    return MADE[config["experiment"]](about, labels, **own, **more)


def check_made_by_this_code(stored, experiment=None):
    """Compare what a result says of itself with what the code says now."""
    config, parts = stored["config"], stored["config"]["parts"]
    for precision in ("float32", "float64"):
        labels = [key for key in parts if precision_of(parts[key]) == precision]
        if labels:
            now = experiment or again(subject_of(config, precision), config, labels)
            some = {label: parts[label] for label in labels}
            assert {**config, "parts": some} == made_of(now, *config)
    for made in stored["provenance"].values():
        assert made["command"].startswith(f"python -m modbp run {config['experiment']}")
        assert {"numpy", "torch", "torchvision"} <= made["versions"].keys()
