"""What is explained is what the model computes, or refused; nothing is changed."""

import collections
import random
import threading

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from nets import Net, filled, relative, uniform
from torch import nn

import modbp
from modbp.errors import ModbpError


def body():
    return filled(
        nn.Sequential(nn.Flatten(), nn.Linear(108, 5), nn.ReLU(), nn.Linear(5, 3))
    )


def picture(count=2):
    return uniform(3, count, 3, 6, 6)


def gradient(net, x):
    """Return the derivative of the first logit by autograd of the model itself."""
    x = x.clone().requires_grad_()
    return torch.autograd.grad(net(x)[:, 0].sum(), x)[0]


CASES = {}


def case(expected):
    """Note a network, and what it gets: "same", "gradient" alone, or "refused"."""

    def note(function):
        CASES[function.__name__] = expected, function
        return function

    return note


def model(expected, **state):
    """Note a network whose forward this is, which has a body and some state."""

    def note(forward):
        def made():
            net = Net(forward, body=body()).eval()
            vars(net).update({key: value() for key, value in state.items()})
            return net

        CASES[forward.__name__] = expected, made
        return forward

    return note


# Hooks, and calls that are replaced ---------------------------------------------------


@case("same")
def a_hook_that_silences_units():
    net, mask = body(), torch.tensor([0.0, 0, 1, 1, 1]).double()
    net[2].register_forward_hook(lambda module, inputs, output: output * mask)
    return net


@case("same")
def a_hook_that_changes_the_input():
    net = body()
    net[3].register_forward_pre_hook(lambda module, inputs: (2 * inputs[0],))
    return net


@case("same")
def a_hook_that_writes_its_output():
    net = body()
    net[1].register_forward_hook(lambda module, inputs, output: output.mul_(2))
    return net


@case("same")
def a_hook_with_keywords():
    net = body()
    net[2].register_forward_hook(lambda m, inputs, more, o: 2 * o, with_kwargs=True)
    return net


@case("gradient")
def a_hook_that_gives_its_output_other_values():
    net = body()

    def clamp(module, inputs, output):
        output.data = output.data.clamp(max=0.3)

    net[1].register_forward_hook(clamp)
    return net


@case("same")
def a_replaced_forward():
    net = body()
    net[2].forward = lambda a: 3 * F.relu(a)
    return net


@case("same")
def a_replaced_forward_of_the_whole():
    net = body()
    net.forward = lambda x: 3 * net[3](net[2](net[1](x.flatten(1))))
    return net


class Twice(nn.Linear):
    def __call__(self, x):
        return 2 * super().__call__(x)


