"""The same explanations by others: Captum, Zennit, and autograd.

Both libraries see modules alone, and each module once. A function, an operator or a
module that is used twice they would pass over, so they get a twin of the network in
which every call is a module of its own.
"""

import copy
import warnings
from contextlib import contextmanager

import numpy as np
import torch
import torch.nn.functional as F
from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from modbp.zoo.vision import load_torchvision

# Zennit imports torchvision at once, and cannot beside some builds of torch.
load_torchvision()
from captum.attr import (  # noqa: E402
    Deconvolution,
    DeepLift,
    GuidedBackprop,
    IntegratedGradients,
    NoiseTunnel,
    Saliency,
)
from captum.attr._core import deep_lift  # noqa: E402
from zennit import core, rules  # noqa: E402
from zennit.layer import Sum  # noqa: E402
from zennit.types import Activation, AvgPool, BatchNorm, Linear  # noqa: E402

# Zennit adds a constant to every denominator, modbp replaces exact zeros only. With
# 1e-12, sums that are almost zero in an addition would make 3e-9 of a difference.
NONE = 1e-30


# The twin -----------------------------------------------------------------------------


class ReLU6(nn.ReLU):
    """A ReLU that Captum takes for one."""

    def forward(self, a):
        return F.relu6(a)


class Add(nn.Module):
    """An addition with a module for Zennit to set a rule on."""

    def __init__(self):
        super().__init__()
        self.sum = Sum()

    def forward(self, a, b):
        return self.sum(torch.stack([a, b], -1))


def _module(node, modules):
    """Return a fresh module for a step, or None where a function will do."""
    target = modules.get(node.target) if node.op == "call_module" else node.target
    if isinstance(target, nn.ReLU6):
        return ReLU6()
    if isinstance(target, nn.ReLU) or target in (F.relu, torch.relu, "relu", "relu_"):
        return nn.ReLU()
    if target is F.avg_pool2d:
        return nn.AvgPool2d(node.args[1])
    if target is F.adaptive_avg_pool2d:
        return nn.AdaptiveAvgPool2d(node.args[1])
    if getattr(target, "__name__", target) in ("add", "iadd", "add_"):
        return Add()
    return copy.deepcopy(target) if isinstance(target, nn.Module) else None


def twin(net):
    """Return a network that computes the same, with a module of its own for every call.

    Batch norm is merged by torch where a convolution is right before it: Zennit's own
    merging leaves a division by sqrt(1 + 1e-5) behind every layer. Maxima are
    functions: of two modules in a row that are not linear, Captum loses the rule of the
    upper one.
    Further calls of a layer have its name, then ``__2``.
    """
    traced = fx.symbolic_trace(net)
    modules, seen = dict(traced.named_modules()), {}
    for node in traced.graph.nodes:
        module = _module(node, modules)
        if isinstance(module, nn.MaxPool2d):
            names = "kernel_size stride padding dilation ceil_mode".split()
            node.kwargs = {name: getattr(module, name) for name in names}
            node.op, node.target = "call_function", F.max_pool2d
        elif module is not None:
            path = node.target if node.op == "call_module" else f"{node.name}_call"
            seen[path] = seen.get(path, 0) + 1
            path += f"__{seen[path]}" if seen[path] > 1 else ""
            traced.add_submodule(path, module)
            if node.op != "call_module":
                node.kwargs = {}
                node.args = node.args[: 2 if isinstance(module, Add) else 1]
            node.op, node.target = "call_module", path
    _merge(traced)
    traced.graph.lint()
    traced.recompile()
    return traced.eval()


def _merge(traced):
    modules = dict(traced.named_modules())
    for node in traced.graph.nodes:
        if isinstance(modules.get(node.target), nn.BatchNorm2d):
            before = node.args[0]
            conv = modules.get(before.target)
            if isinstance(conv, nn.Conv2d) and len(before.users) == 1:
                fused = fuse_conv_bn_eval(conv, modules[node.target])
                if not fused.bias.any():
                    fused.bias = None
                traced.set_submodule(before.target, fused)
                traced.set_submodule(node.target, nn.Identity())


def firsts(net):
    """Return the names of the modules of a twin that read the network's input."""
    steps = {node: node.op == "placeholder" for node in net.graph.nodes}
    return {
        node.target
        for node in net.graph.nodes
        if node.op == "call_module" and steps.get(node.args[0])
    }


def replaced(net, kinds, make):
    """Return a copy of a twin in which ``make(name, module)`` stands for modules."""
    net = copy.deepcopy(net)
    for name, module in list(net.named_modules()):
        if isinstance(module, kinds):
            net.set_submodule(name, make(name, module))
    return net


# Autograd -----------------------------------------------------------------------------


def by_autograd(net, x, r):
    """Pull relevance of the logits to the input as the derivative does."""
    x = x.clone().requires_grad_()
    return torch.autograd.grad(net(x), x, r)[0]


class Swapped(nn.Module):
    """A linear layer whose derivative is that of another one."""

    def __init__(self, layer, other):
        super().__init__()
        self.layer, self.other = layer, other

    def forward(self, a):
        other = self.other(a)
        return other + (self.layer(a) - other).detach()


def with_weight(layer, weight):
    """Return a copy of a layer with other weights, and without a bias."""
    layer = copy.deepcopy(layer)
    layer.weight, layer.bias = nn.Parameter(weight), None
    return layer


