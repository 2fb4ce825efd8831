"""The simulation of the paper's figure 7 at full size."""

import numpy as np

from modbp import theory

__all__ = ["BETAS", "Simulation"]

# The values of β: those of the figure, and more near the limit.
BETAS = (9, 8, 7, 6, 5, 4.5, 4, 3.5, 3, 2, 1, 0)


class Simulation:
    """The chains of figure 7, with one unit for each reading of the protocol.

    Its results are, per protocol and variant, the median of one minus the similarity
    after each multiplication, and the first repetition's values.

    Parameters
    ----------
    repetitions, seed : int
        As in :func:`modbp.theory.simulate`.
    """

    name = "simulation"
    kind = "protocols"
    count = 1

    def __init__(self, *, repetitions=20, seed=0):
        self.variants = theory.VARIANTS | theory.alpha_beta_variants(BETAS)
        self.parts = {
            name: _described(theory.PROTOCOLS[name]) for name in ("code", "text")
        }
        self.settings = {
            "experiment": self.name,
            "widths": list(theory.VGG16),
            "vectors": 32,
            "repetitions": repetitions,
            "seed": seed,
            "variants": {label: str(each) for label, each in self.variants.items()},
        }

    def compute(self, part, unit):
        """Return the curves of every variant."""
        return theory.simulate(
            self.variants,
            protocol=theory.PROTOCOLS[part],
            repetitions=self.settings["repetitions"],
            seed=self.settings["seed"],
        )

    def summary(self, column, keys):
        """Return what figures show of one protocol."""
        results = {}
        for label in self.variants:
            (values,) = column(label)
            results[label] = {
                "median": _rounded(np.nanmedian(values, axis=0)),
                "first": _rounded(values[0]),
            }
        return results


def _described(protocol):
    """Write a protocol without the place in memory that its function has."""
    entries = {**vars(protocol), "statistic": protocol.statistic.__name__}
    return ", ".join(f"{key}={value}" for key, value in entries.items())


def _rounded(values):
    return [float(f"{value:.5g}") for value in values]
