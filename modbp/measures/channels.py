"""Along which dimensions of a layer's output a vector of channels runs."""

from math import prod

import torch

from modbp.backprop.rules.products import channel_dim

__all__ = ["MIXING", "channel_dims", "side_by_side"]

# Layers with weights across channels.
MIXING = ("conv", "dense")


def channel_dims(calls, shapes):
    """Return which dimensions of each output ``[N, …]`` are its channels.

    A dense layer's is the last, a convolution's the second. Other layers hand on those
    of what they read, moved or taken apart. The input's is the one that its first layer
    with weights reads as channels; the second where that is several of them.
    """
    free = {0}  # positions with no such layer below
    for position, call in enumerate(calls[1:], 1):
        if call.kind in MIXING and call.sources[0] in free:
            source, above = call.sources[0], calls[: position + 1]
            wanted = (channel_dim(call, len(shapes[source])),)
            for dim in range(1, len(shapes[0])):
                if _carried(above, shapes, (dim,))[source] == wanted:
                    return _carried(calls, shapes, (dim,))
            break
        if call.kind not in MIXING and free.issuperset(call.sources):
            free.add(position)
    return _carried(calls, shapes, (1,))


def _carried(calls, shapes, dims):
    """Return the dimensions at each call, with those of the input given."""
    found = [dims]
    for call, shape in zip(calls[1:], shapes[1:], strict=False):
        below = [(found[source], shapes[source]) for source in call.sources]
        found.append(_behind(call, below, len(shape)))
    return found


def _behind(call, below, rank):
    if call.kind in MIXING:
        return (channel_dim(call, rank),)
    if rank <= 2:
        return tuple(range(1, rank))
    same = [dims for dims, shape in below if len(shape) == rank]
    if same and call.kind != "shape":
        return same[0]
    return _moved(call, below) or (same[0] if same else (1,))


def _moved(call, below):
    """Return where channels are found again that were numbered before the call."""
    numbered = []
    for dims, shape in below:
        sizes = [size if dim in dims else 1 for dim, size in enumerate(shape)]
        numbers = torch.arange(float(prod(sizes)), dtype=torch.float64, device="cpu")
        numbered.append(numbers.reshape(sizes).expand(shape))
    found = call.layer.forward(*numbered)
    long = [dim for dim in range(1, found.ndim) if found.shape[dim] > 1]
    where = tuple(dim for dim in long if found.diff(dim=dim).any())
    # Channels that became places, as in a pixel shuffle, leave no vector.
    return where if len(where) < max(len(long), 2) else None


def side_by_side(r, dims):
    """Bring relevance ``[K, N, …]`` to ``[K, N, C, …]``, with those channels first."""
    if not dims:  # one number per sample
        return r[:, :, None]
    moved = r.movedim([dim + 1 for dim in dims], [*range(2, 2 + len(dims))])
    return moved.flatten(2, 1 + len(dims))
