"""Sanity checks: does an explanation change when what it explains changes?

A map that stays the same for another logit says nothing about the decision; one that
stays the same when weights are replaced by random ones does not depend on them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn

from modbp.backprop import methods
from modbp.backprop.checks import check_input, check_target
from modbp.backprop.explain import explain_each, reduce
from modbp.backprop.inference import outside_inference_mode
from modbp.backprop.methods import Averaged, Method
from modbp.backprop.trace import Trace
from modbp.errors import InputError, check_flag
from modbp.measures.randomise import randomise, twins
from modbp.measures.seeds import per_image
from modbp.measures.similarity import ssim

__all__ = ["Sanity", "cascade", "random_logit", "randomise", "randomised"]


@dataclass(frozen=True, eq=False)
class Sanity:
    """How similar maps are to the original ones, per image.

    Attributes
    ----------
    method : str
        Which method made the maps.
    stages : tuple of str
        What was changed, one entry per row: "random logit", or layers.
    ssim, corrected : numpy.ndarray
        ``[stages, N]``, :func:`modbp.similarity.ssim` with the 2020 code's settings and
        with the corrected ones. NaN where a map has only one value.
    floor_ssim, floor_corrected : numpy.ndarray
        ``[N]``, the same for the original maps of two different images, each with the
        next one. NaN for a single image.
    logits : numpy.ndarray
        ``[N]``, the other logit of `random_logit`; empty for `cascade`.

    Examples
    --------
    >>> x = modbp.data.images(2, folder="photographs").x
    >>> found = modbp.sanity.random_logit(modbp.models.cifar10(), x, "lrp-a1b0")
    >>> found.ssim.shape, found.floor()["random logit"] < 0.5
    ((1, 2), True)
    """

    method: str
    stages: tuple[str, ...]
    ssim: np.ndarray
    corrected: np.ndarray
    floor_ssim: np.ndarray
    floor_corrected: np.ndarray
    logits: np.ndarray = field(default_factory=lambda: np.empty(0, int))

    def median(self, corrected: bool = False) -> dict[str, float]:
        """Return the median over images, per stage.

        Parameters
        ----------
        corrected : Whether with corrected settings instead of the 2020 code's.

        Returns
        -------
        dict of str to float : In [-1, 1]; NaN where no image is left.

        Examples
        --------
        >>> row = torch.tensor([0.5, 1.0, torch.nan]).numpy()
        >>> modbp.sanity.Sanity("lrp-z", ("fc",), [row], [row], row, row).median()
        {'fc': 0.75}
        """
        rows = self.corrected if corrected else self.ssim
        return dict(zip(self.stages, map(_median, rows), strict=True))

    def floor(self, corrected: bool = False) -> dict[str, float]:
        """Return what unrelated maps score, the median over images.

        Parameters
        ----------
        corrected : Whether with corrected settings instead of the 2020 code's.

        Returns
        -------
        dict of str to float : The same for every stage.

        Examples
        --------
        >>> row = torch.tensor([0.5, 1.0, torch.nan]).numpy()
        >>> modbp.sanity.Sanity("lrp-z", ("fc",), [row], [row], row, row).floor()
        {'fc': 0.75}
        """
        values = self.floor_corrected if corrected else self.floor_ssim
        return dict.fromkeys(self.stages, _median(values))

    def __str__(self):
        lines = [f"{self.method}: median SSIM with the original map"]
        lines.append(f"{'changed':<16}{'2020 code':>10}{'corrected':>11}")
        rows = zip(self.stages, self.ssim, self.corrected, strict=True)
        floors = ("other images", self.floor_ssim, self.floor_corrected)
        for stage, code, corrected in [*rows, floors]:
            lines.append(f"{stage:<16}{_median(code):10.3f}{_median(corrected):11.3f}")
        return "\n".join(lines)


@outside_inference_mode
def random_logit(
    net: nn.Module, x: torch.Tensor, method: str | Method | Averaged,
    target: int | Sequence[int] | None = None, seed: int = 0, *, fold: bool = True,
) -> Sanity:  # fmt: skip
    """Compare the explanation of one logit with that of a random other one.

    Parameters
    ----------
    net, x, method, target, fold
        As for :func:`modbp.explain`: two logits or more, ``[N, C, H, W]`` images.
    seed
        Draws an image's other logit, with the image's pixels; the same for all methods.

    Returns
    -------
    Sanity : With one stage.

    Raises
    ------
    ModbpError : If the input, the network, the classes or the method does not fit.

    References
    ----------
    :cite:t:`sixt2020lie`, section 4.2.

    Examples
    --------
    >>> net = modbp.models.cifar10()
    >>> x = modbp.data.images(2, folder="photographs").x
    >>> found = modbp.sanity.random_logit(net, x, "lrp-a1b0")
    >>> found.median()["random logit"] > 0.99
    True
    """
    others = []

    def choose(recording):
        labels = check_target(target, recording.logits)[:, 0]
        others.extend(_others(x, labels, recording.logits.shape[1], seed))
        return [labels, others]

    method = methods.get(method)
    maps, row = _maps(Trace(net, fold), x, method, choose)
    return _compare(method, ["random logit"], maps, [row], np.array(others))


@outside_inference_mode
def cascade(
    net: nn.Module, x: torch.Tensor, method: str | Method | Averaged,
    target: int | Sequence[int] | None = None, stages: Sequence[str] | None = None,
    seed: int = 0, *, own: bool = True, stale: bool = False, fold: bool = True,
) -> Sanity:  # fmt: skip
    """Replace weights by random ones, from the top down, and compare explanations.

    At every stage the weights of one more part of the network are drawn anew, in a
    copy: those of the stage's layer and of all that come after it. See
    :func:`randomise` for how. The classes stay those of the trained network.

    Parameters
    ----------
    net, x, method, target, fold
        As for :func:`modbp.explain`: ``[N, C, H, W]`` images.
    stages
        Layers or modules with several, top first; all layers with weights if left out.
    seed : Of the weights.
    own
        Whether a stage that holds several layers, such as a block of a ResNet, draws
        those anew as well. In the 2020 code a block's name is that of its last ReLU, so
        that the block keeps its trained weights; that is ``own=False``.
    stale
        Go back along the products of patterns and *trained* weights at all stages, as
        the 2020 code did for PatternAttribution: there only activations, switches and
        logits come from the random weights.

    Returns
    -------
    Sanity : With one stage for each of `stages`.

    Raises
    ------
    ModbpError : If the input, the network, a stage or the method does not fit.

    References
    ----------
    :cite:t:`sixt2020lie`, section 4.2; :cite:t:`adebayo2018sanity`.

    Examples
    --------
    >>> net = modbp.models.cifar10()
    >>> x = modbp.data.images(2, folder="photographs").x
    >>> found = modbp.sanity.cascade(net, x, "gradient", stages=["fc6", "conv1"])
    >>> found.median()["fc6"] > found.median()["conv1"]
    True
    """
    found = {}
    check_flag("own", own)
    check_flag("stale", stale)

    def choose(recording):
        found["labels"] = check_target(target, recording.logits)[:, 0]
        found["calls"] = recording.calls
        return [found["labels"]]

    method = methods.get(method)
    if stale:
        _check_stale(method)
    (maps,), rows = _maps(Trace(net, fold), x, method, choose), {}
    back = _with_trained_weights(method, found["calls"]) if stale else method
    for stage, twin in twins(net, found["calls"], stages, seed, own):
        # A trace folds the weights as they are when it first runs.
        trace = Trace(twin, fold)
        (rows[stage],) = _maps(trace, x, back, lambda _: [found["labels"]])
    return _compare(method, list(rows), maps, rows.values())


def randomised(
    net: nn.Module, x: torch.Tensor, stages: Sequence[str] | None = None,
    seed: int = 0, *, own: bool = True,
) -> Iterator[tuple[str, nn.Module]]:  # fmt: skip
    """Yield a network after each stage of its randomisation.

    Parameters
    ----------
    net, x, stages, seed, own : As for :func:`cascade`.

    Yields
    ------
    tuple of str and torch.nn.Module
        The stage, and one copy of `net` whose weights are random down to there.

    Raises
    ------
    ModbpError : If the network or a stage does not fit.

    Examples
    --------
    >>> [stage for stage, twin in modbp.sanity.randomised(net, x)]
    ['fc2', 'fc1']
    """
    trace = Trace(net)
    x = check_input(net, x)
    check_flag("own", own)
    with torch.no_grad():
        calls, _, _ = trace.run(x[:1])
    return twins(net, calls, stages, seed, own)


def _others(x, labels, count, seed):
    """Draw for every image a class that is not its own, one of `count`."""
    if count < 2:
        raise InputError("the network has a single logit, so there is no other one.")
    others = []
    for own, label in zip(per_image(x, seed, "logit"), labels, strict=True):
        draw = torch.randint(count - 1, (), generator=own, device="cpu").item()
        others.append(draw + (draw >= label.item()))
    return others


def _check_stale(method):
    """Refuse what holds no patterns to multiply with weights."""
    rule = getattr(method, "rules", {}).get("linear")
    if not getattr(rule, "attribution", False) or rule.patterns is None:
        raise InputError(
            f"method {method.name!r} reads the weights when it explains, so none can "
            "be stale. Give modbp.methods.get('patternattribution', patterns=…)."
        )


def _with_trained_weights(method, calls):
    """Return a method that goes back by A ⊙ W of the weights that calls have."""
    weights = {call.name: call.layer.weight for call in calls}
    kept = {
        name: found * weights[name].detach().to(found)
        for name, found in method.rules["linear"].patterns.items()
    }
    return methods.get("patternnet", patterns=kept, output=method.output)


def _maps(trace, x, method, choose):
    """Return one ``[N, H, W]`` for each choice of classes."""
    return [reduce(r, method) for r in explain_each(trace, x, method, choose)]


def _compare(method, stages, maps, rows, logits=()):
    """Return how similar ``[N, H, W]`` changed at each stage are to the original."""
    # Whatever is left of RectGrad's maps is sparse: its extremes are what is scaled by.
    percentile = 100 if method.name == "rectgrad" else 99.5

    others, tables, floors = maps.roll(-1, 0), [], []
    for paper in (True, False):
        found = [ssim(maps, row, paper, percentile) for row in rows]
        tables.append(np.array(found).reshape(len(rows), len(maps)))
        unrelated = ssim(maps, others, paper, percentile)
        floors.append(unrelated if len(maps) > 1 else np.full(1, np.nan))
    logits = np.array(logits, int)
    return Sanity(method.name, tuple(stages), *tables, *floors, logits)


def _median(values):
    kept = values[~np.isnan(values)]
    return float(np.median(kept)) if kept.size else float("nan")
