"""Rollout as a chain: by hand, by its authors' formula, and within bounds."""

import numpy as np
import pytest
import torch

from modbp import models, theory
from modbp.study import rollout
from modbp.zoo.models.transformer import VisionTransformer


@pytest.fixture(scope="module")
def net():
    """Sharper than a fresh one, so that tokens look at different tokens."""
    net = models.build("vit", seed=1)
    with torch.no_grad():
        for block in net.blocks:
            block.attention.qkv.weight.mul_(4)
    return net


@pytest.fixture(scope="module")
def x():
    return torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def test_the_product_is_the_rollout_of_the_formula_transposed(net, x):
    """R = Â_n ⋯ Â_1 with Â = ½ (Ā + I), multiplied as Abnar and Zuidema write it."""
    attention = net.double().attention(x.double()).mean(2)
    R = torch.eye(65).double()
    for each in attention:
        R = (0.5 * each + 0.5 * torch.eye(65).double()) @ R
    chains = rollout.factors(net, x)
    for mats, rows in zip(chains, R, strict=True):
        found = np.linalg.multi_dot(mats)
        np.testing.assert_allclose(found, rows.T.numpy(), rtol=1e-10, atol=1e-15)
        np.testing.assert_allclose(found.sum(0), 1, rtol=1e-12)
    shares = R[:, 0, 1:] / R[:, 0, 1:].sum(1, keepdim=True)
    np.testing.assert_allclose(rollout.maps(chains), shares.numpy(), rtol=1e-9)


def test_bits_stay_below_the_bound_and_never_rise(net, x):
    for skip in (0, 0.5, 0.9):
        for mats in rollout.factors(net, x, skip=skip):
            left, most = rollout.left(mats), rollout.bounds(mats)
            assert left[0] == most[0] == pytest.approx(np.log2(65))
            assert all(np.diff(left) <= 1e-12)
            assert all(a <= b * (1 + 1e-9) for a, b in zip(left, most, strict=True))
            whole = [theory.bits_bound(mats[8 - k :]) for k in range(1, 9)]
            np.testing.assert_allclose(most[1:], whole, rtol=1e-9)


def test_a_skip_alone_keeps_everything_and_equal_attention_half_at_most(net, x):
    for mats in rollout.factors(net, x[:1], skip=1):
        assert rollout.left(mats) == pytest.approx([np.log2(65)] * 9)
    even = [np.full((4, 4), 1 / 8) + np.eye(4) / 2] * 3
    assert rollout.bounds(even) == pytest.approx([2, 1, 1 / 2, 1 / 4])
    left, most = rollout.left(even), rollout.bounds(even)
    assert all(a <= b for a, b in zip(left, most, strict=True))


def test_tokens_are_apart_by_what_they_do_not_share(x):
    """Blocks that do nothing: before and after, what the first tokens are."""
    net = models.build("vit")
    for block in net.blocks:
        for layer in (block.attention.out, block.mlp[2]):
            torch.nn.init.zeros_(layer.weight)
            torch.nn.init.zeros_(layer.bias)
    tokens = net.tokens(x).detach()
    rest = tokens - tokens.mean(1, keepdim=True)
    wanted = (rest.square().sum((1, 2)) / tokens.square().sum((1, 2))).sqrt()
    found = rollout.apart(net, x)
    np.testing.assert_allclose(found, np.tile(wanted[:, None], 9), rtol=1e-5)
    assert not any(block._forward_hooks for block in net.blocks)
    # By hand: a token of ones among 64 of zeros, whose mean is 1/65 of it.
    for layer in net.stem:
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.zeros_(layer.weight)
            torch.nn.init.zeros_(layer.bias)
    torch.nn.init.zeros_(net.place)
    torch.nn.init.ones_(net.first)
    assert rollout.apart(net, x).max() == pytest.approx(8 / 65**0.5, rel=1e-5)


def test_sources_are_the_norms_of_the_derivatives():
    """Against the Jacobian of a small network, and exact where blocks do nothing."""
    torch.manual_seed(0)
    net = VisionTransformer(width=8, depth=2, heads=2).eval()
    net.stem = torch.nn.Conv2d(3, 8, 16, 16)
    net.place = torch.nn.Parameter(net.place[:, :5])
    x = torch.rand(1, 3, 32, 32)
    (found,) = rollout.sources(net, x, draws=2000)

    def last(tokens):
        for block in net.blocks:
            tokens = block(tokens)
        return tokens

    J = torch.autograd.functional.jacobian(last, net.tokens(x).detach())
    norms = J[0, :, :, 0].square().sum((1, 3)).sqrt().T
    wanted = (norms / norms.sum(0)).numpy()
    # 2,000 draws: a square is right to two or three per cent, its root to half of it.
    np.testing.assert_allclose(found, wanted, rtol=0.06)
    for block in net.blocks:
        for layer in (block.attention.out, block.mlp[2]):
            torch.nn.init.zeros_(layer.weight)
    np.testing.assert_allclose(rollout.sources(net, x)[0], np.eye(5), atol=1e-12)
