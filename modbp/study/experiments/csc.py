"""Cosine similarity convergence for many images, methods and injection layers."""

from collections.abc import Sequence

import numpy as np

from modbp.errors import check_whole
from modbp.measures import csc
from modbp.measures.csc import BINS, PERCENTILES, CSCResult, median
from modbp.study.experiments.images import OnImages
from modbp.study.experiments.subjects import Subject
from modbp.study.runs.run import rounded

__all__ = ["CSC"]

# What marks the arrays of cosines over channels, and of those over places.
_SUFFIXES = {"channels": "", "places": "\nplaces"}


class CSC(OnImages):
    """Convergence from several injection layers, as medians and histograms.

    Parameters
    ----------
    subject : Network and images.
    methods
        Names, also with options as in ``"lrp-gamma:gamma=0.5"``; the plan's if left
        out.
    relevances : As in :func:`modbp.csc`.
    lower
        How many of the images get relevance at the starts below the first as well; all
        if left out.
    **options
        ``plan``, which layers; ``seed``, common to all images; ``batch``, images
        computed together; ``patterns``, to how many training images patterns are
        fitted, for methods that need them.

    Examples
    --------
    >>> from modbp.study import experiments
    >>> two = experiments.subject("cifar10", count=2, folder="photographs")
    >>> experiments.CSC(two, ["gradient", "lrp-a1b0"]).counts
    {'gradient': 1, 'lrp-a1b0': 1}
    """

    name = "csc"

    def __init__(
        self,
        subject: Subject,
        methods: Sequence[str] | None = None,
        *,
        relevances: int = 5,
        lower: int | None = None,
        **options: object,
    ):
        check_whole("relevances", relevances, 2)
        if lower is not None:
            check_whole("lower", lower, 1)
        self.relevances, self.lower = relevances, lower
        super().__init__(subject, methods, **options)

    def _own_settings(self):
        lower = {} if self.lower is None else {"lower": self.lower}
        return lower | {
            "relevances": self.relevances,
            "starts": list(self.plan.starts),
            "layers": list(self.plan.layers),
            "percentiles": list(PERCENTILES),
            "bins": list(BINS),
        }

    def _measure(self, method, places):
        """Return the cosines of some images, for every start and layer below."""
        x, _ = self.subject.read(places)
        chain, arrays = self.subject.chain(x, method), {}
        fewer = len(x) if self.lower is None else max(0, self.lower - places[0])
        for number, start in enumerate(self.plan.starts):
            if number and not fewer:
                break
            if number == 1 and fewer < len(x):
                chain = self.subject.chain(x[:fewer], method)
            feeding = set(chain.below(start))
            below = [layer for layer in self.plan.layers if layer in feeding]
            found = csc.vectors(chain, start, below, self.relevances, self.seed)
            for over, suffix in _SUFFIXES.items():
                result = csc.compared(method.name, start, found, over)
                for layer, cosines in result.cosines.items():
                    key = f"{start}\n{layer}{suffix}"
                    # The distance to one keeps all its digits in float32.
                    arrays[key] = (1 - cosines).astype(np.float32)
                    arrays[f"{key}\nchannels"] = np.array(result.channels[layer])
        return arrays

    def _summary(self, part, column, keys):
        """Return what figures and tables show of one method, by start and layer."""
        results = {start: {} for start in self.plan.starts}
        cells = sorted({tuple(key.split("\n")[:2]) for key in keys}, key=self._order)
        for start, layer in cells:
            key = f"{start}\n{layer}"
            results[start][layer] = _cell(column, key)
            if (places := key + _SUFFIXES["places"]) in keys:
                results[start][layer]["places"] = _cell(column, places)
        return results

    def _order(self, cell):
        start, layer = cell
        return self.plan.starts.index(start), self.plan.layers.index(layer)


def _cell(column, key):
    """Return what is kept of one layer: all pairs together, and each unit and image."""
    distances = list(column(key))
    length = int(next(iter(column(f"{key}\nchannels"))).item())
    # One cell at a time: all of them would be gigabytes.
    units = [1 - each.astype(np.float64) for each in distances]
    whole = CSCResult("", "", {"": np.concatenate(units)}, {"": length})
    return whole.summary()[""][""] | {
        # For whoever measures a unit again.
        "units": [rounded(median(unit), 8) for unit in units],
        # Distances to one, of which intervals over images are made: a cosine that is
        # 1.0 in eight digits has none.
        "images": [rounded(median(image), 4) for unit in distances for image in unit],
        "interval": [
            *map(rounded, csc.interval([i for unit in distances for i in unit]))
        ],
    }