class Whole(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = body()

    def forward(self, x):
        return self.body(x)

    def __call__(self, x):
        return 2 * super().__call__(x)


@case("same")
def a_layer_with_a_call_of_its_own():
    return filled(
        nn.Sequential(nn.Flatten(), Twice(108, 5), nn.ReLU(), nn.Linear(5, 3))
    )


@case("same")
def a_network_with_a_call_of_its_own():
    return Whole().eval()


@model("same")
def weights_given_anew(net, x):
    named = {k: 2 * v for k, v in net.body.named_parameters()}
    return torch.func.functional_call(net.body, named, (x,))


# Arguments and tests ------------------------------------------------------------------


class Optional(nn.Module):
    def __init__(self):
        super().__init__()
        self.usual, self.other = body(), body()

    def forward(self, x, labels=None, *more, scale=2.0, **named):
        if labels is None and not more and not named:
            return scale * self.usual(x)
        return self.other(x)


@case("same")
def optional_arguments():
    return Optional().eval()


@model("same")
def a_test_whether_it_is_a_tensor(net, x):
    return net.body(x) if isinstance(x, torch.Tensor) else -net.body(x)


@model("same")
def a_test_whether_it_is_exactly_a_tensor(net, x):
    return net.body(x) if type(x) is torch.Tensor else -net.body(x)


@model("same")
def a_test_by_torch(net, x):
    return net.body(x) if torch.is_tensor(x) else -net.body(x)


@model("same")
def a_test_for_an_attribute(net, x):
    return net.body(x) if hasattr(x, "numpy") else -net.body(x)


@model("same")
def a_test_whether_it_is_traced(net, x):
    odd = torch.jit.is_tracing() or torch.compiler.is_compiling()
    return -net.body(x) if odd else net.body(x)


@model("same")
def asserts_on_shapes(net, x):
    assert x.shape[1:] == (3, 6, 6) and x.ndim == 4 and len(x) and x.size(1) == 3
    torch._assert(x.shape[2] == x.shape[3], "not square")
    return net.body(x.view(x.shape[0], -1))


# Values that decide, and functions of no torch ----------------------------------------


@model("gradient")
def a_branch(net, x):
    return net.body(x) if x.mean() > 0 else -net.body(x)


@model("gradient")
def a_number_taken_out(net, x):
    return net.body(x) * x.max().item()


@model("gradient")
def entries_that_are_counted(net, x):
    return net.body(x) * len(x[x > 0.5])


@model("gradient")
def a_number_for_the_log(net, x):
    z = net.body(x)
    net.log = z.mean().item()
    return z


@model("gradient")
def an_array_for_the_log(net, x):
    z = net.body(x)
    net.log = z.detach().numpy().copy()
    return z


@model("gradient")
def an_array_beside(net, x):
    return net.body(x) + float(np.asarray(x.detach()).max())


@model("gradient")
def a_tensor_of_a_list(net, x):
    return net.body(x) + torch.tensor(x.flatten(1)[:, :3].tolist(), dtype=x.dtype)


@model("gradient")
def out_of_sight_by_vmap(net, x):
    return net.body(x) + torch.vmap(lambda a: a.flatten()[:3] ** 2)(x)


@model("gradient")
def out_of_sight_altogether(net, x):
    return torch.vmap(lambda a: net.body[1:](a.flatten()))(x)


@model("gradient")
def out_of_sight_by_a_context(net, x):
    with torch._C.DisableTorchFunction():
        return net.body(x)


@model("refused")
def an_array_all_the_way(net, x):
    return net.body(torch.from_numpy(np.exp(x.detach().numpy())))


# State --------------------------------------------------------------------------------


@model("same", calls=lambda: 0)
def a_counter(net, x):
    net.calls += 1
    return net.body(x) * net.calls


@model("same", seen=lambda: torch.zeros(1).double())
def a_counter_in_a_tensor(net, x):
    net.seen += 1
    return net.body(x) * net.seen


@model("same", last=lambda: collections.deque(maxlen=2), seen=set, sizes=dict)
def containers(net, x):
    net.last.append(x)
    net.seen.add(len(net.seen))
    net.sizes.setdefault(x.shape, []).append(1)
    return net.body(x) * (1 + len(net.seen))


@model("same")
def weights_written_in_place(net, x):
    net.body[1].weight.data.mul_(2)
    return net.body(x)


@model("gradient")
def weights_given_other_memory(net, x):
    net.body[1].weight.data = 2 * net.body[1].weight.data
    return net.body(x)


@model("same")
def weights_replaced(net, x):
    net.body[3].weight = nn.Parameter(2 * net.body[3].weight)
    return net.body(x)


@model("same")
def a_layer_replaced(net, x):
    net.body[2] = nn.Identity()
    return net.body(x)


# Chance -------------------------------------------------------------------------------


@model("refused")
def noise(net, x):
    return net.body(x) + torch.rand_like(x)[:, 0, 0, :3]


@model("refused")
def dropout_that_is_always_on(net, x):
    return net.body(F.dropout(x, 0.5))


@model("refused")
def chance_of_python(net, x):
    return net.body(x) * random.random()


@model("refused")
def chance_of_numpy(net, x):
    return net.body(x) * np.random.rand()  # noqa: NPY002 - what users do


@model("refused", chance=lambda: np.random.default_rng(0))
def a_generator_of_numpy(net, x):
    return net.body(x) * net.chance.random()


@model("refused", chance=lambda: random.Random(0))
def a_generator_of_python(net, x):
    return net.body(x) * net.chance.random()


@model("refused", chance=lambda: torch.Generator().manual_seed(0))
def a_generator_of_torch(net, x):
    return net.body(x) * torch.rand(1, generator=net.chance, dtype=x.dtype)


@model("refused")
def noise_behind_a_branch(net, x):
    return F.dropout(net.body(x) if x.mean() > 0 else -net.body(x), 0.5)


@model("refused")
def chance_of_python_behind_a_branch(net, x):
    return random.random() * (net.body(x) if x.mean() > 0 else -net.body(x))


@model("same")
def chance_that_the_output_does_not_need(net, x):
    F.dropout(net.body(x), 0.5)
    return net.body(x)


@model("same")
def chance_that_changes_nothing(net, x):
    return net.body(x) * (1 + 0 * random.random())


# What is tested -----------------------------------------------------------------------

USES = {
    "chain": lambda net, x: modbp.chain(net, x, "lrp-z").explain(0),
    "csc": lambda net, x: modbp.csc(
        net, x, "lrp-z", modbp.chain(net, x, "lrp-z").layers[-1]
    ),
    "random_logit": lambda net, x: modbp.sanity.random_logit(net, x, "lrp-z", 0),
    "fit": lambda net, x: modbp.patterns.fit(net, [x]),
}


def told(call):
    try:
        call()
    except ModbpError as error:
        assert len(str(error)) < 700 and str(error).endswith(".")
        return str(error)
    return ""


def state(net):
    """Return all that a network holds, down to numbers."""

    def read(value):
        if isinstance(value, torch.Tensor):
            return value.tolist()
        if isinstance(value, dict):
            return {str(k): read(v) for k, v in value.items()}
        if isinstance(value, (list, tuple, set, collections.deque)):
            return [read(v) for v in value]
        return value if isinstance(value, (int, float, str)) else id(value)

    return [read(vars(module)) for module in net.modules()]


@pytest.mark.parametrize("name", CASES)
def test_a_network_is_explained_as_what_it_computes_or_refused(name):
    expected, made = CASES[name]
    net, x = made(), picture()
    before = state(net) if "generator" not in name else None
    found = told(lambda: modbp.explain(net, x, "gradient", 0))
    assert bool(found) == (expected == "refused"), found
    if not found:
        ours = modbp.explain(net, x, "gradient", 0)
        assert before == state(net)
        assert relative(ours, gradient(made(), x)) <= 1e-12
    found = told(lambda: modbp.explain(net, x, "lrp-z", 0))
    assert bool(found) == (expected != "same"), found
    if expected == "same":
        ours = modbp.explain(net, x, "lrp-z", 0)
        assert relative(ours, x * gradient(made(), x)) <= 1e-9
    for use, call in USES.items():
        assert bool(told(lambda call=call: call(net, x))) == (expected != "same"), use
    supports = modbp.supported(net, x, ["gradient", "lrp-z"])
    refused = {"same": (), "gradient": ("lrp-z",), "refused": ("gradient", "lrp-z")}
    assert {k for k, why in supports.items() if why} == set(refused[expected])
    if before is not None:
        assert before == state(net)


GLOBAL = nn.modules.module
HOOKS = {
    "forward": (
        GLOBAL.register_module_forward_hook,
        lambda module, inputs, output: (
            2 * output if isinstance(module, nn.ReLU) else None
        ),
    ),
    "before": (
        GLOBAL.register_module_forward_pre_hook,
        lambda module, inputs: (
            (2 * inputs[0],) if isinstance(module, nn.ReLU) else None
        ),
    ),
}


@pytest.mark.parametrize("name", HOOKS)
def test_global_hooks_count(name):
    net, x = body(), picture()
    plain = gradient(net, x)
    register, hook = HOOKS[name]
    handle = register(hook)
    try:
        found = modbp.explain(net, x, "gradient", 0)
        assert relative(found, gradient(net, x)) <= 1e-12
        assert relative(found, plain) > 0.1
        assert relative(modbp.explain(net, x, "lrp-z", 0), x * found) <= 1e-9
    finally:
        handle.remove()


def test_a_class_that_is_called_otherwise_counts(monkeypatch):
    net, x = body(), picture()
    plain, call = gradient(net, x), nn.Module.__call__
    monkeypatch.setattr(
        nn.ReLU, "__call__", lambda self, a: 2 * call(self, a), raising=False
    )
    found = modbp.explain(net, x, "gradient", 0)
    assert relative(found, gradient(net, x)) <= 1e-12
    assert relative(found, plain) > 0.1


def test_a_function_of_torch_that_is_replaced_is_refused_by_name(monkeypatch):
    net, x, relu = body(), picture(), F.relu
    monkeypatch.setattr(F, "relu", lambda a, inplace=False: 3 * relu(a))
    assert "stands in for a function of torch" in told(
        lambda: modbp.explain(net, x, "lrp-z", 0)
    )
    found = modbp.explain(net, x, "gradient", 0)
    assert relative(found, gradient(net, x)) <= 1e-12


@pytest.mark.parametrize("method", ["gradient", "lrp-a1b0"])
def test_a_hook_that_records_finds_tensors_that_stay_tensors(method):
    kept, net, x = {}, nn.Sequential(body()).eval(), picture()
    net[0].register_forward_hook(lambda m, i, o: kept.__setitem__("block", o.detach()))
    net[0][2].register_forward_pre_hook(lambda m, i: kept.__setitem__("in", i[0]))
    net(x)
    modbp.explain(net, x, method, 0)
    modbp.chain(net, x, method)
    assert all(type(value) is torch.Tensor for value in kept.values())
    assert torch.equal(kept["block"], net(x[:1]))
    net(x)
    assert len(kept["block"]) == 2 and len(kept["in"]) == 2


def test_what_a_thread_of_the_forward_computes_is_refused():
    def forward(net, x):
        found = []
        thread = threading.Thread(target=lambda: found.append(net.body(x)))
        thread.start()
        thread.join()
        return found[0]

    net, x = Net(forward, body=body()).eval(), picture()
    assert "out of sight" in told(lambda: modbp.explain(net, x, "lrp-z", 0))
    found = modbp.explain(net, x, "gradient", 0)
    assert relative(found, gradient(net, x)) <= 1e-12


def test_the_generators_of_the_user_are_left_alone():
    net, x = body(), picture()
    before = torch.get_rng_state(), random.getstate()
    modbp.explain(net, x, "lrp-z", 0)
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1] == random.getstate()


