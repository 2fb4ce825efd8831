"""Small experiments on maps that critics of sanity checks proposed."""

import torch
import torch.nn.functional as F
from torch import nn

from modbp.backprop.explain import explain, reduce

__all__ = ["blurred_away", "leaves_region", "smoothed"]


@torch.no_grad()
def blurred_away(
    net: nn.Module, x: torch.Tensor, maps: torch.Tensor, target: torch.Tensor,
    side: int = 4, steps: int = 4,
) -> torch.Tensor:  # fmt: skip
    """Return ``[N]`` how much of a class is left as the places it owes most to go.

    Squares of `side` pixels are blurred in the order of their relevance, in `steps`,
    until half of them are. What is left of the class is its logit over the mean of all,
    as a share of what it was; this is the mean over the steps. A faithful map is low.
    """
    blurred = F.avg_pool2d(x, 15, 1, 7, count_include_pad=False)
    squares = F.avg_pool2d(maps[:, None], side).flatten(1)
    order, every = squares.argsort(1, descending=True), torch.arange(len(x))
    kept = []
    for step in range(steps + 1):
        gone = order[:, : round(step / steps * squares.shape[1] / 2)]
        mask = torch.ones_like(squares).scatter_(1, gone, 0)
        mask = mask.reshape(len(x), 1, x.shape[2] // side, -1)
        mask = F.interpolate(mask, scale_factor=side)
        z = net(blurred + mask * (x - blurred))
        kept.append(z[every, target] - z.mean(1))
    return torch.stack(kept[1:]).mean(0) / kept[0]


def smoothed(
    net: nn.Module, x: torch.Tensor, method: str, target: torch.Tensor,
    samples: int = 6, noise: float = 0.1,
) -> torch.Tensor:  # fmt: skip
    """Return the mean map ``[N, H, W]`` of so many noisy copies of each image."""
    own, found = torch.Generator("cpu").manual_seed(0), 0
    for _ in range(samples):
        drawn = torch.randn(x.shape, generator=own, device="cpu").to(x)
        found = found + reduce(explain(net, x + noise * drawn, method, target), method)
    return found / samples


@torch.no_grad()
def leaves_region(layer: nn.Linear, a: torch.Tensor) -> tuple[float, float]:
    """Say where the root points of the z⁺ rule are, for one input of a dense layer.

    The root of an active neuron takes its positive contributions back, all by the same
    share, until its output is zero.

    Returns
    -------
    tuple of two floats
        Which share of the roots leave all *other* neurons on or off as they were, and
        how many of those a root switches, the median over roots.
    """
    z = layer(a)
    on = (z > 0).nonzero()[:, 0]
    positive = layer.weight[on] > 0
    share = z[on] / (layer.weight[on] * positive @ a)
    switched = (layer(a * (1 - share[:, None] * positive)) > 0) != (z > 0)
    switched[torch.arange(len(on)), on] = False
    counts = switched.sum(1)
    return (counts == 0).float().mean().item(), counts.float().median().item()
