"""Stored sanity checks: made by the code and from the weights that are here."""

from pathlib import Path

import numpy as np
import pytest

from modbp import data, experiments, sanity

RESULTS = Path(__file__).parents[1] / "book" / "results"
MADE = {"random-logit": experiments.RandomLogit, "cascade": experiments.Cascade}
MEASURES = ("ssim", "corrected")
STORED = sorted(path for kind in MADE for path in (RESULTS / kind).glob("*.json"))


def subject_of(config, **options):
    """Return what a stored result is about, or skip where this machine lacks it."""
    about = experiments.subject(config["network"], scale=config["scale"], **options)
    if about.images.source != config["images"]:
        pytest.skip(f"needs {config['images']}; there is {about.images.source}")
    return about


def test_there_are_results():
    assert RESULTS / "random-logit" / "cifar10.json" in STORED


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.parent.name)
def test_a_result_was_made_with_this_code_and_these_weights(path):
    stored = experiments.read(path)
    config = stored["config"]
    about = subject_of(config, count=len(config["image_names"]))
    now = MADE[config["experiment"]](about, list(config["methods"]))
    assert config == {**now.settings, "methods": now.parts}
    wanted = f"python -m modbp run {config['experiment']} "
    assert stored["provenance"]["command"].startswith(wanted)
    assert [int(name) for name in config["image_names"]] == data.paper_indices(200)


@pytest.mark.parametrize("method", ["lrp-z", "guided-bp", "deeplift-ablation"])
def test_the_first_images_can_be_computed_again(method):
    stored = experiments.read(RESULTS / "random-logit" / "cifar10.json")
    about = subject_of(stored["config"], count=4)
    chosen, result = experiments.method(method), stored["results"][method]
    found = sanity.random_logit(about.net, *about.read(range(4)), chosen)
    assert found.logits.tolist() == result["logits"][:4]
    cells = result["stages"]["random logit"]
    for kind in MEASURES:
        wanted = cells[kind]["values"][:4]
        assert getattr(found, kind)[0] == pytest.approx(wanted, abs=2e-3)
    # The fourth image's next one is not among the four.
    assert found.floor[:3] == pytest.approx(
        result["floor"]["ssim"]["values"][:3], abs=2e-3
    )


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