# Networks after public reports, each of which was explained as another once -----------


class Heads(nn.Module):
    """An optional argument decides which head answers; left out it is None."""

    def __init__(self):
        super().__init__()
        self.usual, self.other = nn.Linear(6, 3), nn.Linear(6, 3)

    def forward(self, x, labels=None):
        return self.usual(x) if labels is None else self.other(x)


class NormAct(nn.BatchNorm2d):
    """Batch norm with its activation in one module, called as a function."""

    def forward(self, x):
        x = F.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, False, 0.1,
            self.eps,
        )  # fmt: skip
        return F.relu(x)


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.top = nn.Linear(3, 4), nn.Linear(3, 4), nn.Linear(8, 2)

    def forward(self, u, v):
        return self.top(torch.cat([F.relu(self.a(u)), F.relu(self.b(v))], 1))


class Both(nn.Module):
    """Two inputs out of one, by slices."""

    def __init__(self):
        super().__init__()
        self.net = Two()

    def forward(self, x):
        return self.net(x[:, :3], x[:, 3:])


class Answers(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 3)

    def forward(self, x):
        z = self.fc(x)
        return {"logits": z, "probabilities": z.softmax(1)}


class Logits(nn.Module):
    """The logits of a network that returns probabilities beside them."""

    def __init__(self):
        super().__init__()
        self.net = Answers()

    def forward(self, x):
        return self.net(x)["logits"]


