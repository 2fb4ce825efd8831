"""Run the book's experiments and store their results with provenance."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from modbp import data, methods, models, theory
from modbp.chain import Chain
from modbp.csc import PERCENTILES, CSCResult, measure
from modbp.errors import DataError, unknown_name
from modbp.provenance import facts, write_json

__all__ = ["CSC_PLANS", "csc_config", "read", "run_csc", "run_simulation"]

# Images computed together. Fixed, because rules that divide by small numbers turn the
# rounding of another batch size into the fifth digit of a median.
CHUNK = 20
# The bins of the paper's histogram figure; everything below 0.9 is one.
BINS = (0.0, 0.9, 0.99, 0.999, 0.9999, 1.0)

# The values of β in the simulation: those of the figure, and more near the limit.
BETAS = (9, 8, 7, 6, 5, 4.5, 4, 3.5, 3, 2, 1, 0)


@dataclass(frozen=True)
class Plan:
    """Where relevance enters, where it is read, and by which methods.

    Attributes
    ----------
    starts : tuple of str
        Injection layers, top first.
    layers : tuple of str
        The layers that the paper's figure shows, top first.
    methods : tuple of str
        Names of methods.
    """

    starts: tuple
    layers: tuple
    methods: tuple


CSC_PLANS = {
    "cifar10": Plan(
        starts=("fc6", "fc5", "conv4", "conv3", "conv2"),
        layers=("fc6", "fc5", "pool4", "conv4", "conv3", "pool2", "conv2", "conv1")
        + ("input",),
        methods=("gradient", "gradient-x-input", "guided-bp", "deconv", "lrp-z")
        + ("lrp-eps", "lrp-a1b0", "lrp-a2b1", "lrp-a5b4", "excitation-bp"),
    )
}


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
        results[name] = {
            label: {
                "median": _rounded(np.nanmedian(values, axis=0)),
                "first": _rounded(values[0]),
            }
            for label, values in curves.items()
        }
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


def _rounded(values):
    return [float(f"{value:.5g}") for value in values]


def read(path):
    """Return a stored result.

    Parameters
    ----------
    path : path
        A JSON file that an experiment wrote.

    Returns
    -------
    dict
        With "config", "provenance" and "results".

    Raises
    ------
    DataError
        If there is no such file, or it is not a result.
    """
    try:
        stored = json.loads(Path(path).read_text())
        missing = {"config", "provenance", "results"} - stored.keys()
    except FileNotFoundError:
        raise DataError(
            f"{path}: no such result. Make it with `python -m modbp run`."
        ) from None
    except ValueError as error:
        raise DataError(
            f"{path}: not JSON ({error}). Delete it and run the experiment again."
        ) from None
    if missing:
        raise DataError(f"{path}: has no {', '.join(sorted(missing))}. Run it again.")
    return stored