def by_patterns(net, x, r, patterns, attribution):
    """Go back along patterns where the derivative goes back along weights."""

    def make(name, layer):
        pattern = patterns[name.replace("__", ":")]
        weight = pattern * layer.weight.detach() if attribution else pattern
        return Swapped(layer, with_weight(layer, weight))

    return by_autograd(replaced(net, (nn.Conv2d, nn.Linear), make), x, r)


class RectGrad(nn.Module):
    """A ReLU whose derivative keeps what it and the activation speak for together."""

    def __init__(self, relu, percentile):
        super().__init__()
        self.relu, self.percentile = relu, percentile

    def forward(self, a):
        z = self.relu(a)
        if z.requires_grad:
            z.register_hook(lambda r: self.kept(z.detach(), r))
        return z

    def kept(self, z, r):
        importance = (z * r).flatten(1).numpy()
        options = {"method": "nearest", "axis": 1, "keepdims": True}
        limit = np.percentile(importance, self.percentile, **options)
        return r * torch.from_numpy(importance > limit).reshape(r.shape)


def by_rectgrad(net, x, r, percentile):
    """Follow the derivative, but at ReLUs that of RectGrad."""

    def make(name, relu):
        return RectGrad(relu, percentile)

    return by_autograd(replaced(net, nn.ReLU, make), x, r)


# Zennit -------------------------------------------------------------------------------


def by_zennit(net, x, r, conv, dense=None, first=None):
    """Pull relevance through a twin by Zennit's rules.

    Batch norm that is not merged follows `conv`, and dense layers do without `dense`.
    """
    reading = firsts(net)
    table = [
        (Sum, rules.Norm(NONE)),
        (AvgPool, rules.Norm(NONE)),
        ((Activation, nn.Mish), rules.Pass()),
        (nn.Linear, dense or conv),
        ((*Linear.__subclass__, BatchNorm), conv),
    ]

    def rule(context, name, module):
        if first is not None and name in reading and isinstance(module, Linear):
            return first
        for kinds, found in table:
            if isinstance(module, kinds):
                return found
        return None

    x = x.clone().requires_grad_()
    with core.Composite(rule).context(net) as modified:
        return torch.autograd.grad(modified(x), x, r)[0]


# Captum -------------------------------------------------------------------------------


@contextmanager
def quiet():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Setting (forward, )?backward hooks")
        yield


def by_captum(method, net, x, target):
    """Explain a twin by guided backprop or the deconvolution."""
    x = x.clone().requires_grad_()
    peer = {"guided-bp": GuidedBackprop, "deconv": Deconvolution}[method]
    with quiet():
        return peer(net).attribute(x, target=target).detach()


def by_integrated_gradients(net, x, target, steps):
    """Integrate from zero, at midpoints.

    Captum rounds its weights, but not where `steps` is a power of two.
    """
    found = IntegratedGradients(net).attribute(
        x, target=target, n_steps=steps, method="riemann_middle"
    )
    return found.detach()


def by_smoothgrad(net, x, target, samples, noise, seed):
    """Average gradients one image at a time, each with the range of its own values."""
    found, before = [], torch.get_default_dtype()
    for image, label in zip(x.split(1), target, strict=True):
        size = noise * (image.max() - image.min()).item()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            # Captum draws in this type, whatever the image's.
            torch.set_default_dtype(torch.float64)
            try:
                options = {"nt_samples": samples, "nt_samples_batch_size": 1}
                options |= {"stdevs": size, "target": label, "abs": False}
                found.append(NoiseTunnel(Saliency(net)).attribute(image, **options))
            finally:
                torch.set_default_dtype(before)
    return torch.cat(found).detach()


@contextmanager
def _with_relu6():
    deep_lift.SUPPORTED_NON_LINEAR[ReLU6] = deep_lift.nonlinear
    try:
        yield
    finally:
        del deep_lift.SUPPORTED_NON_LINEAR[ReLU6]


def by_deeplift(net, x, reference, target, small=1e-10):
    """Explain a twin by Captum's DeepLIFT, which is Rescale."""
    x = x.clone().requires_grad_()
    with quiet(), _with_relu6():
        method = DeepLift(net, eps=small)
        return method.attribute(x, reference, target=target).detach()


class Ablated(nn.Module):
    """A linear layer whose derivative leaves out negative weights.

    Captum runs it on inputs and references in one batch. Where they agree the
    derivative is whole.
    """

    def __init__(self, layer):
        super().__init__()
        weight = layer.weight.detach()
        self.layer, self.whole = layer, with_weight(layer, weight)
        self.kept = with_weight(layer, weight.clamp(min=0))

    def forward(self, a):
        one, other = a.chunk(2)
        same = (one == other).repeat(2, *(1,) * (a.ndim - 1))
        cut = self.whole(a * same) + self.kept(a * ~same)
        return cut + (self.layer(a) - cut).detach()


def by_ablation(net, x, reference, target, small):
    """Explain by Captum's DeepLIFT, without the terms that the ablation leaves out."""
    ablated = replaced(net, (nn.Conv2d, nn.Linear), lambda _, layer: Ablated(layer))
    return by_deeplift(ablated, x, reference, target, small)
