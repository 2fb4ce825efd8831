"""A network as a list of layer calls: none is missed, and none comes out wrong."""

from collections import deque

import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from nets import Net, call, normal, relative, trained
from torch import nn

import modbp
from modbp.backprop.trace import Trace
from modbp.errors import MethodError, TraceError
from modbp.zoo.vision import load_torchvision


@torch.no_grad()
def run(net, x):
    """Return the calls after the input, and the output that they lead to."""
    calls, outputs, last = Trace(net).run(x)
    return calls[1:], outputs[last]


def kinds(net, x):
    return " ".join(call.kind for call in run(net, x)[0])


def names(net, x):
    return " ".join(call.name for call in run(net, x)[0])


@torch.no_grad()
def assert_same_output(net, x):
    before = x.clone()
    _, output = run(net, x)
    assert torch.equal(x, before)
    # An in-place layer of the net may write into its input.
    assert relative(output, net(x.clone())) < 1e-12


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
    "conv identity add relu": [lambda n, x: n.act(sum([n.c(x), x]))],
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
        trained(net if isinstance(net, nn.Module) else Net(net, **parts()))
        for net in (SPELLINGS[expected][0], SPELLINGS[expected][place])
    )
    x = normal(1, 2, 3, 6, 6)
    assert kinds(net, x) == expected
    assert_same_output(net, x)
    torch.testing.assert_close(run(net, x)[1], run(twin, x)[1], rtol=1e-12, atol=1e-12)


# Modules and functions, with the shape of an input, under the kind of their call.
LAYERS = {
    "conv": [
        (nn.Conv1d(4, 6, 3, stride=2, padding=1, groups=2), (2, 4, 9)),
        (nn.Conv2d(4, 8, (3, 2), (1, 2), dilation=2), (2, 4, 8, 9)),
        (nn.Conv2d(4, 8, 3, groups=4, bias=False), (2, 4, 8, 8)),
        (nn.Conv2d(3, 2, (3, 5), padding="same", dilation=2), IMAGES),
        (nn.Conv2d(3, 2, 3, padding="valid"), IMAGES),
        (nn.Conv3d(2, 3, 2, padding=(0, 1, 1)), (2, 2, 4, 4, 4)),
        (nn.ConvTranspose1d(3, 2, 3, 2), (2, 3, 5)),
        (nn.ConvTranspose2d(4, 6, 3, 2, 1, 1, groups=2, dilation=2), (2, 4, 5, 5)),
        (nn.ConvTranspose3d(2, 2, 2, 2), (2, 2, 3, 3, 3)),
        (lambda n, x: F.conv1d(x, n.v, stride=2), (2, 4, 9)),
        (lambda n, x: F.conv_transpose2d(x, n.w, n.b, 2, 1, 1, 2, 2), (2, 6, 5, 5)),
    ],
    "dense": [(nn.Linear(5, 4), (2, 3, 5)), (lambda n, x: F.linear(x, n.m), (2, 5))],
    "norm": [
        (nn.BatchNorm1d(4), (3, 4)),
        (nn.BatchNorm1d(4), (3, 4, 5)),
        (nn.BatchNorm2d(3, eps=0.1), IMAGES),
        (nn.BatchNorm2d(3, affine=False), IMAGES),
        (nn.BatchNorm3d(2), (2, 2, 3, 3, 3)),
    ],
    "relu": [(nn.ReLU6(), IMAGES), (lambda n, x: F.relu6(x), IMAGES)],
    "maxpool": [
        (nn.MaxPool1d(2), (2, 3, 7)),
        (nn.MaxPool3d(2, dilation=2), (2, 3, 5, 5, 5)),
        (nn.AdaptiveMaxPool1d(3), (2, 3, 7)),
        (nn.AdaptiveMaxPool2d((2, 3)), IMAGES),
        (lambda n, x: F.adaptive_max_pool2d(x, 4), IMAGES),
    ],
    "avgpool": [
        (nn.AvgPool1d(3, 2, 1, count_include_pad=False), (2, 3, 7)),
        (nn.AvgPool2d(3, 2, 1, True, False, 5), IMAGES),
        (nn.AvgPool3d(2, padding=1), (2, 3, 4, 4, 4)),
        (nn.AdaptiveAvgPool3d((1, 2, 3)), (2, 1, 4, 4, 4)),
    ],
    "shape": [
        (nn.Flatten(1, 2), IMAGES),
        (nn.Unflatten(1, (3, 1)), IMAGES),
        (lambda n, x: x.unflatten(2, (2, -1)), IMAGES),
        (lambda n, x: x.squeeze(2), (2, 3, 1, 4)),
        (lambda n, x: torch.unsqueeze(x, -1), IMAGES),
    ],
}


