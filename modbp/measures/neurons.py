"""What neurons see, the leading directions of its covariance, and one power step.

A pattern is a neuron's weights after one step of power iteration with that covariance.
"""

from typing import NamedTuple

import numpy as np
import torch
from scipy.sparse.linalg import svds

from modbp.backprop.checks import check_input
from modbp.backprop.trace import Trace
from modbp.errors import InputError, MethodError

__all__ = ["Seen", "Step", "leading", "power_step", "seen"]

# Up to this size decompositions are exact: Lanczos wants fewer vectors than there are.
_SMALL = 64
# Relative, of singular values; networks compute in float32, which has no more to give.
_TOLERANCE = 1e-5
# Neighbouring locations see nearly the same, so more pictures serve better than more
# locations.
_PER_PICTURE = 100


@torch.no_grad()
def seen(net, x, most=20_000, seed=0):
    """Record what the neurons of every convolution and dense layer see.

    Parameters
    ----------
    net : torch.nn.Module
        A network in evaluation mode; it is only read.
    x : torch.Tensor
        ``[N, …]`` inputs.
    most : int
        How many locations at most; of a picture at most 100, chosen at random.
    seed : int
        Of the choice.

    Returns
    -------
    dict of str to Seen
        By layer, input first.

    Raises
    ------
    ModbpError
        If the network or the input does not fit, or neurons of one layer see different
        channels.
    """
    found, rng = {}, np.random.default_rng(seed)
    check_input(net, x)

    def visit(call, *inputs):
        if call.kind in ("conv", "dense"):
            found[call.name] = Seen(call.layer, _patches(call, *inputs, most, rng))
        return call.layer.forward(*inputs)

    Trace(net).run(x, visit)
    return found


def _patches(call, a, most, rng):
    """Return what is seen at each location, ``[locations, d]``."""
    layer, channels = call.layer, 1 if a.ndim > 2 else a.ndim - 1
    if "ranspose" in layer.type or layer.weight.shape[1] != a.shape[channels]:
        raise MethodError(
            f"{call}: its neurons see different channels, so they share no covariance. "
            "Choose a network without groups and transposed convolutions."
        )
    if call.kind == "dense":
        return a.flatten(0, -2)[:most]
    # A layer with one neuron per entry, which puts out what it sees.
    d = layer.weight[0].numel()
    copy = torch.eye(d).to(layer.weight).reshape(d, *layer.weight.shape[1:])
    rows = []
    for picture in a[: -(-most // _PER_PICTURE)]:
        places = layer.linear(picture[None], copy)[0].flatten(1).T
        few = min(_PER_PICTURE, len(places))
        rows.append(places[rng.choice(len(places), few, replace=False)])
    return torch.cat(rows)[:most]


class Seen:
    """What the neurons of one layer see, zero padding included.

    Attributes
    ----------
    x : numpy.ndarray
        ``[locations, d]``.
    weight : numpy.ndarray
        ``[neurons, d]``.
    bias : numpy.ndarray
        ``[neurons]``.
    """

    def __init__(self, layer, x):
        self.x = x.cpu().numpy()
        self.weight = layer.weight.flatten(1).detach().cpu().numpy()
        zeros = torch.zeros(len(self.weight))
        self.bias = (zeros if layer.bias is None else layer.bias).cpu().numpy()

    def on(self, neuron):
        """Return where a neuron is on: wᵀx + b > 0.

        Parameters
        ----------
        neuron : int or slice
            Which, or several.

        Returns
        -------
        numpy.ndarray
            ``[locations]`` bool, with a second axis for several.
        """
        return self.x @ self.weight[neuron].T + self.bias[neuron] > 0

    def centred(self, neuron=None):
        """Return what is seen minus its mean.

        Parameters
        ----------
        neuron : int, optional
            Keep only locations where this neuron is on; all of them if left out.

        Returns
        -------
        numpy.ndarray
            ``[locations, d]``, float64 where the network is.

        Raises
        ------
        InputError
            If the neuron is on at fewer than two locations.
        """
        x = self.x if neuron is None else self.x[self.on(neuron)]
        if len(x) < 2:
            raise InputError(
                f"neuron {neuron} is on at {len(x)} of {len(self.x)} locations, and a "
                "covariance needs two. Give more inputs, or choose another neuron."
            )
        return x - x.mean(axis=0)


def leading(x, count=2):
    r"""Return the largest eigenvalues of :math:`X^\top X / n`, with eigenvectors.

    For the rows of :meth:`Seen.centred` this is the covariance; it is not written out.

    Parameters
    ----------
    x : numpy.ndarray
        ``[n, d]``.
    count : int
        How many.

    Returns
    -------
    values : numpy.ndarray
        ``[count]``, largest first.
    vectors : numpy.ndarray
        ``[d, count]``, of length one.
    """
    if min(x.shape) <= _SMALL:
        _, s, vectors = np.linalg.svd(x, full_matrices=False)
    else:
        start = np.random.default_rng(0).standard_normal(min(x.shape))
        _, s, vectors = svds(x, count, v0=start.astype(x.dtype), tol=_TOLERANCE)
    order = np.argsort(s)[::-1][:count]
    return s[order].astype(np.float64) ** 2 / len(x), vectors[order].T


class Step(NamedTuple):
    """One step of power iteration.

    Attributes
    ----------
    before, after : numpy.ndarray
        ``|cos|`` to the first eigenvector of the weights, and of the covariance times
        the weights, which is the direction of the pattern; one value per neuron.
    ratio : float
        The first eigenvalue over the second.
    scale : numpy.ndarray
        ``‖cov^½ w‖ / ‖cov w‖``, one value per neuron.
    """

    before: np.ndarray
    after: np.ndarray
    ratio: float
    scale: np.ndarray


def power_step(layer, neuron=None):
    r"""Measure what one step of power iteration does to weights.

    .. math:: w \mapsto \frac{\operatorname{cov}[x]\,w}{\|\operatorname{cov}[x]\,w\|}

    Parameters
    ----------
    layer : Seen
        What the layer's neurons see.
    neuron : int, optional
        This neuron, where it is on; all neurons at all locations if left out.

    Returns
    -------
    Step

    Raises
    ------
    InputError
        As :meth:`Seen.centred`.

    References
    ----------
    :cite:t:`sixt2020lie`, equations (42) to (44).
    """
    x = layer.centred(neuron)
    w = (layer.weight if neuron is None else layer.weight[neuron : neuron + 1]).T
    values, vectors = leading(x)
    y = x @ w
    after = x.T @ y / len(x)
    length = np.linalg.norm(after, axis=0)
    e = vectors[:, 0]
    return Step(
        before=np.abs(e @ w) / np.linalg.norm(w, axis=0),
        after=np.abs(e @ after) / length,
        ratio=float(values[0] / values[1]),
        # ‖cov^½ w‖² = wᵀ cov w, the mean square of y.
        scale=np.sqrt(np.mean(y**2, axis=0)) / length,
    )
