"""The stored simulations of figure 7: made by the code that is here."""

import numpy as np
import pytest
import torch
from conftest import long_but
from study import stored as book

from modbp import data, models, patterns, theory
from modbp.measures import neurons
from modbp.study import experiments
from modbp.study.experiments.simulation import LEARNED


@pytest.fixture(scope="module")
def stored():
    return experiments.read("simulation/vgg16")


def test_it_was_made_by_this_code_and_the_command_that_it_names(stored):
    book.check_made_by_this_code(stored, experiments.Simulation())
    # The same in every process: no place in memory.
    assert stored["config"]["parts"]["code"] == (
        "one_hot=False, absolute=True, diagonal=True, statistic=mean"
    )


def test_the_first_repetition_can_be_recomputed(stored):
    chosen = {"positive": theory.VARIANTS["positive"]}
    found = theory.simulate(chosen, repetitions=1, seed=stored["config"]["seed"])
    wanted = kept(stored, "code", "positive")
    np.testing.assert_allclose(found["positive"][0], wanted, rtol=1e-4, atol=1e-13)


def test_the_text_reading_follows_the_law(stored):
    for name, cv2 in (("positive", np.pi / 2 - 1), ("non-negative", np.pi - 1)):
        median = np.array(stored["results"]["text"][name]["median"][1:6])
        law = theory.rate_law(theory.VGG16[:0:-1][:5], cv2)
        assert np.abs(np.log10(median) - law).max() < 0.25


def test_a_small_run_is_written_and_read(tmp_path, monkeypatch):
    small = {**theory.simulate.__kwdefaults__, "widths": (3, 8, 16, 40)}
    monkeypatch.setattr(theory.simulate, "__kwdefaults__", small)
    small = experiments.Simulation(repetitions=2)
    found = experiments.run(small, tmp_path / "small")
    assert set(found["results"]) == {"code", "text"}
    variants = theory.VARIANTS | theory.alpha_beta_variants(experiments.BETAS)
    curves = theory.simulate(variants, repetitions=2)
    for label, entry in found["results"]["code"].items():
        np.testing.assert_allclose(entry["values"], curves[label], rtol=1e-4)
        middle = np.median(curves[label], axis=0)
        np.testing.assert_allclose(entry["median"], middle, rtol=1e-4)


# With trained weights -----------------------------------------------------------------


@pytest.fixture(scope="module", params=long_but("cifar10".__eq__, ["cifar10", "vgg16"]))
def trained(request):
    return experiments.read(f"learned/{request.param}")


def network(trained):
    return getattr(models, trained["config"]["network"])()


def curves(trained, mats, relu):
    """The first repetition in both readings, computed again, and as it is stored."""
    for name, count in trained["config"]["vectors"].items():
        protocol = theory.PROTOCOLS[name]
        common = {"protocol": protocol, "vectors": count, "repetitions": 1}
        yield name, theory.simulate_learned(mats, relu=relu, **common)[0]


def kept(trained, reading, label):
    values = trained["results"][reading][label]["values"][0]
    return [np.nan if value is None else value for value in values]


def test_what_a_trained_chain_depends_on_is_what_it_says(trained):
    about = experiments.subject(trained["config"]["network"], count=1)
    book.check_settings_but_images(trained, experiments.Learned(about))
    for entry in trained["results"].values():
        assert list(entry) == [*theory.VARIANTS, *LEARNED]


@pytest.mark.parametrize("label", ["learned", "ReLU learned"])
def test_curves_of_trained_weights_can_be_recomputed(trained, label):
    x = data.images(1, folder="photographs").x  # for its shape only
    mats = list(neurons.taps(network(trained), x).values())
    for name, found in curves(trained, mats, LEARNED[label][1]):
        np.testing.assert_allclose(found, kept(trained, name, label), rtol=1e-3)


def test_random_curves_of_the_networks_shape_can_be_recomputed(trained):
    found = theory.simulate(widths=trained["config"]["widths"], repetitions=1)
    for label, values in found.items():
        wanted = kept(trained, "code", label)
        np.testing.assert_allclose(values[0], wanted, rtol=1e-3, atol=1e-13)


@pytest.mark.long
def test_curves_of_patterns_can_be_recomputed(trained):
    now = experiments.Learned(experiments.subject(trained["config"]["network"]))
    book.need_images(trained["config"], now.images)
    for label in ("pattern A", "pattern A⊙W"):
        kind, relu = LEARNED[label]
        for name, found in curves(trained, now._chains[kind], relu):
            # One minus a cosine is rounded at 1e-16, and each layer adds to it.
            wanted = kept(trained, name, label)
            np.testing.assert_allclose(found, wanted, rtol=1e-2, atol=1e-14)


class Noise:
    """A network of given weights, with patterns of given inputs, as a subject.

    It is its own listing of images.
    """

    source = "noise"

    def __init__(self, x, *weights):
        self.net, self.x = models.dense(*weights).float(), x

    def __len__(self):
        return len(self.x)

    def __getitem__(self, part):
        return self

    def settings(self):
        return {"network": "two layers", "weights_sha256": "a", "code_sha256": "b"}

    def look(self, noise):
        return "c", []

    def fitting(self, count):
        return self

    def prepared(self, noise):
        return noise.x

    def fit(self, noise, batch):
        return patterns.fit(self.net, noise.x.split(batch))


def learn(tmp_path, x, *weights):
    about = experiments.Learned(Noise(x, *weights), repetitions=2)
    return experiments.run(about, tmp_path / "out")


def noise(columns):
    return torch.rand(40, columns, generator=torch.Generator().manual_seed(0))


def test_a_small_trained_chain_is_written_and_read(tmp_path):
    weights = [[2.0, -1, 1], [1, 1, -3]], [[1.0, -2], [-1, -1]]
    found = learn(tmp_path, noise(3), *weights)
    assert found["config"]["widths"] == [3, 2, 2]
    # Not more starts than there are logits, as one-hot vectors.
    assert found["config"]["vectors"] == {"code": 32, "text": 2}
    assert found["config"]["count"] == 40
    for entry in found["results"].values():
        assert set(entry) == {*theory.VARIANTS, *LEARNED}


def test_where_no_vector_is_left_there_is_no_number(tmp_path):
    # The first layer is negative: by the ReLU nothing is left of a positive start.
    weights = [[-1.0, -1], [-1, -2]], [[1.0, 2], [2, 1]]
    found = learn(tmp_path, -noise(2), *weights)
    assert found["results"]["text"]["ReLU learned"]["median"][-1] is None
    text = (tmp_path / "out" / "text.json").read_text(encoding="utf-8")
    assert "NaN" not in text