@pytest.mark.parametrize(
    ("kind", "place"),
    [(kind, place) for kind, layers in LAYERS.items() for place in range(len(layers))],
)
def test_a_layer_computes_what_torch_computes(kind, place):
    layer, shape = LAYERS[kind][place]
    sizes = {"w": (6, 4, 3, 3), "b": (8,), "v": (6, 4, 3), "m": (4, 5)}
    own = {name: nn.Parameter(torch.empty(size)) for name, size in sizes.items()}
    alone = isinstance(layer, nn.Module)
    net = trained(nn.Sequential(layer) if alone else Net(layer, **own))
    x = normal(1, *shape) * 5
    assert kinds(net, x) == kind
    assert_same_output(net, x)


def test_a_call_knows_what_it_reads_and_whether_that_is_nonnegative():
    net = trained(Net(lambda n, x: n.c(x).relu() + F.max_pool2d(x, 1), c=conv()))
    calls, _ = run(net, normal(1, *IMAGES).abs())
    assert [call.sources for call in calls] == [(0,), (1,), (0,), (2, 3)]
    assert [call.nonnegative for call in calls] == [True, False, True, True]
    calls, _ = run(net, normal(1, *IMAGES))
    assert [call.nonnegative for call in calls] == [False] * 4


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


def relu_on_a_view_that_is_forgotten(n, x):
    return n.act(n.c(x).view(len(x), -1))


def relu_on_a_view_that_is_used(n, x):
    h = n.c(x)
    n.act(h.view(len(x), -1))
    return (h + x).flatten(1)


def relu_under_a_view_that_is_used(n, x):
    h = n.c(x)
    y = h.view(len(x), -1)
    F.relu_(h)
    return y.flatten(1)


def relu_under_another_name_that_is_used(n, x):
    h = n.c(x)
    y = h.detach()
    F.relu_(h)
    return (y + h).flatten(1)


REFUSED = r"reads a tensor that was changed in place .* out of place"


@pytest.mark.parametrize(
    ("forward", "expected"),
    [
        (relu_then_use_the_old_name, "conv relu shape dense"),
        (add_then_use_the_old_name, "conv add cat"),
        (relu_in_place_under_a_skip, "conv relu add"),
        (relu_on_the_input, "relu conv"),
        (relu_on_a_view_that_is_forgotten, "conv shape relu"),
        (relu_on_a_view_that_is_used, REFUSED),
        (relu_under_a_view_that_is_used, REFUSED),
        (relu_under_another_name_that_is_used, REFUSED),
    ],
)
def test_what_is_changed_in_place_is_changed_under_all_its_names(forward, expected):
    net, x = trained(Net(forward, **parts())), normal(1, *IMAGES)
    if expected is REFUSED:  # a view of it is used later
        with pytest.raises(MethodError, match=REFUSED):
            modbp.chain(net, x, "lrp-z")
        own = modbp.explain(net, x, "gradient")  # by autograd
        y = x.clone().requires_grad_()
        net(y.clone()).flatten(1).amax(1).sum().backward()
        assert relative(own, y.grad) < 1e-12
    else:
        assert kinds(net, x) == expected
        assert_same_output(net, x)


# The user's model is only read --------------------------------------------------------


def describe(value):
    return (id(value), value.tolist() if isinstance(value, torch.Tensor) else None)


def snapshot(net):
    """Return all that hangs on the modules, one level deep: identities, and numbers."""
    return [
        {
            key: (id(value), [*map(describe, value.values())])
            if isinstance(value, dict)
            else (id(value), [*map(id, value)])
            if isinstance(value, (list, set, deque))
            else describe(value)
            for key, value in vars(module).items()
        }
        for module in net.modules()
    ]


class Diary(nn.Module):
    """Notes what it sees, and writes to its own weights and buffers."""

    def __init__(self, broken=False):
        super().__init__()
        self.fc, self.broken, self.seen, self.last = nn.Linear(3, 3), broken, [], None
        self.register_buffer("count", torch.zeros(()))
        self.register_buffer("scale", torch.ones(()))
        self.marks, self.recent = {0}, deque([1, 2], maxlen=2)
        self.nested = {"inner": [[]]}

    def forward(self, x):
        self.count = self.count + 1
        weight = self.fc.weight + torch.ones(3)
        x = F.linear(x, weight * torch.tensor([1.0, 2.0, 3.0]))
        self.seen.append(x)
        self.last = x
        self.marks.add(len(self.seen))
        self.recent.append(x)
        self.nested["inner"][0].append(len(self.seen))
        self.scale.mul_(2)  # as running statistics, in place
        self.fc.bias.data.add_(1)
        if self.broken and x.sum() > 0:
            return x
        return self.fc(x) / self.scale


