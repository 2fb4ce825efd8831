"""Layers that people bring, in all their spellings: each against its definition."""

import peers
import pytest
import torch
import torch.nn.functional as F
from nets import Net, fingerprint, normal, relative, trained, uniform
from torch import nn

import modbp
from modbp import methods
from modbp.errors import MethodError, ModbpError
from modbp.zoo.vision import load_torchvision

vision = load_torchvision()

IMAGES = (4, 4, 4)
VECTORS = (6,)
TOKENS = (3, 6)


def parts():
    """Return what functions of the tables find on their network."""
    return {
        "conv": nn.Conv2d(4, 4, 3, padding=1),
        "point": nn.Conv2d(4, 4, 1),
        "eca": nn.Conv1d(1, 1, 3, padding=1, bias=False),
        "spatial": nn.Conv2d(2, 1, 3, padding=1),
        "squeeze": nn.Linear(4, 2),
        "excite": nn.Linear(2, 4),
        "wide": nn.Conv2d(4, 8, 1),
        "fc": nn.Linear(6, 6),
        "norm": nn.BatchNorm2d(4),
        "slope": nn.Parameter(torch.empty(4)),
        "matrix": nn.Parameter(torch.empty(6, 5)),
        "vector": nn.Parameter(torch.empty(6)),
        "picture": nn.Parameter(torch.empty(1, 4, 4, 4)),
        "token": nn.Parameter(torch.empty(1, 1, 6)),
        "up": nn.ConvTranspose2d(4, 2, 3, 2, 1, bias=False),
        "kernel": nn.Parameter(torch.empty(4, 4, 2, 2)),
    }


def se(n, x):
    return torch.sigmoid(n.excite(n.squeeze(x.mean((2, 3))).relu()))


def pooled(n, x):
    return F.adaptive_avg_pool2d(x, 1)


def cbam(n, x):
    both = torch.cat([x.mean(1, keepdim=True), x.max(1, keepdim=True)[0]], 1)
    return torch.sigmoid(n.spatial(both))


