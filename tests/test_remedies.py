"""What a message tells to do about a network works when it is done."""

import copy
import warnings
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from nets import Net, filled, mlp, normal, relative, trained, uniform
from torch import nn
from torch.nn.utils import prune

import modbp
from modbp.errors import ModbpError

LRP = "lrp-z"


def gradient(net, x, target=0):
    """Return the derivative by autograd of the model itself."""
    x = x.detach().requires_grad_()
    z = net(x)
    z = z[:, None] if z.ndim == 1 else z
    return torch.autograd.grad(z[:, target].sum(), x)[0]


def network(run, **parts):
    return filled(Net(run, **parts))


def fed(run, width=6, **parts):
    """A network of [N, 6] whose last layer reads so many entries of a function."""
    return network(lambda net, x: net.fc(run(net, x)), fc=nn.Linear(width, 2), **parts)


def images(*layers, width):
    return filled(nn.Sequential(*layers, nn.Flatten(), nn.Linear(width, 2)))


def rows(x):
    return x.view(len(x), 2, 3)


NORMS = {
    "weight": nn.utils.parametrizations.weight_norm,
    "spectral": nn.utils.parametrizations.spectral_norm,
    "orthogonal": nn.utils.parametrizations.orthogonal,
    "old spectral": nn.utils.spectral_norm,
    "pruned": partial(prune.l1_unstructured, name="weight", amount=0.3),
}


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("norm", NORMS)
def test_a_computed_weight_is_drawn_once_it_is_kept(norm, bias):
    """Or a draw would be lost without a word: as if no weight mattered."""
    net = filled(nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 2, bias)))
    NORMS[norm](net[2])
    net.eval()
    x = uniform(3, 6)
    z = net(x)
    with pytest.raises(modbp.errors.TraceError, match="layer '2'") as caught:
        modbp.sanity.randomise(net, ["2"])
    layer = net.get_submodule("2")
    exec(
        str(caught.value).partition("('2'): ")[2].rstrip("."),
        {"torch": torch, "layer": layer},
    )
    torch.testing.assert_close(net(x), z)
    modbp.sanity.randomise(net, ["2"])
    assert (net(x) - z).abs().min() > 1e-3


