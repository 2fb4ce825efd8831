"""The stored simulation: made by the code that is here."""

from pathlib import Path

import numpy as np
import pytest
import torch

from modbp import data, experiments, models, patterns, singular, theory
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


# With trained weights -----------------------------------------------------------------


@pytest.fixture(scope="module")
def trained():
    return experiments.read(TRAINED)


def kept(trained, reading, label):
    values = trained["results"][reading][label]["first"]
    return [np.nan if value is None else value for value in values]


def curves(trained, mats, relu):
    """The first repetition in both readings."""
    for name, count in trained["config"]["vectors"].items():
        protocol = theory.PROTOCOLS[name]
        common = {"protocol": protocol, "vectors": count, "repetitions": 1}
        yield name, theory.simulate_learned(mats, relu=relu, **common)[0]


def test_the_trained_chain_has_the_networks_shape(trained):
    config = trained["config"]
    assert config["weights_sha256"] == models.provenance()["sha256"]
    assert config["widths"] == [3, 32, 64, 128, 128, 1024, 10]
    assert "run_learned" in trained["provenance"]["command"]
    for entry in trained["results"].values():
        assert list(entry) == [*theory.VARIANTS, *simulation.LEARNED]


@pytest.mark.parametrize("label", ["learned", "ReLU learned"])
def test_curves_of_trained_weights_can_be_recomputed(trained, label):
    x = data.images(1, folder="photographs").x  # for its shape only
    mats = list(singular.taps(models.cifar10(), x).values())
    for name, found in curves(trained, mats, simulation.LEARNED[label][1]):
        np.testing.assert_allclose(found, kept(trained, name, label), rtol=1e-3)


def test_random_curves_of_the_networks_shape_can_be_recomputed(trained):
    config = trained["config"]
    found = theory.simulate(widths=config["widths"], repetitions=1)
    for label, values in found.items():
        wanted = kept(trained, "code", label)
        np.testing.assert_allclose(values[0], wanted, rtol=1e-3, atol=1e-13)


@pytest.mark.long
def test_curves_of_patterns_can_be_recomputed(trained):
    images = data.images(indices=range(trained["config"]["count"]), split="train")
    if images.source != trained["config"]["images"]:
        pytest.skip(f"needs {trained['config']['images']}; found {images.source}")
    net = models.cifar10()
    fitted = patterns.fit(net, images.x.split(20))
    chains = experiments.learned_chains(net, images.x, fitted)
    for label in ("pattern A", "pattern A⊙W"):
        kind, relu = simulation.LEARNED[label]
        for name, found in curves(trained, chains[kind], relu):
            np.testing.assert_allclose(found, kept(trained, name, label), rtol=1e-2)


def test_what_the_chapter_says_of_trained_chains_is_so(trained):
    for entry in trained["results"].values():
        at = {label: curve["median"][5] for label, curve in entry.items()}
        assert at["positive"] < at["non-negative"] < 1e-5
        assert at["pattern A"] < 0.01
        for label in ("learned", "ReLU learned", "pattern A⊙W", "vanilla"):
            assert at[label] > 0.3, label
        assert at["ReLU learned"] > 2 * at["ReLU"]


def test_a_small_trained_chain_is_written_and_read(tmp_path, monkeypatch):
    net = models.dense([[2.0, -1, 1], [1, 1, -3]], [[1.0, -2], [-1, -1]]).float()
    monkeypatch.setattr(models, "tiny", lambda: net, raising=False)
    x = torch.rand(40, 3, generator=torch.Generator().manual_seed(0))
    images = data.Images(x, None, tuple("x" * 40), "noise")
    path = tmp_path / "tiny.json"
    found = experiments.run_learned("tiny", path, images=images, repetitions=2)
    assert found["config"]["widths"] == [3, 2, 2]
    assert "NaN" not in path.read_text()
    for entry in found["results"].values():
        assert set(entry) == {*theory.VARIANTS, *simulation.LEARNED}


def test_where_no_vector_is_left_there_is_no_number(tmp_path, monkeypatch):
    # The last row is negative: by the ReLU nothing is left of a positive start.
    net = models.dense([[-1.0, -1], [-1, -2]], [[1.0, 2], [2, 1]]).float()
    monkeypatch.setattr(models, "dead", lambda: net, raising=False)
    x = torch.rand(40, 2, generator=torch.Generator().manual_seed(0))
    images = data.Images(-x, None, tuple("x" * 40), "noise")
    found = experiments.run_learned("dead", tmp_path / "dead.json", images=images)
    assert found["results"]["text"]["ReLU learned"]["median"][-1] is None
