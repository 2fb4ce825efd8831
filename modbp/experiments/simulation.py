"""The simulation of the paper's figure 7 at full size."""

import numpy as np

from modbp import theory
from modbp.experiments.store import read
from modbp.provenance import facts, write_json

__all__ = ["BETAS", "run_simulation"]

# The values of β: those of the figure, and more near the limit.
BETAS = (9, 8, 7, 6, 5, 4.5, 4, 3.5, 3, 2, 1, 0)


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
