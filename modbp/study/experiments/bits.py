"""Bits about the class that are left, layer by layer, for many images and methods."""

import numpy as np

from modbp.measures import bits as measures
from modbp.measures.interval import nested
from modbp.study.experiments import plans
from modbp.study.experiments.images import OnImages
from modbp.study.runs.run import rounded

__all__ = ["Bits"]


class Bits(OnImages):
    """How many bits of the choice among all classes are left at each layer.

    Relevance is summed over the channels of a place. It is computed in float64; with
    `subject` in that precision the network is not copied for every batch.

    Parameters
    ----------
    subject, methods, plan, seed, batch, patterns : As for :class:`CSC`.

    Examples
    --------
    >>> from modbp.study import experiments
    >>> two = experiments.subject("cifar10", count=2, folder="photographs")
    >>> experiments.Bits(two).counts
    {'lrp-a1b0': 1, 'dtd': 1, 'excitation-bp': 1}
    """

    name = default = "bits"

    def _own_settings(self):
        self.layers = plans.from_top(self.subject, self.plan)
        return {"layers": self.layers, "over": "places"}

    def _measure(self, method, places):
        about, (x, _) = self.subject, self.subject.read(places)
        found = measures.bits(about.net, x, method, to=self.layers, fold=about.fold)
        return {**found.left, "classes": np.full(1, found.classes)}

    def _summary(self, part, column, keys):
        """Return median, interval over images and all values, by layer."""
        layers = {}
        for layer in self.layers:
            values = np.concatenate(list(column(layer)))
            layers[layer] = {
                "median": rounded(np.median(values)),
                "interval": [*map(rounded, nested(values))],
                "values": [*map(rounded, values)],
            }
        return {"classes": int(next(iter(column("classes"))).item()), "layers": layers}
