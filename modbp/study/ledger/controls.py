"""Measurements that the critics of sanity checks ask for."""

import numpy as np
import torch
from torch.nn.functional import cosine_similarity

from modbp.backprop import methods
from modbp.backprop.explain import explain, reduce
from modbp.measures.interval import nested
from modbp.measures.similarity import ssim
from modbp.study import debate, scenes
from modbp.zoo import data, models

__all__ = ["deletion_by_another_class", "noise_likeness", "question_likeness"]

_COUNT = 50


def _read(values, end):
    """Return the median of values over pictures, or an end of its 95 % interval."""
    if end is None:
        return float(np.nanmedian(values))
    return nested(np.asarray(values, float))[end == "high"]


def noise_likeness(end: str | None = None) -> float:
    """Return how similar maps of noise are to other maps of noise."""
    own = torch.Generator().manual_seed(0)
    return _read(ssim(*torch.randn(2, 20, 32, 32, generator=own), paper=False), end)


def deletion_by_another_class(method: str, end: str | None = None) -> float:
    """Return how much more of a class is left if the map of another one deletes.

    Relevance starts from one: a negative logit would turn the map around.
    """
    net, x = models.cifar10(), data.images(_COUNT).x
    method = methods.get(method, **{"output": "one"} if "lrp" in method else {})
    shown = net(x).argmax(1)
    own, other = (
        debate.blurred_away(net, x, reduce(explain(net, x, method, k), method), shown)
        for k in (shown, (shown + 1) % 10)
    )
    return _read((other - own).numpy(), end)


def question_likeness(method: str, early: bool, end: str | None = None) -> float:
    """Return the cosine of the maps for two questions about the same scene.

    The first of the networks that :func:`modbp.study.scenes.trained` gives; pictures
    without any positive relevance are left out.
    """
    net, method = scenes.trained(early), methods.get(method, output="one")
    x, question, answer, _ = scenes.scenes(100, seed=100)
    one, two = (
        explain(net, scenes.asked(x, (question + step) % 3), method, answer)[:, :3]
        for step in (0, 1)
    )
    one, two = (each.sum(1).flatten(1) for each in (one, two))
    return _read(cosine_similarity(one, two).numpy(), end)
