"""Explain a network's decision in one call."""

from collections.abc import Sequence

import torch
from torch import nn

from modbp.backprop import methods
from modbp.backprop.chain import Recording
from modbp.backprop.checks import check_target
from modbp.backprop.trace import Trace
from modbp.errors import InputError

__all__ = ["explain", "explain_each", "reduce"]


def explain(
    net: nn.Module, x: torch.Tensor, method: str | methods.Method | methods.Averaged,
    target: int | Sequence[int] | None = None, *, fold: bool = True,
) -> torch.Tensor:  # fmt: skip
    """Explain one logit per sample by relevance of the input.

    Parameters
    ----------
    net : A classifier in evaluation mode; it is only read.
    x : ``[N, …]`` inputs.
    method : A name of :func:`modbp.methods.names`, or a method of yours.
    target
        The class to explain, one for all or ``[N]``; the largest logit if left out.
    fold : Whether batch norm becomes part of the linear layer before it, where it can.

    Returns
    -------
    torch.Tensor : Of the shape, type and device of `x`.

    Raises
    ------
    ModbpError
        If the input, the network or the method does not fit; see `modbp.errors`.

    Examples
    --------
    >>> modbp.explain(net, x, "gradient", target=1)
    tensor([[2., 1.]], dtype=torch.float64)
    """
    method = methods.get(method)
    return explain_each(Trace(net, fold), x, method, lambda _: [target])[0]


@torch.no_grad()
def explain_each(trace, x, method, choose):
    """Explain the `K` targets of ``choose(recording)`` in one pass: ``[K, N, …]``."""
    if not isinstance(method, methods.Averaged):
        recording = Recording(trace, x, method, keep=False)
        return recording.explain(choose(recording))

    def record(point):
        return Recording(trace, point, method.method, keep=False)

    own = record(x)  # whose classes count, whatever is seen in the other inputs
    targets = [check_target(target, own.logits)[:, 0] for target in choose(own)]
    del own
    return method.average(x, lambda point: record(point).explain(targets))


def reduce(
    r: torch.Tensor, method: str | methods.Method | methods.Averaged
) -> torch.Tensor:
    """Make one number per pixel of a relevance with colour channels.

    Parameters
    ----------
    r : ``[N, C, H, W]``.
    method : Says whether channels are summed or the largest absolute value counts.

    Returns
    -------
    torch.Tensor : ``[N, H, W]``.

    Raises
    ------
    InputError : If `r` is not an image-shaped batch.

    Examples
    --------
    >>> r = torch.tensor([1.0, -3.0, 1.0]).reshape(1, 3, 1, 1)
    >>> [modbp.figures.reduce(r, name).item() for name in ("lrp-z", "gradient")]
    [-1.0, 3.0]
    """
    if r.ndim != 4:
        raise InputError(
            f"relevance has shape {list(r.shape)}; a map needs [N, channels, height, "
            "width]."
        )
    if methods.get(method).reduction == "max-abs":
        return r.abs().amax(1)
    return r.sum(1)
