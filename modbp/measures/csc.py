"""Cosine similarity convergence: do different relevances end in the same direction?

Put random relevance vectors in at one layer, pull them down through the network, and
watch the angle between them. If it closes, what arrives below cannot depend on what
went in, and so not on any layer above.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from modbp.backprop.chain import Chain
from modbp.backprop.inference import outside_inference_mode
from modbp.backprop.methods import Method
from modbp.errors import InputError, check_option, check_whole
from modbp.measures.channels import channel_dims, side_by_side
from modbp.measures.seeds import per_image
from modbp.measures.similarity import pairwise, random_floor

__all__ = ["BINS", "OVER", "PERCENTILES", "CSCResult", "compared", "csc", "measure"]
__all__ += ["interval", "median", "random_relevance", "vectors"]

# The percentiles that the 2020 code stored, and the bins of the paper's histogram
# figure; everything below 0.9 is one.
PERCENTILES = (0, 1, 5, 10, 20, 50, 80, 95, 99, 100)
BINS = (0.0, 0.9, 0.99, 0.999, 0.9999, 1.0)
# What a vector's entries are: relevance of the channels of one place, or the amounts of
# all places.
OVER = ("channels", "places")


@dataclass(frozen=True, eq=False)
class CSCResult:
    """Absolute cosines between relevances, for every layer and sample.

    Attributes
    ----------
    method, start : which method, and where the random relevances entered
    cosines, channels
        For each layer ``[N, pairs, locations]`` in [0, 1], with the precision of the
        network; NaN where a vector is exactly zero. And the length of the vectors:
        how many channels, or how many places where these were compared.

    Examples
    --------
    >>> found = modbp.csc(net, x, "gradient", "fc2", ["fc2", "input"])
    >>> found.cosines["input"].shape
    (1, 10, 1)
    """

    method: str
    start: str
    cosines: dict[str, np.ndarray]
    channels: dict[str, int]

    @property
    def layers(self):
        """The measured layers, from the start down."""
        return list(self.cosines)

    def median(self) -> dict[str, float]:
        """Return the median per layer, over samples, pairs and locations together.

        Returns
        -------
        dict of values in [0, 1]; NaN where no vector has a direction

        Examples
        --------
        >>> modbp.csc(net, x, "lrp-a1b0", "fc2").median()["relu1"]
        1.0
        """
        return {layer: median(self.cosines[layer]) for layer in self.layers}

    def floor(self) -> dict[str, float]:
        """Return what unrelated directions would score, per layer.

        Returns
        -------
        dict of values as :func:`modbp.similarity.random_floor` gives them

        Examples
        --------
        >>> round(modbp.csc(net, x, "gradient", "fc2").floor()["input"], 3)
        0.707
        """
        return {layer: random_floor(count) for layer, count in self.channels.items()}

    def summary(self) -> dict:
        """Return what a result file stores of one method.

        Returns
        -------
        dict
            ``{start: {layer: …}}`` in plain JSON values: median, mean, `PERCENTILES`,
            histogram over `BINS`, channels, and which share of pairs has no angle.

        Examples
        --------
        >>> found = modbp.csc(net, x, "lrp-a1b0", "fc2").summary()
        >>> found["fc2"]["relu1"]["histogram"]
        [0, 0, 0, 0, 10]
        """
        return {self.start: {layer: self._described(layer) for layer in self.layers}}

    def _described(self, layer):
        kept = _kept(self.cosines[layer])
        at = np.percentile(kept, PERCENTILES).tolist() if kept.size else None
        return {
            "median": at and at[PERCENTILES.index(50)],
            "mean": float(kept.mean()) if kept.size else None,
            "percentiles": at or [None] * len(PERCENTILES),
            "histogram": np.histogram(kept, BINS)[0].tolist(),
            "dropped": 1 - kept.size / self.cosines[layer].size,
            "channels": self.channels[layer],
        }

    def __str__(self):
        rows = [f"{self.method}, random relevance at {self.start}"]
        rows.append(f"{'layer':<12}{'median':>10}{'1 - median':>12}{'random':>9}")
        floor = self.floor()
        for layer, value in self.median().items():
            rows.append(f"{layer:<12}{value:10.5f}{1 - value:12.1e}{floor[layer]:9.3f}")
        return "\n".join(rows)


@outside_inference_mode
def csc(
    net: nn.Module, x: torch.Tensor, method: str | Method, start: str,
    to: Sequence[str] | None = None, relevances: int = 5, seed: int = 0, *,
    over: str = "channels", fold: bool = True,
) -> CSCResult:  # fmt: skip
    """Measure how far random relevances converge on their way down.

    Equation: the median of ``|cos(r_i, r_j)|`` over pairs, locations and samples, with
    every ``r_k`` pulled down from independent normal relevance at `start`, as in
    section 4.1 of :cite:t:`sixt2020lie`. A vector runs along a layer's channels: a
    dense layer over tokens has one per token, as a convolution has one per place.

    Parameters
    ----------
    net, x : a ReLU network in evaluation mode, and its inputs ``[N, …]``
    method : a name of :func:`modbp.methods.names`, or a method of yours
    start : the layer where random relevance enters
    to : the layers to measure at; all that feed `start` if left out
    relevances : how many random relevances per sample, at least 2
    seed
        Every image draws from a seed of its own, made of this one, the layer and the
        image's pixels, so that batch size and order change nothing beyond rounding.
    over
        What is compared: "channels", which way relevance points at each place, or
        "places", how much of it there is at each, ``∑_c r_k[c, p]``. Neither implies
        the other. Layers without places are left out then.
    fold : as for :func:`modbp.chain`; a batch norm that is kept can be measured too

    Returns
    -------
    CSCResult

    Raises
    ------
    ModbpError: if the input, the network, the method or a layer's name does not fit.

    Examples
    --------
    >>> found = modbp.csc(net, x, "lrp-a1b0", "fc2")
    >>> {layer: round(value, 3) for layer, value in found.median().items()}
    {'fc2': 0.816, 'relu1': 1.0, 'fc1': 1.0, 'input': 1.0}
    """
    check_option("over", over, OVER.__contains__, f"choose {' or '.join(OVER)}.")
    chain = Chain(net, x, method, fold=fold)
    return measure(chain, start, to, relevances, seed, over)


def measure(chain, start, to=None, relevances=5, seed=0, over="channels"):
    """Measure convergence in a chain that is already there; see :func:`csc`."""
    found = vectors(chain, start, to, relevances, seed)
    if over == "places":
        flat = [layer for layer, r in found.items() if not _has_places(r)]
        if to is not None and flat:
            raise InputError(
                f"layer {flat[0]!r} has no places: its output is one vector for each "
                "sample. Leave it out of `to`, or compare over channels."
            )
        found = {layer: r for layer, r in found.items() if layer not in flat}
    return compared(chain.method.name, start, found, over)


def vectors(chain, start, to=None, relevances=5, seed=0):
    """Return random relevance as it arrives, ``[K, N, channels, …]`` by layer."""
    check_whole("relevances", relevances, 2, 100_000)
    r = random_relevance(chain, start, relevances, seed)
    layers = chain.below(start) if to is None else to
    shapes = [chain.output(layer).shape for layer in chain.layers]
    dims = dict(zip(chain.layers, channel_dims(chain.calls, shapes), strict=True))
    return {
        layer: side_by_side(each, dims[layer])
        for layer, each in chain.pull(r, start, layers).items()
    }


def compared(name, start, found, over="channels"):
    """Return the cosines of vectors, those without places left out over places."""
    if over == "places":
        found = {k: r.sum(2).flatten(2) for k, r in found.items() if _has_places(r)}
    cosines = {k: pairwise(v).to(v.dtype).cpu().numpy() for k, v in found.items()}
    return CSCResult(name, start, cosines, {k: v.shape[2] for k, v in found.items()})


def _has_places(r):
    return r[0, 0, 0].numel() > 1


def random_relevance(chain, layer, count, seed=0):
    """Draw independent standard normal relevance, ``[count, N, *shape]``."""
    z = chain.output(layer)
    draws = [
        torch.randn(
            count, *z.shape[1:], generator=own, dtype=torch.float64, device="cpu"
        )
        for own in per_image(chain.output("input"), seed, layer)
    ]
    return torch.stack(draws, dim=1).to(z)


def median(cosines):
    """Return the median of cosines that are there, NaN if none is left."""
    kept = _kept(cosines)
    return float(np.percentile(kept, 50)) if kept.size else float("nan")


def interval(distances, seed=0, resamples=1000):
    """Return where the median of all distances to one would be with other images.

    Percentile bootstrap, 95 %: images are drawn again, each with all its pairs and
    places, and so with its own draws of relevance.

    Parameters
    ----------
    distances : an array per image; NaN where there is no direction

    Returns
    -------
    tuple of two floats, rounded outwards to 1 %; NaN if there are no distances
    """
    kept = [_kept(each.ravel()).clip(_GRID[0], _GRID[-1]) for each in distances]
    counts = np.stack([np.histogram(each, _GRID)[0] for each in kept])
    if not counts.any():
        return float("nan"), float("nan")
    # A median lies where some distance does. Floats multiply faster, and count as well.
    used = counts.any(0)
    generator, n = np.random.default_rng(seed), len(counts)
    weights = generator.multinomial(n, np.full(n, 1 / n), size=resamples)
    below = (weights.astype(float) @ counts[:, used]).cumsum(1)
    # A draw of images without any distance has no median.
    below = below[below[:, -1] > 0]
    middle = (below >= below[:, -1:] / 2).argmax(1)
    low, high = np.percentile(middle, [2.5, 97.5], method="nearest").astype(int)
    # Where in its bin a median lies is not known.
    return float(_GRID[:-1][used][low]), float(_GRID[1:][used][high])


# In steps of one per cent, from what float64 can tell from zero up to one.
_GRID = np.geomspace(1e-17, 1, 4001)


def _kept(cosines):
    return cosines[~np.isnan(cosines)].astype(np.float64)
