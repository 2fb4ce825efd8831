"""The stored simulation: made by the code that is here."""

from pathlib import Path

import numpy as np
import pytest

from modbp import data, experiments, models, theory
from modbp.experiments import simulation

FOLDER = Path(__file__).parents[1] / "book" / "results" / "simulation"
STORED, TRAINED = FOLDER / "vgg16.json", FOLDER / "cifar10.json"


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


def test_a_small_run_is_written_and_read(tmp_path, monkeypatch):
    monkeypatch.setattr(theory, "VGG16", (3, 8, 16, 40))
    monkeypatch.setattr(
        theory.simulate,
        "__kwdefaults__",
        {**theory.simulate.__kwdefaults__, "widths": (3, 8, 16, 40)},
    )
    found = experiments.run_simulation(tmp_path / "small.json", repetitions=2)
    assert experiments.read(tmp_path / "small.json") == found
    assert set(found["results"]) == {"code", "text"}


# With trained weights ------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained():
    return experiments.read(TRAINED)


def learned(trained, label, fitted=None):
    """Recompute one curve of both readings, first repetition."""
    net, x = models.cifar10(), data.images(1, folder="photographs").x
    zero = {name: 0 * net.get_submodule(name).weight for name in simulation.taps(net)}
    chains = experiments.learned_chains(net, x, fitted or zero)
    kind, relu = simulation.LEARNED[label]
    return {
        name: theory.simulate_learned(
            chains[kind],
            relu=relu,
            protocol=theory.PROTOCOLS[name],
            vectors=count,
            repetitions=1,
            seed=trained["config"]["seed"],
        )[0]
        for name, count in trained["config"]["vectors"].items()
    }
