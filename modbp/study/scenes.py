"""Small scenes with a question: where the answer stands in a picture is known.

Three squares, red, green and blue, stand on three of nine places; each is full or
hollow. The question names a colour, the answer is what its square is.
"""

import torch
import torch.nn.functional as F
from torch import nn

__all__ = ["Answering", "asked", "mass", "scenes", "trained"]

_CELL, _CELLS, _COLOURS = 4, 3, 3
_SIDE = _CELL * _CELLS


def scenes(count: int, seed: int = 0) -> tuple[torch.Tensor, ...]:
    """Return pictures ``[N, 3, 12, 12]``, questions and answers ``[N]``, and masks.

    A mask, ``[N, 3, 12, 12]``, is one on the square of each colour.
    """
    own = torch.Generator().manual_seed(seed)
    cells = torch.rand(count, _CELLS**2, generator=own).argsort(1)[:, :_COLOURS]
    hollow = torch.randint(2, (count, _COLOURS), generator=own)
    question = torch.randint(_COLOURS, (count,), generator=own)
    shape = (count, _COLOURS, _CELLS, _CELLS, _CELL, _CELL)
    x, mask = 0.4 + 0.2 * torch.rand(shape, generator=own), torch.zeros(shape)
    full = torch.ones(_CELL, _CELL)
    ring = full - F.pad(full[1:-1, 1:-1], [1] * 4)
    every = torch.arange(count)
    for colour, light in enumerate(torch.eye(_COLOURS)):
        row, column = cells[:, colour] // _CELLS, cells[:, colour] % _CELLS
        body = torch.stack([full, ring])[hollow[:, colour]][:, None]
        old, light = x[every, :, row, column], light[:, None, None]
        x[every, :, row, column] = old + body * (light - old)
        mask[every, colour, row, column] = 1
    x, mask = (
        each.transpose(3, 4).reshape(count, _COLOURS, _SIDE, _SIDE)
        for each in (x, mask)
    )
    return x, question, hollow[every, question], mask


def asked(x: torch.Tensor, question: torch.Tensor) -> torch.Tensor:
    """Return pictures with three further channels, of which the question's is one."""
    planes = F.one_hot(question, _COLOURS).to(x)[:, :, None, None]
    return torch.cat([x, planes.expand(-1, -1, *x.shape[2:])], 1)


class Answering(nn.Module):
    """Looks at each place by itself, takes the mean over places, and answers.

    An `early` one knows the question while it looks, and has to choose the place there,
    since what follows is linear. A late one hears it after the mean, and thinks.
    """

    def __init__(self, early: bool, width: int = 32):
        super().__init__()
        self.early = early
        self.look = nn.Sequential(
            nn.Conv2d(_COLOURS * (1 + early), width, _CELL, _CELL),
            nn.ReLU(),
            nn.Conv2d(width, width, 1),
            nn.ReLU(),
            nn.Conv2d(width, width, 1),
            nn.ReLU(),
            nn.AvgPool2d(_CELLS),
            nn.Flatten(),
        )
        thoughts = [nn.Linear(width + _COLOURS, width), nn.ReLU()]
        thoughts += [nn.Linear(width, width), nn.ReLU()]
        self.think = nn.Sequential(*thoughts * (not early), nn.Linear(width, 2))

    def forward(self, x):
        """Return the logits of full and hollow."""
        if self.early:
            return self.think(self.look(x))
        seen = self.look(x[:, :_COLOURS])
        return self.think(torch.cat([seen, x[:, _COLOURS:, 0, 0]], 1))


def trained(early: bool, seed: int = 0, steps: int = 500) -> Answering:
    """Return a network that answers, after a few seconds."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = Answering(early)
    own = torch.Generator().manual_seed(seed)
    x, question, answer, _ = scenes(4000, seed)
    x = asked(x, question)
    optimizer = torch.optim.Adam(net.parameters(), 5e-3)
    rate = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        some = torch.randint(len(x), (64,), generator=own)
        optimizer.zero_grad()
        F.cross_entropy(net(x[some]), answer[some]).backward()
        optimizer.step()
        rate.step()
    return net.eval()


def mass(r: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return which share ``[N]`` of the positive relevance of a picture is on a mask.

    Relevance ``[N, 6, 12, 12]`` is summed over the colours; the question's is left out.
    """
    positive = r[:, :_COLOURS].sum(1).clamp(min=0)
    return (positive * mask).sum((1, 2)) / positive.sum((1, 2))
