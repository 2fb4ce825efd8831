"""How much each layer narrows the cone of classes, for many images and rules."""

from dataclasses import asdict

import numpy as np

from modbp.measures import contraction as measures
from modbp.study.experiments.images import OnImages
from modbp.study.runs.run import rounded

__all__ = ["Contraction"]

_KEYS = ("units", "delta", "sigma", "tangent")


class Contraction(OnImages):
    """The coefficients of layers, and the widest angle of two classes below each.

    It is computed in float64, on networks without branches, for methods whose columns
    sum to one.

    Parameters
    ----------
    subject, methods, plan, seed, batch, patterns : As for :class:`CSC`.

    Examples
    --------
    >>> from modbp.study import experiments
    >>> two = experiments.subject("cifar10", count=2, folder="photographs")
    >>> experiments.Contraction(two).settings["layers"][:3]
    ['fc6', 'fc5', 'pool4']
    """

    name = "contraction"
    default = "conserving"

    def _own_settings(self):
        chain = self.subject.chain(self.subject.read([0])[0], "gradient")
        return {"layers": measures.layers(chain)}

    def _measure(self, method, places):
        about, found = self.subject, []
        for place in places:
            x, _ = about.read([place])
            rows = measures.contraction(about.net, x, method, about.fold)
            # Nothing is known below the first layer that does not conserve relevance.
            lacking = [np.nan] * (len(self.settings["layers"]) - len(rows))
            each = [[asdict(row)[key] for row in rows] + lacking for key in _KEYS]
            found.append(each)
        return dict(zip(_KEYS, np.array(found, float).swapaxes(0, 1), strict=True))

    def _summary(self, part, column, keys):
        """Return, by layer, what was found for each image."""
        values = {key: np.concatenate([*column(key)]).T for key in _KEYS}
        return {
            layer: {key: [*map(rounded, values[key][n])] for key in _KEYS}
            for n, layer in enumerate(self.settings["layers"])
        }
