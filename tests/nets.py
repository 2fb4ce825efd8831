"""Networks, images and yardsticks that several tests share; all of it in float64."""

from functools import cache

import pytest
import torch
import torch.nn.functional as F
from hypothesis import settings
from torch import nn

import modbp
from modbp.backprop.trace import Trace

# Threads that wait for each other cost more than they bring on networks this small,
# most of all on a busy machine: ten times the time.
torch.set_num_threads(1)

# The same examples on every machine, and no clock: a busy machine is no failure.
repeatable = settings(max_examples=20, deadline=None, derandomize=True)

# For parametrize: the paper's network, with random weights and with the trained ones.
WEIGHTS = [pytest.param(None, id="random"), pytest.param("cifar10", id="shipped")]

# The trained weights, where one set is enough.
BEST = "cifar10"

# The methods that need nothing but a network and an input, and those that are chains.
EXPLAINING = [name for name in modbp.methods.names() if "pattern" not in name]
CHAINS = [
    name
    for name in EXPLAINING
    if isinstance(modbp.methods.get(name), modbp.methods.Method)
]

# Not linear in relevance: they rectify it.
RECTIFYING = ("guided-bp", "deconv", "rectgrad")

# Options under which relevance is conserved, where that can hold at all.
CONSERVING = {
    "lrp-z": {"bias": "ignore"}, "lrp-eps": {"bias": "ignore", "epsilon": 1e-14},
    "lrp-a1b0": {"bias": "ignore"}, "lrp-a2b1": {"bias": "ignore"}, "excitation-bp": {},
    "lrp-gamma": {"bias": "ignore"},
}  # fmt: skip


def normal(seed, *shape):
    """Gaussian numbers that depend on the seed alone."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def uniform(seed, *shape):
    """Numbers in [0, 1) that depend on the seed alone."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(shape, generator=generator, dtype=torch.float64)


@torch.no_grad()
def filled(net, seed=0, bias=normal):
    """Fill a network with random weights of unit gain; `bias` draws the biases."""
    for place, (name, entry) in enumerate(net.named_parameters()):
        draw = bias if name.endswith("bias") else normal
        gain = 1 if entry.ndim == 1 else entry[0].numel() ** -0.5
        entry.data = gain * draw(100 * seed + place, *entry.shape)
    return net.double().eval()


def none(seed, *shape):
    """No bias."""
    return torch.zeros(shape, dtype=torch.float64)


@cache
def cifar10(weights=None):
    """Return the paper's network with zero biases."""
    net = modbp.models.cifar10(weights).double()
    for name, entry in net.named_parameters():
        if name.endswith("bias"):
            entry.data.zero_()
    return net


@cache
def photographs(count=4):
    """Return images and labels that every machine has."""
    x, y = modbp.data.images(count, folder="photographs")
    return x.double(), y


def relative(found, wanted):
    """Return the largest difference, in units of the largest wanted entry."""
    assert found.shape == wanted.shape
    assert found.dtype == wanted.dtype
    difference = (found - wanted).abs().max().item()
    return difference / wanted.abs().max().item() if difference else 0.0


@torch.no_grad()
def trained(net):
    """Draw all parameters and statistics, of both signs, as if it had been trained."""
    net = net.double().eval()
    values = [*net.named_parameters(), *net.named_buffers()]
    for place, (name, entry) in enumerate(values):
        if entry.is_floating_point():
            above_zero = name.endswith(("running_var", "scale"))
            draw = uniform if above_zero else normal
            entry.copy_(draw(place, *entry.shape) + 0.5 * above_zero)
    return net


class Net(nn.Module):
    """A network whose forward is a function of itself and the input."""

    def __init__(self, run, **parts):
        super().__init__()
        self.run = run
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x):
        return self.run(self, x)


class Only(Net):
    """One function or module, as a network."""

    def __init__(self, function):
        super().__init__(lambda net, x: net.function(x), function=function)


