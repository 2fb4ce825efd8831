"""What is measured of one layer's patterns: power steps, signs, singular values."""

from itertools import pairwise

import numpy as np

from modbp.errors import InputError
from modbp.measures import neurons, spectra

__all__ = ["ESTIMATORS", "KINDS", "in_place", "matrices", "short", "sign_cell"]
__all__ += ["spread", "step_cell"]

ESTIMATORS = ("code", "eq41")
# What a backward pass may take in the weights' place: patterns by either estimator, and
# their products with the weights.
KINDS = ("W", "A code", "AW code", "A eq41", "AW eq41")


def step_cell(layer, neurons=8):
    """Measure one power step from the weights of a layer.

    Parameters
    ----------
    layer : modbp.neurons.Seen
        What its neurons see.
    neurons : int
        How many get a covariance of their own, over where they are on.

    Returns
    -------
    dict
        ``all``: every neuron, with the covariance over all locations; ``on``: each with
        its own. Spreads are the 5th, 50th and 95th percentile over neurons.
    """
    values, _ = spectra.leading(layer.x)
    whole = spectra.power_step(layer)
    count = layer.on(slice(None)).sum(axis=0)
    often = np.flatnonzero(count >= max(10, len(layer.x) / 100))
    if not len(often):
        raise InputError(
            f"no neuron is on at 10 of the {len(layer.x)} locations of a layer with "
            f"{len(count)} neurons. Give more images."
        )
    chosen = often[:: max(1, len(often) // neurons)][:neurons]
    own = [spectra.power_step(layer, int(neuron)) for neuron in chosen]
    return {
        "shape": list(layer.weight.shape),
        "locations": len(layer.x),
        "uncentred": short(values[0] / values[1]),
        "all": _summary([whole]),
        "on": {"neurons": chosen.tolist(), **_summary(own)},
    }


def _summary(steps):
    def joined(name):
        return np.concatenate([getattr(step, name) for step in steps])

    before, after = joined("before"), joined("after")
    return {
        "ratio": spread([step.ratio for step in steps]),
        "before": spread(before),
        "after": spread(after),
        "nearer": short(np.mean(after > before)),
        "scale": spread(joined("scale")),
    }


def sign_cell(mats):
    """Measure signs, sums and singular values of what takes a layer's weights' place.

    Parameters
    ----------
    mats : dict of str to numpy.ndarray
        ``[neurons, d]`` for each of `KINDS`.

    Returns
    -------
    dict
        For each kind σ₁/σ₂, the share of positive entries and of positive mass, the
        largest entry, and absolute sums of rows.
    """
    size = {kind: np.abs(M) for kind, M in mats.items()}
    return {
        "kernel": {kind: short(spectra.ratio(M)) for kind, M in mats.items()},
        "positive": {kind: short(np.mean(M > 0)) for kind, M in mats.items()},
        "positive mass": {
            kind: short(M[M > 0].sum() / size[kind].sum()) for kind, M in mats.items()
        },
        "largest": {kind: short(M.max()) for kind, M in size.items()},
        "absolute sum": {kind: spread(M.sum(axis=1)) for kind, M in size.items()},
    }


def matrices(net, x, fitted):
    """Return σ₁/σ₂ of the 2020 code's matrices, per layer and between neighbours.

    Parameters
    ----------
    net : torch.nn.Module
        A network without branches.
    x : torch.Tensor
        ``[N, …]`` inputs, for their shape.
    fitted : dict of str to dict of str to torch.Tensor
        Patterns, by estimator and layer.

    Returns
    -------
    dict
        For each of `KINDS`: "layers", "between", "product" of those between, and
        "chain", the ratio of the product of all matrices.
    """
    W = neurons.taps(net, x)
    A = {e: neurons.taps(net, x, entry) for e, entry in fitted.items()}
    apart = [in_place(W[name], name, A) for name in W]
    found = {}
    for kind in KINDS:
        mats = [layer[kind] for layer in apart]
        joints = [spectra.between(*pair) for pair in pairwise(mats)]
        found[kind] = {
            "layers": [short(spectra.ratio(M)) for M in mats],
            "between": [short(value) for value in joints],
            "product": short(np.prod(joints)),
            "chain": short(spectra.ratio(np.linalg.multi_dot(mats))),
        }
    return found


def in_place(W, name, fitted):
    """Return one layer's matrix for each of `KINDS`.

    Parameters
    ----------
    W : array_like
        The layer's weights.
    name : str
        The layer.
    fitted : dict of str to dict of str to array_like
        Patterns, by estimator and layer.

    Returns
    -------
    dict of str to numpy.ndarray
        Of the shape of `W`, float64.
    """
    found = {"W": np.asarray(W, dtype=np.float64)}
    for e, entry in fitted.items():
        A = np.asarray(entry[name], dtype=np.float64).reshape(W.shape)
        found |= {f"A {e}": A, f"AW {e}": A * W}
    return found


def spread(values):
    """Return the 5th, 50th and 95th percentile as a result keeps them.

    Parameters
    ----------
    values : array_like
        Numbers.

    Returns
    -------
    list of float
    """
    return [short(value) for value in np.percentile(values, (5, 50, 95))]


def short(value):
    """Return a number as a result keeps it, with five digits.

    Parameters
    ----------
    value : float
        The number.

    Returns
    -------
    float
    """
    return float(f"{value:.5g}")
