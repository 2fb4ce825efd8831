"""What patterns are made of: power steps, singular values, convergence."""

import json
from collections.abc import Callable
from functools import cached_property
from itertools import pairwise

import numpy as np
import torch
from torch import nn

from modbp.backprop import methods
from modbp.backprop.chain import Chain
from modbp.errors import InputError, check_seed, check_whole
from modbp.measures import patterns as measures
from modbp.measures import spectra
from modbp.measures.csc import measure
from modbp.measures.neurons import Seen, seen, taps
from modbp.study.experiments.images import CHUNK
from modbp.study.experiments.subjects import Subject, check_subject
from modbp.study.runs.run import Experiment, rounded

__all__ = ["ESTIMATORS", "KINDS", "Patterns", "backward", "packed", "sign_cell"]
__all__ += ["step_cell", "unpacked"]

ESTIMATORS = ("code", "eq41")
# What a backward pass may take in the weights' place: patterns by either estimator, and
# their products with the weights.
KINDS = ("W", "A code", "AW code", "A eq41", "AW eq41")


class Patterns(Experiment):
    """All that the chapter on patterns says of one network without branches.

    Its parts are "layers", with one unit per layer; "matrices", those that the 2020
    code made of layers, and their products; and "chains", whole backward passes, with
    one unit per kind of matrix.

    Parameters
    ----------
    subject : The network, and the images that are explained.
    patterns : How many training images patterns are fitted to.
    neurons : How many neurons of a layer get a covariance of their own.
    seed : Of the training images; those that are first in their order if 0.

    Examples
    --------
    >>> from modbp.study import experiments
    >>> two = experiments.subject("cifar10", count=2, folder="photographs")
    >>> experiments.Patterns(two, patterns=10).counts
    {'layers': 6, 'matrices': 1, 'chains': 5}
    """

    name = "patterns"

    def __init__(
        self,
        subject: Subject,
        *,
        patterns: int = 2000,
        neurons: int = 8,
        seed: int = 0,
    ):
        check_subject(subject)
        check_whole("neurons", neurons, 1)
        check_seed(seed)
        self.subject, self.neurons = subject, neurons
        self.images = subject.fitting(patterns, [seed])
        about, names = subject.settings(), self.images.names
        self.settings = {
            "experiment": self.name,
            "network": about["network"],
            "weights_sha256": about["weights_sha256"],
            "code_sha256": about["code_sha256"],
            "images": self.images.source,
            "pixels_sha256": subject.look(self.images)[0],
            "count": len(self.images),
            "image_names": [names[0], "…", names[-1]],
            "tested": about["images"],
            "tested_names": about["image_names"],
            "tested_pixels_sha256": about["pixels_sha256"],
            **({"seed": seed} if seed else {}),
            "neurons": neurons,
            "kinds": list(KINDS),
        }
        self.parts = {
            "layers": "power steps, signs, singular values and estimators, by layer",
            "matrices": "σ₁/σ₂ of the 2020 code's matrices, alone and multiplied",
            "chains": "σ₁/σ₂ and convergence of whole backward passes",
        }
        first = subject.prepared(self.images[:1])
        self.layers = list(taps(subject.net, first))
        self.counts = {"layers": len(self.layers), "matrices": 1, "chains": len(KINDS)}

    @cached_property
    def _x(self):
        return self.subject.prepared(self.images)

    @cached_property
    def _tested(self):
        return self.subject.prepared(self.subject.images)

    @cached_property
    def _fitted(self):
        net, batches = self.subject.net, self._x.split(CHUNK)
        return {e: measures.fit(net, batches, estimator=e) for e in ESTIMATORS}

    @cached_property
    def _seen(self):
        return seen(self.subject.net, self._x)

    @cached_property
    def _single(self):
        first, net = self._tested[:1], self.subject.net
        return {kind: backward(net, first, kind, self._fitted) for kind in KINDS}

    def _compute(self, part, unit):
        cell = {"layers": self._layer, "matrices": self._matrices, "chains": self._kind}
        return packed(cell[part](unit))

    def _summary(self, part, column, keys):
        cells = unpacked(column)
        if part == "matrices":
            return cells[0]
        names = self.layers if part == "layers" else KINDS
        return dict(zip(names, cells, strict=True))

    def _layer(self, unit):
        name = self.layers[unit]
        layer, fitted = self._seen[name], self._fitted
        cell = step_cell(layer, self.neurons)
        cell |= sign_cell(_in_place(layer.weight, name, fitted))
        cell["operator"] = {
            kind: rounded(spectra.ratio(chain.operator(name, 0)))
            for kind, chain in self._single.items()
        }
        both = (fitted[e][name].flatten(1).cpu().double() for e in ESTIMATORS)
        cell["estimators"] = _spread(torch.cosine_similarity(*both).numpy())
        return cell

    def _matrices(self, unit):
        """Return σ₁/σ₂ per layer, between neighbours, and of products of both kinds."""
        W = taps(self.subject.net, self._x)
        A = {
            e: taps(self.subject.net, self._x, entry)
            for e, entry in self._fitted.items()
        }
        apart = [_in_place(W[name], name, A) for name in W]
        found = {}
        for kind in KINDS:
            mats = [layer[kind] for layer in apart]
            joints = [spectra.between(*pair) for pair in pairwise(mats)]
            found[kind] = {
                "layers": [rounded(spectra.ratio(M)) for M in mats],
                "between": [rounded(value) for value in joints],
                "product": rounded(np.prod(joints)),
                "chain": rounded(spectra.ratio(np.linalg.multi_dot(mats))),
            }
        return found

    def _kind(self, unit):
        """Return σ₁/σ₂ of backward passes from the logits, and median CSC below."""
        chain = backward(self.subject.net, self._tested, KINDS[unit], self._fitted)
        start, (images, classes) = self.layers[-1], chain.logits.shape
        eye = torch.eye(classes)[:, None].expand(-1, images, -1).contiguous()
        M = chain.pull(eye, start)["input"].flatten(2).cpu().double().numpy()
        medians = measure(chain, start, [*self.layers[::-1], "input"]).median()
        return {
            "ratio": _spread([spectra.ratio(M[:, n].T) for n in range(images)]),
            "csc": {name: rounded(value) for name, value in medians.items()},
        }


