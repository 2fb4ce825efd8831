"""Classifiers of timm and torchvision under every method: the tables of the book.

Each network is explained as its authors wrote it, with random weights, and what is
found is held against autograd or against the sum that a method promises. Measure all
with ``python -m study.architectures_table`` in the folder of the tests, or only some
with ``… timm/resnet50 torchvision/vgg11``; the tests measure some again.
"""

import json
import multiprocessing
import os
import re
import sys
from importlib import metadata

import torch
from architectures import LIBRARIES, architecture, pictures, without_biases
from tqdm import tqdm

import modbp
from modbp import methods
from modbp.errors import ModbpError
from modbp.files import write_json
from modbp.study.runs.provenance import facts
from modbp.study.runs.store import RESULTS

FILE = RESULTS / "architectures.json"
COMMAND = "python -m study.architectures_table"  # in the folder of the tests

# Measured, not only tried. Conserving LRP, for networks without biases.
MEASURED = {
    "gradient": {},
    "lrp-eps": {"epsilon": 1e-14, "bias": "ignore"},
    "lrp-a1b0": {"bias": "ignore"},
    "deeplift-rescale": {},
}
# Of the means a few inputs, and no patterns, which have to be fitted first.
FEW = {"smoothgrad": {"samples": 2}, "integrated-gradients": {"steps": 2}}
TRIED = [name for name in methods.names() if not name.startswith("pattern")]
# What is said where relevance is lost on its way down: it left the range of its type,
# or random weights amplify rounding until another order of sums gives other logits.
LOST = ("NaN or infinite", "nothing but zeros", "a logit that is off by")


def in_the_way(message):
    """Return how many layers of which type a message names."""
    named = re.findall(r"[:,] ([^(),:]+) \(kind '[^']+', (\d+), '", message)
    found = {}
    for name, count in named:
        found[name] = found.get(name, 0) + int(count)
    whole = re.search(r"no rule for (\d+) of the network's layers", message)
    assert whole and sum(found.values()) == int(whole[1]), message
    return found


def rounded(value):
    return float(f"{value:.1e}")


def to_gradient(net, x):
    """Return how far the gradient is from autograd's, in units of its largest entry."""
    inputs = x.clone().requires_grad_()
    top = net(inputs).amax(1)
    (wanted,) = torch.autograd.grad(top.sum(), inputs)
    found = modbp.explain(net, x, "gradient")
    assert wanted.abs().max() > 0
    return ((found - wanted).abs().max() / wanted.abs().max()).item()


@torch.no_grad()
def to_difference(net, x, reference):
    """Return how far DeepLIFT's sum is from the change of the logit, in its units."""
    method = methods.get("deeplift-rescale", reference=reference)
    logits = net(x)
    target = logits.argmax(1)
    found = modbp.explain(net, x, method, target).flatten(1).sum(1)
    change = (logits - net(reference)).gather(1, target[:, None])[:, 0]
    return ((found - change) / change).abs().max().item()


@torch.no_grad()
def to_logit(net, x, method):
    """Return how far LRP's sum is from the logit, and what part of it LRP drops.

    What reaches a unit that nothing contributes to is dropped by the rule's definition,
    and counted here. The unit is all relevance of the input, regardless of sign.
    """
    chain = modbp.chain(net, x, method)
    top, target = chain.logits.max(1, keepdim=True)
    r = torch.zeros_like(chain.logits).scatter(1, target, top)[None]
    walk = chain._pass
    found = walk.down(r, walk.last, set(range(len(walk.steps))))
    dropped = 0
    for position, call in enumerate(walk.calls):
        if position not in found or not call.sources:
            continue
        a, layer = walk.steps[call.sources[0]].state, call.layer
        if call.kind == "avgpool":  # by contribution in both methods
            nothing = layer.forward(a) == 0
        elif call.kind in ("conv", "dense", "norm"):
            each = [(a, layer.weight)]
            if method.name == "lrp-a1b0":
                up, down = [(t.clamp(min=0), t.clamp(max=0)) for t in (a, layer.weight)]
                each = list(zip(up, down, strict=True))
            nothing = sum(layer.linear(*pair) for pair in each) == 0
        else:
            continue
        dropped = dropped + (found[position][0] * nothing).flatten(1).sum(1)
    arrived, top = found[0][0].flatten(1), top[:, 0]
    gap = arrived.sum(1) + dropped - top
    unit = arrived.abs().sum(1).maximum(top.abs())
    return (gap / unit).abs().max().item(), (dropped / top).abs().max().item()


