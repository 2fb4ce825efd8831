"""A small vision transformer, whose attention is a chain of matrices."""

import torch
from torch import nn

__all__ = ["VisionTransformer", "vit"]

CLASSES = 10
# Tokens: a picture of 32 × 32 pixels has a patch for every four by four of them.
_PATCHES = 64


class Attention(nn.Module):
    """Attention of tokens to tokens, with heads side by side."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def _parts(self, x):
        """Return how tokens attend, and their values: ``[N, heads, tokens, …]``."""
        split = self.qkv(x).unflatten(2, (3, self.heads, -1))
        q, k, v = split.permute(2, 0, 3, 1, 4)
        return (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1), v

    def weights(self, x):
        """Return how much each token takes from each, ``[N, heads, tokens, tokens]``.

        Each row sums to one: what a token takes from all.
        """
        return self._parts(x)[0]

    def forward(self, x):
        """Map tokens ``[N, tokens, width]``."""
        weights, v = self._parts(x)
        return self.out((weights @ v).transpose(1, 2).flatten(2))


class Block(nn.Module):
    """Attention and two dense layers, each behind a norm, and each added."""

    def __init__(self, width, heads):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.mlp = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, x):
        """Map tokens ``[N, tokens, width]``."""
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class VisionTransformer(nn.Module):
    """A transformer of a class token and 64 patches of 32 × 32 pixels.

    Three convolutions make the patches. The class token comes first, and alone goes to
    the logits.
    """

    def __init__(self, width=64, depth=8, heads=4, classes=CLASSES):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, width // 2, 3, 1, 1),
            nn.ReLU(),
            nn.Conv2d(width // 2, width, 3, 2, 1),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, 2, 1),
        )
        self.first = nn.Parameter(torch.zeros(1, 1, width))
        self.place = nn.Parameter(torch.randn(1, 1 + _PATCHES, width) / 50)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, classes)

    def tokens(self, x):
        """Return what goes into the first block, ``[N, tokens, width]``."""
        patches = self.stem(x).flatten(2).mT
        return torch.cat([self.first.expand(len(x), 1, -1), patches], 1) + self.place

    def forward(self, x):
        """Map images ``[N, 3, 32, 32]`` to logits ``[N, classes]``."""
        tokens = self.tokens(x)
        for block in self.blocks:
            tokens = block(tokens)
        return self.head(self.norm(tokens[:, 0]))

    @torch.no_grad()
    def attention(self, x):
        """Return each block's attention, ``[blocks, N, heads, tokens, tokens]``.

        The first block comes first; rows, which sum to one, are tokens that take, and
        columns those that they take from.
        """
        tokens, found = self.tokens(x), []
        for block in self.blocks:
            found.append(block.attention.weights(block.norm1(tokens)))
            tokens = block(tokens)
        return torch.stack(found)


def vit():
    """Return the transformer, untrained."""
    return VisionTransformer()
