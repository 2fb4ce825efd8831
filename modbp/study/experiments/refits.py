"""How much pattern methods depend on the images that patterns are fitted to."""

from modbp.backprop import methods
from modbp.errors import check_option, check_seed, check_whole
from modbp.measures.csc import measure
from modbp.study.experiments import labels, plans
from modbp.study.experiments.images import CHUNK
from modbp.study.experiments.patterns import ESTIMATORS, packed, unpacked
from modbp.study.experiments.subjects import Subject, check_subject
from modbp.study.runs.run import Experiment, rounded

__all__ = ["Refits", "quieted"]

# A neuron is loud if its pattern's largest entry is so many times its layer's median.
LOUD = 100


class Refits(Experiment):
    """Convergence of a pattern method, with patterns fitted to one set after another.

    Its parts are the estimators of patterns. The first set is the book's own, images of
    the training set in the order of the 2020 code, which draws with replacement; each
    other one is drawn by chance, without.

    Parameters
    ----------
    subject : The network, and the images that are explained.
    patterns : How many training images are in a set.
    refits : How many sets.
    seed : Of the sets and of the random relevance.
    method : "patternattribution" or "patternnet".

    Examples
    --------
    >>> from modbp.study import experiments
    >>> two = experiments.subject("cifar10", count=2, folder="photographs")
    >>> experiments.Refits(two, patterns=4, refits=3).counts
    {'code': 3, 'eq41': 3}
    """

    name = "refits"

    def __init__(
        self,
        subject: Subject,
        *,
        patterns: int = 500,
        refits: int = 8,
        seed: int = 0,
        method: str = "patternattribution",
    ):
        check_subject(subject)
        check_whole("patterns", patterns, 1)
        check_whole("refits", refits, 1)
        check_seed(seed)
        remedy = f"choose {' or '.join(labels.PATTERNS)}."
        check_option("method", method, labels.PATTERNS.__contains__, remedy)
        self.subject, self.size, self.seed = subject, patterns, seed
        self.method, plan = method, plans.of(subject)
        self.start, self.layers = plan.starts[0], plans.from_top(subject, plan)
        own = subject.training[:patterns]
        self.settings = {
            "experiment": self.name,
            **subject.settings(),
            "seed": seed,
            "method": method,
            "patterns": patterns,
            "fitted": own.source,
            "fitted_sha256": subject.look(own)[0],
            "start": self.start,
            "layers": self.layers,
            "loud": LOUD,
        }
        self.parts = {e: f"{method}, patterns of {e}" for e in ESTIMATORS}
        self.counts = dict.fromkeys(self.parts, refits)

    def _set(self, unit):
        """Return the images of a set."""
        if not unit:
            return self.subject.training[: self.size]
        return self.subject.fitting(self.size, [self.seed, unit])

    def _compute(self, part, unit):
        images, about = self._set(unit), self.subject
        fitted = about.fit(images, CHUNK, part)
        x, quiet = about.prepared(about.images), quieted(fitted)
        cell = {
            "different": len({*images.indices}),
            "csc": self._medians(x, fitted),
            "without": self._medians(x, quiet[0]),
            "loud": quiet[1],
        }
        return packed(cell)

    def _medians(self, x, fitted):
        method = methods.get(self.method, patterns=fitted)
        found = measure(self.subject.chain(x, method), self.start, self.layers)
        return {name: rounded(value, 8) for name, value in found.median().items()}

    def _summary(self, part, column, keys):
        return unpacked(column)


def quieted(fitted: dict) -> tuple[dict, dict]:
    """Return patterns without loud neurons, and how loud each of those is.

    A neuron whose denominator nearly cancels has a pattern that is thousands of times
    its layer's others, and all relevance goes its way.
    """
    quiet, loud = {}, {}
    for name, pattern in fitted.items():
        largest = pattern.flatten(1).abs().amax(1)
        times = largest / largest[largest > 0].median()
        shape = (-1, *(1,) * (pattern.ndim - 1))
        quiet[name] = pattern * (times < LOUD).to(pattern).reshape(shape)
        loud[name] = {
            str(int(neuron)): rounded(times[neuron].item())
            for neuron in (times >= LOUD).nonzero()
        }
    return quiet, loud