def same(x, kernel, stride, value=0.0):
    """Pad as TensorFlow does."""
    pads = []
    for size in reversed(x.shape[-2:]):
        total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        pads += [total // 2, total - total // 2]
    return F.pad(x, pads, value=value)


def added(x, other):
    x += other
    return x


def multiplied(x, other):
    x *= other
    return x


def divided(x, other):
    x /= other
    return x


def subtracted(x, other):
    x -= other
    return x


def shuffled(x, groups):
    n, c, h, w = x.size()
    x = x.view(n, groups, c // groups, h, w)
    return torch.transpose(x, 1, 2).contiguous().view(n, -1, h, w)


def asserting(x):
    assert x.shape[1] == 4 and x.ndim == 4 and len(x) and x.dim() == 4
    assert x.size(-1) == x.size()[2], f"{x.shape}"
    torch._assert(x.shape[2] == 4, "size")
    return F.pad(x, (0, x.shape[-1] % 3)) if x.numel() else x


def overwritten(x):
    """Overwrite a copy under its own name."""
    h = x.clone()
    h.mul_(2).add_(1)
    return h


def efficient(n, x):
    return n.eca(pooled(n, x).squeeze(-1).mT).mT.unsqueeze(-1)


def resized(a):
    return F.interpolate(a, size=4, mode="bilinear")


# What shares out by contribution: ``a ⊙ Jᵀ(r / J a)`` with the derivative `J`.
LINEAR = {
    IMAGES: [
        # Convolutions with padding of every kind
        nn.Conv2d(4, 3, 2, padding="same", bias=False),
        nn.Conv2d(4, 3, (2, 3), padding="same", dilation=(3, 1), bias=False),
        nn.Conv2d(4, 3, (4, 2), padding="same", bias=False),
        nn.Conv2d(4, 3, 3, padding=1, padding_mode="reflect", bias=False),
        nn.Conv2d(4, 3, 3, padding=1, padding_mode="replicate", bias=False),
        nn.Conv2d(4, 3, 3, padding=(2, 1), padding_mode="circular", bias=False),
        nn.Conv2d(4, 3, 2, padding="same", padding_mode="circular", bias=False),
        lambda n, x: F.conv2d(same(x, 3, 2), n.conv.weight, stride=2),
        lambda n, x: F.conv2d(x, n.kernel, None, 1, "same"),
        lambda n, x: F.conv2d(x, n.kernel, padding="same", dilation=3),
        lambda n, x: F.conv2d(input=x, weight=n.kernel, stride=2),
        lambda n, x: torch.conv2d(x, n.kernel),
        nn.ConvTranspose2d(4, 3, 3, 2, bias=False),
        lambda n, x: F.conv_transpose2d(x, n.kernel, stride=2, output_padding=1),
        lambda n, x: n.up(x, output_size=(8, 8)),
        lambda n, x: n.up(x, output_size=[7, 8]),
        # Padding
        nn.ZeroPad2d((1, 0, 2, 1)),
        nn.ReflectionPad2d(2),
        nn.ReplicationPad2d((1, 2, 0, 1)),
        nn.CircularPad2d(1),
        nn.ConstantPad2d(1, 0.0),
        nn.ConstantPad2d(-1, 0.0),
        lambda n, x: F.pad(x, (1, 1)),
        lambda n, x: F.pad(x, (1, 0, 0, 1), "constant", 0),
        lambda n, x: F.pad(x, pad=[1, 1, 1, 1], mode="replicate"),
        lambda n, x: F.pad(x, (0, 0, 0, 0, 2, 2)),
        lambda n, x: F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 1, 1), "constant", 0),
        lambda n, x: asserting(x),
        # Resizing
        nn.Upsample(scale_factor=2),
        nn.Upsample(scale_factor=(2, 1), mode="bilinear"),
        nn.Upsample(size=(7, 5), mode="bicubic", align_corners=True),
        nn.UpsamplingNearest2d(scale_factor=2),
        nn.UpsamplingBilinear2d(size=6),
        lambda n, x: F.interpolate(x, scale_factor=1.5, mode="nearest-exact"),
        lambda n, x: F.interpolate(x, 3, mode="bilinear", antialias=True),
        lambda n, x: F.interpolate(x, size=3, mode="area"),
        lambda n, x: F.interpolate(x, x.shape[-1] * 2, None, "bicubic", False),
        lambda n, x: F.interpolate(x, size=x.shape[-2:], mode="nearest"),
        nn.PixelShuffle(2),
        nn.PixelUnshuffle(2),
        lambda n, x: F.pixel_unshuffle(x, downscale_factor=2),
        nn.ChannelShuffle(2),
        lambda n, x: shuffled(x, 2),
        lambda n, x: F.channel_shuffle(x, 2),
        nn.Unfold(2),
        lambda n, x: F.unfold(x, 3, padding=1),
        lambda n, x: x.unfold(2, 2, 1),
        # Splitting and joining
        lambda n, x: x.split(2, 1)[1],
        lambda n, x: x.split([1, 3], dim=1)[1],
        lambda n, x: torch.split(x, 3, -1)[0],
        lambda n, x: torch.split_with_sizes(x, [1, 3], 1)[0],
        lambda n, x: x.chunk(2, 1)[0],
        lambda n, x: torch.chunk(x, chunks=2, dim=-3)[1],
        lambda n, x: x.tensor_split(3, dim=1)[2],
        lambda n, x: torch.tensor_split(x, (1, 2), 1)[1],
        lambda n, x: x.unbind(1)[2],
        lambda n, x: torch.unbind(x, dim=-1)[0],
        lambda n, x: torch.hsplit(x, 2)[1],
        lambda n, x: torch.dsplit(x, 2)[1],
        lambda n, x: [*x.permute(0, 2, 3, 1).unbind(-1)][1],
        lambda n, x: (lambda a, b: torch.cat([b, a], 1))(*x.chunk(2, 1)),
        lambda n, x: (lambda a, b: a + b)(*x.split(2, 1)),
        lambda n, x: x[:, 1],
        lambda n, x: x[:, 1:3],
        lambda n, x: x[..., ::2],
        lambda n, x: x[:, :, -1, 0],
        lambda n, x: x[:, [0, 2]],
        lambda n, x: x[:, torch.tensor([True, False, True, False])],
        lambda n, x: x[:, None, :, 1:],
        lambda n, x: x.narrow(1, 1, 2),
        lambda n, x: torch.narrow(x, dim=2, start=0, length=3),
        lambda n, x: x.select(1, 0),
        lambda n, x: torch.select(x, -1, 2),
        lambda n, x: x.index_select(1, torch.tensor([3, 1])),
        lambda n, x: torch.stack([x, x], 1),
        lambda n, x: torch.stack((x[:, :2], x[:, 2:]), dim=-1),
        lambda n, x: torch.hstack([x, x]),
        lambda n, x: torch.cat([x, x[:, :1]], 1),
        # Turning and repeating
        lambda n, x: x.expand(-1, 4, 4, 4),
        lambda n, x: x[:, :1].expand(-1, 3, -1, -1),
        lambda n, x: x[:, :1].expand_as(x) + x,
        lambda n, x: x.mean(1, keepdim=True).broadcast_to(x.shape),
        lambda n, x: x.repeat(1, 2, 1, 1),
        lambda n, x: torch.tile(x, (1, 1, 2, 1)),
        lambda n, x: torch.tile(x, (2, 1)),
        lambda n, x: x.repeat_interleave(2, dim=1),
        lambda n, x: x.flip(1),
        lambda n, x: torch.flip(x, [2, 3]),
        lambda n, x: x.flip((-1,)),
        lambda n, x: x.roll(1, 2),
        lambda n, x: torch.roll(x, shifts=(1, -1), dims=(2, 3)),
        lambda n, x: torch.rot90(x, 1, (2, 3)),
        lambda n, x: x.movedim(1, -1),
        lambda n, x: torch.moveaxis(x, 1, 3),
        lambda n, x: x.swapaxes(1, 2),
        lambda n, x: x.mT,
        lambda n, x: x.flatten(1).unflatten(1, (2, -1)),
        lambda n, x: x.view(len(x), 2, 2, 4, 4).sum(1),
        lambda n, x: x.reshape(x.shape[0], -1)[:, None].squeeze(1),
        lambda n, x: x.diagonal(dim1=2, dim2=3),
        lambda n, x: torch.tril(x),
        # Sums and averages
        lambda n, x: x.sum(1),
        lambda n, x: torch.sum(x, (2, 3)),
        lambda n, x: x.sum(dim=-1, keepdim=True),
        lambda n, x: x.mean(1, True),
        lambda n, x: x.mean(dim=[2, 3], keepdim=False),
        lambda n, x: x.flatten(2).mean(-1),
        lambda n, x: x.mean(3).mean(2),
        lambda n, x: torch.mean(x, 2),
        lambda n, x: F.avg_pool2d(same(x, 3, 2), 3, 2),
        lambda n, x: F.avg_pool2d(x, 2, 1),
        # Additions
        lambda n, x: x + x.mean((2, 3), keepdim=True),
        lambda n, x: added(x.clone(), x.flip(1)),
        lambda n, x: torch.add(x, x.flip(2), alpha=2),
        lambda n, x: x.flip(1).add_(x, alpha=0.5),
        lambda n, x: sum([x, x.flip(1), x.flip(2)]),
        lambda n, x: x - x.flip(1),
        lambda n, x: torch.sub(x, x.flip(1), alpha=3),
        lambda n, x: subtracted(x.clone(), x.flip(1)),
        lambda n, x: torch.rsub(x, x.flip(1)),
        lambda n, x: x - x.mean(1, keepdim=True) / 2,
        # Maxima
        nn.MaxPool2d(2),
        lambda n, x: F.max_pool2d(same(x, 3, 2, -torch.inf), 3, 2),
        lambda n, x: F.max_pool2d(x, 2, return_indices=True)[0],
        lambda n, x: F.max_pool2d(x, 2, 1, 0, 1, False, True)[0],
        lambda n, x: F.max_pool2d(x, 2, 2, 0, 1, False, False),
        lambda n, x: F.adaptive_max_pool2d(x, 2, False),
        lambda n, x: F.adaptive_max_pool2d(x, (2, 3), return_indices=True)[0],
        lambda n, x: x.amax(1),
        lambda n, x: x.amax((2, 3)),
        lambda n, x: torch.amax(x, dim=(-1, 1), keepdim=True),
        lambda n, x: x.max(1)[0],
        lambda n, x: x.max(dim=1, keepdim=True).values,
        lambda n, x: torch.max(x, -1, True)[0],
        lambda n, x: x.flatten(2).max(2)[0],
        lambda n, x: x.max(2)[0].max(2)[0],
    ],
    VECTORS: [
        lambda n, x: x @ n.matrix,
        lambda n, x: torch.matmul(x, n.matrix),
        lambda n, x: torch.mm(input=x, mat2=n.matrix),
        lambda n, x: x.matmul(n.fc.weight.t()),
        lambda n, x: F.linear(x, n.fc.weight),
        lambda n, x: torch.addmm(torch.zeros(5).double(), x, n.matrix),
        lambda n, x: x @ n.vector,
        lambda n, x: F.linear(x, n.vector),
        lambda n, x: x.sum(1),
        lambda n, x: (x @ n.matrix).squeeze(),
        lambda n, x: F.linear(x, n.vector[None]).squeeze(-1),
        lambda n, x: F.linear(x, n.vector[None]).squeeze(),
        lambda n, x: F.linear(x, n.vector[None]).flatten(),
        lambda n, x: F.linear(x, n.vector[None])[:, 0],
        lambda n, x: F.linear(x, n.vector[None]).view(-1),
        lambda n, x: F.linear(x, n.vector[None]).reshape(len(x)),
    ],
    TOKENS: [
        nn.Linear(6, 4, bias=False),
        lambda n, x: x @ n.matrix,
        lambda n, x: n.matrix.t() @ x.mT,
        lambda n, x: torch.matmul(n.fc.weight[:2, :3], x),
        lambda n, x: F.linear(x.mT, n.fc.weight[:, :3]).transpose(1, 2),
        lambda n, x: x.mean(1),
        lambda n, x: x[:, 0],
        lambda n, x: x.repeat_interleave(2, -1),
        lambda n, x: x.transpose(1, 2) @ n.matrix[:3],
        nn.Conv1d(3, 2, 2, padding="same", bias=False),
        nn.Conv1d(3, 2, 3, padding=2, padding_mode="reflect", bias=False),
        nn.ConvTranspose1d(3, 2, 2, bias=False),
        nn.ReplicationPad1d(2),
        nn.Upsample(scale_factor=2, mode="linear"),
        nn.Upsample(8),
        nn.MaxPool1d(2, return_indices=False),
        nn.AdaptiveAvgPool1d(4),
    ],
    (2, 3, 3, 3): [
        nn.Conv3d(2, 2, 2, padding="same", bias=False),
        nn.Conv3d(2, 2, (1, 2, 3), padding="same", bias=False),
        nn.Conv3d(2, 2, 3, padding=1, padding_mode="circular", bias=False),
        nn.Upsample(scale_factor=2, mode="trilinear"),
        nn.ReflectionPad3d(1),
        nn.MaxPool3d(2),
        nn.AvgPool3d(2),
        lambda n, x: x.amax((2, 3, 4)),
    ],
}  # fmt: skip
# What hands all of an entry's relevance to the entry it was made of.
PASSING = {
    IMAGES: [
        *(nn.SiLU(), nn.SiLU(inplace=True), nn.Hardswish(), nn.GELU(), nn.Mish()),
        *(nn.GELU(approximate="tanh"), nn.ELU(), nn.ELU(0.5, True), nn.SELU()),
        *(nn.CELU(), nn.LeakyReLU(), nn.LeakyReLU(0.3, inplace=True), nn.PReLU()),
        *(nn.PReLU(4), nn.RReLU(), nn.Sigmoid(), nn.Hardsigmoid(), nn.Tanh()),
        *(nn.Hardtanh(), nn.Softplus(), nn.Softsign(), nn.LogSigmoid(), nn.ReLU6()),
        *(nn.Tanhshrink(), nn.Softshrink(), nn.Hardshrink(), nn.Threshold(0.1, 0)),
        lambda n, x: F.silu(x),
        lambda n, x: F.silu(x.clone(), inplace=True),
        lambda n, x: F.hardswish(input=x),
        lambda n, x: F.gelu(x, approximate="tanh"),
        lambda n, x: F.leaky_relu(x, 0.2),
        lambda n, x: F.leaky_relu_(x.clone(), negative_slope=0.2),
        lambda n, x: F.prelu(x, n.slope),
        lambda n, x: torch.prelu(x, n.slope),
        lambda n, x: F.elu(x, alpha=2.0),
        lambda n, x: F.elu_(x.clone()),
        lambda n, x: x.sigmoid(),
        lambda n, x: x.clone().sigmoid_(),
        lambda n, x: torch.sigmoid(x),
        lambda n, x: F.sigmoid(x),
        lambda n, x: torch.tanh(x),
        lambda n, x: x.clone().tanh_(),
        lambda n, x: F.softplus(x, beta=2),
        lambda n, x: x.clamp(-1, 1),
        lambda n, x: torch.clamp(x, max=0.5),
        lambda n, x: x.clip(min=-0.5),
        lambda n, x: x.clamp_min(0.1),
        lambda n, x: x.clamp(min=0, max=1),
        lambda n, x: F.hardtanh(x, 0, 6),
        lambda n, x: F.relu6(x.clone(), inplace=True),
        # Times and plus constants
        lambda n, x: 2 * x,
        lambda n, x: x * torch.tensor(3.0),
        lambda n, x: x.mul(n.slope[:, None, None]),
        lambda n, x: n.picture * x,
        lambda n, x: torch.mul(n.slope.view(1, 4, 1, 1), x),
        lambda n, x: multiplied(x.clone(), n.picture),
        lambda n, x: torch.multiply(x, 0.5),
        lambda n, x: x / 3,
        lambda n, x: x / n.picture,
        lambda n, x: divided(x.clone(), 4),
        lambda n, x: torch.div(x, n.slope[:, None, None]),
        lambda n, x: x.true_divide(2),
        lambda n, x: -x,
        lambda n, x: x.neg(),
        lambda n, x: x + 1,
        lambda n, x: 1 + x,
        lambda n, x: x + n.picture,
        lambda n, x: n.slope[:, None, None] + x,
        lambda n, x: torch.add(x, n.picture, alpha=2),
        lambda n, x: torch.add(n.picture, x, alpha=2),
        lambda n, x: x - 0.5,
        lambda n, x: 1 - x,
        lambda n, x: n.picture - x,
        lambda n, x: torch.sub(n.picture, x, alpha=3),
        lambda n, x: torch.rsub(x, 1, alpha=2),
        lambda n, x: added(x.clone(), 1),
        lambda n, x: subtracted(x.clone(), n.picture),
        lambda n, x: (x - 0.45) / 0.225,
        lambda n, x: overwritten(x),
        lambda n, x: n.norm(x),
        lambda n, x: F.batch_norm(
            x, n.norm.running_mean, n.norm.running_var, n.norm.weight, n.norm.bias
        ),
        lambda n, x: F.batch_norm(
            x, n.norm.running_mean, n.norm.running_var, eps=0.1, bias=n.norm.bias
        ),
        lambda n, x: torch.batch_norm(
            x, n.norm.weight, n.norm.bias, n.norm.running_mean, n.norm.running_var,
            False, 0.1, 1e-5, False,
        ),
        nn.SyncBatchNorm(4),
        nn.InstanceNorm2d(4, track_running_stats=True),
        vision.ops.FrozenBatchNorm2d(4),
        # By statistics of the sample
        nn.LayerNorm((4, 4, 4)),
        nn.LayerNorm(4, elementwise_affine=False),
        nn.GroupNorm(2, 4),
        nn.InstanceNorm2d(4),
        nn.InstanceNorm2d(4, affine=True),
        nn.RMSNorm(4),
        nn.LocalResponseNorm(3),
        lambda n, x: F.layer_norm(x.mT, (4,), n.slope).mT,
        lambda n, x: F.layer_norm(x, normalized_shape=[4, 4], eps=0.1),
        lambda n, x: F.group_norm(x, 2, weight=n.slope),
        lambda n, x: F.instance_norm(x, eps=0.1),
        lambda n, x: F.normalize(x),
        lambda n, x: F.normalize(x, p=1, dim=-1),
        lambda n, x: F.local_response_norm(x, size=2, alpha=1.0),
        # Nothing
        nn.Dropout(0.5),
        nn.Identity(),
        lambda n, x: x.clone(),
        lambda n, x: x.detach(),
        lambda n, x: x.to(x.device),
        lambda n, x: x.to(n.picture),
        lambda n, x: x.to(torch.float64),
        lambda n, x: x.to(x),
        lambda n, x: x.type_as(n.picture),
        lambda n, x: x.type_as(x.flip(1)),
        lambda n, x: x.double(),
        lambda n, x: x.contiguous(memory_format=torch.channels_last),
        lambda n, x: x.cpu(),
        lambda n, x: F.dropout(x, 0.5, n.training),
    ],
    VECTORS: [
        nn.BatchNorm1d(6), nn.LayerNorm(6), nn.GroupNorm(2, 6),
        lambda n, x: F.normalize(x, dim=1) * 4,
        lambda n, x: F.normalize(x, 2.0, -1),
    ],
    TOKENS: [
        nn.LayerNorm(6), nn.BatchNorm1d(3), nn.RMSNorm(6),
        lambda n, x: x + n.token,
        lambda n, x: x * n.vector,
    ],
}  # fmt: skip
# Times a gate: the signal takes all.
GATED = [
    lambda n, x: x * torch.sigmoid(n.point(x)),
    lambda n, x: torch.sigmoid(n.point(x)) * x,
    lambda n, x: torch.mul(n.point(x).sigmoid(), x),
    lambda n, x: x * se(n, x)[:, :, None, None],
    lambda n, x: x * se(n, x).view(len(x), 4, 1, 1).expand_as(x),
    lambda n, x: se(n, x).unsqueeze(-1).unsqueeze(-1).expand(-1, -1, 4, 4) * x,
    lambda n, x: x.clone().mul_(se(n, x)[..., None, None]),
    lambda n, x: multiplied(x.clone(), se(n, x)[..., None, None]),
    lambda n, x: x * torch.sigmoid(efficient(n, x)),
    lambda n, x: x * cbam(n, x),
    lambda n, x: x * F.hardsigmoid(n.point(pooled(n, x))),
    lambda n, x: x * (F.relu6(n.point(pooled(n, x)) + 3) / 6),
    lambda n, x: x * F.relu6(x + 3) / 6,
    lambda n, x: x * F.relu6(x + 3.0, inplace=True).div_(6.0),
    lambda n, x: x * F.hardtanh(x + 3, 0, 6) / 6,
    lambda n, x: x * (x + 3).clamp(0, 6) / 6,
    lambda n, x: x * (0.2 * n.point(x) + 0.5).clip(0, 1),
    lambda n, x: x * torch.tanh(F.softplus(x)),
    lambda n, x: x * torch.sigmoid(1.702 * x),
    lambda n, x: x * (1 - torch.sigmoid(n.point(x))),
    lambda n, x: x * (2 * torch.sigmoid(n.point(x)) - 1),
    lambda n, x: x * n.point(pooled(n, x)),
    lambda n, x: x * F.softmax(n.point(x), 1),
    lambda n, x: x * n.point(x).flatten(2).softmax(-1).view_as(x),
    lambda n, x: x * F.interpolate(torch.sigmoid(n.point(F.avg_pool2d(x, 2))), 4),
    lambda n, x: x * resized(torch.sigmoid(n.point(F.avg_pool2d(x, 2)))),
    lambda n, x: x * torch.sigmoid(n.point(x)) * torch.sigmoid(n.conv(x)),
    lambda n, x: x * (torch.sigmoid(n.point(x)) * torch.sigmoid(n.conv(x))),
    lambda n, x: x * (torch.sigmoid(n.point(x)) + torch.sigmoid(n.conv(x))),
    lambda n, x: x * torch.cat([se(n, x)[:, :2], se(n, x)[:, 2:]], 1)[..., None, None],
    lambda n, x: torch.tanh(x) * torch.sigmoid(n.conv(x)),
    lambda n, x: x / x.norm(dim=1, keepdim=True),
    lambda n, x: x * torch.rsqrt(x.pow(2).mean(1, keepdim=True) + 1e-6),
    lambda n, x: torch.div(x, x.var((1, 2, 3), keepdim=True).add(1e-5).sqrt()),
    lambda n, x: x * (torch.sigmoid(n.conv(x)) * torch.tanh(n.point(x))),
]
# Of two halves of the channels the first is the signal.
LINEAR_UNITS = [
    nn.GLU(1),
    lambda n, x: F.glu(x, 1),
    lambda n, x: F.glu(input=x, dim=-3),
    lambda n, x: x[:, :2] * torch.sigmoid(x[:, 2:]),
    lambda n, x: (lambda a, b: a * b.sigmoid())(*x.chunk(2, 1)),
]
# What no rule of LRP or DeepLIFT is for.
REFUSED = [
    lambda n, x: x * x,
    lambda n, x: x * n.conv(x),
    lambda n, x: torch.sigmoid(n.point(x)) * torch.sigmoid(n.conv(x)),
    lambda n, x: x * n.point(x).clamp(min=0),
    lambda n, x: x * n.point(x).clamp_min(0),
    lambda n, x: x * torch.cat([n.point(x).sigmoid(), n.conv(x)], 1)[:, 2:6],
    lambda n, x: x.mean(1, keepdim=True) * x.mean(2, keepdim=True),
    lambda n, x: x / (1 + x.abs()),
    lambda n, x: 1 / (2 + x.abs()),
    lambda n, x: n.picture / (2 + x.abs()),
    lambda n, x: x.mean(1, keepdim=True) / (2 + x.abs()),
    lambda n, x: torch.max(x, n.conv(x)),
    lambda n, x: torch.maximum(x, n.conv(x)),
    lambda n, x: torch.addcmul(x, x, n.conv(x)),
    lambda n, x: x**2,
    lambda n, x: x.exp(),
    lambda n, x: x.softmax(1),
    lambda n, x: torch.where(x > 0, x, 0.1 * x),
    lambda n, x: x * (x > 0),
    lambda n, x: x.sort(1)[0],
    lambda n, x: x.cumsum(1),
    lambda n, x: x.flatten(2) @ x.flatten(2).mT,
    lambda n, x: torch.einsum("bchw,bdhw->bcd", x, x),
    lambda n, x: F.conv2d(x, n.kernel * x.mean()),
    lambda n, x: x.float().double(),
    lambda n, x: torch.fft.fft2(x).real,
]
# With constants beside what is moved, which get nothing.
BESIDE_CONSTANTS = [
    nn.ConstantPad2d(1, 2.0),
    lambda n, x: F.pad(x, (1, 1), value=-2.0),
    lambda n, x: torch.cat([x, n.picture.expand(len(x), -1, -1, -1)], 1),
    lambda n, x: torch.cat([torch.zeros(len(x), 1, 4, 4).to(x), x], 1),
    lambda n, x: torch.cat([x, torch.ones_like(x[:, :1])], 1),
    lambda n, x: torch.cat([x.new_full((x.shape[0], 1, 4, 4), 3.0), x, x], dim=1),
    lambda n, x: torch.stack([x, n.picture.expand_as(x)], 1),
    lambda n, x: torch.stack([torch.zeros_like(x), x], -1),
]
# Where a constant stands for some entries, which get nothing.
MASKED = [
    lambda n, x: x * (n.picture > 0),
    lambda n, x: 1 + x * (n.picture > 0).double(),
    lambda n, x: torch.where(n.picture > 0, x, torch.zeros_like(x)),
    lambda n, x: torch.where(n.picture > 0, 2.0, x),
    lambda n, x: x.where(n.picture[0] > 0, x.new_tensor(3.0)),
    lambda n, x: x.masked_fill(n.picture > 0, -1.0),
    lambda n, x: x.clone().masked_fill_(n.slope[:, None, None] > 0, 0),
]
# What meets the other samples of its batch.
MIXING = [
    lambda n, x: x.flip(0),
    lambda n, x: x.roll(1, 0),
    lambda n, x: x.roll(1),
    lambda n, x: x - x.mean(0, keepdim=True),
    lambda n, x: x + x.sum(0, keepdim=True),
    lambda n, x: x - x.amax(0, keepdim=True),
    lambda n, x: F.normalize(x, dim=0),
    lambda n, x: x * x.softmax(0),
    lambda n, x: x[:1].expand_as(x),
    lambda n, x: x[-1:] + x,
    lambda n, x: x[torch.zeros(len(x), dtype=int) + len(x) - 1],
    lambda n, x: F.layer_norm(x, x.shape),
    lambda n, x: torch.cat([x[1:], x[:1]]),
]

