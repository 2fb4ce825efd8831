"""Explaining in threads, and beside threads that use networks, disturbs nobody."""

import itertools
import os
import random
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from nets import Net, filled, relative, uniform
from torch import nn

import modbp
from modbp.errors import TraceError

METHODS = "gradient", "lrp-z", "lrp-a1b0", "guided-bp", "deeplift-rescale", "smoothgrad"


def network(seed):
    return filled(nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3)), seed)


def branching():
    """A network that only autograd can go back through."""
    return filled(
        Net(lambda net, x: net.f(x) if x.sum() > 0 else -net.f(x), f=network(1))
    )


def counting():
    """A network that writes down how often it was called."""

    def forward(net, x):
        net.calls += 1
        net.kept[net.calls % 3] = x.shape
        return net.f(F.relu(x))

    net = Net(forward, f=network(2)).eval()
    net.calls, net.kept = 0, {}
    return net


def test_six_threads_explain_the_same_and_different_networks_right():
    x = uniform(0, 3, 6)
    nets = [network(0), network(1), branching()]
    jobs = [(net, m) for net in nets for m in METHODS if net is not nets[2]]
    jobs += [(nets[2], "gradient")] * 6
    expected = [modbp.explain(net, x, method, 0) for net, method in jobs]
    before = [net(x) for net in nets]
    barrier = threading.Barrier(6)

    def explained(thread):
        barrier.wait()
        found = []
        for turn in range(3 * len(jobs)):
            place = (7 * thread + turn) % len(jobs)
            found.append((place, modbp.explain(jobs[place][0], x, jobs[place][1], 0)))
        return found

    with ThreadPoolExecutor(6) as pool:
        for place, found in itertools.chain(*pool.map(explained, range(6))):
            assert relative(found, expected[place]) <= 1e-12
    for net, output in zip(nets, before, strict=True):
        assert torch.equal(net(x), output)
    assert nn.Module.__call__ is nn.Module._wrapped_call_impl


def beside(explain, serve, count):
    """Serve so often in a second thread while explaining; return both numbers."""
    failed, served, explained = [], 0, 0

    def serving():
        nonlocal served
        try:
            for _ in range(count):
                serve()
                served += 1
        except Exception as error:
            failed.append(error)

    thread = threading.Thread(target=serving)
    thread.start()
    while thread.is_alive():
        explain()
        explained += 1
        time.sleep(0)
    thread.join()
    assert not failed
    return served, explained


@pytest.mark.parametrize(
    "count", [3000, pytest.param(100_000, marks=pytest.mark.long)]
)  # fmt: skip
def test_plain_forwards_of_another_network_go_on_beside_explanations(count):
    net, other, x = network(0), network(1), uniform(0, 2, 6)
    expected, output = modbp.explain(net, x, "lrp-z", 0), other(x)

    def explain():
        assert torch.equal(modbp.explain(net, x, "lrp-z", 0), expected)

    def serve():
        assert torch.equal(other(x), output)

    served, explained = beside(explain, serve, count)
    assert served == count and explained
    assert torch.equal(other(x), output)


def test_forwards_of_the_same_network_go_on_beside_explanations():
    net, x = network(0), uniform(0, 2, 6)
    expected, output = modbp.explain(net, x, "lrp-z", 0), net(x)

    def explain():
        assert torch.equal(modbp.explain(net, x, "lrp-z", 0), expected)

    def serve():
        assert torch.equal(net(x), output)

    served, explained = beside(explain, serve, 3000)
    assert served == 3000 and explained


def test_a_network_that_counts_its_calls_may_serve_meanwhile():
    net, x = counting(), uniform(0, 2, 6)
    expected, output = modbp.explain(net, x, "gradient", 0), net(x)

    def explain():
        assert torch.equal(modbp.explain(net, x, "gradient", 0), expected)

    def serve():
        assert torch.equal(net(x), output)

    served, _ = beside(explain, serve, 3000)
    assert served == 3000
    # A call that is made while another is being put back may be lost from the count.
    assert 0 < net.calls <= served + 1 and set(net.kept) <= {0, 1, 2}
    modbp.explain(net, x, "gradient", 0)
    calls = net.calls
    net(x)
    assert net.calls == calls + 1


def meanwhile(action):
    """Let another thread act now, in the middle of a forward."""
    thread = threading.Thread(target=action)
    thread.start()
    thread.join()


def draw():
    np.random.rand()  # noqa: NPY002 - what a model may draw from
    return torch.rand(1), random.random()


@pytest.mark.parametrize("method", ["gradient", "lrp-z"])
@pytest.mark.parametrize("branches", [True, False])
def test_random_numbers_of_another_thread_are_not_the_models(method, branches):
    """Also where autograd stands in, because a branch depends on values."""

    class Doubling(nn.Module):
        def forward(self, x):
            meanwhile(draw)
            return x * 2 if not branches or x.sum() > 0 else x

    x = uniform(0, 2, 6)
    if branches and method == "lrp-z":
        with pytest.raises(TraceError, match="asks for the values"):
            modbp.explain(Doubling().eval(), x, method, 0)
        return
    found = modbp.explain(Doubling().eval(), x, method, 0)[:, 0]
    assert torch.equal(found, 2 * x[:, 0] if method == "lrp-z" else found * 0 + 2)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a process that is forked")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_process_that_is_forked_beside_an_explanation_explains_too():
    begun = threading.Event()

    def forward(net, x):
        begun.set()
        time.sleep(0.3)
        return net.f(x)

    slow, net, x = Net(forward, f=network(1)).eval(), network(0), uniform(0, 2, 6)
    thread = threading.Thread(target=lambda: modbp.explain(slow, x, "lrp-z", 0))
    thread.start()
    begun.wait()
    child = os.fork()
    if not child:
        signal.alarm(30)  # else it may wait for ever
        modbp.explain(net, x, "lrp-z", 0)
        os._exit(7)
    _, status = os.waitpid(child, 0)
    thread.join()
    assert os.waitstatus_to_exitcode(status) == 7