class Branches(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.other = nn.Linear(6, 2), nn.Linear(6, 2)

    def forward(self, x):
        return self.one(x) if x.sum() > 0 else self.other(x)


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.top = nn.Linear(3, 4), nn.Linear(3, 4), nn.Linear(8, 2)

    def forward(self, u, v):
        return self.top(torch.cat([F.relu(self.a(u)), F.relu(self.b(v))], 1))


class Named(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = filled(nn.Linear(6, 2))

    def forward(self, *, pixels):
        return self.fc(pixels)


class Slowly(torch.autograd.Function):
    """A ReLU with a backward of its own."""

    @staticmethod
    def forward(context, a):
        context.save_for_backward(a)
        return a.clamp(min=0)

    @staticmethod
    def backward(context, r):
        return r * (context.saved_tensors[0] > 0)


CASES = {}


def case(method, told, shape=(2, 6)):
    """Note a function that returns a network, and the one that the message asks for.

    It may return pairs of networks and inputs, or of networks and methods.
    """

    def note(function):
        CASES[function.__name__] = method, told, shape, function
        return function

    return note


# Wrappers and what stands in for a module ---------------------------------------------


@case(LRP, "Wrap it in a module whose forward takes one tensor.")
def two_inputs():
    two = filled(Two())
    return two, Net(lambda net, x: net.two(x[:, :3], x[:, 3:]), two=two).eval()


@case("gradient", "Wrap it in a module whose forward takes one tensor.")
def an_input_by_name_alone():
    named = Named().double().eval()
    return named, Net(lambda net, x: net.named(pixels=x), named=named).eval()


def by_split(net, x):
    return net.two(*x.split(3, 1))


@case("gradient", "Wrap it in a module whose forward takes one tensor.")
def two_inputs_that_are_split():
    two = filled(Two())
    return two, Net(by_split, two=two).eval()


@case(LRP, "Wrap it in a module that returns the logits alone.")
def a_dict():
    many = network(lambda net, x: {"logits": net.fc(x), "x": x}, fc=nn.Linear(6, 2))
    return many, Net(lambda net, x: net.many(x)["logits"], many=many).eval()


@case(LRP, "Wrap it in a module that returns the logits alone.")
def a_tuple_with_probabilities():
    many = network(lambda net, x: (net.fc(x), net.fc(x).softmax(1)), fc=nn.Linear(6, 2))
    return many, Net(lambda net, x: net.many(x)[0], many=many).eval()


@case(LRP, "Explain net._orig_mod.")
def compiled():
    net = torch.compile(mlp(6, 4, 2))
    return net, net._orig_mod


@case(LRP, "Explain the network with net.0._orig_mod in its place.")
def a_compiled_part():
    net = nn.Sequential(torch.compile(mlp(6, 4)), nn.Linear(4, 2).double()).eval()
    return net, nn.Sequential(net[0]._orig_mod, net[1]).eval()


@case(LRP, "Explain copy.deepcopy(net), which is the same network without that.")
def compiled_in_place():
    net = mlp(6, 4, 2)
    net.compile()
    return net, copy.deepcopy(net)


@case(LRP, "Explain the module it was made from.")
def scripted():
    net = mlp(6, 4, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.script(net), net


@case(LRP, "Explain the module it was made from.")
def traced():
    net = mlp(6, 4, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.trace(net, normal(0, 2, 6)), net


@case(LRP, "Explain the module it was made from.")
def exported():
    net = mlp(6, 4, 2)
    return torch.export.export(net, (normal(0, 2, 6),)).module(), net


@case(LRP, "give a torch.nn.Module")
def an_exported_program():
    net = mlp(6, 4, 2)
    return torch.export.export(net, (normal(0, 2, 6),)), net


@case(LRP, "Explain the float model it came from.")
def quantised():
    net = mlp(6, 4, 2).float()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        small = torch.ao.quantization.quantize_dynamic(net, {nn.Linear})
    return (small, normal(0, 2, 6).float()), (net, normal(0, 2, 6).float())


@case(LRP, "Call net.eval() first.")
def in_training_mode():
    net = nn.Sequential(mlp(6, 4), nn.Dropout(), nn.Linear(4, 2).double()).train()
    return net, copy.deepcopy(net).eval()


@case(LRP, "Call net.eval() first.")
def parametrised_after_the_switch():
    net = mlp(6, 4, 2)
    nn.utils.parametrizations.weight_norm(net[0])
    return net, copy.deepcopy(net).eval()


@case(LRP, "Call the network once, net(x).")
def lazy():
    net, called = (nn.Sequential(nn.LazyLinear(2)).double().eval() for _ in "12")
    called(normal(0, 2, 6))
    return net, called


# Inputs -------------------------------------------------------------------------------


@case(LRP, "Give a batch, as in x[None].")
def an_image_without_a_batch():
    net, x = images(nn.Conv2d(3, 4, 3), nn.ReLU(), width=144), normal(0, 3, 8, 8)
    return (net, x), (net, x[None])


@case("gradient", "Give a batch, as in x[None].")
def a_grey_image_without_a_batch():
    net, x = images(nn.Conv2d(1, 4, 3), nn.ReLU(), width=144), normal(0, 1, 8, 8)
    return (net, x), (net, x[None])


@case("gradient", "Give a batch, as in x[None].")
def a_pooled_image_without_a_batch():
    net, x = images(nn.MaxPool2d(2), width=48), normal(0, 3, 8, 8)
    return (net, x), (net, x[None])


@case(LRP, "samples first, as in x[None]")
def a_vector_without_a_batch():
    net, x = mlp(6, 4, 2), normal(0, 6)
    return (net, x), (net, x[None])


@case(LRP, "explain a module that does what the network does from the embeddings on")
def token_numbers():
    tail = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
    net, tokens = (
        filled(nn.Sequential(nn.Embedding(9, 4), tail)),
        torch.arange(6).view(2, 3),
    )
    return (net, tokens), (net[1], net[0](tokens).detach())


@case(LRP, "Convert with x.float() (images in 0…255 also want dividing by 255).")
def bytes_of_an_image():
    net = nn.Sequential(nn.Flatten(), nn.Linear(12, 2)).eval()
    x = torch.arange(24, dtype=torch.uint8).view(2, 3, 2, 2)
    return (net, x), (net, x.float() / 255)


@case(LRP, "Convert one: x.to(torch.float64) or net.to(torch.float32).")
def another_precision():
    net, x = mlp(6, 2), normal(0, 2, 6).float()
    return (net, x), (net, x.to(torch.float64))


@case(LRP, "Convert one: x.to(torch.float64) or net.to(torch.float32).")
def another_precision_the_other_way():
    net, x = mlp(6, 2), normal(0, 2, 6).float()
    return (net, x), (copy.deepcopy(net).to(torch.float32), x)


@case(LRP, "Convert both: net.float() and x.float().")
def half_precision_throughout():
    net, x = mlp(6, 2), normal(0, 2, 6)
    told = copy.deepcopy(net).half().float(), x.half().float()
    return (copy.deepcopy(net).half(), x.half()), told


@case(LRP, "Convert it: net.to(torch.float64).")
def half_precision_of_the_network():
    net, x = mlp(6, 2), normal(0, 2, 6)
    return (copy.deepcopy(net).half(), x), (net, x)


@case(LRP, "Convert it: net.to(torch.float64).")
def two_precisions_in_one_network():
    net, x = mlp(6, 4, 2), normal(0, 2, 6)
    mixed = nn.Sequential(net[0], copy.deepcopy(net[1:]).float()).eval()
    return (mixed, x), (net, x)


@case(LRP, "give a dense one, x.to_dense().")
def a_sparse_input():
    net, x = mlp(6, 2), normal(0, 2, 6)
    return (net, x.to_sparse()), (net, x)


@case(LRP, "by net.to_empty(device='cpu') and net.load_state_dict(…).")
def a_network_without_values():
    net = mlp(6, 4, 2)
    empty = copy.deepcopy(net).to("meta")
    told = copy.deepcopy(empty).to_empty(device="cpu")
    told.load_state_dict(net.state_dict())
    return empty, told


@case(LRP, "inputs of the size and channels that it")
def channels_of_another_network():
    net = images(nn.Conv2d(3, 4, 3), nn.ReLU(), width=144)
    return (net, normal(0, 2, 4, 8, 8)), (net, normal(0, 2, 3, 8, 8))


# Layers without a rule ----------------------------------------------------------------


@case(LRP, "Explain the logits: leave the softmax out of the model.")
def a_softmax():
    net = nn.Sequential(*mlp(6, 4, 2), nn.Softmax(1)).eval()
    return net, net[:-1].eval()


@case(LRP, "Explain the logits: leave the softmax out of the model.")
def a_log_softmax():
    net = nn.Sequential(*mlp(6, 4, 2), nn.LogSoftmax(1)).eval()
    return net, net[:-1].eval()


def by_three(net, before):
    return (net, LRP), (net, "gradient"), (before, LRP)


@case(LRP, "use method='gradient', or explain the part of the model before it")
def an_attention():
    heads = nn.MultiheadAttention(3, 1, batch_first=True)
    net = fed(lambda net, x: net.heads(*[rows(x)] * 3)[0].flatten(1), heads=heads)
    return by_three(net, fed(lambda net, x: rows(x).flatten(1)))


@case(LRP, "use method='gradient', or explain the part of the model before it")
def attention_as_a_function():
    heads = F.scaled_dot_product_attention
    net = fed(lambda net, x: heads(*[rows(x)] * 3).flatten(1))
    return by_three(net, fed(lambda net, x: rows(x).flatten(1)))


@case(LRP, "Attention multiplies activations with each other: use method='gradient'")
def attention_by_hand():
    net = fed(lambda net, x: (rows(x) @ rows(x).mT).flatten(1), width=4)
    return (net, LRP), (net, "gradient")


@case("deeplift-rescale", "Attention multiplies activations with each other")
def a_transformer():
    layer = nn.TransformerEncoderLayer(2, 1, 8, batch_first=True)
    net = fed(lambda net, x: net.layer(x.view(-1, 3, 2)).flatten(1), layer=layer)
    return (net, "deeplift-rescale"), (net, "gradient")


@case(LRP, "recurrent layer multiplies activations with each other: use method='grad")
def an_lstm():
    net = fed(
        lambda net, x: net.lstm(rows(x))[0][:, -1],
        width=4,
        lstm=nn.LSTM(3, 4, batch_first=True),
    )
    return (net, LRP), (net, "gradient")


@case(LRP, "recurrent layer multiplies activations with each other: use method='grad")
def a_gru_over_time_first():
    net = fed(
        lambda net, x: net.gru(rows(x).transpose(0, 1))[0][-1],
        width=4,
        gru=nn.GRU(3, 4),
    )
    return (net, LRP), (net, "gradient")


@case(LRP, "keep it first, as in x.flatten(1), or use method='gradient'")
def samples_that_are_moved():
    net = fed(lambda net, x: x.transpose(0, 1).transpose(0, 1))
    return (net, LRP), (net, "gradient"), (fed(lambda net, x: x), LRP)


@case(LRP, "train with track_running_stats=True, or use method='g", (2, 3, 8, 8))
def a_batch_norm_without_statistics():
    def made(**options):
        norm = nn.BatchNorm2d(4, **options)
        return trained(images(nn.Conv2d(3, 4, 3), norm, nn.ReLU(), width=144))

    net = made(track_running_stats=False)
    return (net, LRP), (net, "gradient"), (made(track_running_stats=True), LRP)


@case(LRP, "Write fft_rfft and abs with layers that modbp knows, explain the part of ")
def functions_that_are_not_known():
    net = fed(lambda net, x: torch.fft.rfft(x).abs(), width=4)
    return (net, LRP), (net, "gradient")


@case(
    "guided-bp",
    "guided-bp is not defined for kind 'activation': use a gradient or an L",
)
def an_activation():
    net = nn.Sequential(*mlp(6, 4), nn.GELU(), nn.Linear(4, 2)).double().eval()
    ours = {**modbp.methods.get("guided-bp").rules, "activation": modbp.rules.Pass()}
    mine = modbp.methods.Method("mine", ours)
    return (net, "guided-bp"), (net, "gradient"), (net, LRP), (net, mine)


@case("guided-bp", "use an LRP method, or modbp.explain(…, 'gradient'), which asks aut")
def detached_in_part():
    net = fed(lambda net, x: net.fc0(x.detach()) + x, fc0=nn.Linear(6, 6))
    return (net, "guided-bp"), (net, "gradient"), (net, "lrp-eps")


@case("deconv", "use an LRP method, or modbp.explain(…, 'gradient'), which asks autog")
def a_function_with_a_backward_of_its_own():
    net = fed(lambda net, x: Slowly.apply(net.fc0(x)), fc0=nn.Linear(6, 6))
    return (net, "deconv"), (net, "gradient"), (net, "lrp-eps")


@case(
    "gradient", "stands a detach(), a torch.no_grad() or a step that is not in torch."
)
def detached_altogether():
    return fed(lambda net, x: x.detach()), fed(lambda net, x: x)


def without_gradients(net, x):
    with torch.no_grad():
        return net.fc0(x)


@case(
    "gradient", "stands a detach(), a torch.no_grad() or a step that is not in torch."
)
def below_no_grad():
    parts = nn.Linear(6, 6), nn.Linear(6, 6)
    net = fed(without_gradients, fc0=parts[0])
    return net, fed(lambda net, x: net.fc0(x), fc0=parts[1])


@case(
    "gradient", "stands a detach(), a torch.no_grad() or a step that is not in torch."
)
def out_of_torch():
    def doubled(net, x):
        return torch.from_numpy(x.detach().numpy() * 2)

    return fed(doubled), fed(lambda net, x: x * 2)


def half_in_place(net, x):
    h = net.fc0(x)
    h[:, :2].relu_()
    return h


def half_out_of_place(net, x):
    h = net.fc0(x)
    return torch.cat([h[:, :2].relu(), h[:, 2:]], 1)


@case(LRP, "write that change out of place")
def a_view_that_is_changed():
    net = fed(half_in_place, fc0=nn.Linear(6, 6))
    return net, fed(half_out_of_place, fc0=nn.Linear(6, 6))


def written(net, x):
    h = net.fc0(x)
    h[:, 0] = 0
    return h


@case(LRP, "put parts together with cat")
def a_part_that_is_written():
    net = fed(written, fc0=nn.Linear(6, 6))
    told = fed(
        lambda net, x: torch.cat([0 * x[:, :1], net.fc0(x)[:, 1:]], 1),
        fc0=nn.Linear(6, 6),
    )
    return net, told


# Forward functions --------------------------------------------------------------------


@case(LRP, "the branch that it takes, as a model of its own, or use method='gradient'.")
def a_branch():
    net = filled(Branches())
    x = normal(0, 2, 6).abs()
    assert torch.equal(net(x), net.one(x))
    return (net, x), (net.one, x)


@case(LRP, "the branch that it takes, as a model of its own, or use method='gradient'.")
def a_branch_by_gradient():
    net = filled(Branches())
    return (net, LRP), (net, "gradient")


@case(LRP, "the branch that it takes, as a model of its own, or use method='gradient'.")
def a_number_that_is_taken_out():
    net = fed(lambda net, x: x * x.max().item())
    x = normal(0, 2, 6)
    told = fed(lambda net, x: x * 0.5)
    return (net, x), (told, x)


@case(LRP, "the branch that it takes, as a model of its own, or use method='gradient'.")
def entries_that_are_picked_by_a_mask():
    net = fed(lambda net, x: x * len(x[x > 0]))
    return (net, LRP), (net, "gradient")


@case(LRP, "Switch the noise off in evaluation mode, as dropout(x, training=self.train")
def noise():
    return (
        fed(lambda net, x: F.dropout(x, 0.5)),
        fed(lambda net, x: F.dropout(x, 0.5, net.training)),
    )


def by_autocast(net, x):
    with torch.autocast("cpu", torch.bfloat16):
        return net.f(x).float()


@case(LRP, "leave out autocast, or use method='gradient'.")
def autocast_inside():
    net, x = Net(by_autocast, f=mlp(6, 4, 2).float()).eval(), normal(0, 2, 6).float()
    return (net, x), (net.f, x)


def half(net, x):
    with torch.autocast("cpu", torch.bfloat16):
        return net.f(x)


@case(LRP, "leave out autocast, or use method='gradient'.")
def autocast_to_the_end():
    net, x = Net(half, f=mlp(6, 4, 2).float()).eval(), normal(0, 2, 6).float()
    return (net, x), (net.f, x)


# What is tested -----------------------------------------------------------------------


def calls(name):
    """Return the call that is refused, and those that have to work."""
    method, told, shape, function = CASES[name]
    found = []
    for made in function():
        net, given = made if isinstance(made, tuple) else (made, None)
        is_input = isinstance(given, torch.Tensor)
        x = given if is_input else normal(1, *shape)
        found.append((net, x, method if is_input or given is None else given))
    return told, found[0], found[1:]


@pytest.mark.filterwarnings("ignore:.*torch.jit")
@pytest.mark.parametrize("name", CASES)
def test_a_refused_network_works_when_the_remedy_is_followed(name):
    told, refused, followed = calls(name)
    with pytest.raises(ModbpError) as caught:
        modbp.explain(*refused, 0)
    assert told in str(caught.value), str(caught.value)
    net, x, method = refused
    try:
        assert modbp.supported(net, x, [method])[method] == str(caught.value)
    except ModbpError as error:  # whatever the method
        assert str(error) == str(caught.value)
    assert followed
    for net, x, method in followed:
        found = modbp.explain(net, x, method, 0)
        assert found.shape == x.shape and found.isfinite().all()
        [why] = modbp.supported(net, x, [method]).values()
        assert why == ""
        if method == "gradient":
            assert relative(found, gradient(net, x)) <= 1e-12
        elif method == LRP and x.dtype == torch.float64 and name != "an_activation":
            assert relative(found, x * gradient(net, x)) <= 1e-9


def parametrised(change):
    def made():
        net = mlp(6, 4, 2)
        change(net[0])
        return net.eval()

    return made


def old(name):
    def change(layer):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            getattr(nn.utils, name)(layer)

    return change


class Scaled(nn.Linear):
    def forward(self, x):
        return 2 * super().forward(x)


class Renamed(nn.Linear):
    pass


def subclass(kind):
    return filled(nn.Sequential(kind(6, 4), nn.ReLU(), nn.Linear(4, 2)))


WORKING = {
    "DataParallel": lambda: nn.DataParallel(mlp(6, 4, 2)).eval(),
    "AveragedModel": lambda: torch.optim.swa_utils.AveragedModel(mlp(6, 4, 2)).eval(),
    "weight norm": parametrised(nn.utils.parametrizations.weight_norm),
    "spectral norm": parametrised(nn.utils.parametrizations.spectral_norm),
    "orthogonal": parametrised(nn.utils.parametrizations.orthogonal),
    "old weight norm": parametrised(old("weight_norm")),
    "old spectral norm": parametrised(old("spectral_norm")),
    "pruned": parametrised(partial(prune.l1_unstructured, name="weight", amount=0.5)),
    "subclass": lambda: subclass(Renamed),
    "subclass with a forward of its own": lambda: subclass(Scaled),
}


@pytest.mark.parametrize("name", WORKING)
def test_what_needs_no_remedy_is_explained_as_it_is(name):
    net, x = WORKING[name](), uniform(1, 2, 6)
    expected = gradient(net, x)
    assert relative(modbp.explain(net, x, "gradient", 0), expected) <= 1e-12
    assert relative(modbp.explain(net, x, LRP, 0), x * expected) <= 1e-9
    ways = [name for name in modbp.methods.names() if "pattern" not in name]
    told = modbp.supported(net, x, [way for way in ways if way != "excitation-bp"])
    assert not any(told.values()), told


def conv():
    """A network whose batch norm is folded, and one without logits below its last."""
    norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU()
    return trained(images(*norm, width=144)), normal(2, 2, 3, 8, 8)


def on_chain(call):
    net, x = conv()
    return lambda: call(modbp.chain(net, x, LRP))


def on(call):
    net, x = conv()
    return lambda: call(net, x)


def by_table(**more):
    """Explain a network with a pooling by a method of one's own."""
    net, x = conv()
    table = {"linear": modbp.rules.Epsilon(), "relu": modbp.rules.Pass(), **more}
    pooled = nn.Sequential(nn.AvgPool2d(1), net).eval()
    return modbp.explain(pooled, x, modbp.methods.Method("mine", table))


get = modbp.methods.get
CALLS = {
    "Use modbp.explain, or 'gradient'.": (
        on(lambda net, x: modbp.chain(net, x, "smoothgrad")),
        on(lambda net, x: modbp.explain(net, x, "smoothgrad")),
        on(lambda net, x: modbp.chain(net, x, "gradient")),
    ),
    "Use '0': relevance there": (
        on_chain(lambda chain: chain.output("1")),
        on_chain(lambda chain: chain.output("0")),
    ),
    "Use chain.pull with a relevance of yours.": (
        on(lambda net, x: modbp.explain(net[:2].eval(), x, LRP)),
        on(
            lambda net, x: modbp.chain(net[:2].eval(), x, LRP).pull(
                normal(0, 2, 4, 6, 6), "0"
            )
        ),
    ),
    "pixels: first=modbp.rules.Box(low, high).": (
        on(lambda net, x: modbp.explain(net, x, "dtd")),
        on(
            lambda net, x: modbp.explain(
                net, x, get("dtd", first=modbp.rules.Box(x.min(), x.max()))
            )
        ),
    ),
    "modbp.patterns.fit(net": (
        on(lambda net, x: modbp.explain(net, x, "patternnet")),
        on(
            lambda net, x: modbp.explain(
                net, x, get("patternnet", patterns=modbp.patterns.fit(net, [x]))
            )
        ),
    ),
    "Choose output='logit'.": (
        lambda: modbp.explain(mlp(6, 1), normal(0, 2, 6), "contrastive-lrp"),
        lambda: modbp.explain(
            mlp(6, 1), normal(0, 2, 6), get("contrastive-lrp", output="logit")
        ),
    ),
    "`sample`": (
        on_chain(lambda chain: chain.operator("4").matrix()),
        on_chain(lambda chain: chain.operator("4", sample=0).matrix()),
    ),
    "Choose `to` among the layers below `start`: chain.below(start).": (
        on_chain(lambda chain: chain.pull(normal(0, 2, 144), "3", "4")),
        on_chain(lambda chain: chain.pull(normal(0, 2, 144), "3", chain.below("3"))),
    ),
    "give one class, or one for each of the 2 samples": (
        on(lambda net, x: modbp.explain(net, x, LRP, [0, 1, 1])),
        on(lambda net, x: modbp.explain(net, x, LRP, [0, 1])),
        on(lambda net, x: modbp.explain(net, x, LRP, 1)),
    ),
    "Give Method(...) a rule for 'avgpool'.": (
        lambda: by_table(),
        lambda: by_table(avgpool=modbp.rules.AvgPool()),
    ),
}  # fmt: skip


@pytest.mark.parametrize("told", CALLS)
def test_a_refused_call_works_when_the_remedy_is_followed(told):
    refused, *followed = CALLS[told]
    with pytest.raises(ModbpError) as caught:
        refused()
    assert told in str(caught.value), str(caught.value)
    for call in followed:
        call()


def test_autocast_around_a_call_is_refused_and_the_block_can_be_left():
    net, x = mlp(6, 2), normal(0, 2, 6)
    with torch.autocast("cpu"), pytest.raises(ModbpError, match="Leave the block"):
        modbp.explain(net, x, LRP)
    modbp.explain(net, x, LRP)