def test_a_model_that_notes_what_it_sees_is_left_as_it_was():
    net, broken = Diary().eval(), Diary(broken=True).eval()
    before, x = snapshot(net), torch.rand(2, 3)
    inner = [*net.nested["inner"][0]]
    _, output = run(net, x)
    assert snapshot(net) == before and net.nested["inner"][0] == inner
    torch.testing.assert_close(output, net(x).detach())
    before = snapshot(broken)
    with pytest.raises(TraceError, match="asks for the values"):  # half run
        run(broken, x)
    assert snapshot(broken) == before


# Names --------------------------------------------------------------------------------


def block():
    return Net(lambda n, x: F.relu(n.conv(x)) + x, conv=conv())


def test_names_are_dotted_paths_and_functions_are_called_after_their_module():
    net = Net(
        lambda n, x: F.relu_(n.layers(x)).flatten(1),
        layers=nn.Sequential(block(), nn.MaxPool2d(2), block()),
    )
    assert names(trained(net), normal(1, *IMAGES)) == (
        "layers.0.conv layers.0.relu layers.0.add layers.1 "
        "layers.2.conv layers.2.relu layers.2.add relu flatten"
    )


def test_further_calls_of_the_same_name_are_numbered():
    def forward(n, x):
        return F.max_pool2d(F.max_pool2d(n.block(n.block(x)), 2), 2)

    assert names(trained(Net(forward, block=block())), normal(1, *IMAGES)) == (
        "block.conv block.relu block.add block.conv:2 block.relu:2 block.add:2 "
        "max_pool2d max_pool2d:2"
    )
    # A layer called like the input gets a name of its own.
    net = Net(lambda n, x: plus_assign(n.input(x), x), input=nn.Linear(3, 3))
    assert names(trained(net), normal(1, 2, 3)) == "input:2 add"


def test_a_view_that_is_an_attribute_is_called_by_its_name():
    net = trained(Net(lambda n, x: n.fc(x).mT.flatten(1), fc=nn.Linear(3, 3)))
    found, _ = run(net, normal(1, 2, 4, 3))
    assert [(call.name, call.kind) for call in found[1:]] == [
        ("mT", "shape"), ("flatten", "shape")
    ]  # fmt: skip


def relu(x):
    return -x


def test_a_function_of_the_user_is_not_mistaken_for_one_of_torch():
    net = trained(Net(lambda n, x: relu(n.fc(x)), fc=nn.Linear(3, 3)))
    assert kinds(net, normal(1, 2, 3)) == "dense scale"
    assert_same_output(net, normal(1, 2, 3))


# What cannot be a list of calls -------------------------------------------------------


def test_the_line_that_broke_may_be_in_a_package_whose_name_begins_like_torch():
    vision = load_torchvision()
    net = vision.ops.FeaturePyramidNetwork([3], 3).eval()
    with pytest.raises(TraceError, match=r"feature_pyramid_network\.py, line \d+: "):
        run(net, normal(1, *IMAGES))


def test_a_constant_plus_a_multiple_is_one_layer():
    shift, factor = normal(0, 1, 4, 1), normal(1, 4, 1)
    x = normal(2, 3, 4, 5)
    a = call(lambda x: torch.addcmul(shift, factor, x, value=2), x)
    b = call(lambda x: torch.addcmul(shift, x, factor, value=2), x)
    for found in (a, b):
        assert found.kind == "scale"
        assert relative(found.layer.forward(x), shift + 2 * factor * x) < 1e-15


class Defaults(nn.Linear):
    def forward(self, x, negative_slope=0, note="ok"):
        return super().forward(x)


def test_a_second_input_with_a_default_takes_it():
    assert_same_output(trained(Defaults(3, 3)), normal(1, 2, 3))


# Transposes ---------------------------------------------------------------------------


def assert_adjoint(layer, shape):
    """Check ⟨W a, s⟩ = ⟨a, Wᵀ s⟩, also for weights other than the layer's own."""
    a = normal(1, *shape)
    (call,), _ = run(trained(nn.Sequential(layer)), a)
    own = call.layer.weight.detach()
    for weight in (own, own.clamp(min=0)):
        z = call.layer.linear(a, weight)
        s = normal(2, *z.shape)
        back = call.layer.adjoint(s, weight, a.shape)
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
