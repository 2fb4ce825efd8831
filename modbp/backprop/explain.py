"""Explain a network's decision in one call."""

import torch

from modbp.backprop import methods
from modbp.backprop.chain import Chain
from modbp.backprop.checks import check_target
from modbp.errors import InputError

__all__ = ["explain", "reduce"]


def explain(net, x, method, target=None, *, fold=True):
    """Explain one logit per sample by relevance of the input.

    Parameters
    ----------
    net : torch.nn.Module
        A classifier in evaluation mode; it is only read.
    x : torch.Tensor
        ``[N, …]`` inputs.
    method : str or Method
        A name of `modbp.methods.names()`, or a method of yours.
    target : int or sequence of int, optional
        The class to explain, one for all or one per sample; the largest logit if left
        out.
    fold : bool
        Whether batch norm becomes part of the linear layer before it, where it can.

    Returns
    -------
    torch.Tensor
        Of the shape, type and device of `x`.

    Raises
    ------
    ModbpError
        If the input, the network or the method does not fit; see `modbp.errors`.
    """
    method = methods.get(method)
    if isinstance(method, methods.Averaged):
        return _average(net, x, target, method, fold)
    return Chain(net, x, method, fold=fold).explain(target)


@torch.no_grad()
def _average(net, x, target, method, fold):
    """Explain several inputs by the class of the one that is given."""

    def chain(point):
        return Chain(net, point, method.method, fold=fold)

    target = check_target(target, chain(x).logits)[:, 0]
    return method.average(x, lambda point: chain(point).explain(target))


def reduce(r, method):
    """Make one number per pixel of a relevance with colour channels.

    Parameters
    ----------
    r : torch.Tensor
        ``[N, C, H, W]``.
    method : str or Method
        Says whether channels are summed or the largest absolute value counts.

    Returns
    -------
    torch.Tensor
        ``[N, H, W]``.

    Raises
    ------
    InputError
        If `r` is not an image-shaped batch.
    """
    if r.ndim != 4:
        raise InputError(
            f"relevance has shape {list(r.shape)}; a map needs [N, channels, height, "
            "width]."
        )
    if methods.get(method).reduction == "max-abs":
        return r.abs().amax(1)
    return r.sum(1)
