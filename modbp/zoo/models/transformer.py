"""A small vision transformer, for what its attention makes a chain of."""

import torch
import torch.nn.functional as F
from torch import nn

__all__ = ["VisionTransformer", "vit"]


class _Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def _parts(self, x):
        """Return queries, keys and values, ``[N, heads, tokens, width / heads]``."""
        split = self.qkv(x).unflatten(2, (3, self.heads, -1))
        return split.permute(2, 0, 3, 1, 4)

    def weights(self, x):
        q, k, _ = self._parts(x)
        return (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1)

    def forward(self, x):
        r = F.scaled_dot_product_attention(*self._parts(x))
        return self.out(r.transpose(1, 2).flatten(2))


class _Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = _Attention(width, heads)
        self.mlp = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class VisionTransformer(nn.Module):
    """A transformer of 64 patches of 32 × 32 pixels and a class token.

    Two convolutions of stride two make the patches.
    """

    def __init__(self, width=96, depth=8, heads=4, classes=10):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, width // 2, 3, 2, 1),
            nn.ReLU(),
            nn.Conv2d(width // 2, width, 3, 2, 1),
        )
        self.first = nn.Parameter(torch.zeros(1, 1, width))
        self.place = nn.Parameter(torch.randn(1, 65, width) / 50)
        self.blocks = nn.ModuleList(_Block(width, heads) for _ in range(depth))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, classes)

    def _tokens(self, x):
        patches = self.stem(x).flatten(2).mT
        return torch.cat([self.first.expand(len(x), 1, -1), patches], 1) + self.place

    def forward(self, x):
        tokens = self._tokens(x)
        for block in self.blocks:
            tokens = block(tokens)
        return self.head(self.norm(tokens[:, 0]))

    def attention(self, x):
        """Return each block's attention, ``[depth, N, heads, tokens, tokens]``."""
        tokens, found = self._tokens(x), []
        for block in self.blocks:
            found.append(block.attention.weights(block.norm1(tokens)))
            tokens = block(tokens)
        return torch.stack(found)


def vit() -> VisionTransformer:
    """Return the transformer with random weights."""
    return VisionTransformer().eval()
