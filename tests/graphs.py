"""Random small networks: what hypothesis draws them from."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from hypothesis import strategies as st
from nets import CHAINS, RECTIFYING, normal, uniform
from torch import nn

CHANNELS, SIDE = 2, 4


@dataclass(frozen=True)
class Kind:
    """Steps of one input: `ways` to compute it from the input and a layer of its own.

    `own` makes that layer for so many channels and such a way, `shape` and `fits` say
    what becomes of channels and side, and which can be.
    """

    ways: dict
    own: Callable | None = None
    shape: Callable = lambda channels, side: (channels, side)
    fits: Callable = lambda channels, side: True


def _alone(function):
    return lambda a, own: function(a)


def _apply(a, own):
    return own(a)


def _by_channel(a, own):
    return own(a.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def _blocks(a):
    """Make a channel of each place in a block of four."""
    return a.unfold(2, 2, 2).unfold(3, 2, 2).flatten(4).movedim(4, 2).flatten(1, 2)


def _there_and_back(a):
    twice = F.interpolate(a, scale_factor=2, mode="bilinear")
    return F.interpolate(twice, a.shape[2:], mode="area")


def _dense(channels, way):
    return nn.Linear(channels, channels, bias=False)


def _padded(mode):
    return lambda a, own: F.pad(a, (1, 1, 1, 1), mode)[:, :, 2:, :-2]


SMOOTH = {
    "silu": nn.SiLU, "gelu": nn.GELU, "hardswish": nn.Hardswish, "elu": nn.ELU,
    "leaky": nn.LeakyReLU, "prelu": nn.PReLU, "tanh": nn.Tanh, "mish": nn.Mish,
    "sigmoid": nn.Sigmoid,
}  # fmt: skip
NORMS = {
    "group": lambda channels: nn.GroupNorm(1, channels),
    "instance": lambda channels: nn.InstanceNorm2d(channels, affine=True),
    "layer": nn.LayerNorm,
    "rms": nn.RMSNorm,
}
KINDS = {
    # For these Zennit defines the same.
    "even": Kind(
        {"same": _apply},
        lambda channels, way: nn.Conv2d(channels, channels, 2, 1, "same", bias=False),
    ),
    "tokens": Kind({"linear": _by_channel}, _dense),
    "smooth": Kind(dict.fromkeys(SMOOTH, _apply), lambda channels, way: SMOOTH[way]()),
    "move": Kind(
        {
            "flip": _alone(lambda a: a.flip(1)),
            "roll": _alone(lambda a: a.roll((1, -1), (2, 3))),
            "turn": _alone(lambda a: a.mT),
            "sort": _alone(lambda a: torch.stack(a.unbind(1)[::-1], 1)),
            "swap": _alone(lambda a: torch.cat([a[:, :, 1:], a[:, :, :1]], 2)),
            "zeros": _padded("constant"),
            "edges": _padded("replicate"),
            "circle": _padded("circular"),
            "copy": _alone(lambda a: a.clone().contiguous().type_as(a)),
        }
    ),
    "half": Kind(
        {
            "chunk": _alone(lambda a: a.chunk(2, 1)[1]),
            "split": _alone(lambda a: torch.split(a, a.shape[1] // 2, dim=1)[0]),
            "slice": _alone(lambda a: a[:, : a.shape[1] // 2]),
            "step": _alone(lambda a: a[:, ::2]),
            "narrow": _alone(lambda a: a.narrow(1, 0, a.shape[1] // 2)),
        },
        shape=lambda channels, side: (channels // 2, side),
        fits=lambda channels, side: channels % 2 == 0,
    ),
    "up": Kind(
        {
            "nearest": _alone(lambda a: F.interpolate(a, scale_factor=2)),
            "repeat": _alone(lambda a: a.repeat_interleave(2, 2).repeat(1, 1, 1, 2)),
        },
        shape=lambda channels, side: (channels, 2 * side),
        fits=lambda channels, side: side < SIDE,
    ),
    "deep": Kind(
        {
            "unshuffle": _alone(lambda a: F.pixel_unshuffle(a, 2)),
            "fold": _alone(_blocks),
        },
        shape=lambda channels, side: (4 * channels, side // 2),
        fits=lambda channels, side: side > 1 and channels < 4,
    ),
    # For these nobody else does.
    "gate": Kind(
        {
            "sigmoid": lambda a, own: a * torch.sigmoid(own(a)),
            "first": lambda a, own: own(a).sigmoid() * a,
            "squeeze": lambda a, own: a * own(a.mean((2, 3), keepdim=True)).sigmoid(),
            "expand": lambda a, own: own(a.mean(3, True)).sigmoid().expand_as(a) * a,
            "hard": lambda a, own: a * F.relu6(own(a) + 3) / 6,
            "shut": lambda a, own: a * (1 - F.hardsigmoid(own(a))),
            "choose": lambda a, own: a * own(a).softmax(1),
            "unit": lambda a, own: F.glu(torch.cat([a, own(a)], 1), 1),
        },
        lambda channels, way: nn.Conv2d(channels, channels, 1, bias=False),
    ),
    "standard": Kind(
        {way: _by_channel if way in ("layer", "rms") else _apply for way in NORMS},
        lambda channels, way: NORMS[way](channels),
        fits=lambda channels, side: side > 1,
    ),
    "constant": Kind(
        {
            "number": _alone(lambda a: 2 * a - 0.5),
            "minus": _alone(lambda a: 1 - a),
            "parts": _alone(lambda a: a / torch.arange(1, a.shape[3] + 1)),
        }
    ),
    "wide": Kind(
        {
            "mean": _alone(lambda a: a + a.mean((2, 3), keepdim=True)),
            "amax": _alone(lambda a: a + a.amax((2, 3), keepdim=True)),
            "max": _alone(lambda a: a - 0.5 * a.max(1, keepdim=True)[0]),
            "resize": _alone(_there_and_back),
        }
    ),
}  # fmt: skip
PARITY = ("even", "tokens", "smooth", "move", "half", "up", "deep")


class Graph(nn.Module):
    """A network given by its steps; takes ``[N, 2, 4, 4]``, gives ``[N, 3]``.

    Each step is a name, the numbers of the values it reads, and an option. Value 0 is
    the input, and every step makes the next one. The last is flattened and read by a
    dense layer, or by two that are one.
    """

    def __init__(self, steps, seed=0, bias=False):
        super().__init__()
        self.steps, self.seed, self.bias = steps, seed, bias
        self.layers, shapes = nn.ModuleDict(), [(CHANNELS, SIDE)]
        for place, (name, sources, option) in enumerate(steps):
            channels, side = shapes[sources[0]]
            if name == "conv":
                out, size, groups = option
                options = {"padding": size // 2, "groups": groups, "bias": bias}
                self.layers[f"s{place}"] = nn.Conv2d(channels, out, size, **options)
                channels = out
            elif name == "norm":
                self.layers[f"s{place}"] = nn.BatchNorm2d(channels)
            elif name == "relu" and option == "module":
                self.layers[f"s{place}"] = nn.ReLU()
            elif name == "again":
                channels = steps[option][2][0]
            elif name in KINDS:
                kind = KINDS[name]
                if kind.own is not None:
                    self.layers[f"s{place}"] = kind.own(channels, option)
                channels, side = kind.shape(channels, side)
            elif name in ("maxpool", "avgpool"):
                side //= 2
            elif name == "cat":
                channels = sum(shapes[source][0] for source in sources)
            shapes.append((channels, side))
        self.shapes = shapes
        width = shapes[-1][0] * shapes[-1][1] ** 2
        self.wide = nn.Linear(width, 3, bias=bias)
        self.last = nn.Linear(3, 3, bias=bias)
        self._fill()

    @torch.no_grad()
    def _fill(self):
        self.double().eval()
        for place, (name, entry) in enumerate(self.state_dict().items()):
            seed = 1000 * self.seed + place
            if name.endswith("running_var"):
                entry.copy_(0.5 + uniform(seed, *entry.shape))
            elif entry.ndim > 1:
                gain = (2 / entry[0].numel()) ** 0.5
                entry.copy_(gain * normal(seed, *entry.shape))
            elif name.endswith("weight"):
                # Of both signs: the scale of a batch norm.
                entry.copy_(0.5 + normal(seed, *entry.shape))
            elif entry.is_floating_point():
                entry.copy_(0.3 * self.bias * normal(seed, *entry.shape))

    def forward(self, x):
        values = [x]
        for place, (name, sources, option) in enumerate(self.steps):
            inputs = [values[source] for source in sources]
            values.append(self._step(name, inputs, option, place))
        a = F.relu(self.wide(values[-1].flatten(1)))
        return self.last(self.last(a).relu()) if self.seed % 2 else self.last(a)

    def _step(self, name, inputs, option, place):
        a = inputs[0]
        if name == "again":
            return self.layers[f"s{option}"](a)
        if name in KINDS:
            own = self.layers[f"s{place}"] if f"s{place}" in self.layers else None
            return KINDS[name].ways[option](a, own)
        if f"s{place}" in self.layers:
            return self.layers[f"s{place}"](a)
        if name == "relu":
            return a.relu_() if option == "in place" else F.relu(a)
        if name == "maxpool":
            return F.max_pool2d(a, 2)
        if name == "avgpool":
            return F.avg_pool2d(a, 2)
        if name == "cat":
            return torch.cat(inputs, 1)
        return torch.add(*inputs) if option else inputs[0] + inputs[1]

    def __repr__(self):
        return f"Graph({self.steps}, seed={self.seed}, bias={self.bias})"


@st.composite
def graphs(draw, bias=None, kinds=tuple(KINDS)):
    """Draw a `Graph`; `bias` says whether it has biases, or either if left out.

    Among its steps are those of `KINDS` that are named.
    """
    steps, shapes, convolutions = [], [(CHANNELS, SIDE)], {}
    for place in range(draw(st.integers(2, 8))):
        # Most often what was made last, so that networks become deep.
        recent = st.integers(max(0, place - 1), place)
        source = draw(st.one_of(recent, st.integers(0, place)))
        channels, side = shapes[source]
        partners = [n for n, shape in enumerate(shapes) if shape == shapes[source]]
        beside = [n for n, shape in enumerate(shapes) if shape[1] == side]
        layers = [n for n, given in convolutions.items() if given == channels]
        known = ["conv", "conv", "relu", "relu", "norm", "cat", "add"]
        known += ["again"] * len(layers)
        known += ["maxpool", "avgpool"] if side > 1 else []
        known += [each for each in kinds if KINDS[each].fits(channels, side)]
        name, sources, option = draw(st.sampled_from(known)), (source,), None
        shape = (channels, side)
        if name == "conv":
            groups = draw(st.sampled_from([1, channels]))
            out = draw(st.integers(1, 3)) * groups if channels < 5 else channels
            option = (out, draw(st.sampled_from([1, 3])), groups)
            shape = (out, side)
            convolutions[place] = channels
        elif name == "again":
            option = draw(st.sampled_from(layers))
            shape = (steps[option][2][0], side)
        elif name == "relu":
            # In place only what nobody else reads, and never the user's input.
            fresh = place and source == place and steps[-1][0] in ("conv", "add")
            spellings = ["module", "function"] + ["in place"] * bool(fresh)
            option = draw(st.sampled_from(spellings))
        elif name == "add":
            sources = (source, draw(st.sampled_from(partners)))
            option = draw(st.booleans())
        elif name == "cat":
            sources = (source, draw(st.sampled_from(beside)))
            shape = (sum(shapes[entry][0] for entry in sources), side)
        elif name in ("maxpool", "avgpool"):
            shape = (channels, side // 2)
        elif name in KINDS:
            option = draw(st.sampled_from(sorted(KINDS[name].ways)))
            shape = KINDS[name].shape(channels, side)
        steps.append((name, sources, option))
        shapes.append(shape)
        if shape[0] > 12:
            break
    seed = draw(st.integers(0, 999))
    return Graph(steps, seed, draw(st.booleans()) if bias is None else bias)


class Case:
    """A network, inputs, and the name of a method."""

    def __init__(self, net, signed, name):
        self.net, self.name, self.signed = net, name, signed
        draw = normal if signed else uniform
        self.x = draw(net.seed, 2, CHANNELS, SIDE, SIDE)

    def __repr__(self):
        return f"Case({self.net}, {self.signed}, {self.name!r})"


# What methods have no rule for.
REFUSED = dict.fromkeys(RECTIFYING, ("smooth", "gate"))
REFUSED |= {"deeplift-revealcancel": ("gate", "standard")}
REFUSED |= dict.fromkeys(("dtd", "lrp-eps-gamma-box"), ("constant",))
# These read pixels in [0, 1], or activations that are not negative.
POSITIVE = ("dtd", "lrp-eps-gamma-box", "excitation-bp")


@st.composite
def cases(draw, names=tuple(CHAINS), bias=None, kinds=tuple(KINDS)):
    """Draw a `Case`; methods get no kinds of step that they refuse."""
    name = draw(st.sampled_from(names))
    kinds = tuple(kind for kind in kinds if kind not in REFUSED.get(name, ()))
    net = draw(graphs(bias, kinds))
    return Case(net, name not in POSITIVE and draw(st.booleans()), name)
