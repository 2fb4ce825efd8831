"""The simulation of the paper's figure 7: at full size, and with trained weights."""

import numpy as np

from modbp import data, models, patterns, singular, theory
from modbp.experiments.csc import CHUNK
from modbp.experiments.store import read
from modbp.provenance import facts, write_json

__all__ = ["BETAS", "LEARNED", "learned_chains", "run_learned", "run_simulation"]

# The values of β: those of the figure, and more near the limit.
BETAS = (9, 8, 7, 6, 5, 4.5, 4, 3.5, 3, 2, 1, 0)

# Curves with trained weights: what the matrices are, and whether there is a ReLU. The
# second and the last are the paper's.
LEARNED = {
    "learned": ("W", False),
    "ReLU learned": ("W", True),
    "pattern A": ("A", False),
    "pattern A⊙W": ("AW", False),
}


def run_simulation(output, *, repetitions=20, seed=0, command=""):
    """Simulate the chains of the paper's figure 7 at full size; store the curves.

    Parameters
    ----------
    output : path
        The JSON file to write.
    repetitions, seed : int
        As in :func:`modbp.theory.simulate`.
    command : str
        What the provenance names as the origin.

    Returns
    -------
    dict
        What was written: per protocol and variant the median of one minus the
        similarity after each multiplication, and the first repetition's values.
    """
    variants = theory.VARIANTS | theory.alpha_beta_variants(BETAS)
    results = {}
    for name in ("code", "text"):
        curves = theory.simulate(
            variants,
            protocol=theory.PROTOCOLS[name],
            repetitions=repetitions,
            seed=seed,
        )
        results[name] = {label: _curve(values) for label, values in curves.items()}
    config = {
        "widths": list(theory.VGG16),
        "vectors": 32,
        "repetitions": repetitions,
        "seed": seed,
        "variants": {label: str(variant) for label, variant in variants.items()},
    }
    write_json(
        output,
        {"config": config, "provenance": facts(command=command), "results": results},
    )
    return read(output)


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
    W = list(singular.taps(net, x).values())
    A = list(singular.taps(net, x, fitted).values())
    return {"W": W, "A": A, "AW": [a * w for a, w in zip(A, W, strict=True)]}


def run_learned(network, output, *, images=None, repetitions=20, seed=0, command=""):
    """Simulate figure 7 in the shape of a trained network, with its weights beside.

    Parameters
    ----------
    network : str
        A network of `modbp.models`, without branches.
    output : path
        The JSON file to write.
    images : modbp.data.Images, optional
        What patterns are fitted to; the first 2,000 training images if left out.
    repetitions, seed : int
        As in :func:`modbp.theory.simulate`.
    command : str
        What the provenance names as the origin.

    Returns
    -------
    dict
        As of :func:`run_simulation`, with the curves of `LEARNED` as well.
    """
    images = images or data.images(indices=range(2000), split="train")
    net = getattr(models, network)()
    fitted = patterns.fit(net, images.x.split(CHUNK))
    chains = learned_chains(net, images.x, fitted)
    widths = [chains["W"][0].shape[0], *(M.shape[1] for M in chains["W"])]
    results, vectors = {}, {"code": 32, "text": min(32, widths[-1])}
    for name, count in vectors.items():
        common = {
            "protocol": theory.PROTOCOLS[name],
            "vectors": count,
            "repetitions": repetitions,
            "seed": seed,
        }
        curves = theory.simulate(widths=widths, **common)
        for label, (kind, relu) in LEARNED.items():
            mats = chains[kind]
            curves[label] = theory.simulate_learned(mats, relu=relu, **common)
        results[name] = {label: _curve(values) for label, values in curves.items()}
    config = {
        "network": network,
        "weights_sha256": models.provenance()["sha256"],
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
