"""Measurements that the critics of sanity checks ask for."""

from functools import cache

import numpy as np
import torch
from torch.nn.functional import cosine_similarity

from modbp.backprop import methods
from modbp.backprop.chain import Chain
from modbp.backprop.explain import explain, reduce
from modbp.measures.similarity import ssim
from modbp.study import debate, planted, rollout, scenes
from modbp.study.ledger.samples import Counted, Sampled
from modbp.theory import bits, contracting_gamma, dobrushin
from modbp.theory.surrogate import gamma_layer
from modbp.zoo import data, models

__all__ = ["contrast_that_is_common", "deletion_by_another_class", "guaranteed_gamma"]
__all__ += ["noise_likeness", "planted_truths", "question_likeness", "rollout_bits"]
__all__ += ["source_bits"]

_COUNT = 40
_answering = cache(scenes.trained)


def _over(values, what="images"):
    values = np.asarray(values, float)
    return Sampled(values, np.nanmedian, f"{len(values)} {what}")


def noise_likeness() -> Sampled:
    """Return how similar maps of noise are to other maps of noise."""
    own = torch.Generator().manual_seed(0)
    return _over(ssim(*torch.randn(2, 20, 32, 32, generator=own), paper=False))


def deletion_by_another_class(method: str) -> Sampled:
    """Return how much more of a class is left if the map of another one deletes.

    Relevance starts from one: a negative logit would turn the map around.
    """
    return _over(_deleted(method))


@cache
def _deleted(method):
    net, x = models.cifar10(), data.images(_COUNT).x
    method = methods.get(method, **{"output": "one"} if "lrp" in method else {})
    shown = net(x).argmax(1)
    own, other = (
        debate.blurred_away(net, x, reduce(explain(net, x, method, k), method), shown)
        for k in (shown, (shown + 1) % 10)
    )
    return (other - own).numpy()


def planted_truths(outcome: str) -> Counted:
    """Return the share of audits that say what is wrong, or cannot tell what is known.

    An audit counts once, whatever of its verdicts it is: they share their pictures.
    """
    found = planted.stored()
    several = [outcome in outcomes for _, outcomes in planted.audits(found)]
    over = f"{len(several)} audits of {len(found['results'])} networks"
    return Counted(sum(several), len(several), over)


def question_likeness(method: str, early: bool) -> Sampled:
    """Return the cosine of the maps for two questions about the same scene.

    By the first of the networks that :func:`modbp.study.scenes.trained` gives.
    """
    net, method = _answering(early), methods.get(method, output="one")
    x, question, answer, _ = scenes.scenes(100, seed=100)
    one, two = (
        explain(net, scenes.asked(x, (question + step) % 3), method, answer)[:, :3]
        for step in (0, 1)
    )
    one, two = (each.sum(1).flatten(1) for each in (one, two))
    return _over(cosine_similarity(one, two).numpy(), "scenes")


def contrast_that_is_common(bias: str, network: str = "cifar10") -> Sampled:
    """Return the cosine, without sign, of contrastive LRP's map with LRP-α1β0's."""
    net, x = getattr(models, network)().double(), data.images(_COUNT).x.double()
    target = net(x).argmax(1)
    one, two = (
        explain(net, x, methods.get(name, bias=bias), target).flatten(1)
        for name in ("lrp-a1b0", "contrastive-lrp")
    )
    return _over(cosine_similarity(one, two).abs().numpy())


def guaranteed_gamma(layer: str) -> Sampled:
    """Return from which γ on LRP-γ must contract in a dense layer, biases left out.

    Equation: ``2 / (1 − δ)`` with Dobrushin's δ of the z⁺ matrix of active neurons.
    """
    net, x = models.cifar10().double(), data.images(5).x.double()
    chain, weight = Chain(net, x, "gradient"), getattr(net, layer).weight.detach()
    below = chain.layers[chain.layers.index(layer) - 1]
    found = []
    for h in chain.output(below):
        plus = gamma_layer(weight.numpy(), h.numpy(), np.inf, relu=True)
        found.append(contracting_gamma(dobrushin(plus.backward[:, plus.active])))
    return _over(found)


def rollout_bits(bound: bool = False) -> Sampled:
    """Return the bits about which token asked that attention rollout has left.

    In the transformer, after all blocks; with `bound` what δ allows.
    """
    chains = rollout.factors(models.vit(), data.images(_COUNT).x)
    if bound:
        return _over([rollout.bounds(mats)[-1] for mats in chains])
    return _over([bits(mats) for mats in chains])


def source_bits() -> Sampled:
    """Return the same bits by how sensitive its last tokens are to its first ones."""
    found = rollout.sources(models.vit(), data.images(10).x)
    return _over([bits([each]) for each in found])
