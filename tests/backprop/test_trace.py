"""A network as a list of layer calls: none is missed, and none comes out wrong."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import fx, nn

from modbp.backprop.chain import chain
from modbp.backprop.trace import Trace
from modbp.errors import InputError, MethodError, TraceError
from modbp.zoo.vision import load_torchvision


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """The layers here are tiny: threads would only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Net(nn.Module):
    """A model whose forward is a lambda: its parts are the lambda's first argument."""

    def __init__(self, run, **parts):
        super().__init__()
        self.run = run
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x):
        return self.run(self, x)


def seeded(net):
    """Return the net in float64, with every parameter and statistic drawn anew."""
    generator = torch.Generator().manual_seed(0)
    net = net.double().eval()
    for name, value in [*net.named_parameters(), *net.named_buffers()]:
        if value.dtype == torch.float64:
            drawn = torch.rand(value.shape, generator=generator, dtype=value.dtype)
            value.data = drawn + 0.5 if "running_var" in name else drawn - 0.5
    return net


def inputs(*shape):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


@torch.no_grad()
def run(net, x):
    """Return the calls after the input, and the output that they lead to."""
    calls, outputs, last = Trace(net).run(x)
    return calls[1:], outputs[last]


def kinds(net, x):
    return " ".join(call.kind for call in run(net, x)[0])


def names(net, x):
    return [call.name for call in run(net, x)[0]]


@torch.no_grad()
def assert_same_output(net, x):
    before = x.clone()
    _, output = run(net, x)
    assert torch.equal(x, before)
    expected = net(x.clone())  # an in-place layer of the net may write into it
    assert output.shape == expected.shape
    torch.testing.assert_close(output, expected, rtol=1e-12, atol=1e-12)


def conv(inputs=3, outputs=3, kernel=3, **options):
    return nn.Conv2d(inputs, outputs, kernel, **{"padding": 1, **options})


# Every call is an entry ---------------------------------------------------------------

IMAGES = (2, 3, 6, 6)


def plus_assign(a, b):
    a += b
    return a


def parts():
    return {
        "c": conv(),
        "d": nn.Linear(108, 4),
        "act": nn.ReLU(inplace=True),
        "wide": conv(6, 6),
    }


