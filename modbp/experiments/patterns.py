"""What patterns are made of: power steps, singular values, convergence."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from modbp import data, eigen, methods, patterns, singular
from modbp.chain import Chain
from modbp.commands import find_network
from modbp.csc import measure
from modbp.errors import InputError, ResultError
from modbp.experiments.images import CHUNK
from modbp.experiments.store import read
from modbp.experiments.subject import weights_fingerprint
from modbp.provenance import facts, write_json

__all__ = ["KINDS", "backward", "matrices", "patterns_config", "run_patterns"]
__all__ += ["sign_cell", "step_cell"]

ESTIMATORS = ("code", "eq41")
# What a backward pass may take in the weights' place: patterns by either estimator, and
# their products with the weights.
KINDS = ("W", "A code", "AW code", "A eq41", "AW eq41")


def patterns_config(network, net, images, tested, neurons):
    """Return all that a result about patterns depends on, as plain JSON values.

    Parameters
    ----------
    network, net
        Its name, and the network.
    images, tested : modbp.data.Images
        What patterns are fitted to, and what is explained.
    neurons : int
        How many neurons of a layer get a covariance of their own.

    Returns
    -------
    dict
    """
    return {
        "network": network,
        "weights_sha256": weights_fingerprint(net),
        "images": images.source,
        "count": len(images.x),
        "image_names": [images.names[0], "…", images.names[-1]],
        "tested": tested.source,
        "tested_names": list(tested.names),
        "neurons": neurons,
        "kinds": list(KINDS),
    }


def run_patterns(network, output, *, images=None, tested=None, neurons=8, command=""):
    """Measure all that the chapter on patterns says of one network, layer by layer.

    A layer that `output` already holds, made with the same settings, is not measured
    again, so that a stopped run can be started again.

    Parameters
    ----------
    network : str
        As for :func:`modbp.commands.find_network`.
    output : path
        The JSON file to write.
    images : modbp.data.Images, optional
        What patterns are fitted to; the first 2,000 training images if left out.
    tested : modbp.data.Images, optional
        What is explained; the first 20 of the paper's test images if left out.
    neurons : int
        How many neurons of a layer get a covariance of their own.
    command : str
        What the provenance names as the origin.

    Returns
    -------
    dict
        What was written: "layers", "matrices" and "chains".
    """
    images = images or data.images(indices=range(2000), split="train")
    tested = tested or data.images(20)
    net = find_network(network).net
    config = patterns_config(network, net, images, tested, neurons)
    results = _started(output, config)
    batches = images.x.split(CHUNK)
    fitted = {e: patterns.fit(net, batches, estimator=e) for e in ESTIMATORS}
    layers = eigen.seen(net, images.x)
    single = {kind: backward(net, tested.x[:1], kind, fitted) for kind in KINDS}

    def keep():
        content = {"config": config, "provenance": facts(command=command)}
        write_json(output, {**content, "results": results})

    for name in tqdm(layers, desc="patterns", mininterval=1):
        if name not in results["layers"]:
            cell = step_cell(layers[name], neurons)
            cell |= sign_cell(_in_place(layers[name].weight, name, fitted))
            cell["operator"] = {
                kind: _short(_operator_ratio(chain, name))
                for kind, chain in single.items()
            }
            cosine = torch.cosine_similarity(
                *(fitted[e][name].flatten(1).double() for e in ESTIMATORS)
            )
            cell["estimators"] = _spread(cosine.numpy())
            results["layers"][name] = cell
            keep()
    results["matrices"] = matrices(net, images.x, fitted)
    last = list(layers)[-1]
    results["chains"] = {
        kind: _convergence(backward(net, tested.x, kind, fitted), last, list(layers))
        for kind in KINDS
    }
    keep()
    return read(output)


def step_cell(layer, neurons=8):
    """Measure one power step from the weights of a layer.

    Parameters
    ----------
    layer : modbp.eigen.Seen
        What its neurons see.
    neurons : int
        How many get a covariance of their own, over where they are on.

    Returns
    -------
    dict
        ``all``: every neuron, with the covariance over all locations; ``on``: each with
        its own. Spreads are the 5th, 50th and 95th percentile over neurons.
    """
    values, _ = eigen.leading(layer.x)
    whole = eigen.power_step(layer)
    count = layer.on(slice(None)).sum(axis=0)
    often = np.flatnonzero(count >= max(10, len(layer.x) / 100))
    if not len(often):
        raise InputError(
            f"no neuron is on at 10 of the {len(layer.x)} locations of a layer with "
            f"{len(count)} neurons. Give more images."
        )
    chosen = often[:: max(1, len(often) // neurons)][:neurons]
    own = [eigen.power_step(layer, int(neuron)) for neuron in chosen]
    return {
        "shape": list(layer.weight.shape),
        "locations": len(layer.x),
        "uncentred": _short(values[0] / values[1]),
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
        "nearer": _short(np.mean(after > before)),
        "scale": _spread(joined("scale")),
    }


def sign_cell(mats):
    """Measure signs, sums and singular values of what takes a layer's weights' place.

    Parameters
    ----------
    mats : dict of str to numpy.ndarray
        ``[neurons, d]`` for each of `KINDS`.

    Returns
    -------
    dict
        For each kind σ₁/σ₂, the share of positive entries and of positive mass, the
        largest entry, and absolute sums of rows.
    """
    size = {kind: np.abs(M) for kind, M in mats.items()}
    return {
        "kernel": {kind: _short(singular.ratio(M)) for kind, M in mats.items()},
        "positive": {kind: _short(np.mean(M > 0)) for kind, M in mats.items()},
        "positive mass": {
            kind: _short(M[M > 0].sum() / size[kind].sum()) for kind, M in mats.items()
        },
        "largest": {kind: _short(M.max()) for kind, M in size.items()},
        "absolute sum": {kind: _spread(M.sum(axis=1)) for kind, M in size.items()},
    }


def matrices(net, x, fitted):
    """Return σ₁/σ₂ of the 2020 code's matrices, per layer and between neighbours.

    Parameters
    ----------
    net : torch.nn.Module
        A network without branches.
    x : torch.Tensor
        ``[N, …]`` inputs, for their shape.
    fitted : dict of str to dict of str to torch.Tensor
        Patterns, by estimator and layer.

    Returns
    -------
    dict
        For each of `KINDS`: "layers", "between", "product" of those between, and
        "chain", the ratio of the product of all matrices.
    """
    W = singular.taps(net, x)
    A = {e: singular.taps(net, x, entry) for e, entry in fitted.items()}
    apart = [_in_place(W[name], name, A) for name in W]
    found = {}
    for kind in KINDS:
        mats = [layer[kind] for layer in apart]
        joints = [singular.between(*pair) for pair in pairwise(mats)]
        found[kind] = {
            "layers": [_short(singular.ratio(M)) for M in mats],
            "between": [_short(value) for value in joints],
            "product": _short(np.prod(joints)),
            "chain": _short(singular.ratio(np.linalg.multi_dot(mats))),
        }
    return found


def _in_place(W, name, fitted):
    """Return one layer's matrix for each of `KINDS`."""
    found = {"W": np.asarray(W, dtype=np.float64)}
    for e, entry in fitted.items():
        A = np.asarray(entry[name], dtype=np.float64).reshape(W.shape)
        found |= {f"A {e}": A, f"AW {e}": A * W}
    return found