# Each against its definition ----------------------------------------------------------

# Which methods have no rule for what kind of layer.
UNSMOOTH = {"guided-bp", "deconv", "rectgrad"}
REFUSING = {
    "activation": UNSMOOTH,
    "layernorm": {"deeplift-revealcancel"},
    "gate": {"deeplift-revealcancel"},
    "detach": {"gradient", *UNSMOOTH},
}
WITHOUT_DIFFERENCES = ("LocalResponseNorm", "local_response_norm", "normalize")


def of(table):
    """Return a parameter for each entry of a table, called by its place."""
    table = table if isinstance(table, dict) else {IMAGES: table}
    return pytest.mark.parametrize(
        "layer, shape",
        [
            pytest.param(layer, shape, id=f"{len(shape)}-{place}")
            for shape, layers in table.items()
            for place, layer in enumerate(layers)
        ],
    )


class Case:
    """A network of one layer, two inputs, its outputs, and relevance of these."""

    def __init__(self, layer, shape):
        net = nn.Sequential(layer) if isinstance(layer, nn.Module) else None
        self.net = trained(net or Net(layer, **parts()))
        self.x, self.x0 = normal(1, 2, *shape), normal(2, 1, *shape)
        self.before = fingerprint(self.net, self.x)
        self.z = self.net(self.x.clone()).detach()
        self.r = normal(3, *self.z.shape)
        self.calls = modbp.chain(self.net, self.x, "lrp-z")._pass.calls[1:]

    def pull(self, name, **options):
        chain = modbp.chain(self.net, self.x, methods.get(name, **options))
        assert relative(chain.output(chain.layers[-1]), self.z) < 1e-12
        return chain.pull(self.r, chain.layers[-1])["input"]

    def derivatives(self):
        """Return the derivative of each sample's outputs by its inputs."""
        each = [
            torch.autograd.functional.jacobian(self.net, self.x[n : n + 1])
            for n in range(len(self.x))
        ]
        return torch.stack([J.reshape(-1, self.x[0].numel()) for J in each])

    def check(self, wanted):
        """Compare with what LRP should hand down, and with what others should."""
        assert relative(self.pull("lrp-z", bias="ignore"), wanted) < 1e-9
        self.check_signs()
        kinds = {call.kind for call in self.calls}
        refusing = set().union(*(REFUSING.get(kind, ()) for kind in kinds))
        if not {call.layer.type for call in self.calls}.isdisjoint(WITHOUT_DIFFERENCES):
            refusing.add("deeplift-rescale")
        if "gradient" not in refusing:
            assert relative(self.pull("gradient"), by_autograd(self)) < 1e-12
        for name in ("deeplift-rescale", "deeplift-revealcancel"):
            if name not in refusing:
                self.check_sum(name)
        for name in UNSMOOTH - refusing:
            assert self.pull(name).isfinite().all()
        for name in refusing:
            with pytest.raises(MethodError, match=r"layer.* [Uu]se"):
                self.pull(name)
        assert fingerprint(self.net, self.x) == self.before

    def check_signs(self):
        """Compare what is said of the signs of inputs with these."""
        chain = modbp.chain(self.net, self.x.abs(), "lrp-z")
        for call in chain._pass.calls[1:]:
            least = [chain._steps[source].state.min() for source in call.sources]
            assert min(least) >= 0 or not call.nonnegative, call
        sign = call.layer.output_sign
        known = sign == "≥ 0" or sign == "keeps" and call.nonnegative
        assert (chain.output(call.name) >= 0).all() or not known

    def check_sum(self, name):
        """Compare contributions with how much the outputs change."""
        found = self.pull(name, reference=self.x0, small=0.0)
        change = (self.z - self.net(self.x0.clone()).detach()) * self.r
        away = found.flatten(1).sum(1) - change.reshape(len(change), -1).sum(1)
        assert (away.abs() <= 1e-9 * max(1, found.abs().sum())).all(), name


