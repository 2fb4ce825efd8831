"""Weights drawn anew, layer by layer."""

import torch
from torch import nn

from modbp.backprop.trace import Trace
from modbp.errors import TraceError, unknown_name
from modbp.measures.seeds import generator

__all__ = ["calls_of", "place", "randomise", "stages_of"]


def randomise(net, layers, seed=0):
    """Draw the weights of some layers of a network anew, in place.

    Convolutions and dense layers get Glorot-uniform weights; convolutions of a network
    with batch norm He-normal ones, as in the 2020 code. Biases are zero, and a batch
    norm is what it is before training. A layer's draw depends on seed and name alone.

    Parameters
    ----------
    net : torch.nn.Module
        The network; changed.
    layers : sequence of str
        Dotted paths of modules; those without weights stay as they are.
    seed : int
        The seed.

    Raises
    ------
    TraceError
        If a module with weights is of another type.
    """
    modules = dict(net.named_modules())
    norms = any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in net.modules())
    for path in layers:
        path = path.partition(":")[0]
        layer = modules.get(path)
        if layer is None or not any(True for _ in layer.parameters()):
            continue
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.reset_parameters()
            continue
        dense = isinstance(layer, nn.Linear)
        if not dense and not isinstance(layer, nn.modules.conv._ConvNd):
            raise TraceError(
                f"layer {path!r} is a {type(layer).__name__}; only convolutions, dense "
                "layers and batch norms can be drawn anew. Choose stages above it."
            )
        own = generator(seed, path)
        draw = torch.empty(layer.weight.shape, dtype=torch.float64)
        if norms and not dense:
            nn.init.kaiming_normal_(draw, nonlinearity="relu", generator=own)
        else:
            nn.init.xavier_uniform_(draw, generator=own)
        with torch.no_grad():
            layer.weight.copy_(draw)
            if layer.bias is not None:
                layer.bias.zero_()


def stages_of(net, x):
    """Return the layers of a network that have weights, top first.

    Parameters
    ----------
    net : torch.nn.Module
        The network.
    x : torch.Tensor
        ``[1, …]``, an input that it takes.

    Returns
    -------
    list of str
    """
    return [call.name for call in calls_of(net, x) if _weighted(call)][::-1]


@torch.no_grad()
def calls_of(net, x):
    """Return the calls of a network in order, batch norms apart.

    Parameters
    ----------
    net : torch.nn.Module
        The network.
    x : torch.Tensor
        ``[1, …]``, an input that it takes.

    Returns
    -------
    list of modbp.trace.Call

    Raises
    ------
    TraceError
        If weights belong to no module of their own.
    """
    forward = Trace(net, fold=False).run(
        x, lambda call, *inputs: call.layer.forward(*inputs)
    )
    modules = dict(net.named_modules())
    for call in forward[0]:
        module = modules.get(call.name.partition(":")[0])
        if _weighted(call) and not hasattr(module, "weight"):
            raise TraceError(
                f"{call} has weights that belong to no layer of its own, so they "
                "cannot be drawn anew. Write it as a module."
            )
    return forward[0]


def place(stage, calls, own):
    """Return the position of the first call that a stage draws anew.

    Parameters
    ----------
    stage : str
        A layer, or a module that holds several.
    calls : list of modbp.trace.Call
        The network's.
    own : bool
        Whether a module's own layers belong to the stage.

    Returns
    -------
    int

    Raises
    ------
    UnknownName
        If there is no such stage.
    """
    names = [call.name for call in calls]
    if stage in names:
        return names.index(stage)
    inside = [n for n, name in enumerate(names) if name.startswith(f"{stage}.")]
    if not inside:
        raise unknown_name("stage", stage, names)
    return inside[0] if own else inside[-1]


def _weighted(call):
    return call.kind in ("conv", "dense")
