"""Explain a network's decision in one call."""

import torch

from modbp import methods
from modbp.chain import Chain
from modbp.checks import check_target

__all__ = ["explain"]


def explain(net, x, target=None, method="lrp-a1b0", fold=True):
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
    return Chain(net, x, method, fold).explain(target)


@torch.no_grad()
def _average(net, x, target, method, fold):
    """Explain several inputs by the class of the one that is given."""

    def chain(point):
        return Chain(net, point, method.method, fold)

    target = check_target(target, chain(x).logits)[:, 0]
    return method.average(x, lambda point: chain(point).explain(target))
