"""What experiments on images have in common: units of a few images and one method."""

from functools import cached_property

from modbp.errors import InputError
from modbp.study.experiments import plans

__all__ = ["CHUNK", "OnImages"]

# Images computed together. Fixed, because rules that divide by small numbers turn the
# rounding of another batch size into the fifth digit of a median.
CHUNK = 20


class OnImages:
    """An experiment that takes some images at a time, for one method after the other.

    Parameters
    ----------
    subject : Subject
        Network and images.
    labels : sequence of str, optional
        Methods, as for :func:`modbp.experiments.plans.method`; the plan's if left out.
    plan : Plan, optional
        Layers; as :func:`modbp.experiments.plans.of` chooses them if left out.
    seed : int
        The seed that is common to all images.
    batch : int
        Images computed together.
    patterns : int
        How many training images the patterns are fitted to, for methods that need them.

    Attributes
    ----------
    parts : dict of str to str
        Each method's table.
    count : int
        Units per method.
    """

    kind = "methods"
    default = "methods"

    def __init__(
        self, subject, labels=None, *, plan=None, seed=0, batch=CHUNK, patterns=500
    ):
        if not isinstance(batch, int) or batch < 1:
            raise InputError(f"batch is {batch!r}; give a whole number, at least 1.")
        self.subject, self.seed, self.batch = subject, seed, batch
        self.plan = plan or plans.of(subject)
        labels = list(labels or getattr(self.plan, self.default))
        self._methods = {label: plans.method(label) for label in labels}
        self.parts = {label: str(method) for label, method in self._methods.items()}
        self._fitted_to = subject.training[:patterns] if subject.training else None
        for label in filter(plans.needs_patterns, labels):
            self.parts[label] += f"\npatterns fitted to {self._fitted_to}"
        # One result may hold methods of both precisions: few need the slower one.
        if (precision := subject.precision) != "float32":
            for label in labels:
                self.parts[label] += f"\ncomputed in {precision}"
        self.count = -(-len(subject.images) // batch)
        self.settings = {
            "experiment": self.name,
            **subject.settings(),
            "seed": seed,
            "batch": batch,
            **self.own_settings(),
        }

    @cached_property
    def _patterns(self):
        return self.subject.fit(self._fitted_to, CHUNK)

    def method(self, part):
        """Return a part's method, with patterns fitted when they are first needed."""
        if plans.needs_patterns(part):
            return plans.method(part, self._patterns)
        return self._methods[part]

    def places(self, unit):
        """Return which images belong to a unit."""
        first = unit * self.batch
        return range(first, min(first + self.batch, len(self.subject.images)))

    def compute(self, part, unit):
        """Return a unit's arrays by name."""
        return self.measure(self.method(part), self.places(unit))

    def trial(self, part):
        """Do as for a single image, to see what that costs."""
        self.measure(self.method(part), range(1))
