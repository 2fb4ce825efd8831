"""Explain a network's decision in one call."""

import torch

from modbp import methods
from modbp.chain import Chain
from modbp.checks import check_target

__all__ = ["explain"]


def explain(net, x, target=None, method="lrp-a1b0"):
    """Explain one logit per sample by relevance of the input.

    Parameters
    ----------
    net : torch.nn.Module
        A classifier in evaluation mode; it is only read.
    x : torch.Tensor
        ``[N, …]`` inputs.
    target : int or sequence of int, optional
        The class to explain, one for all or one per sample; the largest logit if left
        out.
    method : str or Method
        A name of `modbp.methods.names()`, or a method of yours.

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
        return _average(net, x, target, method)
    return Chain(net, x, method).explain(target)


@torch.no_grad()
def _average(net, x, target, method):
    """Explain several inputs by the class of the one that is given."""
    target = check_target(target, Chain(net, x, method.method).logits)[:, 0]
    inner = method.method
    return method.average(x, lambda point: Chain(net, point, inner).explain(target))
