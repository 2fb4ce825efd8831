"""How near matrices are to rank one: the first singular value over the second."""

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator, svds

from modbp.backprop.checks import check_input
from modbp.backprop.trace import Trace
from modbp.errors import InputError, MethodError

__all__ = ["as_linear_operator", "between", "ratio", "taps"]

# Relative, of singular values; networks compute in float32, which has no more to give.
_TOLERANCE = 1e-5


def ratio(M):
    """Return the first singular value of a matrix over its second.

    Parameters
    ----------
    M : numpy.ndarray or scipy.sparse.linalg.LinearOperator
        ``[rows, columns]``, at least two of both.

    Returns
    -------
    float
        At least 1; infinite for a matrix of rank one.

    Raises
    ------
    InputError
        If there is no second singular value.
    """
    if min(M.shape) < 2:
        raise InputError(
            f"a matrix of shape {list(M.shape)} has one singular value. Give one with "
            "two rows and two columns at least."
        )
    if isinstance(M, np.ndarray):
        values = np.linalg.svd(M, compute_uv=False)
    else:
        start = np.random.default_rng(0).standard_normal(min(M.shape))
        options = {"v0": start, "tol": _TOLERANCE, "return_singular_vectors": False}
        values = np.sort(svds(M, 2, **options))[::-1]
    return float(values[0] / values[1]) if values[1] else float("inf")


def between(left, right):
    r"""Return σ₁/σ₂ of what joins two neighbouring layers.

    .. math:: S_l^{1/2}\, V_l^\top U_{l+1}\, S_{l+1}^{1/2},
              \qquad M_l = U_l S_l V_l^\top

    Parameters
    ----------
    left, right : numpy.ndarray
        ``[in, out]``, the one nearer to the input first.

    Returns
    -------
    float
        At least 1.
    """
    _, s, v = np.linalg.svd(left, full_matrices=False)
    u, t, _ = np.linalg.svd(right, full_matrices=False)
    return ratio(np.sqrt(s)[:, None] * (v @ u) * np.sqrt(t))


def as_linear_operator(operator):
    """Return one sample's layer operator in the form that scipy wants.

    Parameters
    ----------
    operator : modbp.operators.Operator
        Of a single sample, as ``chain.operator(layer, sample=0)`` gives it.

    Returns
    -------
    scipy.sparse.linalg.LinearOperator
        ``[in, out]``, float64 outside.
    """

    def through(function):
        def apply(v):
            r = torch.from_numpy(v.reshape(1, -1)).to(operator.dtype)
            return function(r)[0].double().numpy()

        return apply

    return LinearOperator(
        operator.shape,
        matvec=through(operator.apply),
        rmatvec=through(operator.adjoint),
        dtype=np.float64,
    )


@torch.no_grad()
def taps(net, x, weights=None):
    """Return one matrix from channels to channels for each layer of a plain chain.

    Of a convolution it is the central tap, of a dense layer behind a flattened picture
    the central position, at ``(size - 1) // 2``: the matrices of the 2020 code.

    Parameters
    ----------
    net : torch.nn.Module
        A network without branches, in evaluation mode.
    x : torch.Tensor
        ``[N, …]``, inputs, for their shape only.
    weights : dict of str to torch.Tensor, optional
        Tensors of the weights' shapes, instead of the weights: patterns, say.

    Returns
    -------
    dict of str to numpy.ndarray
        ``[in, out]`` float64, input first.

    Raises
    ------
    MethodError
        If sizes do not fit, as where a network branches.
    """
    found, shapes = {}, []

    def visit(call, a, *more):
        shapes.append(a.shape[1:])
        if call.kind in ("conv", "dense"):
            W = (call.layer.weight if weights is None else weights[call.name]).double()
            # Of a picture that was flattened on the way from the layer below.
            flat = [shape for shape in shapes if len(shape) > 1]
            if call.kind == "dense" and flat and flat[-1].numel() == W.shape[1]:
                W = W.unflatten(1, flat[-1])
            shapes.clear()
            found[call.name] = _centre(W).T.cpu().numpy()
        return call.layer.forward(a, *more)

    check_input(net, x)
    Trace(net).run(x[:1], visit)
    names = list(found)
    for below, above in zip(names, names[1:], strict=False):
        if found[below].shape[1] != found[above].shape[0]:
            raise MethodError(
                f"{below} gives {found[below].shape[1]} channels and {above} reads "
                f"{found[above].shape[0]}: no plain chain. Choose a network without "
                "branches and groups."
            )
    return found


def _centre(W):
    for _ in range(W.ndim - 2):
        W = W[:, :, (W.shape[2] - 1) // 2]
    return W
