"""What the stored results of experiments on images are about, for tests."""

import pytest

from modbp.study import experiments


def precision_of(table):
    """Return what the table of a method says that it was computed in."""
    return "float64" if table.endswith("computed in float64") else "float32"


def labels_by_precision(config):
    """Return the methods of a result that were computed in the same precision."""
    found = {}
    for label, table in config["methods"].items():
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
    if about.images.source != config["images"]:
        pytest.skip(f"needs {config['images']}; there is {about.images.source}")
    return about
