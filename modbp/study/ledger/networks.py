"""Measurements on the trained networks."""

import numpy as np
import torch

from modbp import figures
from modbp.backprop import methods
from modbp.backprop.chain import Chain
from modbp.measures import neurons, patterns
from modbp.measures.csc import csc
from modbp.measures.similarity import cosine
from modbp.zoo import data, models

__all__ = ["accuracy", "class_difference", "gamma_csc", "gamma_end"]
__all__ += ["pattern_identity", "roughness"]

# Of the paper's images, or of photographs without CIFAR-10: enough for two digits, in
# seconds.
COUNT = 20


def accuracy() -> float:
    """Return the test accuracy that was measured after training."""
    return models.provenance()["test_accuracy"]


def _maps(net, method, target):
    """Return maps of one value per pixel, ``[N, height, width]``."""
    method = methods.get(method, output="one")
    r = Chain(net, data.images(COUNT).x, method).explain(target)
    return figures.reduce(r, method)


def roughness(method: str, network: str = "cifar10", minus: str | None = None) -> float:
    """Return how rough maps are: total variation in proportion to what they show.

    Equation: the sum of ``|difference|`` of neighbouring pixels over the sum of
    ``|value|``; the median over images, predicted classes. With `minus` how much
    rougher they are than those of that other method.
    """
    if minus is not None:
        return roughness(method, network) - roughness(minus, network)
    net = getattr(models, network)()
    target = net(data.images(COUNT).x).argmax(1)
    shown = figures.normalise(_maps(net, method, target))
    rows, columns = (np.abs(np.diff(shown, axis=k)).sum((1, 2)) for k in (1, 2))
    return float(np.median((rows + columns) / np.abs(shown).sum((1, 2))))


def class_difference(method: str, network: str = "cifar10") -> float:
    """Return how much the maps of the fourth and sixth class differ as shown."""
    net = getattr(models, network)()
    one, two = (_maps(net, method, torch.full((COUNT,), c)) for c in (3, 5))
    return float(figures.difference(one, two).mean())


def gamma_csc(gamma: float) -> float:
    """Return the median CSC of LRP-γ at conv1, from fc6."""
    method = methods.get("lrp-gamma", gamma=gamma)
    found = csc(models.cifar10(), data.images(COUNT).x, method, "fc6", ["conv1"])
    return found.median()["conv1"]


def gamma_end(gamma: float, method: str) -> float:
    """Return the smallest cosine between maps of LRP-γ and of another method.

    Both treat biases as further inputs, the explained class is the predicted one.
    """
    net, x = models.cifar10().double(), data.images(COUNT).x.double()
    pair = (
        methods.get("lrp-gamma", gamma=gamma, bias="unit"),
        methods.get(method, bias="unit"),
    )
    one, two = (Chain(net, x, entry).explain(net(x).argmax(1)) for entry in pair)
    return float(cosine(one.flatten(1), two.flatten(1)).min())


def pattern_identity() -> float:
    """Return the largest relative distance of patterns from the covariance form.

    Equation: ``cov₊[x] w / (wᵀ cov₊[x] w)``, written out with what each neuron sees,
    against the patterns of equation 41. A fully connected layer sees one vector per
    image, so that both use the same ones. Neurons that are rarely on are left out.
    """
    net, x = models.cifar10().double(), data.images(200).x.double()
    fitted = patterns.fit(net, [x], estimator="eq41")["fc5"].numpy()
    found, worst = neurons.seen(net, x)["fc5"], 0.0
    for neuron in np.flatnonzero(found.on(slice(None)).sum(axis=0) >= 10):
        seen, w = found.x[found.on(neuron)], found.weight[neuron]
        # Never the covariance itself, which has sixteen million entries here.
        apart = seen - seen.mean(axis=0)
        direction = apart.T @ (apart @ w) / len(apart)
        expected = direction / (w @ direction)
        distance = np.abs(fitted[neuron] - expected).max() / np.abs(expected).max()
        worst = max(worst, distance)
    return worst