# Spellings of one network, under the kinds of its calls; the first is the twin of the
# others, in modules where that can be.
SPELLINGS = {
    "conv relu": [
        nn.Sequential(conv(), nn.ReLU()),
        lambda n, x: n.act(n.c(x)),
        lambda n, x: n.act(n.c(input=x)),
        lambda n, x: F.relu(n.c(x)),
        lambda n, x: F.relu(input=n.c(x)),
        lambda n, x: F.relu(n.c(x), inplace=True),
        lambda n, x: F.relu_(n.c(x)),
        lambda n, x: torch.relu(n.c(x)),
        lambda n, x: torch.relu_(n.c(x)),
        lambda n, x: n.c(x).relu(),
        lambda n, x: n.c(x).relu_(),
        lambda n, x: F.conv2d(x, n.c.weight, n.c.bias, padding=1).relu(),
        lambda n, x: torch.conv2d(x, n.c.weight, n.c.bias, 1, "same").relu(),
    ],
    "conv relu conv relu": [
        nn.Sequential(c := conv(), nn.ReLU(), c, nn.ReLU()),
        lambda n, x: n.act(n.c(n.act(n.c(x)))),
        lambda n, x: n.c(n.c(x).relu()).relu(),
    ],
    "conv add relu": [
        lambda n, x: n.act(n.c(x) + x),
        lambda n, x: n.act(torch.add(n.c(x), x)),
        lambda n, x: n.act(torch.add(input=n.c(x), other=x)),
        lambda n, x: n.act(n.c(x).add(x)),
        lambda n, x: n.act(n.c(x).add(other=x)),
        lambda n, x: n.act(n.c(x).add_(x)),
        lambda n, x: n.act(plus_assign(n.c(x), x)),
    ],
    "conv identity add relu": [
        lambda n, x: n.act(sum([n.c(x), x])),
    ],
    "conv cat": [
        lambda n, x: torch.cat([n.c(x), x], 1),
        lambda n, x: torch.cat((n.c(x), x), dim=-3),
        lambda n, x: torch.cat(tensors=[n.c(x), x], dim=1),
        lambda n, x: torch.concat([n.c(x), x], axis=1),
    ],
    "conv shape dense": [
        nn.Sequential(conv(), nn.Flatten(), nn.Linear(108, 4)),
        lambda n, x: n.d(torch.flatten(n.c(x), 1)),
        lambda n, x: n.d(n.c(x).flatten(1)),
        lambda n, x: n.d(n.c(x).flatten(start_dim=1)),
        lambda n, x: n.d(n.c(x).view(x.size(0), -1)),
        lambda n, x: n.d(n.c(x).view(-1, 108)),
        lambda n, x: n.d(n.c(x).view(2, 108)),
        lambda n, x: n.d(n.c(x).reshape(x.shape[0], -1)),
        lambda n, x: F.linear(n.c(x).flatten(1), n.d.weight, n.d.bias),
    ],
    "conv identity relu": [
        nn.Sequential(conv(), nn.Dropout(0.9), nn.ReLU()),
        nn.Sequential(conv(), nn.Identity(), nn.ReLU()),
        nn.Sequential(conv(), nn.Dropout2d(0.9, inplace=True), nn.ReLU()),
        lambda n, x: F.dropout(n.c(x), 0.9, n.training).relu(),
        lambda n, x: F.dropout2d(n.c(x), training=False).relu(),
        lambda n, x: torch.dropout(n.c(x), 0.9, False).relu(),
        lambda n, x: n.c(x).contiguous().relu(),
    ],
    "conv avgpool shape": [
        nn.Sequential(conv(), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        nn.Sequential(conv(), nn.AvgPool2d(6), nn.Flatten()),
        lambda n, x: F.adaptive_avg_pool2d(n.c(x), (1, 1)).flatten(1),
        lambda n, x: F.avg_pool2d(n.c(x), 6).flatten(1),
        lambda n, x: n.c(x).mean((2, 3), keepdim=True).flatten(1),
        lambda n, x: n.c(x).mean([-1, -2], True).flatten(1),
    ],
    "conv avgpool": [
        lambda n, x: n.c(x).mean([2, 3]),
        lambda n, x: torch.mean(n.c(x), dim=(2, 3)),
    ],
    "conv maxpool": [
        nn.Sequential(conv(), nn.MaxPool2d(3, stride=2, padding=1, ceil_mode=True)),
        lambda n, x: F.max_pool2d(n.c(x), 3, 2, 1, ceil_mode=True),
        lambda n, x: torch.max_pool2d(n.c(x), 3, 2, 1, 1, True),
    ],
    "shape conv shape": [
        lambda n, x: n.wide(x.permute(0, 2, 1, 3)).transpose(1, 2),
        lambda n, x: n.wide(x.transpose(1, 2)).permute(0, 2, 1, 3),
        lambda n, x: torch.transpose(n.wide(torch.permute(x, (0, 2, 1, 3))), 1, 2),
        lambda n, x: n.wide(x.transpose(-2, -3)).transpose(2, 1),
    ],
}


@pytest.mark.parametrize(
    ("expected", "place"),
    [(kinds, place) for kinds, nets in SPELLINGS.items() for place in range(len(nets))],
)
def test_every_spelling_of_a_network_is_the_same_list_of_calls(expected, place):
    twin, net = (
        seeded(net if isinstance(net, nn.Module) else Net(net, **parts()))
        for net in (SPELLINGS[expected][0], SPELLINGS[expected][place])
    )
    x = inputs(2, 3, 6, 6)
    assert kinds(net, x) == expected
    assert_same_output(net, x)
    torch.testing.assert_close(run(net, x)[1], run(twin, x)[1], rtol=1e-12, atol=1e-12)


LAYERS = {
    "Conv1d": (nn.Conv1d(4, 6, 3, stride=2, padding=1, groups=2), (2, 4, 9), "conv"),
    "Conv2d": (nn.Conv2d(4, 8, (3, 2), (1, 2), dilation=2), (2, 4, 8, 9), "conv"),
    "depthwise": (nn.Conv2d(4, 8, 3, groups=4, bias=False), (2, 4, 8, 8), "conv"),
    "same": (nn.Conv2d(3, 2, (3, 5), padding="same", dilation=2), IMAGES, "conv"),
    "valid": (nn.Conv2d(3, 2, 3, padding="valid"), IMAGES, "conv"),
    "Conv3d": (nn.Conv3d(2, 3, 2, padding=(0, 1, 1)), (2, 2, 4, 4, 4), "conv"),
    "ConvTranspose1d": (nn.ConvTranspose1d(3, 2, 3, 2), (2, 3, 5), "conv"),
    "ConvTranspose2d": (
        nn.ConvTranspose2d(4, 6, 3, 2, 1, output_padding=1, groups=2, dilation=2),
        (2, 4, 5, 5),
        "conv",
    ),
    "ConvTranspose3d": (nn.ConvTranspose3d(2, 2, 2, 2), (2, 2, 3, 3, 3), "conv"),
    "F.conv1d": (
        Net(lambda n, x: F.conv1d(x, n.c.weight, stride=2), c=nn.Conv1d(4, 6, 3)),
        (2, 4, 9),
        "conv",
    ),
    "F.conv_transpose2d": (
        Net(
            lambda n, x: F.conv_transpose2d(x, n.c.weight, n.c.bias, 2, 1, 1, 2, 2),
            c=nn.ConvTranspose2d(4, 6, 3, groups=2),
        ),
        (2, 4, 5, 5),
        "conv",
    ),
    "own parameter": (
        Net(lambda n, x: F.linear(x, n.w), w=nn.Parameter(torch.rand(4, 5))),
        (2, 5),
        "dense",
    ),
    "Linear on tokens": (nn.Linear(5, 4), (2, 3, 5), "dense"),
    "BatchNorm1d": (nn.BatchNorm1d(4), (3, 4), "norm"),
    "BatchNorm1d in time": (nn.BatchNorm1d(4), (3, 4, 5), "norm"),
    "BatchNorm2d": (nn.BatchNorm2d(3, eps=0.1), IMAGES, "norm"),
    "BatchNorm2d without weights": (nn.BatchNorm2d(3, affine=False), IMAGES, "norm"),
    "BatchNorm3d": (nn.BatchNorm3d(2), (2, 2, 3, 3, 3), "norm"),
    "ReLU6": (nn.ReLU6(), IMAGES, "relu"),
    "F.relu6": (Net(lambda n, x: F.relu6(x)), IMAGES, "relu"),
    "MaxPool1d": (nn.MaxPool1d(2), (2, 3, 7), "maxpool"),
    "MaxPool3d": (nn.MaxPool3d(2, dilation=2), (2, 3, 5, 5, 5), "maxpool"),
    "AvgPool1d": (nn.AvgPool1d(3, 2, 1, count_include_pad=False), (2, 3, 7), "avgpool"),
    "AvgPool2d": (nn.AvgPool2d(3, 2, 1, True, False, 5), IMAGES, "avgpool"),
    "AvgPool3d": (nn.AvgPool3d(2, padding=1), (2, 3, 4, 4, 4), "avgpool"),
    "AdaptiveMaxPool1d": (nn.AdaptiveMaxPool1d(3), (2, 3, 7), "maxpool"),
    "AdaptiveMaxPool2d": (nn.AdaptiveMaxPool2d((2, 3)), IMAGES, "maxpool"),
    "F.adaptive_max_pool2d": (
        Net(lambda n, x: F.adaptive_max_pool2d(x, 4)),
        IMAGES,
        "maxpool",
    ),
    "AdaptiveAvgPool3d": (nn.AdaptiveAvgPool3d((1, 2, 3)), (2, 1, 4, 4, 4), "avgpool"),
    "Flatten in the middle": (nn.Flatten(1, 2), IMAGES, "shape"),
    "Unflatten": (nn.Unflatten(1, (3, 1)), IMAGES, "shape"),
    "unflatten": (Net(lambda n, x: x.unflatten(2, (2, -1))), IMAGES, "shape"),
    "squeeze": (Net(lambda n, x: x.squeeze(2)), (2, 3, 1, 4), "shape"),
    "unsqueeze": (Net(lambda n, x: torch.unsqueeze(x, -1)), IMAGES, "shape"),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_computes_what_torch_computes(name):
    net, shape, kind = LAYERS[name]
    net = seeded(net if isinstance(net, Net) else nn.Sequential(net))
    x = inputs(*shape) * 5
    assert kinds(net, x) == kind
    assert_same_output(net, x)


def test_a_call_knows_what_it_reads_and_whether_that_is_nonnegative():
    net = seeded(Net(lambda n, x: n.c(x).relu() + F.max_pool2d(x, 1), c=conv()))
    calls, _ = run(net, inputs(*IMAGES).abs())
    assert [call.sources for call in calls] == [(0,), (1,), (0,), (2, 3)]
    assert [call.nonnegative for call in calls] == [True, False, True, True]
    calls, _ = run(net, inputs(*IMAGES))
    assert [call.nonnegative for call in calls] == [False] * 4


MODELS = {
    "resnet18": {},
    "vgg11_bn": {},
    "squeezenet1_1": {},
    "densenet121": {},
    "mobilenet_v2": {},
    "googlenet": {"aux_logits": False, "init_weights": False},
    "alexnet": {},
}


@pytest.mark.parametrize("name", MODELS)
def test_a_torchvision_network_gives_its_own_output(name):
    build = getattr(load_torchvision().models, name)
    with torch.device("meta"):  # its own initialisation takes seconds
        net = build(num_classes=5, **MODELS[name])
        for path, module in list(net.named_modules()):
            if isinstance(module, nn.Linear):
                # 100 million weights would only cost time.
                width = [8 if n == 4096 else n for n in module.weight.shape]
                net.set_submodule(path, nn.Linear(*width[::-1]))
    net = seeded(net.to_empty(device="cpu"))
    for module in net.modules():  # keep values near one in deep networks
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            module.weight.data.mul_(3 / module.weight[0].numel() ** 0.5)
    x = inputs(2, 3, 64, 64)
    calls, output = run(net, x)
    assert "other" not in {call.kind for call in calls}
    with torch.no_grad():
        expected = net(x)
    assert 1e-3 < expected.abs().max() < 1e6
    torch.testing.assert_close(output, expected, rtol=1e-11, atol=1e-12)


# In-place layers ----------------------------------------------------------------------


def relu_then_use_the_old_name(n, x):
    h = n.c(x)
    F.relu_(h)
    return n.d(h.flatten(1))


def add_then_use_the_old_name(n, x):
    h = n.c(x)
    y = h
    h += x
    return torch.cat([y, h], 1)


def relu_in_place_under_a_skip(n, x):
    h = n.c(x)
    return n.act(h) + h


def relu_on_the_input(n, x):
    F.relu(x, inplace=True)
    return n.c(x)


def relu_on_a_view_that_is_used(n, x):
    h = n.c(x)
    n.act(h.view(2, -1))
    return h


def relu_under_a_view_that_is_used(n, x):
    h = n.c(x)
    y = h.view(2, -1)
    F.relu_(h)
    return y


def relu_under_a_dropout_that_is_used(n, x):
    h = n.c(x)
    y = F.dropout(h, 0.5, n.training)
    F.relu_(h)
    return y + h


def relu_on_a_view_that_is_forgotten(n, x):
    return n.act(n.c(x).view(2, -1))


@pytest.mark.parametrize(
    ("forward", "expected"),
    [
        (relu_then_use_the_old_name, "conv relu shape dense"),
        (add_then_use_the_old_name, "conv add cat"),
        (relu_in_place_under_a_skip, "conv relu add"),
        (relu_on_the_input, "relu conv"),
        (relu_on_a_view_that_is_forgotten, "conv shape relu"),
    ],
)
def test_what_is_changed_in_place_is_changed_under_all_its_names(forward, expected):
    net = seeded(Net(forward, **parts()))
    assert kinds(net, inputs(*IMAGES)) == expected
    assert_same_output(net, inputs(*IMAGES))


@pytest.mark.parametrize(
    "forward",
    [
        relu_on_a_view_that_is_used,
        relu_under_a_view_that_is_used,
        relu_under_a_dropout_that_is_used,
    ],
)
def test_a_view_of_what_is_changed_in_place_is_refused(forward):
    net = seeded(Net(forward, **parts()))
    with pytest.raises(TraceError, match=r"layer '(relu|act)' changes in place .* out"):
        run(net, inputs(*IMAGES))


# The user's model is only read --------------------------------------------------------


def snapshot(net):
    """Return all that hangs on the modules, by identity, one level deep."""
    return [
        {
            key: (id(value), [*map(id, value.values())])
            if isinstance(value, dict)
            else (id(value), [*map(id, value)])
            if isinstance(value, list)
            else id(value)
            for key, value in vars(module).items()
        }
        for module in net.modules()
    ]


class Diary(nn.Module):
    """Notes what it sees, and adds a constant that fx would note on the model."""

    def __init__(self, broken=False):
        super().__init__()
        self.fc, self.broken, self.seen, self.last = nn.Linear(3, 3), broken, [], None
        self.register_buffer("count", torch.zeros(()))

    def forward(self, x):
        self.count = self.count + 1
        weight = self.fc.weight + torch.ones(3)
        x = F.linear(x, weight * torch.tensor([1.0, 2.0, 3.0]))
        self.seen.append(x)
        self.last = x
        if self.broken and x.sum() > 0:
            return x
        return self.fc(x)


def test_a_model_that_notes_what_it_sees_is_left_as_it_was():
    net = Diary().eval()
    before = snapshot(net)
    trace = Trace(net)
    assert snapshot(net) == before
    x = torch.rand(2, 3)
    _, outputs, last = trace.run(x)
    assert snapshot(net) == before
    torch.testing.assert_close(outputs[last], net(x))


def test_a_model_that_cannot_be_traced_is_left_as_it_was():
    net = Diary(broken=True).eval()
    before = snapshot(net)
    with pytest.raises(TraceError):
        Trace(net)
    assert snapshot(net) == before


# Names --------------------------------------------------------------------------------


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = conv()

    def forward(self, x):
        return F.relu(self.conv(x)) + x


def test_names_are_dotted_paths_and_functions_are_called_after_their_module():
    net = Net(
        lambda n, x: F.relu_(n.layers(x)).flatten(1),
        layers=nn.Sequential(Block(), nn.MaxPool2d(2), Block()),
    )
    assert names(seeded(net), inputs(*IMAGES)) == [
        "layers.0.conv",
        "layers.0.relu",
        "layers.0.add",
        "layers.1",
        "layers.2.conv",
        "layers.2.relu",
        "layers.2.add",
        "relu",
        "flatten",
    ]


def test_further_calls_of_the_same_name_are_numbered():
    net = Net(
        lambda n, x: F.max_pool2d(F.max_pool2d(n.block(n.block(x)), 2), 2),
        block=Block(),
    )
    assert names(seeded(net), inputs(*IMAGES)) == [
        "block.conv",
        "block.relu",
        "block.add",
        "block.conv:2",
        "block.relu:2",
        "block.add:2",
        "max_pool2d",
        "max_pool2d:2",
    ]


def test_a_layer_called_like_the_input_gets_a_name_of_its_own():
    net = Net(lambda n, x: n.input(x).add_(x), input=nn.Linear(3, 3))
    assert names(seeded(net), inputs(2, 3)) == ["input:2", "add"]


def test_a_view_that_is_an_attribute_is_called_by_its_name():
    net = seeded(Net(lambda n, x: n.fc(x).mT.flatten(1), fc=nn.Linear(3, 3)))
    with pytest.raises(MethodError, match="layer 'mT' \\(.mT\\) is of kind 'other'"):
        chain(net, inputs(2, 4, 3), "gradient")


# fx.wrap finds the functions of this module by their name in it.
def relu(x):
    return -x


def add_(x, y):
    return x - y


fx.wrap("relu")
fx.wrap("add_")


@pytest.mark.parametrize(
    ("forward", "name"),
    [(lambda n, x: relu(n.fc(x)), "relu"), (lambda n, x: add_(n.fc(x), x), "add_")],
)
def test_a_function_of_the_user_is_not_mistaken_for_one_of_torch(forward, name):
    net = seeded(Net(forward, fc=nn.Linear(3, 3)))
    seen = []

    def visit(call, *inputs):
        seen.append((call.kind, call.layer.type))
        return call.layer.forward(*inputs)

    message = rf"'{name.strip('_')}' \(.*test_trace\.{name}\): .*cannot compute"
    with pytest.raises(TraceError, match=message):
        Trace(net).run(inputs(2, 3), visit)
    assert seen == [("dense", "Linear"), ("other", f"{__name__}.{name}")]


# What cannot be a list of calls -------------------------------------------------------


def test_the_line_that_broke_may_be_in_a_package_whose_name_begins_like_torch():
    vision = load_torchvision()
    net = vision.ops.FeaturePyramidNetwork([3], 3).eval()
    with pytest.raises(TraceError, match=r"feature_pyramid_network\.py, line \d+: "):
        Trace(net)


class Two(nn.Module):
    def forward(self, x, y):
        return x + y


class Defaults(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 3)

    def forward(self, x, negative_slope=0, note="ok"):
        return self.fc(x)


def test_a_second_input_is_refused_and_one_with_a_default_takes_it():
    with pytest.raises(TraceError, match=r"second input 'y'.* one tensor"):
        run(Two().eval(), inputs(2, 3))
    assert_same_output(seeded(Defaults()), inputs(2, 3))


REFUSED = {
    "nothing": (lambda n, x: None, r"returns a NoneType .*Wrap it"),
    "constant sum": (lambda n, x: n.fc(x) + 1, r"'add': add adds a constant.*the bias"),
    "tensor sum": (lambda n, x: n.fc(x) + n.fc.bias, r"adds a constant.*the bias"),
    "broadcast sum": (
        lambda n, x: n.fc(x) + x.mean(1, keepdim=True),
        r"'add': add adds shapes \[2, 3\] and \[2, 1\].*same shape",
    ),
    "constant cat": (
        lambda n, x: torch.cat([x, torch.ones(2, 3)], 1),
        r"'cat': cat joins a constant.*outputs of layers",
    ),
    "cat of samples": (lambda n, x: torch.cat([x, x]), r"samples; join along the ch"),
    "flat samples": (lambda n, x: x.flatten(), r"\[2, 3\] becomes \[6\]. Keep it"),
    "view": (lambda n, x: x.view(3, 2), r"becomes \[3, 2\]. Keep it first"),
    "transpose": (lambda n, x: x.transpose(0, 1), r"moves the first dimension"),
    "permute": (lambda n, x: x.permute(1, 0), r"moves the first dimension"),
    "Flatten": (lambda n, x: n.flat(x), r"'flat' \(Flatten\): .*Keep the first"),
    "no class left": (lambda n, x: n.fc(x).mean(1), r"\[2, 3\] becomes \[2\]. Keep"),
    "mean of all": (lambda n, x: x.mean(), r"'mean': mean runs over the sam.*later"),
    "mean of samples": (lambda n, x: x.mean((0, 1)), r"'mean' \(mean\): .*name only"),
    "active dropout": (lambda n, x: F.dropout(x, 0.5), r"switched on .*self.training"),
    "unknown option": (
        lambda n, x: x.mean(1, dtype=torch.float64),
        r"'mean': mean is called with arguments.*dtype.*fewer arguments",
    ),
    "constant": (lambda n, x: n.fc(n.fc.weight) + x, r"'fc' is called on so.*buffer"),
    "output size": (lambda n, x: n.fc(n.up(x, [7])), r"'up': .*more than its input"),
    "indices": (
        lambda n, x: F.max_pool1d(x, 2, return_indices=True)[0],
        "with_indices.*Write",
    ),
    "Indices": (lambda n, x: n.pool(x)[0], r"'pool': MaxPool1d also returns indices"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_an_entry_is_refused_with_its_reason_and_a_remedy(name):
    forward, message = REFUSED[name]
    net = Net(
        forward,
        fc=nn.Linear(3, 3),
        flat=nn.Flatten(0),
        up=nn.ConvTranspose1d(3, 3, 2, stride=2),
        pool=nn.MaxPool1d(2, return_indices=True),
    )
    with pytest.raises(TraceError, match=f"(?s){message}"):
        run(seeded(net), inputs(2, 3))


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (
            conv(padding_mode="reflect"),
            r"'0': Conv2d pads with 'reflect'.*of its own",
        ),
        (
            conv(kernel=2, padding="same"),
            r"'0': Conv2d .* an even kernel.*integer",
        ),
        (nn.BatchNorm2d(3, track_running_stats=False), r"'0': .*no running statistics"),
    ],
)
def test_a_layer_that_is_not_one_of_its_weights_alone_is_refused(layer, message):
    with pytest.raises(TraceError, match=message):
        run(seeded(nn.Sequential(layer)), inputs(*IMAGES))


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (conv(), (2, 4, 6, 6), r"'0' \(Conv2d\) cannot .* \[2, 4, 6, 6\]: .*images of"),
        (conv(), (2, 3, 6), r"'0' \(Conv2d\).*\[2, 3, 6\]: it takes 4 dimensions"),
        (
            nn.Linear(4, 2),
            (2, 3),
            r"'0' \(Linear\) cannot .* \[2, 3\]",
        ),
        (
            nn.BatchNorm1d(4),
            (2, 1),
            r"'0' \(BatchNorm1d\).*\[2, 1\]: it takes 4",
        ),
        (nn.MaxPool2d(9), IMAGES, r"'0' \(MaxPool2d\) cannot .*images of the size"),
        (
            Net(lambda n, x: x.view(-1, 5)),
            (2, 3),
            r"'0.view': view cannot .*\[2, 3",
        ),
    ],
)
def test_an_input_of_the_wrong_shape_is_refused_by_the_layer_that_meets_it(
    layer, shape, message
):
    with pytest.raises(InputError, match=f"(?s){message}"):
        run(seeded(nn.Sequential(layer)), inputs(*shape))


