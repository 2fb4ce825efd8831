"""Attention rollout, as the chain of matrices that it is."""

import numpy as np
import torch

from modbp import theory
from modbp.measures.precision import in_float64, network_in_float64
from modbp.zoo.models.transformer import VisionTransformer

__all__ = ["apart", "bounds", "factors", "left", "maps", "sources"]


def factors(
    net: VisionTransformer, x: torch.Tensor, skip: float = 0.5
) -> list[list[np.ndarray]]:
    r"""Return the matrices that rollout multiplies, for each image, as chains.

    Equation: ``((1 − skip) Ā + skip I)ᵀ`` for each block, with Ā the attention, in the
    mean over heads (S. Abnar and W. Zuidema, 2020, who give both parts one half).
    Transposed, columns sum to one, tokens that ask are columns, and the first block
    stands next to the input, as everywhere in `theory`.
    """
    weights = network_in_float64(net).attention(in_float64(x)).mean(2)
    one = torch.eye(weights.shape[-1], dtype=weights.dtype)
    steps = ((1 - skip) * weights + skip * one).mT
    return [[*chain] for chain in steps.transpose(0, 1).numpy()]


def left(mats: list[np.ndarray]) -> list[float]:
    """Return the bits about which token asked, after each block from the last down.

    The first of them is what the choice of a token is worth.
    """
    depth = len(mats)
    found = (theory.bits(mats[depth - k :]) for k in range(1, depth + 1))
    return [float(np.log2(len(mats[0]))), *found]


def bounds(mats: list[np.ndarray]) -> list[float]:
    """Return what is left of these bits at most, by Dobrushin's coefficients."""
    deltas = [1.0, *map(theory.dobrushin, reversed(mats))]
    return [*(np.log2(len(mats[0])) * np.cumprod(deltas)).tolist()]


def maps(chains: list[list[np.ndarray]]) -> np.ndarray:
    """Return ``[N, patches]`` where the class token's rollout ends, as shares."""
    found = [theory.products(mats)[-1][1:, 0] for mats in chains]
    return np.array([each / each.sum() for each in found])


@torch.no_grad()
def apart(net: VisionTransformer, x: torch.Tensor) -> np.ndarray:
    """Return ``[N, blocks + 1]`` how far tokens are from being one, before and after.

    Equation: ``‖X − 1x̄ᵀ‖ / ‖X‖`` with the tokens as rows of X and x̄ their mean (Y. Dong
    and others, 2021, by another norm). It is zero where all tokens are the same.
    """
    found = []

    def note(_, inputs, output=None):
        tokens = inputs[0] if output is None else output
        rest = tokens - tokens.mean(1, keepdim=True)
        found.append(rest.flatten(1).norm(dim=1) / tokens.flatten(1).norm(dim=1))

    hooks = [net.blocks[0].register_forward_pre_hook(note)]
    hooks += [block.register_forward_hook(note) for block in net.blocks]
    try:
        net(x)
    finally:
        for hook in hooks:
            hook.remove()
    return torch.stack(found, dim=1).numpy()


def sources(
    net: VisionTransformer, x: torch.Tensor, draws: int = 2, seed: int = 0
) -> np.ndarray:
    """Return ``[N, tokens, tokens]`` what each last token really is sensitive to.

    Entry ``[j, i]`` is in proportion to ``‖∂ last token i / ∂ first token j‖``, the
    Frobenius norm, and columns sum to one, so that it stands beside the rollout. Norms
    are estimated by so many random vectors each.
    """
    own, found = torch.Generator().manual_seed(seed), []
    for first in net.tokens(x).detach():
        count, width = first.shape
        asked = torch.arange(count).repeat(draws)
        starts = first.expand(len(asked), -1, -1).clone().requires_grad_()
        last = starts
        for block in net.blocks:
            last = block(last)
        v = torch.randn(len(asked), width, generator=own).to(last)
        told = (last[torch.arange(len(asked)), asked] * v).sum()
        (slope,) = torch.autograd.grad(told, starts)
        squares = slope.square().sum(2).reshape(draws, count, count).mean(0)
        norms = in_float64(squares).sqrt().T
        found.append((norms / norms.sum(0)).numpy())
    return np.array(found)
