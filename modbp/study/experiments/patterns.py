"""What patterns are made of: power steps, singular values, convergence."""

from pathlib import Path

import torch
from tqdm import tqdm

from modbp.backprop import methods
from modbp.backprop.chain import Chain
from modbp.errors import ResultError
from modbp.files import write_json
from modbp.measures import patterns, spectra
from modbp.measures.csc import measure
from modbp.measures.neurons import seen
from modbp.study.experiments.cells import (
    ESTIMATORS,
    KINDS,
    in_place,
    matrices,
    short,
    sign_cell,
    spread,
    step_cell,
)
from modbp.study.experiments.images import CHUNK
from modbp.study.runs.provenance import facts
from modbp.study.runs.store import read
from modbp.zoo import data
from modbp.zoo.models.weights import weights_fingerprint
from modbp.zoo.named import find_network

__all__ = ["backward", "patterns_config", "run_patterns"]


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


def run_patterns(
    network, output, *, net=None, images=None, tested=None, neurons=8, command=""
):
    """Measure all that the chapter on patterns says of one network, layer by layer.

    A layer that `output` already holds, made with the same settings, is not measured
    again, so that a stopped run can be started again.

    Parameters
    ----------
    network : str
        As for :func:`modbp.zoo.named.find_network`.
    output : path
        The JSON file to write.
    net : torch.nn.Module, optional
        That network with weights of its own; those for CIFAR-10 of a network of
        `modbp.models`, and the library's of others, if left out.
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
    net = net or find_network(network).net
    config = patterns_config(network, net, images, tested, neurons)
    results = _started(output, config)
    batches = images.x.split(CHUNK)
    fitted = {e: patterns.fit(net, batches, estimator=e) for e in ESTIMATORS}
    layers = seen(net, images.x)
    single = {kind: backward(net, tested.x[:1], kind, fitted) for kind in KINDS}

    def keep():
        content = {"config": config, "provenance": facts(command=command)}
        write_json(output, {**content, "results": results})

    for name in tqdm(layers, desc="patterns", mininterval=1):
        if name not in results["layers"]:
            cell = step_cell(layers[name], neurons)
            cell |= sign_cell(in_place(layers[name].weight, name, fitted))
            cell["operator"] = {
                kind: short(_operator_ratio(chain, name))
                for kind, chain in single.items()
            }
            cosine = torch.cosine_similarity(
                *(fitted[e][name].flatten(1).double() for e in ESTIMATORS)
            )
            cell["estimators"] = spread(cosine.numpy())
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
    return spectra.ratio(chain.operator(layer, 0))


def _convergence(chain, start, layers):
    """Return σ₁/σ₂ of whole backward passes from the logits, and median CSC below."""
    images, classes = chain.logits.shape
    unit = torch.eye(classes)[:, None].expand(-1, images, -1).contiguous()
    M = chain.pull(unit, start)["input"].flatten(2).double().numpy()
    medians = measure(chain, start, [*layers[::-1], "input"]).median()
    return {
        "ratio": spread([spectra.ratio(M[:, n].T) for n in range(images)]),
        "csc": {name: short(value) for name, value in medians.items()},
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