# Transposes ---------------------------------------------------------------------------


def assert_adjoint(layer, shape):
    """Check ⟨W a, s⟩ = ⟨a, Wᵀ s⟩, also for weights other than the layer's own."""
    net = seeded(nn.Sequential(layer))
    calls, _ = run(net, inputs(*shape))
    generator = torch.Generator().manual_seed(2)
    a = inputs(*shape)
    own = calls[0].layer.weight.detach()
    for weight in (own, own.clamp(min=0)):
        z = calls[0].layer.linear(a, weight)
        s = torch.randn(z.shape, generator=generator, dtype=z.dtype)
        back = calls[0].layer.adjoint(s, weight, a.shape)
        assert back.shape == a.shape
        up, down = (z * s).sum(), (a * back).sum()
        scale = (z.abs() * s.abs()).sum()
        assert (up - down).abs() <= 1e-12 * scale + 1e-300


sizes = st.integers(1, 3)


@settings(max_examples=100, deadline=None)
@given(data=st.data(), rank=st.integers(1, 3), transposed=st.booleans())
def test_the_adjoint_of_a_convolution_is_its_transpose(data, rank, transposed):
    groups = data.draw(sizes, "groups")
    channels = [groups * data.draw(st.integers(1, 2), what) for what in ("in", "out")]
    options = {
        what: tuple(data.draw(strategy, what) for _ in range(rank))
        for what, strategy in {
            "kernel_size": sizes,
            "stride": sizes,
            "padding": st.integers(0, 2),
            "dilation": st.integers(1, 2),
        }.items()
    }
    # Pictures of up to 64 places take another road in double precision.
    most = 12 if rank == 2 else 7
    room = tuple(data.draw(st.integers(1, most), "size") for _ in range(rank))
    if transposed:
        steps = zip(options["stride"], options["dilation"], strict=True)
        options["output_padding"] = tuple(
            data.draw(st.integers(0, max(pair) - 1), "output_padding") for pair in steps
        )
        kind = getattr(nn, f"ConvTranspose{rank}d")
    else:
        kind = getattr(nn, f"Conv{rank}d")
    layer = kind(*channels, groups=groups, **options)
    shape = (2, channels[0], *room)
    try:
        with torch.no_grad():
            fits = layer(torch.zeros(shape)).numel() > 0
    except RuntimeError:  # the kernel is larger than the padded input
        fits = False
    assume(fits)
    assert_adjoint(layer, shape)


@settings(max_examples=20, deadline=None)
@given(inner=sizes, tokens=st.lists(sizes, max_size=2), outer=sizes, bias=st.booleans())
def test_the_adjoint_of_a_dense_layer_is_its_transpose(inner, tokens, outer, bias):
    assert_adjoint(nn.Linear(inner, outer, bias=bias), (2, *tokens, inner))


@settings(max_examples=20, deadline=None)
@given(
    channels=sizes, room=st.lists(sizes, min_size=0, max_size=3), affine=st.booleans()
)
def test_the_adjoint_of_a_batch_norm_is_its_transpose(channels, room, affine):
    layer = getattr(nn, f"BatchNorm{max(1, len(room))}d")(channels, affine=affine)
    assert_adjoint(layer, (2, channels, *room))


def test_a_hook_that_computes_weights_is_refused_by_name():
    net = nn.Sequential(nn.Linear(2, 2), nn.ReLU()).eval()
    handle = net[0].register_forward_pre_hook(lambda module, inputs: None)
    with pytest.raises(TraceError, match="'0' \\(Linear\\).*remove_weight_norm"):
        Trace(net)
    handle.remove()
    Trace(net)
