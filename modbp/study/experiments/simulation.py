"""The simulation of the paper's figure 7: at full size, and with trained weights."""

from functools import cached_property

import numpy as np

from modbp import theory
from modbp.errors import check_seed, check_whole
from modbp.measures import neurons
from modbp.study.experiments.images import CHUNK
from modbp.study.experiments.subjects import Subject, check_subject
from modbp.study.runs.run import Experiment, rounded

__all__ = ["BETAS", "LEARNED", "Learned", "Simulation"]

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


class Simulation(Experiment):
    """The chains of figure 7, with one unit for each reading of the protocol.

    Its results are, per protocol and variant, the median of one minus the similarity
    after each multiplication, and the first repetition's values.

    Parameters
    ----------
    repetitions, seed : As in :func:`modbp.theory.simulate`.

    Examples
    --------
    >>> from modbp.study import experiments
    >>> experiments.Simulation(repetitions=1).parts["text"]
    'one_hot=True, absolute=False, diagonal=False, statistic=median'
    """

    name = "simulation"

    def __init__(self, *, repetitions: int = 20, seed: int = 0):
        check_whole("repetitions", repetitions, 1)
        check_seed(seed)
        self.parts = {
            name: _described(theory.PROTOCOLS[name]) for name in ("code", "text")
        }
        self.counts = dict.fromkeys(self.parts, 1)
        self.settings = {
            "experiment": self.name,
            **self._own_settings(),
            "repetitions": repetitions,
            "seed": seed,
        }

    @cached_property
    def _variants(self):
        return theory.VARIANTS | theory.alpha_beta_variants(BETAS)

    def _own_settings(self):
        variants = {label: str(each) for label, each in self._variants.items()}
        return {"widths": list(theory.VGG16), "vectors": 32, "variants": variants}

    def _common(self, part):
        taken = {key: self.settings[key] for key in ("repetitions", "seed")}
        return {"protocol": theory.PROTOCOLS[part], **taken}

    def _compute(self, part, unit):
        return theory.simulate(self._variants, **self._common(part))

    def _labels(self):
        return list(self._variants)

    def _summary(self, part, column, keys):
        return {label: _curve(*column(label)) for label in self._labels()}


class Learned(Simulation):
    """Figure 7 in the shape of a trained network, with curves of its weights beside.

    Parameters
    ----------
    subject : A network without branches, and images like its own.
    repetitions, seed : As in :func:`modbp.theory.simulate`.
    patterns : How many training images patterns are fitted to.

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
        check_subject(subject)
        self.subject = subject
        self.images = subject.fitting(patterns)
        super().__init__(repetitions=repetitions, seed=seed)

    def _own_settings(self):
        about, first = self.subject.settings(), self.subject.prepared(self.images[:1])
        shapes = [M.shape for M in neurons.taps(self.subject.net, first).values()]
        widths = [shapes[0][0], *(columns for _, columns in shapes)]
        return {
            "network": about["network"],
            "weights_sha256": about["weights_sha256"],
            "code_sha256": about["code_sha256"],
            "images": self.images.source,
            "pixels_sha256": self.subject.look(self.images)[0],
            "count": len(self.images),
            "widths": widths,
            "vectors": {"code": 32, "text": min(32, widths[-1])},
        }

    def _common(self, part):
        return super()._common(part) | {"vectors": self.settings["vectors"][part]}

    @cached_property
    def _chains(self):
        """The chains W, A and A⊙W of the network, input first."""
        net, first = self.subject.net, self.subject.prepared(self.images[:1])
        fitted = self.subject.fit(self.images, CHUNK)
        W = list(neurons.taps(net, first).values())
        A = list(neurons.taps(net, first, fitted).values())
        return {"W": W, "A": A, "AW": [a * w for a, w in zip(A, W, strict=True)]}

    def _compute(self, part, unit):
        common = self._common(part)
        curves = theory.simulate(widths=self.settings["widths"], **common)
        for label, (kind, relu) in LEARNED.items():
            chain = self._chains[kind]
            curves[label] = theory.simulate_learned(chain, relu=relu, **common)
        return curves

    def _labels(self):
        return [*theory.VARIANTS, *LEARNED]


def _described(protocol):
    """Write a protocol without the place in memory that its function has."""
    entries = {**vars(protocol), "statistic": protocol.statistic.__name__}
    return ", ".join(f"{key}={value}" for key, value in entries.items())


def _curve(values):
    # Where a ReLU left nothing in any repetition, there is no angle and no median.
    some = ~np.isnan(values).all(axis=0)
    median = np.full(values.shape[1], np.nan)
    median[some] = np.nanmedian(values[:, some], axis=0)
    each = [[*map(rounded, row)] for row in values]
    return {"median": [*map(rounded, median)], "values": each}
