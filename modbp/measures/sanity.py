"""Sanity checks: does an explanation change when what it explains changes?

Two experiments. Explain another logit: a map that stays the same says nothing about the
decision. Replace weights by random ones, from the top down: a map that stays the same
does not depend on them.
"""

import copy

import numpy as np
import torch

from modbp.backprop import methods
from modbp.backprop.chain import Chain
from modbp.backprop.checks import check_target
from modbp.backprop.explain import explain, reduce
from modbp.errors import InputError
from modbp.measures.randomise import calls_of, place, randomise, stages_of
from modbp.measures.sanity_result import Sanity, compare
from modbp.measures.seeds import per_image

__all__ = [
    "Sanity",
    "cascade",
    "random_logit",
    "randomise",
    "randomised",
    "stages_of",
]


def random_logit(net, x, method, target=None, seed=0, *, fold=True):
    """Compare the explanation of one logit with that of a random other one.

    Parameters
    ----------
    net : torch.nn.Module
        A classifier in evaluation mode, with two logits or more.
    x : torch.Tensor
        ``[N, C, H, W]`` images.
    method : str, Method or Averaged
        A name of `modbp.methods.names()`, or a method of yours.
    target : int or sequence of int, optional
        The classes to explain; the largest logits if left out.
    seed : int
        The other logit of an image is drawn by this seed and the image's pixels, the
        same for all methods.
    fold : bool
        Whether batch norm becomes part of the linear layer before it, where it can.

    Returns
    -------
    Sanity
        With one stage.

    Raises
    ------
    ModbpError
        If the input, the network, the classes or the method does not fit.

    References
    ----------
    :cite:t:`sixt2020lie`, section 4.2.
    """
    logits = _logits(net, x)
    target = check_target(target, logits)[:, 0]
    count = logits.shape[1]
    if count < 2:
        raise InputError("the network has a single logit, so there is no other one.")
    others = []
    for own, label in zip(per_image(x, seed, "logit"), target, strict=True):
        draw = torch.randint(count - 1, (), generator=own).item()
        others.append(draw + (draw >= label.item()))
    maps = _maps(net, x, method, target, fold)
    rows = [_maps(net, x, method, torch.tensor(others, device=x.device), fold)]
    return compare(methods.get(method), ["random logit"], maps, rows, np.array(others))


def cascade(
    net, x, method, target=None, stages=None, seed=0, *, own=True, stale=False,
    fold=True,
):  # fmt: skip
    """Replace weights by random ones, from the top down, and compare explanations.

    At every stage the weights of one more part of the network are drawn anew, in a
    copy: those of the stage's layer and of all that come after it. See
    :func:`randomise` for how. The classes stay those of the trained network.

    Parameters
    ----------
    net : torch.nn.Module
        A classifier in evaluation mode; it is only read.
    x, method, target, fold
        As for :func:`random_logit`.
    stages : sequence of str, optional
        Layers, or modules that hold several, top first; all layers with weights if left
        out.
    seed : int
        Of the weights.
    own : bool
        Whether a stage that holds several layers, such as a block of a ResNet, draws
        those anew as well. In the 2020 code a block's name is that of its last ReLU, so
        that the block keeps its trained weights; that is ``own=False``.
    stale : bool
        Go back along the products of patterns and *trained* weights at all stages, as
        the 2020 code did for PatternAttribution: there only activations, switches and
        logits come from the random weights.

    Returns
    -------
    Sanity
        With one stage for each of `stages`.

    Raises
    ------
    ModbpError
        If the input, the network, a stage or the method does not fit.

    References
    ----------
    :cite:t:`sixt2020lie`, section 4.2; :cite:t:`adebayo2018sanity`.
    """
    method = methods.get(method)
    target = check_target(target, _logits(net, x))[:, 0]
    back = _with_trained_weights(method, net) if stale else method
    rows = {
        stage: _maps(twin, x, back, target, fold)
        for stage, twin in randomised(net, x, stages, seed, own=own)
    }
    return compare(
        method, list(rows), _maps(net, x, method, target, fold), rows.values()
    )


def randomised(net, x, stages=None, seed=0, *, own=True):
    """Yield a network after each stage of its randomisation.

    Parameters
    ----------
    net, x, stages, seed, own
        As for :func:`cascade`.

    Yields
    ------
    tuple of str and torch.nn.Module
        The stage, and a copy of `net` whose weights are random down to there. It is the
        same copy at all stages.

    Raises
    ------
    ModbpError
        If the network or a stage does not fit.
    """
    calls = calls_of(net, x[:1])
    stages = stages_of(net, x[:1]) if stages is None else list(stages)
    places = [place(stage, calls, own) for stage in stages]
    if places != sorted(places, reverse=True):
        raise InputError(
            f"the stages {', '.join(stages)} do not go down; give the top one first."
        )
    twin, before = copy.deepcopy(net), len(calls)
    for stage, first in zip(stages, places, strict=True):
        randomise(twin, [call.name for call in calls[first:before]], seed)
        before = first
        yield stage, twin


def _with_trained_weights(method, net):
    """Return a method that goes back by A ⊙ W of the weights as they are now."""
    rule = getattr(method, "rules", {}).get("linear")
    if not getattr(rule, "attribution", False) or rule.patterns is None:
        raise InputError(
            f"method {method.name!r} reads the weights when it explains, so none can "
            "be stale. Give modbp.methods.get('patternattribution', patterns=…)."
        )
    modules = dict(net.named_modules())
    kept = {
        name: found * modules[name].weight.detach().to(found)
        for name, found in rule.patterns.items()
    }
    return methods.get("patternnet", patterns=kept, start=method.start)


def _maps(net, x, method, target, fold):
    return reduce(explain(net, x, method, target, fold=fold), method)


@torch.no_grad()
def _logits(net, x):
    return Chain(net, x, "gradient").logits
