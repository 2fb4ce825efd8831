"""Weights drawn anew, layer by layer."""

import copy
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.utils import parametrize

from modbp.errors import (
    InputError,
    TraceError,
    check_names,
    check_option,
    in_a_line,
    unknown_name,
)
from modbp.measures.channels import MIXING
from modbp.measures.seeds import generator

__all__ = ["randomise", "twins"]

_DRAWN = (nn.Linear, nn.modules.conv._ConvNd)
# These are what they are before training, which is no random draw.
_RESET = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
_RESET += (nn.PReLU,)


def randomise(net: nn.Module, layers: Sequence[str], seed: int = 0) -> None:
    """Draw the weights of some layers of a network anew, in place.

    Convolutions, dense layers and torch's attention get Glorot-uniform weights;
    convolutions of a network with batch norm He-normal ones, as in the 2020 code.
    Biases are zero, and norms are what they are before training. A layer's draw depends
    on seed and name alone.

    Parameters
    ----------
    net : The network; changed.
    layers : Dotted paths of modules; those without weights stay as they are.
    seed : Of all draws.

    Raises
    ------
    TraceError : If a module with weights is of another type, or computes its weight.

    Examples
    --------
    >>> modbp.sanity.randomise(net, ["fc2"])
    >>> net.fc2.weight.abs().max() < (6 / 4) ** 0.5
    tensor(True)
    """
    remedy = "give a torch.nn.Module."
    check_option("net", net, lambda _: isinstance(net, nn.Module), remedy)
    layers = check_names("layers", layers, "give names, as in ['conv1', 'fc'].")
    modules = dict(net.named_modules())
    norms = any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in net.modules())
    for path in layers:
        path = _owner(path, modules)
        if path is None:
            continue
        layer = modules[path]
        if not torch.is_inference_mode_enabled() and any(
            entry.is_inference() for entry in layer.parameters()
        ):
            raise TraceError(
                f"layer {path!r} was made in torch.inference_mode(), and cannot be "
                "changed outside of it. Draw copy.deepcopy(net) anew."
            )
        if isinstance(layer, _RESET):
            layer.reset_parameters()
            continue
        if isinstance(layer, nn.MultiheadAttention):
            _draw_attention(layer, path, seed)
            continue
        dense = isinstance(layer, nn.Linear)
        if not isinstance(layer, _DRAWN):
            raise TraceError(
                f"layer {path!r} is a {type(layer).__name__}; only convolutions, dense "
                "layers, attention and norms can be drawn anew. Choose stages above it."
            )
        if (plain := _remedy(layer)) is not None:
            raise TraceError(
                f"layer {path!r} computes its weight from others, as weight norm, "
                "spectral norm and pruning do, so that it cannot be drawn anew. Let "
                f"it keep what it computes, layer being net.get_submodule({path!r}): "
                f"{plain}."
            )
        own = generator(seed, path)
        draw = torch.empty(layer.weight.shape, dtype=torch.float64, device="cpu")
        if norms and not dense:
            nn.init.kaiming_normal_(draw, nonlinearity="relu", generator=own)
        else:
            nn.init.xavier_uniform_(draw, generator=own)
        with torch.no_grad():
            layer.weight.copy_(draw)
            if layer.bias is not None:
                layer.bias.zero_()


def _remedy(layer):
    """Return what makes a computed weight one that is kept; None if it is."""
    if "weight" in layer._parameters:
        return None
    utils = "torch.nn.utils"
    if parametrize.is_parametrized(layer, "weight"):
        return f"{utils}.parametrize.remove_parametrizations(layer, 'weight')"
    old = {
        "weight_mask": f"{utils}.prune.remove(layer, 'weight')",
        "weight_g": f"{utils}.remove_weight_norm(layer)",
        "weight_u": f"{utils}.remove_spectral_norm(layer)",
    }
    found = (told for key, told in old.items() if hasattr(layer, key))
    return next(found, "layer.weight = torch.nn.Parameter(layer.weight.detach())")


@torch.no_grad()
def _draw_attention(layer, path, seed):
    """Draw the matrices of attention, whose own names say which is which."""
    for name, value in layer.named_parameters():
        draw = torch.zeros(value.shape, dtype=torch.float64, device="cpu")
        if value.ndim == 2:
            own = generator(seed, f"{path}.{name}")
            nn.init.xavier_uniform_(draw, generator=own)
        value.copy_(draw)


def _owner(path, modules):
    """Return the module whose parameters a call uses: its own, or the one around it."""
    path = path.partition(":")[0]
    own = path in modules and any(True for _ in modules[path].parameters(False))
    if own or isinstance(modules.get(path), _DRAWN):
        return path
    # A heir of a layer calls a function, as with weights that are standardised first.
    around = path.rpartition(".")[0]
    heir = isinstance(modules.get(around), (*_RESET, *_DRAWN))
    return around if around and heir else None


def twins(net, calls, stages, seed, own):
    """Yield stages and a copy of a network, of these `calls`, random down to there."""
    weighted = _weighted(net, calls)
    if stages is None:
        stages = weighted[::-1]
    remedy = "give names, top first, as in ['fc', 'conv1']."
    stages = check_names("stages", stages, remedy)
    check_option("stages", stages, len, remedy)
    names = [name for call in calls for name in (call.name, call.folded) if name]
    places = [_place(stage, names, own) for stage in stages]
    if places != sorted(places, reverse=True):
        raise InputError(
            f"the stages {', '.join(stages)} do not go down; give the top one first."
        )
    twin, before = _copied(net), len(names)
    for stage, first in zip(stages, places, strict=True):
        randomise(twin, names[first:before], seed)
        before = first
        yield stage, twin


def _copied(net):
    try:
        return copy.deepcopy(net)
    except Exception as error:  # a module may hold anything
        told = in_a_line(error)
        raise TraceError(
            "the network cannot be copied, and weights are drawn anew in a copy: "
            f"copy.deepcopy(net) stops with {type(error).__name__}: {told}. Take out "
            "of the network what it refuses."
        ) from error


def _place(stage, names, own):
    """Return where the layers that a stage draws anew begin."""
    if stage in names:
        return names.index(stage)
    inside = [n for n, name in enumerate(names) if name.startswith(f"{stage}.")]
    if not inside:
        raise unknown_name("stage", stage, names)
    return inside[0] if own else inside[-1]


def _weighted(net, calls):
    """Return the layers with weights in order; they are modules of their own."""
    modules = dict(net.named_modules())
    found = [call for call in calls if call.kind in MIXING]
    for call in found:
        if not hasattr(modules.get(_owner(call.name, modules)), "weight"):
            raise TraceError(
                f"{call} has weights that belong to no layer of its own, so they "
                "cannot be drawn anew. Write it as a module."
            )
    return [call.name for call in found]
