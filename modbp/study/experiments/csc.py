"""Cosine similarity convergence for many images, methods and injection layers."""

import math

import numpy as np

from modbp.backprop.chain import Chain
from modbp.measures.csc import PERCENTILES, measure, median
from modbp.study.experiments.images import OnImages
from modbp.study.experiments.quantiles import describe

__all__ = ["BINS", "CSC"]

# The bins of the paper's histogram figure; everything below 0.9 is one.
BINS = (0.0, 0.9, 0.99, 0.999, 0.9999, 1.0)


class CSC(OnImages):
    """Convergence from several injection layers, as medians and histograms.

    Parameters
    ----------
    subject, labels, **options
        As for `OnImages`.
    relevances : int
        As in :func:`modbp.csc`.
    """

    name = "csc"

    def __init__(self, subject, labels=None, *, relevances=5, **options):
        self.relevances = relevances
        super().__init__(subject, labels, **options)

    def own_settings(self):
        """Return what this experiment depends on besides network and images."""
        return {
            "relevances": self.relevances,
            "starts": list(self.plan.starts),
            "layers": list(self.plan.layers),
            "percentiles": list(PERCENTILES),
            "bins": list(BINS),
        }

    def measure(self, method, places):
        """Return the cosines of some images, for every start and layer below."""
        chain = Chain(self.subject.net, self.subject.read(places)[0], method)
        arrays = {}
        for start in self.plan.starts:
            feeding = set(chain.below(start))
            below = [layer for layer in self.plan.layers if layer in feeding]
            found = measure(chain, start, below, self.relevances, self.seed)
            for layer, cosines in found.cosines.items():
                # The distance to one keeps all its digits in float32.
                arrays[f"{start}\n{layer}"] = (1 - cosines).astype(np.float32)
                arrays[f"{start}\n{layer}\nchannels"] = np.array(found.channels[layer])
        return arrays

    def summary(self, column, keys):
        """Return what figures and tables show of one method.

        Parameters
        ----------
        column : callable
            ``column(key)`` yields an array of every unit.
        keys : iterable of str
            The names of a unit's arrays.

        Returns
        -------
        dict
            By start and layer.
        """
        results = {start: {} for start in self.plan.starts}
        cells = sorted({tuple(key.split("\n")[:2]) for key in keys}, key=self._order)
        for start, layer in cells:
            key = f"{start}\n{layer}"
            found = _cosines(lambda key=key: column(key))
            units = [1 - median(distances) for distances in column(key)]
            results[start][layer] = {
                "median": found["percentiles"][PERCENTILES.index(50)],
                **found,
                # Of every unit of images alone, for a look at how much they vary, and
                # for whoever measures a unit again.
                "units": [None if math.isnan(m) else float(f"{m:.8g}") for m in units],
                "channels": int(next(column(f"{key}\nchannels")).item()),
            }
        return results

    def _order(self, cell):
        start, layer = cell
        return self.plan.starts.index(start), self.plan.layers.index(layer)


def _cosines(distances):
    """Describe cosines of which the distances to one are given."""
    far = [100 - at for at in PERCENTILES]
    found = describe(distances, far, [1 - edge for edge in BINS[::-1]])
    return {
        "mean": _near(found["mean"]),
        "percentiles": [*map(_near, found["percentiles"])],
        "histogram": found["histogram"][::-1],
        "dropped": found["dropped"],
    }


def _near(distance):
    return None if distance is None else 1 - distance
