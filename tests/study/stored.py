"""What the stored results of experiments on images are about, for tests."""

import pytest

from modbp.study import experiments
from modbp.study.runs.store import RESULTS


def names_of(*kinds):
    """Return the names of the book's results of some experiments."""
    return [
        f"{kind}/{p.name}" for kind in kinds for p in sorted((RESULTS / kind).iterdir())
    ]


def precision_of(table):
    """Return what the table of a method says that it was computed in."""
    return "float64" if table.endswith("computed in float64") else "float32"


def labels_by_precision(config):
    """Return the methods of a result that were computed in the same precision."""
    found = {}
    for label, table in config["parts"].items():
        found.setdefault(precision_of(table), []).append(label)
    return found


def subject_of(config, precision="float32", count=None):
    """Return what a stored result is about, or skip where this machine lacks it."""
    about = experiments.subject(
        config["network"],
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


def with_patterns(name, wanted):
    """Return the methods of a result that go back by patterns, or the others."""
    parts = experiments.read(name)["config"]["parts"]
    return [label for label in parts if experiments.needs_patterns(label) == wanted]


def check_settings_but_images(stored, now):
    """Compare what a result was made of with the code; images may be others here."""
    config = stored["config"]
    images = {"images", "count", "image_names", "tested", "tested_names", "parts"}
    for key in (now.settings.keys() | config.keys()) - images:
        assert now.settings[key] == config[key], key
    assert config["parts"] == now.parts and config["count"] == 2000


def check_made_by_this_code(stored, experiment):
    """Compare what a result says of itself with what the code says now.

    `experiment(precision, labels)` is the one that makes some of its methods.
    """
    config = stored["config"]
    for precision, labels in labels_by_precision(config).items():
        now, parts = experiment(precision, labels), config["parts"]
        made = {**now.settings, "parts": now.parts}
        assert {**config, "parts": {label: parts[label] for label in labels}} == made
    for made in stored["provenance"].values():
        assert made["command"].startswith(f"python -m modbp run {config['experiment']}")
        assert {"numpy", "torch", "torchvision"} <= made["versions"].keys()