def call(function, a):
    """Return the last call of a function or module on an input, as it is traced."""
    with torch.no_grad():
        calls, _, _ = Trace(Only(function).eval()).run(a)
    return calls[-1]


def mlp(*widths, seed=0, bias=none):
    """Return linear layers with ReLUs between them."""
    pairs = list(zip(widths, widths[1:], strict=False))
    layers = [part for pair in pairs for part in (nn.Linear(*pair), nn.ReLU())]
    return filled(nn.Sequential(*layers[:-1]), seed, bias)


class Zoo(nn.Module):
    """Every kind of layer, two branches that are added and two that are joined.

    Takes ``[N, 2, 6, 6]``.
    """

    # From the top down: all relevance passes through the layers of each entry.
    CUTS = (
        *(("fc",), ("flatten",), ("up_relu",), ("up",), ("cat",), ("largest", "mean")),
        *(("add_relu",), ("add",), ("left", "right"), ("stem_relu",), ("stem",)),
        ("input",),
    )

    def __init__(self, norm=False):
        super().__init__()
        self.stem = nn.Conv2d(2, 4, 3, padding=1)
        self.stem_relu = nn.ReLU()
        self.left = nn.Conv2d(4, 4, 3, padding=2, dilation=2, groups=2)
        self.right = nn.Conv2d(4, 4, 1)
        self.add_relu = nn.ReLU()
        self.largest = nn.MaxPool2d(3, stride=2, padding=1)
        self.mean = nn.AvgPool2d(2)
        self.norm = nn.BatchNorm2d(8) if norm else nn.Dropout()
        self.up = nn.ConvTranspose2d(8, 3, 2, stride=2)
        self.folded = nn.BatchNorm2d(3) if norm else nn.Dropout()
        self.up_relu = nn.ReLU()
        self.turn = Only(lambda a: a.permute(0, 2, 3, 1))
        self.flatten = nn.Flatten()
        self.drop = nn.Dropout()
        self.fc = nn.Linear(108, 5)

    def forward(self, x):
        a = self.stem_relu(self.stem(x))
        a = self.add_relu(self.left(a) + self.right(a))
        a = torch.cat([self.largest(a), self.mean(a)], 1)
        a = self.up_relu(self.folded(self.up(self.norm(a))))
        return self.fc(self.drop(self.flatten(self.turn(a))))


def zoo(name=None):
    """Return every kind of layer; without batch norm where a method refuses it.

    Excitation backprop needs inputs ≥ 0, which a batch norm does not give to the
    convolution behind it.
    """
    return filled(Zoo(norm=name != "excitation-bp"), seed=1)


def switched_on(net):
    """Fill a network so that every unit is on and gets contributions of both signs.

    Weights alternate in sign over the input channels, and biases are large. It is the
    condition under which α2β1 conserves, for inputs above zero.
    """
    for layer in filled(net).modules():
        if getattr(layer, "weight", None) is not None:
            weight = layer.weight
            dim = 0 if isinstance(layer, nn.ConvTranspose2d) else 1
            sign = torch.ones(weight.shape[dim], dtype=torch.float64)
            sign[::2] = -1
            shape = [-1 if axis == dim else 1 for axis in range(weight.ndim)]
            weight.data = weight.data.abs() * sign.reshape(shape)
            layer.bias.data.fill_(10.0)
    return net


def fingerprint(net, x=None):
    """Describe everything that a call could leave changed, down to the bits.

    That is modules, attributes, hooks, parameters, gradients, buffers and flags of the
    network, the classes behind them, the input, and torch's modes and random state.
    """
    seen = {}
    for path, module in net.named_modules():
        seen[path] = (id(module), type(module), module.training)
        for key, value in vars(module).items():
            seen[path, key] = _describe(value)
    seen["classes"] = {
        cls: dict(vars(cls))
        for cls in {nn.Module, *(type(module) for module in net.modules())}
    }
    seen["modes"] = (torch.is_grad_enabled(), torch.is_inference_mode_enabled())
    seen["random"] = torch.random.get_rng_state().numpy().tobytes()
    seen["input"] = _describe(x)
    return seen


