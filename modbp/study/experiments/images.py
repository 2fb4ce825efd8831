"""What experiments on images have in common: units of a few images and one method."""

from collections.abc import Callable, Sequence
from functools import cached_property, partial

from modbp.errors import check_once, check_seed, check_whole
from modbp.study.experiments import labels, plans
from modbp.study.experiments.subjects import Subject, check_subject
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
        check_subject(subject)
        for key, value in {"batch": batch, "patterns": patterns}.items():
            check_whole(key, value, 1)
        check_seed(seed)
        if methods is not None:
            check_once("methods", methods)
        self.subject, self.seed, self.batch = subject, seed, batch
        self.plan = plans.of(subject, plan)
        names = list(methods or getattr(self.plan, self.default))
        needy = [label for label in names if labels.needs_patterns(label)]
        self._methods = {label: labels.method(label) for label in names}
        self.parts = {label: str(method) for label, method in self._methods.items()}
        if needy:
            self._fitted_to = subject.training[:patterns]
            shown, _ = subject.look(self._fitted_to)
        for label in needy:
            self.parts[label] += f"\npatterns fitted to {self._fitted_to}"
            self.parts[label] += f"\nwhose pixels have the SHA-256 {shown}"
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

    def trial(self, part: str) -> Callable[[], dict]:
        """Return what does as for a single image, to see what that costs."""
        # With patterns, which are fitted once for all images.
        return partial(self._measure, self.method(part), range(1))
