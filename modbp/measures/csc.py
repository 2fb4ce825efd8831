"""Cosine similarity convergence: do different relevances end in the same direction?

Put random relevance vectors in at one layer, pull them down through the network, and
watch the angle between them. If it closes, what arrives below cannot depend on what
went in, and so not on any layer above.
"""

from dataclasses import dataclass
from numbers import Integral

import numpy as np
import torch

from modbp.backprop.chain import Chain
from modbp.errors import check_option
from modbp.measures.seeds import per_image
from modbp.measures.similarity import pairwise, random_floor

__all__ = ["CSCResult", "csc", "measure", "median", "random_relevance"]

# The percentiles that the 2020 code stored.
PERCENTILES = (0, 1, 5, 10, 20, 50, 80, 95, 99, 100)


@dataclass(frozen=True, eq=False)
class CSCResult:
    """Absolute cosines between relevances, for every layer and sample.

    Attributes
    ----------
    method, start : str
        Which method, and where the random relevances entered.
    cosines : dict of str to numpy.ndarray
        For each layer ``[N, pairs, locations]`` in [0, 1], with the precision of the
        network; NaN where a vector is exactly zero.
    channels : dict of str to int
        The length of the vectors compared at each layer.
    """

    method: str
    start: str
    cosines: dict
    channels: dict

    @property
    def layers(self):
        """The measured layers, from the start down."""
        return list(self.cosines)

    def median(self):
        """Return the median per layer, over samples, pairs and locations together."""
        return {layer: median(self.cosines[layer]) for layer in self.layers}

    def percentiles(self, at=PERCENTILES):
        """Return percentiles per layer, over samples, pairs and locations together."""
        return {layer: _percentile(self.cosines[layer], at) for layer in self.layers}

    def per_sample(self):
        """Return each sample's own median per layer, as arrays of length N."""
        return {
            layer: np.array([median(entry) for entry in value])
            for layer, value in self.cosines.items()
        }

    def floor(self):
        """Return what unrelated directions would score, per layer."""
        return {layer: random_floor(count) for layer, count in self.channels.items()}

    def dropped(self):
        """Return the share of pairs without an angle, per layer, in [0, 1]."""
        return {k: float(np.isnan(v).mean()) for k, v in self.cosines.items()}

    @staticmethod
    def join(parts):
        """Return one result for the samples of several.

        Parameters
        ----------
        parts : sequence of CSCResult
            Of one method and start.

        Returns
        -------
        CSCResult
        """
        first = parts[0]
        cosines = {
            layer: np.concatenate([part.cosines[layer] for part in parts])
            for layer in first.layers
        }
        return CSCResult(first.method, first.start, cosines, first.channels)

    def __str__(self):
        rows = [f"{self.method}, random relevance at {self.start}"]
        rows.append(f"{'layer':<12}{'median':>10}{'1 - median':>12}{'random':>9}")
        medians, floor = self.median(), self.floor()
        for layer in self.layers:
            value = medians[layer]
            rows.append(f"{layer:<12}{value:10.5f}{1 - value:12.1e}{floor[layer]:9.3f}")
        return "\n".join(rows)


def csc(net, x, method, start, to=None, relevances=5, seed=0, *, fold=True):
    """Measure how far random relevances converge on their way down.

    Equation: the median of ``|cos(r_i, r_j)|`` over pairs, locations and samples, with
    every ``r_k`` pulled down from independent normal relevance at `start`.

    Parameters
    ----------
    net : torch.nn.Module
        A ReLU network in evaluation mode.
    x : torch.Tensor
        ``[N, …]`` inputs.
    method : str or Method
        A name of `modbp.methods.names()`, or a method of yours.
    start : str
        The layer where random relevance enters.
    to : sequence of str, optional
        The layers to measure at; all that feed `start` if left out.
    relevances : int
        How many random relevances per sample, at least 2.
    seed : int
        Every image draws from a seed of its own, made of this one, the layer and the
        image's pixels, so that batch size and order change nothing beyond rounding.
    fold : bool
        Whether batch norm becomes part of the linear layer before it, where it can; if
        not, it is a layer of its own, which can be measured too.

    Returns
    -------
    CSCResult

    Raises
    ------
    ModbpError
        If the input, the network, the method or a layer's name does not fit.

    References
    ----------
    :cite:t:`sixt2020lie`, section 4.1.
    """
    return measure(Chain(net, x, method, fold=fold), start, to, relevances, seed)


def measure(chain, start, to=None, relevances=5, seed=0):
    """Measure convergence in a chain that is already there; see :func:`csc`.

    Parameters
    ----------
    chain : Chain
        A method bound to a forward pass.
    start, to, relevances
        As in :func:`csc`.
    seed : int
        The seed that is common to all images.

    Returns
    -------
    CSCResult
    """
    check_option(
        "relevances",
        relevances,
        lambda count: isinstance(count, Integral) and count > 1,
        "an angle needs at least two, as in 5.",
    )
    r = random_relevance(chain, start, relevances, seed)
    layers = chain.below(start) if to is None else to
    found = chain.pull(r, start, layers)
    cosines = {k: pairwise(v).to(v.dtype).cpu().numpy() for k, v in found.items()}
    channels = {k: v.shape[2] for k, v in found.items()}
    return CSCResult(chain.method.name, start, cosines, channels)


def random_relevance(chain, layer, count, seed=0):
    """Draw independent standard normal relevance for a layer.

    Parameters
    ----------
    chain : Chain
        A method bound to a forward pass.
    layer : str
        Name of the layer.
    count : int
        How many per sample.
    seed : int
        The seed that is common to all images.

    Returns
    -------
    torch.Tensor
        ``[count, N, *shape]``.
    """
    z = chain.output(layer)
    draws = [
        torch.randn(count, *z.shape[1:], generator=own, dtype=torch.float64)
        for own in per_image(chain.output("input"), seed, layer)
    ]
    return torch.stack(draws, dim=1).to(z)


def median(cosines):
    """Return the median of cosines that are there.

    Parameters
    ----------
    cosines : numpy.ndarray
        NaN is left out.

    Returns
    -------
    float
        In [0, 1]; NaN if nothing is left.
    """
    return _percentile(cosines, 50)


def _percentile(values, at):
    values = values[~np.isnan(values)]
    if not values.size:
        return np.full(np.shape(at), np.nan)[()]
    found = np.percentile(values.astype(np.float64), at)
    return float(found) if np.isscalar(at) else found
