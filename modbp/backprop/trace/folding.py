"""Batch norm, folded by value into the linear layer before it."""

from dataclasses import replace

__all__ = ["fold"]


def fold(entries):
    """Return the entries with each batch norm in the layer that it alone reads."""
    readers = {}
    for entry in entries:
        for source in entry.sources:
            readers.setdefault(source, []).append(entry)
    kept, new = [], {}
    for position, entry in enumerate(entries):
        below = entries[entry.sources[0]] if entry.sources else None
        whole = None
        if entry.layer.kind == "norm" and len(readers[entry.sources[0]]) == 1:
            whole = _whole(below.layer, entry.layer, len(below.shape))
        if whole is not None:
            # The layer's entry, which comes earlier, is both; this one is gone.
            below.layer, below.folded = whole, entry.name
            new[position] = new[entry.sources[0]]
            continue
        new[position] = len(kept)
        kept.append(entry)
    for entry in kept:
        entry.sources = tuple(new[source] for source in entry.sources)
    return kept


def _whole(layer, norm, rank):
    """Return a linear layer, ``W' = γ/σ W``, ``b' = γ/σ (b − μ) + β``, or None."""
    if layer.scaled is None:
        return None
    if layer.kind == "dense" and rank != 2:
        return None  # its channels are the last dimension, those of the norm the second
    weight = layer.scaled(layer.weight, norm.weight).detach()
    bias = norm.bias
    if layer.bias is not None:
        bias = bias + layer.bias * norm.weight
    bias = bias.detach()

    def forward(a):
        return layer.linear(a, weight, bias)

    type_ = f"{layer.type} + {norm.type}"
    return replace(layer, type=type_, forward=forward, weight=weight, bias=bias)