def ablated():
    net = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3))
    mask = torch.tensor([0.0, 0, 1, 1, 1]).double()
    net[1].register_forward_hook(lambda module, inputs, output: output * mask)
    return net


REPORTED = {
    "ablated": (ablated, (2, 6)),
    "heads": (Heads, (2, 6)),
    "two inputs": (Both, (2, 6)),
    "logits alone": (Logits, (2, 6)),
    "batch norm as a function": (
        lambda: nn.Sequential(
            nn.Conv2d(3, 4, 3, bias=False), NormAct(4), nn.Flatten(), nn.Linear(144, 3)
        ),
        (2, 3, 8, 8),
    ),
    "reflection": (
        lambda: nn.Sequential(
            nn.ReflectionPad2d(1), nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(),
            nn.Linear(256, 3),
        ),
        (2, 3, 8, 8),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REPORTED)
def test_a_network_of_a_report_is_explained_as_what_it_computes(name):
    made, shape = REPORTED[name]
    torch.manual_seed(0)
    net, x = made().double().eval(), uniform(4, *shape)
    expected = gradient(net, x)
    assert relative(modbp.explain(net, x, "gradient", 0), expected) <= 1e-12
    assert relative(modbp.explain(net, x, "lrp-z", 0), x * expected) <= 1e-9


WITHOUT_PYTHON = {
    "scripted": torch.jit.script,
    "traced": lambda net: torch.jit.trace(net, picture()),
    "exported": lambda net: torch.export.export(net, (picture(),)).module(),
    "compiled": lambda net: torch.compile(net, backend="eager"),
}


@pytest.mark.filterwarnings("ignore:.*torch.jit", "ignore:The .grad attribute")
@pytest.mark.parametrize("name", WITHOUT_PYTHON)
def test_what_is_no_longer_python_has_gradients_by_autograd(name):
    net, x = body(), picture()
    other = WITHOUT_PYTHON[name](net)
    expected = gradient(net, x)
    assert relative(modbp.explain(other, x, "gradient", 0), expected) <= 1e-12
    found = modbp.explain(other, x, "gradient-x-input", 0)
    assert relative(found, x * expected) <= 1e-12
    for averaged in ("smoothgrad", "integrated-gradients"):
        one, two = (modbp.explain(each, x, averaged, 0) for each in (other, net))
        assert relative(one, two) <= 1e-12
    found = modbp.supported(other, x, ["gradient", "lrp-z"])
    assert not found["gradient"] and "xplain" in found["lrp-z"]