def packed(cell: object) -> dict[str, np.ndarray]:
    """Return plain JSON values as a unit's arrays."""
    return {"cell": np.frombuffer(json.dumps(cell).encode(), np.uint8)}


def unpacked(column: Callable) -> list:
    """Return the plain JSON values of all units."""
    return [json.loads(bytes(text)) for text in column("cell")]


def backward(net: nn.Module, x: torch.Tensor, kind: str, fitted: dict) -> Chain:
    """Return the backward pass by a kind of matrix: gradient, or a pattern method."""
    what, *estimator = kind.split()
    name = {"W": "gradient", "A": "patternnet", "AW": "patternattribution"}[what]
    options = {"patterns": fitted[estimator[0]]} if estimator else {}
    return Chain(net, x, methods.get(name, **options))


def step_cell(layer: Seen, count: int = 8) -> dict:
    """Measure one power step from the weights of a layer.

    "all": every neuron, with the covariance over all locations; "on": `count` neurons,
    each with its own, over where it is on. Spreads are the 5th, 50th and 95th
    percentile over neurons.
    """
    values, _ = spectra.leading(layer.x)
    whole = spectra.power_step(layer)
    on = layer.on(slice(None)).sum(axis=0)
    often = np.flatnonzero(on >= max(10, len(layer.x) / 100))
    if not len(often):
        raise InputError(
            f"no neuron is on at 10 of the {len(layer.x)} locations of a layer with "
            f"{len(on)} neurons. Give more images."
        )
    chosen = often[:: max(1, len(often) // count)][:count]
    own = [spectra.power_step(layer, int(neuron)) for neuron in chosen]
    return {
        "shape": list(layer.weight.shape),
        "locations": len(layer.x),
        "uncentred": rounded(values[0] / values[1]),
        "all": _summary([whole]),
        "on": {"neurons": chosen.tolist(), **_summary(own)},
    }


def _summary(steps):
    def joined(name):
        return np.concatenate([getattr(step, name) for step in steps])

    before, after = joined("before"), joined("after")
    return {
        "ratio": _spread([step.ratio for step in steps]),
        "before": _spread(before),
        "after": _spread(after),
        "nearer": rounded(np.mean(after > before)),
        "scale": _spread(joined("scale")),
    }


def sign_cell(mats: dict[str, np.ndarray]) -> dict:
    """Measure what takes a layer's weights' place, ``[neurons, d]`` for each kind.

    σ₁/σ₂, the share of positive entries and of positive mass, the largest entry, and
    absolute sums of rows.
    """

    def each(measure):
        return {kind: measure(M) for kind, M in mats.items()}

    return {
        "kernel": each(lambda M: rounded(spectra.ratio(M))),
        "positive": each(lambda M: rounded(np.mean(M > 0))),
        "positive mass": each(lambda M: rounded(M[M > 0].sum() / np.abs(M).sum())),
        "largest": each(lambda M: rounded(np.abs(M).max())),
        "absolute sum": each(lambda M: _spread(np.abs(M).sum(axis=1))),
    }


def _in_place(W, name, fitted):
    """Return one layer's matrix for each of `KINDS`, of the shape of `W`, float64."""
    found = {"W": np.asarray(W, dtype=np.float64)}
    for e, entry in fitted.items():
        A = np.asarray(entry[name], dtype=np.float64).reshape(W.shape)
        found |= {f"A {e}": A, f"AW {e}": A * W}
    return found


def _spread(values):
    """Return the 5th, 50th and 95th percentile as a result keeps them."""
    return [rounded(value) for value in np.percentile(values, (5, 50, 95))]