def by_autograd(case):
    x = case.x.clone().requires_grad_()
    return torch.autograd.grad(case.net(x.clone()), x, case.r)[0]


@of(LINEAR)
def test_what_is_linear_shares_out_by_contribution(layer, shape):
    case = Case(layer, shape)
    a, J, r = case.x.flatten(1), case.derivatives(), case.r.reshape(len(case.x), -1)
    z = (J @ a[:, :, None])[:, :, 0]
    share = r / torch.where(z == 0, 1e-7, z)
    wanted = a * (J.mT @ share[:, :, None])[:, :, 0]
    # All of it, but for outputs that nothing contributes to.
    kept = r.masked_fill(~J.any(2), 0).sum(1)
    assert ((wanted.sum(1) - kept).abs() <= 1e-9 * wanted.abs().sum(1)).all()
    case.check(wanted.reshape(case.x.shape))


@of(PASSING)
def test_what_makes_one_entry_of_one_hands_all_of_it_down(layer, shape):
    case = Case(layer, shape)
    case.check(case.r)


@of(BESIDE_CONSTANTS)
def test_constants_beside_others_get_nothing(layer, shape):
    case = Case(layer, shape)
    wanted = case.derivatives().mT @ case.r.flatten(1)[:, :, None]
    case.check(wanted.reshape(case.x.shape))


