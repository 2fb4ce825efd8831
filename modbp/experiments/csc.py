"""Cosine similarity convergence for many images, methods and injection layers."""

from pathlib import Path

import numpy as np
from tqdm import tqdm

from modbp import data, methods, models
from modbp.chain import Chain
from modbp.csc import PERCENTILES, CSCResult, measure
from modbp.errors import DataError, unknown_name
from modbp.experiments.plans import CSC_PLANS
from modbp.experiments.store import read
from modbp.provenance import facts, write_json

__all__ = ["BINS", "CHUNK", "csc_config", "run_csc"]

# Images computed together. Fixed, because rules that divide by small numbers turn the
# rounding of another batch size into the fifth digit of a median.
CHUNK = 20
# The bins of the paper's histogram figure; everything below 0.9 is one.
BINS = (0.0, 0.9, 0.99, 0.999, 0.9999, 1.0)


def csc_config(network, names, images, relevances, seed, scale):
    """Return all that a CSC result depends on, as plain JSON values.

    Parameters
    ----------
    network : str
        One of ``CSC_PLANS``.
    names : sequence of str
        Methods.
    images : modbp.data.Images
        The images.
    relevances, seed : int
        As in :func:`modbp.csc`.
    scale : float
        What pixels in [0, 1] are multiplied by.

    Returns
    -------
    dict
    """
    plan = CSC_PLANS[network]
    return {
        "network": network,
        "weights_sha256": models.provenance()["sha256"],
        "images": images.source,
        "image_names": list(images.names),
        "relevances": relevances,
        "seed": seed,
        "scale": scale,
        "starts": list(plan.starts),
        "layers": list(plan.layers),
        "percentiles": list(PERCENTILES),
        "bins": list(BINS),
        "methods": {name: str(methods.get(name)) for name in names},
    }


def run_csc(
    network,
    output,
    *,
    names=None,
    images=None,
    relevances=5,
    seed=0,
    scale=1.0,
    command="",
):
    """Measure CSC for many methods and injection layers; store what the figures need.

    A method that `output` already holds, made with the same settings, is not run again,
    so that a stopped run can be started again.

    Parameters
    ----------
    network : str
        One of ``CSC_PLANS``.
    output : path
        The JSON file to write.
    names : sequence of str, optional
        Methods; the plan's if left out.
    images : modbp.data.Images, optional
        The paper's 200 CIFAR-10 test images if left out.
    relevances, seed : int
        As in :func:`modbp.csc`.
    scale : float
        What pixels in [0, 1] are multiplied by. The 2020 code fed 0…255.
    command : str
        What the provenance names as the origin.

    Returns
    -------
    dict
        What was written.
    """
    if network not in CSC_PLANS:
        raise unknown_name("network", network, CSC_PLANS)
    names = list(names or CSC_PLANS[network].methods)
    images = images or data.images(200)
    config = csc_config(network, names, images, relevances, seed, scale)
    done = _finished(output, config)
    net, plan = getattr(models, network)(), CSC_PLANS[network]
    chunks = images.x.mul(scale).split(CHUNK)
    todo = [name for name in names if name not in done]
    with tqdm(total=len(todo) * len(chunks), desc="csc", mininterval=1) as bar:
        for name in todo:
            bar.set_postfix_str(name)
            parts = {start: [] for start in plan.starts}
            for chunk in chunks:
                chain = Chain(net, chunk, name)
                for start in plan.starts:
                    below = plan.layers[plan.layers.index(start) :]
                    parts[start].append(measure(chain, start, below, relevances, seed))
                bar.update()
            done[name] = {k: _summary(CSCResult.join(v)) for k, v in parts.items()}
            result = {
                "config": config,
                "provenance": facts(command=command),
                "results": {key: done[key] for key in names if key in done},
            }
            write_json(output, result)
    return read(output)


def _summary(result):
    """Reduce a result to what the figures and tables show."""
    medians, percentiles = result.median(), result.percentiles()
    dropped, summary = result.dropped(), {}
    for layer, values in result.cosines.items():
        kept = values[~np.isnan(values)]
        counts, _ = np.histogram(kept, BINS)
        summary[layer] = {
            "median": medians[layer],
            "mean": float(kept.mean(dtype=np.float64)) if kept.size else None,
            "percentiles": [float(entry) for entry in percentiles[layer]],
            "histogram": counts.tolist(),
            "dropped": dropped[layer],
            "channels": result.channels[layer],
        }
    return summary


def _finished(output, config):
    """Return the methods that are already there, made with the same settings."""
    if not Path(output).exists():
        return {}
    stored = read(output)
    differing = sorted(
        key
        for key in config
        if key != "methods" and stored["config"].get(key) != config[key]
    )
    if differing:
        raise DataError(
            f"{output} was made with another {', '.join(differing)}. Move it away, or "
            "choose another --output."
        )
    return {
        name: stored["results"][name]
        for name, table in config["methods"].items()
        if stored["config"]["methods"].get(name) == table and name in stored["results"]
    }
