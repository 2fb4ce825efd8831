"""Measurements on the trained networks."""

from functools import cache

import numpy as np
import torch
from scipy import stats

from modbp import figures
from modbp.backprop import methods
from modbp.backprop.chain import Chain
from modbp.measures import neurons, patterns
from modbp.measures.csc import csc
from modbp.measures.similarity import cosine, ssim
from modbp.study.ledger.samples import Sampled
from modbp.zoo import data, models

__all__ = ["accuracy", "class_difference", "clipped_away", "gamma_csc", "gamma_end"]
__all__ += ["pattern_identity", "roughness", "scaled_by_extremes"]

# Of the paper's images, or of photographs without CIFAR-10: enough for two digits, in
# seconds.
COUNT = 20


def _over_images(values, statistic):
    return Sampled(values, statistic, f"{values.shape[-1]} images")


def accuracy() -> Sampled:
    """Return the test accuracy that was measured after training."""
    made = models.provenance()
    right = round(made["test_accuracy"] * made["test_images"])
    return _over_images(np.arange(made["test_images"]) < right, np.mean)


def _maps(net, method, target):
    """Return maps of one value per pixel, ``[N, height, width]``."""
    method = methods.get(method, output="one")
    r = Chain(net, data.images(COUNT).x, method).explain(target)
    return figures.reduce(r, method)


def roughness(
    method: str, network: str = "cifar10", minus: str | None = None
) -> Sampled:
    """Return how rough maps are: total variation in proportion to what they show.

    Equation: the sum of ``|difference|`` of neighbouring pixels over the sum of
    ``|value|``; the median over images, predicted classes. With `minus` how much
    rougher they are than those of that other method.
    """
    net, found = getattr(models, network)(), []
    target = net(data.images(COUNT).x).argmax(1)
    for name in filter(None, (method, minus)):
        shown = figures.normalise(_maps(net, name, target))
        rows, columns = (np.abs(np.diff(shown, axis=k)).sum((1, 2)) for k in (1, 2))
        found.append((rows + columns) / np.abs(shown).sum((1, 2)))
    return _over_images(np.array(found), _median_or_difference)


def _median_or_difference(values):
    first, *others = np.median(values, axis=-1)
    return first - sum(others)


def class_difference(method: str, network: str = "cifar10") -> Sampled:
    """Return how much the maps of the fourth and sixth class differ as shown."""
    net = getattr(models, network)()
    one, two = (_maps(net, method, torch.full((COUNT,), c)) for c in (3, 5))
    return _over_images(figures.difference(one, two), np.mean)


def clipped_away(method: str, network: str = "cifar10") -> Sampled:
    """Return by how much the largest value of a map exceeds that of full colour.

    Figures give the 99.5th percentile of magnitudes full colour; the median over
    images, predicted classes.
    """
    net = getattr(models, network)()
    shown = _maps(net, method, net(data.images(COUNT).x).argmax(1))
    shown = shown.abs().flatten(1).numpy()
    return _over_images(shown.max(1) / np.percentile(shown, 99.5, axis=1), np.median)


# Those that take milliseconds, of all groups.
_QUICK = ("gradient", "guided-bp", "deconv", "rectgrad", "dtd", "lrp-z", "lrp-a1b0")
_QUICK += ("lrp-a2b1", "lrp-a5b4", "lrp-cmp-a1b0", "lrp-cmp-a2b1")


@cache
def _scaled(network):
    """Return SSIM by method, by percentiles and by extremes, for each image.

    The other logit is that of the class after the predicted one.
    """
    net, x = getattr(models, network)(), data.images(COUNT).x
    target, found = net(x).argmax(1), []
    for name in _QUICK:
        one, two = (_maps(net, name, t) for t in (target, (target + 1) % 10))
        found.append([ssim(one, two, paper=False, percentile=p) for p in (99.5, 100)])
    return np.array(found)


def scaled_by_extremes(what: str, network: str = "cifar10") -> Sampled:
    """Compare SSIM of maps scaled by their extremes and by percentiles.

    The "order" of methods, as Spearman's correlation of their medians, or the largest
    "shift" of a median.
    """

    def compared(values):
        usual, extremes = np.nanmedian(values, axis=-1).T
        if what == "order":
            return stats.spearmanr(usual, extremes).statistic
        return np.abs(usual - extremes).max()

    return _over_images(_scaled(network), compared)


def gamma_csc(gamma: float) -> Sampled:
    """Return the median CSC of LRP-γ at conv1, from fc6."""
    method = methods.get("lrp-gamma", gamma=gamma)
    found = csc(models.cifar10(), data.images(COUNT).x, method, "fc6", ["conv1"])
    pairs = np.moveaxis(found.cosines["conv1"], 1, -1)
    return _over_images(pairs.reshape(-1, COUNT), np.nanmedian)


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


def pattern_identity(inputs: str = "on") -> float:
    """Return the largest relative distance of patterns from the covariance form.

    Equation: ``cov[x] w / (wᵀ cov[x] w)`` over the inputs where a neuron is on, where
    it is off (negative patterns), or all (the linear estimator), written out with what
    each neuron sees, against the patterns of equation 41. A fully connected layer sees
    one vector per image, so that both use the same ones. Neurons with fewer than ten
    such inputs are left out.
    """
    net, x = models.cifar10().double(), data.images(200).x.double()
    found, worst, sign = neurons.seen(net, x)["fc5"], 0.0, 1
    on = found.on(slice(None))
    if inputs == "off":
        # A neuron of the other sign is on where this one is off.
        on, sign = ~on, -1
        net.fc5.weight.data, net.fc5.bias.data = -net.fc5.weight, -net.fc5.bias
    elif inputs == "all":
        on = np.ones_like(on)
    kind = "linear" if inputs == "all" else "relu"
    fitted = sign * patterns.fit(net, [x], kind, "eq41")["fc5"].numpy()
    for neuron in np.flatnonzero(on.sum(axis=0) >= 10):
        seen, w = found.x[on[:, neuron]], found.weight[neuron]
        # Never the covariance itself, which has sixteen million entries here.
        apart = seen - seen.mean(axis=0)
        direction = apart.T @ (apart @ w) / len(apart)
        expected = direction / (w @ direction)
        distance = np.abs(fitted[neuron] - expected).max() / np.abs(expected).max()
        worst = max(worst, distance)
    return worst