@of(MASKED)
def test_entries_that_a_constant_stands_for_get_nothing(layer, shape):
    case = Case(layer, shape)
    counts = case.derivatives().sum(1).reshape(case.x.shape) != 0
    assert 0 < counts.sum() < counts.numel()
    case.check(case.r * counts)


@of(GATED)
def test_a_gate_is_a_constant_and_the_signal_takes_all(layer, shape):
    case = Case(layer, shape)
    gates = [call for call in case.calls if call.kind == "gate"]
    assert gates
    if any(call.kind == "other" for call in case.calls):  # a softmax, a gate of gates
        assert relative(case.pull("lrp-z", bias="ignore"), case.r) < 1e-9
        assert relative(case.pull("gradient"), by_autograd(case)) < 1e-12
        with pytest.raises(MethodError, match="softmax|gates|layers that modbp knows"):
            case.pull("deeplift-rescale")
    else:
        case.check(case.r)


@of(LINEAR_UNITS)
def test_a_gated_linear_unit_gives_all_to_its_first_half(layer, shape):
    case = Case(layer, shape)
    case.check(torch.cat([case.r, torch.zeros_like(case.r)], 1))


@of(REFUSED)
def test_what_has_no_rule_is_refused_by_name_and_its_gradient_is_autograds(
    layer, shape
):
    net = trained(Net(lambda n, x: layer(n, x).flatten(1), **parts()))
    x, target = uniform(1, 2, *shape) + 0.1, [1, 2]
    for name in ("lrp-z", "lrp-a1b0", "guided-bp", "deeplift-rescale"):
        with pytest.raises(MethodError, match=r"no rule for \d.* \(kind 'other'"):
            modbp.chain(net, x, name)
    y = x.clone().requires_grad_()
    net(y)[[0, 1], target].sum().backward()
    assert relative(modbp.explain(net, x, "gradient", target), y.grad) < 1e-12
    assert modbp.supported(net, x, ["gradient"]) == {"gradient": ""}