def _describe(value):
    if isinstance(value, torch.Tensor):
        grad = None if value.grad is None else _describe(value.grad)
        content = value.detach().numpy().tobytes()
        where = (id(value), value.data_ptr(), value._version, value.dtype, value.shape)
        hooks = value._backward_hooks and list(value._backward_hooks)
        extra = sorted(vars(value))
        return (*where, content, value.requires_grad, value.grad_fn, grad, hooks, extra)
    if isinstance(value, dict):
        return [(key, _describe(entry)) for key, entry in value.items()]
    if isinstance(value, (list, tuple, set)):
        return [_describe(entry) for entry in value]
    return repr(value) if isinstance(value, (int, float, str)) else id(value)


# One network in several spellings -----------------------------------------------------


class Spelling(nn.Module):
    """The weights that all spellings share: two convolutions, one linear layer.

    Takes ``[N, 2, 6, 6]``.
    """

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(2, 4, 3, padding=1)
        self.conv2 = nn.Conv2d(4, 4, 3, padding=1)
        self.fc = nn.Linear(72, 5)


class Sum(nn.Module):
    def forward(self, a, b):
        return a + b


class Join(nn.Module):
    def forward(self, a, b):
        return torch.cat([a, b], 1)


class Modules(Spelling):
    """Every call is a module of its own; the reference for the others."""

    def __init__(self):
        super().__init__()
        self.relu1, self.relu2, self.relu3 = nn.ReLU(), nn.ReLU(), nn.ReLU()
        self.sum, self.join, self.flatten = Sum(), Join(), nn.Flatten()
        self.largest, self.mean = nn.MaxPool2d(2), nn.AvgPool2d(2)
        self.drop = nn.Dropout()

    def forward(self, x):
        a = self.relu1(self.conv1(x))
        b = self.relu2(self.conv2(a))
        c = self.relu3(self.sum(b, a))
        d = self.join(self.largest(c), self.mean(c))
        return self.fc(self.drop(self.flatten(d)))


class Functions(Spelling):
    def forward(self, x):
        a = F.relu(F.conv2d(x, self.conv1.weight, self.conv1.bias, padding=1))
        b = torch.relu(F.conv2d(a, self.conv2.weight, self.conv2.bias, padding=1))
        c = F.relu(torch.add(b, a))
        d = torch.cat((F.max_pool2d(c, 2), F.avg_pool2d(c, 2)), dim=1)
        d = F.dropout(torch.flatten(d, 1), training=self.training)
        return F.linear(d, self.fc.weight, self.fc.bias)


class TensorMethods(Spelling):
    def forward(self, x):
        a = self.conv1(x).relu()
        c = self.conv2(a).relu().add(a).relu()
        d = torch.concat([F.max_pool2d(c, 2), F.avg_pool2d(c, 2)], 1)
        return self.fc(d.reshape(d.shape[0], -1))


class InPlace(Spelling):
    """Overwrites what it reads, wherever that is possible."""

    def forward(self, x):
        a = F.relu(self.conv1(x), inplace=True)
        b = self.conv2(a).relu_()
        b += a
        b.relu_()
        d = torch.cat([F.max_pool2d(b, 2), F.avg_pool2d(b, 2)], 1)
        return self.fc(d.view(d.size(0), -1))


class Shared(Spelling):
    """One in-place ReLU for everything, as in torchvision's residual networks."""

    def __init__(self):
        super().__init__()
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        a = self.relu(self.conv1(x))
        c = self.relu(self.relu(self.conv2(a)).add_(a))
        d = torch.cat([F.max_pool2d(c, 2), F.adaptive_avg_pool2d(c, 3)], 1)
        return self.fc(d.flatten(1))


SPELLINGS = (Functions, TensorMethods, InPlace, Shared)


def spelled(spelling):
    """Return the network in a spelling; all have the same weights."""
    return filled(spelling(), seed=3)
