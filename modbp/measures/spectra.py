"""Leading directions, one power step towards them, and how near matrices are to rank 1.

A pattern is a neuron's weights after one step of power iteration with the covariance of
what the neuron sees; a product of matrices near rank one forgets what went in.
"""

from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator, svds

from modbp.backprop.operator import Operator
from modbp.errors import InputError, check_option, check_whole
from modbp.measures.neurons import Seen

__all__ = ["Step", "between", "complement", "leading", "power_step", "ratio"]

# Up to this size decompositions are exact: Lanczos wants fewer vectors than there are.
_SMALL = 64
# Relative, of singular values; networks compute in float32, which has no more to give.
_TOLERANCE = 1e-5


def leading(x: np.ndarray, count: int = 2) -> tuple[np.ndarray, np.ndarray]:
    r"""Return the largest eigenvalues of :math:`X^\top X / n`, with eigenvectors.

    For rows of mean zero this is the covariance; it is not written out.

    Parameters
    ----------
    x, count : ``[n, d]``, and how many

    Returns
    -------
    values : ``[count]``, largest first
    vectors : ``[d, count]``, of length one

    Examples
    --------
    >>> import numpy as np
    >>> values, _ = modbp.measures.spectra.leading(np.array([[3.0, 0], [0, 1]]))
    >>> values
    array([4.5, 0.5])
    """
    _check_matrix(x, "x")
    check_whole("count", count, 1, min(x.shape))
    if min(x.shape) <= _SMALL:
        _, s, vectors = np.linalg.svd(x, full_matrices=False)
    else:
        _, s, vectors = _lanczos(x, count)
    order = np.argsort(s)[::-1][:count]
    return s[order].astype(np.float64) ** 2 / len(x), vectors[order].T


def _check_matrix(M, name):
    remedy = "give a numpy array [rows, columns] of finite real numbers."
    check_option(name, M, lambda _: isinstance(M, np.ndarray) and M.ndim == 2, remedy)
    check_option(name, M, lambda _: M.size and np.isrealobj(M), remedy)
    check_option(name, M, lambda _: np.isfinite(M).all(), remedy)


def _lanczos(M, count, **options):
    """Return the largest singular values; starts at random, but always alike."""
    start = np.random.default_rng(0).standard_normal(min(M.shape)).astype(M.dtype)
    return svds(M, count, v0=start, tol=_TOLERANCE, **options)


class Step(NamedTuple):
    """One step of power iteration; see :func:`power_step`."""

    before: np.ndarray
    after: np.ndarray
    ratio: float
    scale: np.ndarray


def power_step(layer: Seen, neuron: int | None = None) -> Step:
    r"""Measure what one step of power iteration does to weights.

    .. math:: w \mapsto \frac{\operatorname{cov}[x]\,w}{\|\operatorname{cov}[x]\,w\|}

    See equations (42) to (44) of :cite:t:`sixt2020lie`.

    Parameters
    ----------
    layer, neuron
        What the layer's neurons see; and one neuron, which counts where it is on, or
        all neurons at all locations if left out.

    Returns
    -------
    before, after : numpy.ndarray
        ``|cos|`` to the first eigenvector of the weights, and of the covariance times
        the weights, which is the direction of the pattern; one value per neuron.
    ratio : the first eigenvalue over the second
    scale : ``‖cov^½ w‖ / ‖cov w‖``, one value per neuron

    Raises
    ------
    InputError: if the neuron is on at fewer than two locations.

    Examples
    --------
    >>> seen = torch.tensor([[2.0, 1], [2, -1], [-2, 1], [-2, -1]]).double()
    >>> layer = modbp.measures.neurons.seen(net, seen)["fc1"]
    >>> round(modbp.measures.spectra.power_step(layer).ratio, 6)
    4.0
    """
    is_seen = isinstance(layer, Seen)
    remedy = "give what `seen` found of a layer."
    check_option("layer", layer, lambda _: is_seen, remedy)
    if neuron is not None:
        check_whole("neuron", neuron, 0, len(layer.weight) - 1)
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


def ratio(M: np.ndarray | Operator) -> float:
    """Return the first singular value of a matrix over its second.

    Parameters
    ----------
    M
        ``[rows, columns]``, at least two of both; also as an operator of one sample,
        ``chain.operator(layer, sample=0)``, which is never written out.

    Returns
    -------
    float of at least 1; infinite for a matrix of rank one

    Raises
    ------
    InputError: if there is no second singular value.

    Examples
    --------
    >>> import numpy as np
    >>> modbp.measures.spectra.ratio(np.diag([6.0, 3.0, 1.0]))
    2.0
    """
    if not isinstance(M, Operator):
        _check_matrix(M, "M")
    if min(M.shape) < 2:
        raise InputError(
            f"a matrix of shape {list(M.shape)} has one singular value. Give one with "
            "two rows and two columns at least."
        )
    if isinstance(M, np.ndarray):
        values = np.linalg.svd(M, compute_uv=False)
    else:
        found = _lanczos(_linear(M), 2, return_singular_vectors=False)
        values = np.sort(found)[::-1]
    return float(values[0] / values[1]) if values[1] else float("inf")


def between(left, right):
    r"""Return σ₁/σ₂ of what joins two neighbouring layers, ``[in, out]`` each.

    .. math:: S_l^{1/2}\, V_l^\top U_{l+1}\, S_{l+1}^{1/2},
              \qquad M_l = U_l S_l V_l^\top
    """
    _, s, v = np.linalg.svd(left, full_matrices=False)
    u, t, _ = np.linalg.svd(right, full_matrices=False)
    return ratio(np.sqrt(s)[:, None] * (v @ u) * np.sqrt(t))


def complement(operator, columns):
    r"""Return the most by which one sample's layer stretches a vector of sum zero.

    .. math:: \sigma = \|M (I - \tfrac1N \mathbf 1 \mathbf 1^\top)\|_2

    over the N columns that are given. It is `theory.euclidean` of a matrix that need
    not be written out.
    """
    rows, size = operator.shape
    linear = _linear(operator)

    def down(v):
        full = np.zeros(size)
        full[columns] = v.ravel() - v.mean()
        return linear.matvec(full)

    def up(u):
        found = linear.rmatvec(u)[columns]
        return found - found.mean()

    if len(columns) < 2:
        return 0.0
    centred = LinearOperator((rows, len(columns)), down, up, dtype=np.float64)
    return float(_lanczos(centred, 1, return_singular_vectors=False)[0])


def _linear(operator):
    """Return one sample's layer operator as SciPy wants it, float64 outside."""

    def through(function, v):
        r = torch.from_numpy(v.reshape(1, -1)).to(operator.dtype)
        return function(r)[0].cpu().double().numpy()

    ways = (partial(through, way) for way in (operator.apply, operator.adjoint))
    return LinearOperator(operator.shape, *ways, dtype=np.float64)
