"""What experiments on images have in common: units of a few images and one method."""

from collections.abc import Sequence
from functools import cached_property

from modbp.errors import InputError
from modbp.study.experiments import labels, plans
from modbp.study.experiments.subject import Subject
from modbp.study.runs.run import Experiment

__all__ = ["CHUNK", "OnImages"]

# Images computed together. Fixed, because rules that divide by small numbers turn the
# rounding of another batch size into the fifth digit of a median.
CHUNK = 20


class OnImages(Experiment):
    """An experiment that takes a few images at a time, by one method after another."""

    # Which methods of a plan.
    default = "methods"

    def __init__(
        self,
        subject: Subject,
        methods: Sequence[str] | None = None,
        *,
        plan: plans.Plan | None = None,
        seed: int = 0,
        batch: int = CHUNK,
        patterns: int = 500,
    ):
        if not isinstance(batch, int) or batch < 1:
            raise InputError(f"batch is {batch!r}; give a whole number, at least 1.")
        self.subject, self.seed, self.batch = subject, seed, batch
        self.plan = plan or plans.of(subject)
        names = list(methods or getattr(self.plan, self.default))
        self._methods = {label: labels.method(label) for label in names}
        self.parts = {label: str(method) for label, method in self._methods.items()}
        self._fitted_to = subject.training and subject.training[:patterns]
        for label in filter(labels.needs_patterns, names):
            self.parts[label] += f"\npatterns fitted to {self._fitted_to}"
        # One result may hold methods of both precisions: few need the slower one.
        if (precision := subject.precision) != "float32":
            for label in names:
                self.parts[label] += f"\ncomputed in {precision}"
        self.counts = dict.fromkeys(self.parts, -(-len(subject.images) // batch))
        self.settings = {
            "experiment": self.name,
            **subject.settings(),
            "seed": seed,
            "batch": batch,
            **self._own_settings(),
        }

    @cached_property
    def _patterns(self):
        return self.subject.fit(self._fitted_to, CHUNK)

    def method(self, part: str) -> object:
        """Return a part's method, with patterns fitted when they are first needed."""
        if labels.needs_patterns(part):
            return labels.method(part, self._patterns)
        return self._methods[part]

    def places(self, unit: int) -> range:
        """Return which images belong to a unit."""
        first = unit * self.batch
        return range(first, min(first + self.batch, len(self.subject.images)))

    def _compute(self, part, unit):
        return self._measure(self.method(part), self.places(unit))

    def trial(self, part: str) -> None:
        """Do as for a single image, to see what that costs."""
        self._measure(self.method(part), range(1))
