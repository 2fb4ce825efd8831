"""Batch norm, folded by value into the linear layer before it."""

from dataclasses import replace

from modbp.backprop.trace.known import BATCH_NORMS, MODULES
from modbp.backprop.trace.reading import is_question

__all__ = ["absorb", "foldable"]


def foldable(nodes, modules):
    """Return the steps that only a batch norm reads, each with that batch norm."""
    found = {}
    for node in nodes:
        # A question about a tensor's size has the same answer behind the batch norm.
        users = [u for u in node.users if not is_question(u.op, u.target, u.args)]
        if len(users) != 1 or users[0].op != "call_module":
            continue
        if type(modules[users[0].target]) in BATCH_NORMS:
            found[node] = users[0]
    return found


def absorb(layer, module, rank):
    """Return a linear layer, ``W' = γ/σ W``, ``b' = γ/σ (b − μ) + β``, or None."""
    if layer.scaled is None or module.running_mean is None:
        return None
    if layer.kind == "dense" and rank != 2:
        return None  # its channels are the last dimension, those of the norm the second
    norm = MODULES[type(module)](module)
    try:
        weight = layer.scaled(layer.weight, norm.weight)
    except RuntimeError:
        return None  # other channels; the batch norm's own step will say so
    bias = norm.bias
    if layer.bias is not None:
        bias = bias + layer.bias * norm.weight

    def forward(a):
        return layer.linear(a, weight, bias)

    type_ = f"{layer.type} + {norm.type}"
    return replace(layer, type=type_, forward=forward, weight=weight, bias=bias)