ON_IMAGES = {
    "linear": LINEAR[IMAGES], "passing": PASSING[IMAGES], "gated": GATED,
    "units": LINEAR_UNITS, "masked": MASKED, "constants": BESIDE_CONSTANTS,
}  # fmt: skip


@pytest.mark.parametrize("layers", ON_IMAGES.values(), ids=ON_IMAGES)
def test_behind_a_relu_that_may_be_overwritten_explanations_are_the_same(layers):
    x = normal(1, 2, *IMAGES)
    for layer in layers:
        is_module = isinstance(layer, nn.Module)

        def forward(n, x, run=(lambda n, a: n.layer(a)) if is_module else layer):
            z = n.conv(x)
            return torch.cat([run(n, z.relu()).flatten(1), z.flatten(1)], 1)

        own = {"layer": layer} if is_module else {}
        net = trained(Net(forward, **parts(), **own))
        for name in ("gradient", "lrp-z"):
            try:
                chain = modbp.chain(net, x, name)
            except ModbpError:  # behind a detached tensor, or a division by zero
                continue
            found = modbp.explain(net, x, name, [1, 3])
            assert relative(found, chain.explain([1, 3])) < 1e-9, layer


@of(MIXING)
def test_samples_that_meet_each_other_are_refused_and_one_alone_is_not(layer, shape):
    net = trained(Net(lambda n, x: layer(n, x).flatten(1), **parts()))
    x = normal(1, 3, *shape)
    for name in ("lrp-z", "deeplift-rescale"):
        with pytest.raises(ModbpError):
            modbp.explain(net, x, name)
    assert modbp.explain(net, x[:1], "gradient").isfinite().all()


