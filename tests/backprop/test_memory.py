"""What `explain` keeps: no more than its way back needs, and nothing afterwards."""

import gc
import types

import numpy as np
import pytest
import torch
from nets import CHAINS, Net, filled, photographs, uniform, zoo
from torch import nn

import modbp
from modbp import methods, rules
from modbp.backprop.chain import Recording
from modbp.backprop.trace import Trace


def held(weights, *roots):
    """Count the bytes of all tensors and arrays that can be reached, each once."""
    seen, todo, memory = set(), list(roots), {}
    weights = {each.untyped_storage().data_ptr() for each in weights}
    while todo:
        each = todo.pop()
        if id(each) in seen or isinstance(each, (type, types.ModuleType)):
            continue
        seen.add(id(each))
        if isinstance(each, torch.Tensor):
            storage = each.untyped_storage()
            if storage.data_ptr() not in weights:
                memory[storage.data_ptr()] = storage.nbytes()
        elif isinstance(each, np.ndarray):
            memory[each.ctypes.data] = each.nbytes
        elif isinstance(each, types.FunctionType):
            todo += [cell.cell_contents for cell in each.__closure__ or ()]
        elif not isinstance(each, (nn.Module, types.BuiltinFunctionType)):
            todo += gc.get_referents(each)
    return sum(memory.values())


@pytest.fixture(scope="module")
def net():
    return modbp.models.cifar10(None).requires_grad_(False)


@pytest.fixture(scope="module")
def x():
    return photographs(2)[0].float()


def record(net, x, method):
    return Recording(Trace(net), x, methods.get(method), keep=False)


def sizes(net, x, kinds):
    """The numbers of entries of all layers of some kinds."""
    calls, outputs, _ = Trace(net).run(x)
    each = zip(calls, outputs, strict=True)
    return [z.numel() for call, z in each if call.kind in kinds]


@pytest.mark.parametrize(
    ("method", "masks"),
    [("gradient", 1), ("gradient-x-input", 1), ("guided-bp", 1), ("deconv", 0)],
)
def test_the_gradient_s_kind_keeps_a_bit_per_relu_and_the_winners(
    net, x, method, masks
):
    recording = record(net, x, method)
    bits = sum(count // 8 for count in sizes(net, x, ["relu"]))
    winners = 4 * sum(sizes(net, x, ["maxpool"]))
    ends = x.nbytes + recording.logits.nbytes
    found = held(net.parameters(), recording.steps)
    assert found == masks * bits + winners + ends
    # Autograd keeps what every layer reads, and the winners as 64 bits each.
    calls, outputs, _ = Trace(net).run(x)
    read = {source for call in calls for source in call.sources}
    assert found < 0.5 * sum(outputs[source].nbytes for source in read)


def test_a_share_keeps_input_and_denominator_of_each_linear_layer(net, x):
    recording = record(net, x, "lrp-z")
    calls, outputs, _ = Trace(net).run(x)
    linear = [n for n, call in enumerate(calls) if call.kind in ("conv", "dense")]
    kept = {*linear, *(calls[n].sources[0] for n in linear)}
    winners = 4 * sum(sizes(net, x, ["maxpool"]))
    wanted = sum(outputs[n].nbytes for n in kept) + winners
    assert held(net.parameters(), recording.steps) == wanted


@pytest.mark.parametrize("name", CHAINS)
def test_ways_back_are_gone_when_they_have_been_gone(net, x, name):
    recording = record(net, x, name)
    recording.explain([None])
    ends = held(net.parameters(), recording.steps[0], recording.steps[-1])
    assert held(net.parameters(), recording.steps) == ends < 4 * x.nbytes


def shared():
    """Outputs that a ReLU reads and somebody else as well, before it and after it."""

    def forward(n, x):
        a = n.one(x)
        b = torch.relu(a)
        c = n.two(b) + a
        d = n.two(n.cut(c)) + torch.relu(n.three(b))
        return n.end(torch.relu(d))

    sizes = {"one": (4, 6), "two": (6, 6), "three": (6, 6), "end": (6, 3)}
    layers = {name: nn.Linear(*size) for name, size in sizes.items()}
    return filled(Net(forward, cut=nn.ReLU6(inplace=True), **layers), 3)


class Holding(rules.Gradient):
    """A rule of somebody else: its way back reads its output and hands out a tensor."""

    ones = torch.ones(1, 3, 6, dtype=torch.float64)

    def __call__(self, call, a):
        z = call.layer.forward(a)

        def back(r):
            r = call.layer.adjoint((r * z)[0], call.layer.weight, a.shape)[None]
            return (self.ones if call.name == "end" else r,)

        return z, back


HOLDING = [
    methods.Method("holding", {"relu": rule, "add": rules.Copy(), "linear": Holding()})
    for rule in (rules.ReLUGradient(), rules.Pass())
]


@pytest.mark.parametrize(
    "method",
    [*CHAINS, *HOLDING],
    ids=lambda each: str(getattr(each, "rules", {"relu": each})["relu"]),
)
def test_a_forward_that_keeps_less_explains_the_same(method):
    cases = [(shared(), uniform(1, 3, 4))]
    if method in CHAINS:
        cases.append((zoo(method), uniform(1, 2, 2, 6, 6)))
    for net, x in cases:
        before = x.clone()
        wanted = modbp.chain(net, x, method).explain(1)
        assert torch.equal(modbp.explain(net, x, method, 1), wanted)
        assert torch.equal(x, before)
    assert Holding.ones.eq(1).all()
