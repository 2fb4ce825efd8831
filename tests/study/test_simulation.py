"""The stored simulation: made by the code that is here."""

from pathlib import Path

import numpy as np
import pytest

from modbp import theory
from modbp.study import experiments

STORED = Path(__file__).parents[2] / "book" / "results" / "simulation" / "vgg16.json"


@pytest.fixture(scope="module")
def stored():
    return experiments.read(STORED)


def test_the_settings_are_those_of_the_code(stored):
    config = stored["config"]
    assert config["widths"] == list(theory.VGG16)
    assert config["repetitions"] == 20
    variants = theory.VARIANTS | theory.alpha_beta_variants(experiments.BETAS)
    assert config["variants"] == {key: str(value) for key, value in variants.items()}


def test_the_first_repetition_can_be_recomputed(stored):
    name = "positive"
    curve = theory.simulate(
        {name: theory.VARIANTS[name]}, repetitions=1, seed=stored["config"]["seed"]
    )[name][0]
    kept = np.array(stored["results"]["code"][name]["first"])
    np.testing.assert_allclose(curve, kept, rtol=1e-4, atol=1e-13)


def test_the_text_reading_follows_the_law(stored):
    for name, cv2 in (("positive", np.pi / 2 - 1), ("non-negative", np.pi - 1)):
        median = np.array(stored["results"]["text"][name]["median"][1:6])
        law = theory.rate_law(theory.VGG16[:0:-1][:5], cv2)
        assert np.abs(np.log10(median) - law).max() < 0.25


def test_it_was_made_by_the_command_that_it_names(stored):
    now = experiments.Simulation()
    assert stored["config"] == {**now.settings, "protocols": now.parts}
    assert stored["provenance"]["command"].startswith("python -m modbp run simulation")


def test_settings_are_the_same_in_every_process(stored):
    assert stored["config"]["protocols"]["code"] == (
        "one_hot=False, absolute=True, diagonal=True, statistic=mean"
    )


def test_a_small_run_is_written_and_read(tmp_path, monkeypatch):
    small = {**theory.simulate.__kwdefaults__, "widths": (3, 8, 16, 40)}
    monkeypatch.setattr(theory.simulate, "__kwdefaults__", small)
    small = experiments.Simulation(repetitions=2)
    found = experiments.run(small, tmp_path / "small.json")
    assert experiments.read(tmp_path / "small.json") == found
    assert set(found["results"]) == {"code", "text"}
    curves = theory.simulate(small.variants, repetitions=2)
    for label, entry in found["results"]["code"].items():
        np.testing.assert_allclose(entry["first"], curves[label][0], rtol=1e-4)