def test_what_counts_samples_counts_one():
    net = Net(lambda n, x: n.fc(x / len(x) + x.new_ones(x.shape)), fc=nn.Linear(6, 3))
    x = normal(1, 3, 6)
    each = torch.cat([trained(net)(one[None]) for one in x])
    assert relative(modbp.chain(net, x, "lrp-z").logits, each.detach()) < 1e-12


def test_names_and_steps_of_what_is_padded_or_left_out():
    layers = nn.Conv2d(4, 4, 2, padding="same"), nn.Identity(), nn.ReLU()
    net, x = trained(nn.Sequential(*layers)), normal(1, 1, *IMAGES)
    assert modbp.chain(net, x, "lrp-z").layers == ["input", "0.pad", "0", "2"]


@pytest.mark.parametrize("name", ["instance_norm", "batch_norm"])
def test_running_statistics_that_a_function_writes_are_put_back(name):
    def forward(n, x):
        options = {"running_mean": n.norm.running_mean}
        options["running_var"] = n.norm.running_var
        flag = {"instance_norm": "use_input_stats", "batch_norm": "training"}[name]
        return getattr(F, name)(x, **options, **{flag: True}).flatten(1)

    net, x = trained(Net(forward, norm=nn.BatchNorm2d(4))), normal(1, 2, *IMAGES)
    before = {key: value.clone() for key, value in net.state_dict().items()}
    modbp.explain(net, x, "gradient")
    for key, value in net.state_dict().items():
        assert torch.equal(value, before[key]), key


