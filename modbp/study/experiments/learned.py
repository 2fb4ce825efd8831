"""The simulation of the paper's figure 7 with trained weights."""

import numpy as np
from tqdm import tqdm

from modbp import theory
from modbp.files import write_json
from modbp.measures import neurons, patterns
from modbp.study.experiments.images import CHUNK
from modbp.study.runs.provenance import facts
from modbp.study.runs.store import read
from modbp.zoo import data
from modbp.zoo.models.weights import weights_fingerprint
from modbp.zoo.named import find_network

__all__ = ["LEARNED", "learned_chains", "run_learned"]

# Curves with trained weights: what the matrices are, and whether there is a ReLU. The
# second and the last are the paper's.
LEARNED = {
    "learned": ("W", False),
    "ReLU learned": ("W", True),
    "pattern A": ("A", False),
    "pattern A⊙W": ("AW", False),
}


def learned_chains(net, x, fitted):
    """Return the matrices of the chains with trained weights.

    Parameters
    ----------
    net : torch.nn.Module
        A network without branches.
    x : torch.Tensor
        ``[N, …]`` inputs, for their shape.
    fitted : dict of str to torch.Tensor
        Patterns.

    Returns
    -------
    dict of str to list of numpy.ndarray
        ``W``, ``A`` and ``AW``: ``[in, out]`` each, input first.
    """
    W = list(neurons.taps(net, x).values())
    A = list(neurons.taps(net, x, fitted).values())
    return {"W": W, "A": A, "AW": [a * w for a, w in zip(A, W, strict=True)]}


def run_learned(
    network,
    output,
    *,
    net=None,
    images=None,
    repetitions=20,
    seed=0,
    command="",
):
    """Simulate figure 7 in the shape of a trained network, with its weights beside.

    Parameters
    ----------
    network : str
        As for :func:`modbp.zoo.named.find_network`, without branches.
    output : path
        The JSON file to write.
    net : torch.nn.Module, optional
        As for :func:`modbp.experiments.run_patterns`.
    images : modbp.data.Images, optional
        What patterns are fitted to; the first 2,000 training images if left out.
    repetitions, seed : int
        As in :func:`modbp.theory.simulate`.
    command : str
        What the provenance names as the origin.

    Returns
    -------
    dict
        As of the simulation, with the curves of `LEARNED` as well.
    """
    images = images or data.images(indices=range(2000), split="train")
    net = net or find_network(network).net
    fitted = patterns.fit(net, images.x.split(CHUNK))
    chains = learned_chains(net, images.x, fitted)
    widths = [chains["W"][0].shape[0], *(M.shape[1] for M in chains["W"])]
    results, vectors = {}, {"code": 32, "text": min(32, widths[-1])}
    # The random curves of one protocol come together.
    bar = tqdm(total=len(vectors) * (1 + len(LEARNED)), desc="learned", mininterval=1)
    for name, count in vectors.items():
        common = {
            "protocol": theory.PROTOCOLS[name],
            "vectors": count,
            "repetitions": repetitions,
            "seed": seed,
        }
        curves = theory.simulate(widths=widths, **common)
        bar.update()
        for label, (kind, relu) in LEARNED.items():
            mats = chains[kind]
            curves[label] = theory.simulate_learned(mats, relu=relu, **common)
            bar.update()
        results[name] = {label: _curve(values) for label, values in curves.items()}
    bar.close()
    config = {
        "experiment": "learned",
        "network": network,
        "weights_sha256": weights_fingerprint(net),
        "images": images.source,
        "count": len(images.x),
        "widths": widths,
        "vectors": vectors,
        "repetitions": repetitions,
        "seed": seed,
    }
    write_json(
        output,
        {"config": config, "provenance": facts(command=command), "results": results},
    )
    return read(output)


def _curve(values):
    # Where a ReLU left nothing in any repetition, there is no angle and no median.
    some = ~np.isnan(values).all(axis=0)
    median = np.full(values.shape[1], np.nan)
    median[some] = np.nanmedian(values[:, some], axis=0)
    return {"median": _rounded(median), "first": _rounded(values[0])}


def _rounded(values):
    return [None if np.isnan(value) else float(f"{value:.5g}") for value in values]
