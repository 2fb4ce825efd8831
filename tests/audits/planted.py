"""Methods of which it is known whether they look, on any classifier of pictures."""

import copy

import torch
import torch.nn.functional as F

from modbp import sanity
from modbp.audits import Work

LOOKS, ONLY, NOT = "looks", "looks only at", "does not look"
UNTOLD = "cannot be told with these pictures"


def edges(net, x, target):
    """What an edge detector finds in the picture."""
    grey = x.mean(1)
    return F.pad((grey[:, 1:] - grey[:, :-1]).abs(), (0, 0, 0, 1))


def constant(net, x, target):
    return torch.ones(len(x), *x.shape[2:])


def by_class(net, x, target):
    """A picture of noise for each class, whatever the network."""
    draws = [torch.Generator().manual_seed(int(each)) for each in target]
    return torch.stack([torch.randn(x.shape[2:], generator=each) for each in draws])


def saliency(net, x, target):
    """The plain gradient, as of another library."""
    x = x.requires_grad_()
    (found,) = torch.autograd.grad(net(x).gather(1, target[:, None]).sum(), x)
    return found


def summed(net, x, target):
    """The gradient of all logits together: the network, without the class."""
    x = x.requires_grad_()
    return torch.autograd.grad(net(x).sum(), x)[0]


def stops_at(layer):
    """What a layer sees: a method that stops there."""

    def stops(net, x, target):
        kept = []
        hook = net.get_submodule(layer).register_forward_hook(
            lambda module, given, output: kept.append(output.detach().clone())
        )
        try:
            with torch.no_grad():
                net(x)
        finally:
            hook.remove()
        return kept[0]

    return stops


def truths(layer):
    """Return each planted method, and the verdicts that are right."""
    return {
        "gradient": ("gradient", {LOOKS}),
        "saliency": (saliency, {LOOKS}),
        "edges": (edges, {NOT}),
        "by class": (by_class, {NOT}),
        "summed": (summed, {NOT}),
        "constant": (constant, {NOT, UNTOLD}),
        "stops": (stops_at(layer), {ONLY}),
    }


def half_random(net, x, seed=1):
    """Return a copy of a network with random weights in its upper half."""
    found = copy.deepcopy(net)
    weighted = Work(net, x, ["gradient"]).weighted  # top first
    sanity.randomise(found, weighted[: len(weighted) // 2], seed)
    return found


def verdicts(net, x, methods, seed=0):
    """Return the verdict on each method, by what verdicts rest on alone."""
    work, found = Work(net, x, methods, seed=seed), {}
    for label in work.candidates:
        units = [u for u in work.units(label) if u[0] in ("class", "cascade")]
        arrays = {unit: work.compute(label, unit) for unit in units}
        found[label] = work.summary(label, arrays)["verdict"]
    return found
