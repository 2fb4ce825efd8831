"""The simulation of the paper's figure 7: at full size, and with trained weights."""

from collections.abc import Callable, Iterable
from functools import cached_property

import numpy as np
import torch
from torch import nn

from modbp import theory
from modbp.measures import neurons
from modbp.study.experiments.images import CHUNK
from modbp.study.experiments.subject import Subject

__all__ = ["BETAS", "LEARNED", "Learned", "Simulation", "learned_chains"]

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


class Simulation:
    """The chains of figure 7, with one unit for each reading of the protocol.

    Its results are, per protocol and variant, the median of one minus the similarity
    after each multiplication, and the first repetition's values.

    Parameters
    ----------
    repetitions, seed
        As in :func:`modbp.theory.simulate`.

    Examples
    --------
    >>> from modbp.study import experiments
    >>> experiments.Simulation(repetitions=1).parts["text"]
    'one_hot=True, absolute=False, diagonal=False, statistic=median'
    """

    name = "simulation"

    def __init__(self, *, repetitions: int = 20, seed: int = 0):
        self.parts = {
            name: _described(theory.PROTOCOLS[name]) for name in ("code", "text")
        }
        self.counts = dict.fromkeys(self.parts, 1)
        self.settings = {
            "experiment": self.name,
            **self.own_settings(),
            "repetitions": repetitions,
            "seed": seed,
        }

    @cached_property
    def variants(self) -> dict:
        """What the factors are, by label."""
        return theory.VARIANTS | theory.alpha_beta_variants(BETAS)

    def own_settings(self) -> dict:
        """Return what the curves depend on besides repetitions and seed."""
        variants = {label: str(each) for label, each in self.variants.items()}
        return {"widths": list(theory.VGG16), "vectors": 32, "variants": variants}

    def common(self, part: str) -> dict:
        """Return the options that all curves of a reading have in common."""
        taken = {key: self.settings[key] for key in ("repetitions", "seed")}
        return {"protocol": theory.PROTOCOLS[part], **taken}

    def compute(self, part: str, unit: int) -> dict[str, np.ndarray]:
        """Return the curves of every variant, ``[repetitions, multiplications]``."""
        return theory.simulate(self.variants, **self.common(part))

    def labels(self) -> list[str]:
        """Return the names of the curves in their order."""
        return list(self.variants)

    def summary(
        self, part: str, column: Callable[[str], Iterable], keys: Iterable[str]
    ) -> dict:
        """Return what figures show of one reading."""
        return {label: _curve(*column(label)) for label in self.labels()}


class Learned(Simulation):
    """Figure 7 in the shape of a trained network, with curves of its weights beside.

    Parameters
    ----------
    subject
        A network without branches, and images like its own.
    repetitions, seed
        As in :func:`modbp.theory.simulate`.
    patterns
        How many training images patterns are fitted to.

    Examples
    --------
    >>> from modbp.study import experiments
    >>> two = experiments.subject("cifar10", count=2, folder="photographs")
    >>> experiments.Learned(two, patterns=10).settings["widths"]
    [3, 32, 64, 128, 128, 1024, 10]
    """

    name = "learned"

    def __init__(
        self,
        subject: Subject,
        *,
        repetitions: int = 20,
        seed: int = 0,
        patterns: int = 2000,
    ):
        self.subject = subject
        self.images = subject.fitting(patterns)
        super().__init__(repetitions=repetitions, seed=seed)

    def own_settings(self) -> dict:
        """Return what the curves depend on besides repetitions and seed."""
        about, first = self.subject.settings(), self.subject.prepared(self.images[:1])
        shapes = [M.shape for M in neurons.taps(self.subject.net, first.x).values()]
        widths = [shapes[0][0], *(columns for _, columns in shapes)]
        return {
            "network": about["network"],
            "weights_sha256": about["weights_sha256"],
            "images": self.images.source,
            "count": len(self.images),
            "widths": widths,
            "vectors": {"code": 32, "text": min(32, widths[-1])},
        }

    def common(self, part: str) -> dict:
        """Return the options that all curves of a reading have in common."""
        return super().common(part) | {"vectors": self.settings["vectors"][part]}

    @cached_property
    def _chains(self):
        first = self.subject.prepared(self.images[:1])
        fitted = self.subject.fit(self.images, CHUNK)
        return learned_chains(self.subject.net, first.x, fitted)

    def compute(self, part: str, unit: int) -> dict[str, np.ndarray]:
        """Return the random curves, and those of trained weights."""
        common = self.common(part)
        curves = theory.simulate(widths=self.settings["widths"], **common)
        for label, (kind, relu) in LEARNED.items():
            chain = self._chains[kind]
            curves[label] = theory.simulate_learned(chain, relu=relu, **common)
        return curves

    def labels(self) -> list[str]:
        """Return the names of the curves in their order."""
        return [*theory.VARIANTS, *LEARNED]


def learned_chains(
    net: nn.Module, x: torch.Tensor, fitted: dict[str, torch.Tensor]
) -> dict[str, list[np.ndarray]]:
    """Return the chains W, A and A⊙W of a network without branches, input first."""
    W = list(neurons.taps(net, x).values())
    A = list(neurons.taps(net, x, fitted).values())
    return {"W": W, "A": A, "AW": [a * w for a, w in zip(A, W, strict=True)]}


def _described(protocol):
    """Write a protocol without the place in memory that its function has."""
    entries = {**vars(protocol), "statistic": protocol.statistic.__name__}
    return ", ".join(f"{key}={value}" for key, value in entries.items())


def _curve(values):
    # Where a ReLU left nothing in any repetition, there is no angle and no median.
    some = ~np.isnan(values).all(axis=0)
    median = np.full(values.shape[1], np.nan)
    median[some] = np.nanmedian(values[:, some], axis=0)
    return {"median": _rounded(median), "first": _rounded(values[0])}


def _rounded(values):
    return [None if np.isnan(value) else float(f"{value:.5g}") for value in values]
