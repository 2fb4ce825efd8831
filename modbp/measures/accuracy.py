"""How often the right class is among the first, and within which interval."""

import torch
from scipy.stats import binomtest

__all__ = ["places", "shares"]

# Among how many of the first classes the right one may be.
TOPS = (1, 5)


def places(logits, y):
    """Return for each sample how many logits are larger than that of its class."""
    right = logits.gather(1, y[:, None])
    # Of equal logits the first one counts, as for argmax.
    before = torch.arange(logits.shape[1], device=y.device) < y[:, None]
    return ((logits > right) | (logits == right) & before).sum(1)


def shares(places, classes):
    """Return for each of `TOPS` below the number of classes a share and its interval.

    The interval is Wilson's, 95 %, over samples.
    """
    found = {}
    for top in (top for top in TOPS if top < classes):
        right = int((places < top).sum())
        interval = binomtest(right, len(places)).proportion_ci(method="wilson")
        found[top] = (right / len(places), interval.low, interval.high)
    return found