def test_logits_that_cancel_are_compared_in_units_of_what_cancels():
    last = nn.Linear(3, 2, bias=False)
    last.weight.data = torch.tensor([[0.1, 0.2, -0.3], [0.7, -0.4, -0.3]])
    net, x = nn.Sequential(last).double().eval(), uniform(1, 8, 1).expand(8, 3)
    for row in x.split(1):
        reference = uniform(2, 1, 3)
        method = methods.get("deeplift-rescale", reference=reference)
        found = modbp.explain(net, row, method, 0).sum()
        change = (net(row) - net(reference))[0, 0]
        torch.testing.assert_close(found, change.detach(), rtol=0, atol=1e-12)


SMOOTH = [nn.ELU(), nn.LeakyReLU(0.2), nn.Sigmoid(), nn.Tanh(), nn.Softplus()]


@pytest.mark.parametrize("layer", SMOOTH, ids=repr)
def test_rescale_at_a_smooth_function_is_captums(layer):
    layers = nn.Conv2d(4, 3, 3), layer, nn.Flatten(), nn.Linear(12, 5)
    net, x, x0 = (
        trained(nn.Sequential(*layers)),
        normal(1, 2, *IMAGES),
        normal(2, 2, *IMAGES),
    )
    wanted = peers.by_deeplift(net, x, x0, 3)
    method = methods.get("deeplift-rescale", reference=x0)
    assert relative(modbp.explain(net, x, method, 3), wanted) < 1e-9
