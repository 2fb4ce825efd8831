"""What experiments on images have in common: units of a few images and one method."""

from modbp.errors import InputError
from modbp.experiments import plans

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
        self.methods = {label: plans.method(label) for label in labels}
        self.parts = {label: str(method) for label, method in self.methods.items()}
        self._fit(patterns)
        self.count = -(-len(subject.images) // batch)
        self.settings = {
            "experiment": self.name,
            **subject.settings(),
            "seed": seed,
            "batch": batch,
            **self.own_settings(),
        }

    def _fit(self, count):
        """Give patterns to the methods that need them."""
        labels = [x for x in self.methods if x.partition(":")[0] in plans.PATTERNS]
        if not labels:
            return
        listing = self.subject.training[:count]
        found = self.subject.fit(listing, CHUNK)
        for label in labels:
            self.methods[label] = plans.method(label, found)
            self.parts[label] += f"\npatterns fitted to {listing}"

    def places(self, unit):
        """Return which images belong to a unit."""
        first = unit * self.batch
        return range(first, min(first + self.batch, len(self.subject.images)))

    def compute(self, part, unit):
        """Return a unit's arrays by name."""
        return self.measure(self.methods[part], self.places(unit))

    def trial(self, part):
        """Do as for a single image, to see what that costs."""
        self.measure(self.methods[part], range(1))