def backward(net, x, kind, fitted):
    """Return the backward pass that takes a certain kind of matrix.

    Parameters
    ----------
    net : torch.nn.Module
        The network.
    x : torch.Tensor
        ``[N, …]`` inputs.
    kind : str
        One of `KINDS`.
    fitted : dict of str to dict of str to torch.Tensor
        Patterns, by estimator and layer.

    Returns
    -------
    modbp.chain.Chain
        Of the gradient, PatternNet or PatternAttribution.
    """
    what, *estimator = kind.split()
    name = {"W": "gradient", "A": "patternnet", "AW": "patternattribution"}[what]
    options = {"patterns": fitted[estimator[0]]} if estimator else {}
    return Chain(net, x, methods.get(name, **options))


def _operator_ratio(chain, layer):
    return singular.ratio(singular.as_linear_operator(chain.operator(layer, 0)))


def _convergence(chain, start, layers):
    """Return σ₁/σ₂ of whole backward passes from the logits, and median CSC below."""
    images, classes = chain.logits.shape
    unit = torch.eye(classes)[:, None].expand(-1, images, -1).contiguous()
    M = chain.pull(unit, start)["input"].flatten(2).double().numpy()
    medians = measure(chain, start, [*layers[::-1], "input"]).median()
    return {
        "ratio": _spread([singular.ratio(M[:, n].T) for n in range(images)]),
        "csc": {name: _short(value) for name, value in medians.items()},
    }


def _started(output, config):
    if Path(output).exists():
        stored = read(output)
        differing = sorted(k for k in config if stored["config"].get(k) != config[k])
        if differing:
            raise ResultError(
                f"{output} was made with another {', '.join(differing)}. Move it away, "
                "or choose another output."
            )
        return stored["results"]
    return {"layers": {}}


def _spread(values):
    return [_short(value) for value in np.percentile(values, (5, 50, 95))]


def _short(value):
    return float(f"{value:.5g}")
