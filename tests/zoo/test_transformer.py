"""The vision transformer: what its attention is, and that it attends as it says."""

import pytest
import torch
from torch import nn

import modbp
from modbp import models
from modbp.errors import MethodError, WeightsError
from modbp.zoo.models.transformer import Attention, VisionTransformer


@pytest.fixture(scope="module")
def net():
    return models.build("vit", seed=3)


def test_each_token_takes_shares_that_sum_to_one(net):
    found = net.attention(torch.rand(2, 3, 32, 32))
    assert found.shape == (8, 2, 4, 65, 65) and not found.requires_grad
    assert found.min() >= 0
    torch.testing.assert_close(found.sum(-1), torch.ones(8, 2, 4, 65))


def test_attention_is_that_of_torch():
    """With the same weights, the oracle has the same output and the same shares."""
    torch.manual_seed(0)
    ours, oracle = Attention(12, 3), nn.MultiheadAttention(12, 3, batch_first=True)
    with torch.no_grad():
        oracle.in_proj_weight.copy_(ours.qkv.weight)
        oracle.in_proj_bias.copy_(ours.qkv.bias)
        oracle.out_proj.load_state_dict(ours.out.state_dict())
    x = torch.randn(2, 7, 12)
    wanted, shares = oracle(x, x, x, average_attn_weights=False)
    torch.testing.assert_close(ours(x), wanted)
    torch.testing.assert_close(ours.weights(x), shares)


def test_by_hand_a_token_attends_by_the_exponential_of_its_product():
    one = Attention(1, 1)
    with torch.no_grad():
        one.qkv.weight.fill_(1)
        one.qkv.bias.zero_()
    # Queries and keys are the tokens 0 and log 3: products 0, 0 and 0, (log 3)².
    a = torch.tensor(3.0).log()
    found = one.weights(torch.stack([0 * a, a]).reshape(1, 2, 1))[0, 0]
    share = 1 / (1 + torch.exp(-a * a))
    wanted = torch.tensor([[0.5, 0.5], [1 - share, share]])
    torch.testing.assert_close(found, wanted)


def test_the_blocks_attend_as_in_the_forward_pass(net):
    """What `attention` tells is what each block computes when the network runs."""
    x, seen = torch.rand(1, 3, 32, 32), []
    hooks = [
        block.attention.register_forward_hook(lambda m, i, _: seen.append((m, *i)))
        for block in net.blocks
    ]
    with torch.no_grad():
        net(x)
    for hook in hooks:
        hook.remove()
    for (module, tokens), found in zip(seen, net.attention(x), strict=True):
        torch.testing.assert_close(module.weights(tokens), found)


def test_the_order_of_patches_matters_by_place_alone():
    """Without places, patches in another order give the same logits."""
    net = VisionTransformer(width=8, depth=2, heads=2).eval()
    net.stem = nn.Conv2d(3, 8, 4, 4)
    x = torch.rand(1, 3, 32, 32)
    turned = x.reshape(1, 3, 8, 4, 32).flip(2).reshape(1, 3, 32, 32)
    with torch.no_grad():
        assert not torch.allclose(net(x), net(turned), atol=1e-6)
        net.place[:, 1:] = 0
        torch.testing.assert_close(net(x), net(turned))


def test_gradients_explain_it_and_rules_refuse_it(net):
    x = torch.rand(2, 3, 32, 32, requires_grad=True)
    net(x)[:, 4].sum().backward()
    found = modbp.explain(net, x.detach(), "gradient", 4)
    torch.testing.assert_close(found, x.grad)
    for method in ("lrp-a1b0", "lrp-z", "deeplift-rescale"):
        with pytest.raises(MethodError, match="Attention multiplies"):
            modbp.explain(net, x.detach(), method, 4)


def test_it_has_no_weights_of_imagenet():
    with pytest.raises(WeightsError, match="vit was made for small images"):
        models.vit("imagenet")