def gaps(path, method, net):
    """Return what there is to say of a method that explains a network."""
    x = pictures(path)
    if method == "gradient":
        return {"gap": rounded(to_gradient(net, x))}
    if method == "deeplift-rescale":
        reference = pictures(path, seed=1, count=1)
        return {"gap": rounded(to_difference(net, x, reference))}
    gap, dropped = to_logit(net, x, methods.get(method, **MEASURED[method]))
    return {"gap": rounded(gap), "dropped": rounded(dropped)}


def cell(path, method, net):
    """Measure a method on a network, or count the layers in its way."""
    try:
        return gaps(path, method, net)
    except ModbpError as error:
        return {"refused": in_the_way(str(error))}


def tried(net, x, names=TRIED):
    """Return what `supported` says of methods, which `explain` must do as well."""
    return modbp.supported(net, x, [methods.get(n, **FEW.get(n, {})) for n in names])


def row(path, names=TRIED):
    """Measure a network: gaps, or the layers in the way, and which methods explain it.

    Those that have no rule for it refuse; of the others some lose relevance on the way.
    """
    net = architecture(path)
    found = {m: cell(path, m, net) for m in MEASURED if not m.startswith("lrp")}
    told = tried(net.float(), pictures(path, count=1).float() + 0.5, names)
    told = {name: reason for name, reason in told.items() if reason}
    lost = [n for n, reason in told.items() if any(part in reason for part in LOST)]
    refusing = [name for name in told if name not in lost]
    without_biases(net.double())
    found |= {m: cell(path, m, net) for m in MEASURED if m.startswith("lrp")}
    side = pictures(path).shape[-1]
    measured = {method: found[method] for method in MEASURED}
    return {"side": side, **measured, "refusing": refusing, "lost": lost}


def paths():
    """Return library and name of all networks."""
    return [f"{library}/{name}" for library in LIBRARIES for name in LIBRARIES[library]]


def config():
    """Return what the table rests on, as plain JSON values."""
    options = {method: str(options) for method, options in MEASURED.items()}
    return {"methods": TRIED, "measured": options}


def attempted(path):
    """Return a row, or in words why there is none."""
    try:
        return row(path)
    except Exception as error:  # the others are wanted nevertheless
        return f"{path}: {error!r}"


def main(chosen):
    """Measure the networks that are named, or all; name those that could not be."""
    rows, failed = {}, []
    if chosen and FILE.exists():
        rows = json.loads(FILE.read_text(encoding="utf-8"))["results"]
    chosen = chosen or paths()
    context = multiprocessing.get_context("spawn")
    with context.Pool(os.cpu_count(), torch.set_num_threads, [1]) as pool:
        found = pool.imap(attempted, chosen)
        for path, each in zip(chosen, tqdm(found, total=len(chosen)), strict=True):
            if isinstance(each, str):
                failed.append(each)
            else:
                rows[path] = each
    provenance = facts(command=COMMAND, peers={"timm": metadata.version("timm")})
    results = {path: rows[path] for path in paths() if path in rows}
    stored = {"config": config(), "provenance": provenance, "results": results}
    write_json(FILE, stored)
    if failed:
        raise SystemExit("\n".join(failed))


if __name__ == "__main__":
    main(sys.argv[1:])
