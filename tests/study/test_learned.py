"""The stored simulation with trained weights: made by the code that is here."""

from pathlib import Path

import numpy as np
import pytest
import torch

from modbp import data, models, patterns, theory
from modbp.measures import neurons
from modbp.study import experiments
from modbp.study.experiments.learned import LEARNED
from modbp.study.experiments.subject import weights_fingerprint

FOLDER = Path(__file__).parents[2] / "book" / "results" / "simulation"


STORED = {"cifar10": "cifar10.json", "vgg16": "vgg16-learned.json"}


@pytest.fixture(scope="module", params=STORED)
def trained(request):
    return experiments.read(FOLDER / STORED[request.param])


def network(trained):
    return getattr(models, trained["config"]["network"])()


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
    net = network(trained)
    assert config["weights_sha256"] == weights_fingerprint(net)
    layers = [m for m in net.modules() if getattr(m, "weight", None) is not None]
    assert config["widths"] == [3, *(len(layer.weight) for layer in layers)]
    command = trained["provenance"]["command"]
    assert "run_learned" in command or command.startswith("python -m modbp run learned")
    for entry in trained["results"].values():
        assert list(entry) == [*theory.VARIANTS, *LEARNED]


@pytest.mark.parametrize("label", ["learned", "ReLU learned"])
def test_curves_of_trained_weights_can_be_recomputed(trained, label):
    x = data.images(1, folder="photographs").x  # for its shape only
    mats = list(neurons.taps(network(trained), x).values())
    for name, found in curves(trained, mats, LEARNED[label][1]):
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
    net = network(trained)
    fitted = patterns.fit(net, images.x.split(20))
    chains = experiments.learned_chains(net, images.x, fitted)
    for label in ("pattern A", "pattern A⊙W"):
        kind, relu = LEARNED[label]
        for name, found in curves(trained, chains[kind], relu):
            np.testing.assert_allclose(found, kept(trained, name, label), rtol=1e-2)


def test_what_the_chapter_says_of_trained_chains_is_so(trained):
    last = len(trained["config"]["widths"]) - 2
    for entry in trained["results"].values():
        at = {label: curve["median"][last] for label, curve in entry.items()}
        assert max(at["positive"], at["non-negative"]) < 1e-5
        assert at["pattern A"] < 0.01
        for label in ("learned", "ReLU learned", "pattern A⊙W", "vanilla"):
            assert at[label] > 0.05, label
        assert at["ReLU learned"] > at["ReLU"]


def run(tmp_path, x, *weights):
    """Simulate a network of given weights, with patterns of given inputs."""
    text = (
        f"from modbp import models\n\ndef net():\n    return models.dense(*{weights})"
    )
    (tmp_path / "net.py").write_text(text + ".float()\n")
    images = data.Images(x, None, tuple("x" * len(x)), "noise")
    name, output = f"{tmp_path}/net.py:net", tmp_path / "out.json"
    return experiments.run_learned(name, output, images=images, repetitions=2), output


def noise(columns):
    return torch.rand(40, columns, generator=torch.Generator().manual_seed(0))


def test_a_small_trained_chain_is_written_and_read(tmp_path):
    weights = [[2.0, -1, 1], [1, 1, -3]], [[1.0, -2], [-1, -1]]
    found, path = run(tmp_path, noise(3), *weights)
    assert found == experiments.read(path)
    assert found["config"]["widths"] == [3, 2, 2]
    for entry in found["results"].values():
        assert set(entry) == {*theory.VARIANTS, *LEARNED}


def test_where_no_vector_is_left_there_is_no_number(tmp_path):
    # The first layer is negative: by the ReLU nothing is left of a positive start.
    found, path = run(tmp_path, -noise(2), [[-1.0, -1], [-1, -2]], [[1.0, 2], [2, 1]])
    assert found["results"]["text"]["ReLU learned"]["median"][-1] is None
    assert "NaN" not in path.read_text()
