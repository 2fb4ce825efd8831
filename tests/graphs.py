"""Random small networks: what hypothesis draws them from."""

import torch
import torch.nn.functional as F
from hypothesis import strategies as st
from nets import CHAINS, normal, uniform
from torch import nn

CHANNELS, SIDE = 2, 4


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
def graphs(draw, bias=None):
    """Draw a `Graph`; `bias` says whether it has biases, or either if left out."""
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


# These read pixels in [0, 1], or activations that are not negative.
POSITIVE = ("dtd", "lrp-eps-gamma-box", "excitation-bp")


@st.composite
def cases(draw, names=tuple(CHAINS), bias=None):
    """Draw a `Case`."""
    name, net = draw(st.sampled_from(names)), draw(graphs(bias))
    return Case(net, name not in POSITIVE and draw(st.booleans()), name)
