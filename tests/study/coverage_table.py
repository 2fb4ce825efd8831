"""Which method on which network, measured: the table of the book's page on coverage.

Every method explains every network, and so does somebody else. Make the whole table
with ``python -m study.coverage_table`` in the folder of the tests, which recompute a
few of its cells.
It stands beside the tests and not in modbp.study, since only tests may import Captum
and Zennit; what it finds is a result of the study like others.
"""

import re
import textwrap
from functools import cache
from importlib import metadata

import peers
import torch
from nets import relative
from networks import FOREIGN, NETWORKS, OTHERS, foreign, network, pictures
from peers import NONE
from tqdm import tqdm

import modbp
from modbp import methods, patterns
from modbp.errors import ModbpError
from modbp.files import write_json
from modbp.study.runs.provenance import facts
from modbp.study.runs.store import RESULTS

FILE = RESULTS / "coverage.json"
COMMAND = "python -m study.coverage_table"  # in the folder of the tests

COLUMNS = ["cifar10", "own", "alexnet", "vgg11", "vgg16", "vgg16_bn", "resnet18"]
COLUMNS += ["resnet50", "squeezenet1_1", "googlenet", "densenet121", "mobilenet_v2"]
assert set(COLUMNS) <= {*NETWORKS, *OTHERS}

# Two rules for pixels that no method has by default.
PIXELS = {
    f"lrp-gamma, first={first}": ("lrp-gamma", {"first": first})
    for first in ("wsquare", "flat")
}
ROWS = [*methods.names(), *PIXELS]

# The range of pixels. Where a method asks for pixels in [0, 1], it gets those.
SHIFT = 0.3
UNSHIFTED = ("excitation-bp", "dtd", "lrp-eps-gamma-box")

# What is not left at its default, so that the other side can do the same, or in time.
OPTIONS = {
    "smoothgrad": {"samples": 2},
    "integrated-gradients": {"steps": 4, "quadrature": "midpoint"},
    "rectgrad": {"percentile": 50.0},
    "deeplift-rescale": {"maxpool": "winner"},
    "deeplift-ablation": {"maxpool": "winner"},
}
SMALL = 1e-7  # modbp's, where Captum's is 1e-10

# Whose relevance has a sum to be compared with, in a network without biases.
EXACT = {"epsilon": 1e-14}
SUMS = dict.fromkeys(("gradient-x-input", "lrp-z", "lrp-gamma", "lrp-a1b0"), {})
SUMS |= dict.fromkeys(("excitation-bp", "dtd"), {})
SUMS |= dict.fromkeys(("lrp-eps", "lrp-cmp-a1b0", "lrp-eps-plus"), EXACT)
SUMS |= {"lrp-eps-gamma-box": EXACT}
SUMS |= dict.fromkeys(("deeplift-rescale", "deeplift-revealcancel"), {"small": 0.0})


# By others ----------------------------------------------------------------------------


@cache
def twin(name):
    return peers.twin(network(name))


def reference(name):
    """Return an input for DeepLIFT to compare with."""
    return pictures(name, 3)[2:] - SHIFT


@cache
def fitted(name):
    return patterns.fit(network(name), [pictures(name, 4) - SHIFT])


def alpha_beta(alpha):
    return peers.rules.AlphaBeta(alpha, alpha - 1, NONE)


EPSILON = peers.rules.Epsilon
GAMMA = peers.rules.Gamma(stabilizer=NONE)
BOX = peers.rules.ZBox(0, 1, NONE)
Z_PLUS = peers.rules.ZPlus(NONE)
ZENNIT = {
    "lrp-z": {"conv": EPSILON(NONE)}, "lrp-eps": {"conv": EPSILON(1e-6)},
    "lrp-gamma": {"conv": GAMMA}, "lrp-a1b0": {"conv": alpha_beta(1)},
    "lrp-a2b1": {"conv": alpha_beta(2)}, "lrp-a5b4": {"conv": alpha_beta(5)},
    "excitation-bp": {"conv": Z_PLUS}, "dtd": {"conv": Z_PLUS, "first": BOX},
    "lrp-cmp-a1b0": {"conv": alpha_beta(1), "dense": EPSILON(1e-10)},
    "lrp-cmp-a2b1": {"conv": alpha_beta(2), "dense": EPSILON(1e-10)},
    "lrp-eps-plus": {"conv": Z_PLUS, "dense": EPSILON(1e-6)},
    "lrp-eps-gamma-box": {"conv": GAMMA, "dense": EPSILON(1e-6), "first": BOX},
    "contrastive-lrp": {"conv": alpha_beta(1)},
    "lrp-gamma, first=wsquare": {"conv": GAMMA, "first": peers.rules.WSquare(NONE)},
    "lrp-gamma, first=flat": {"conv": GAMMA, "first": peers.rules.Flat(NONE)},
}  # fmt: skip


def by_others(row, name, x, target, start):
    """Return who explains as well, and the explanation."""
    net, spelled = network(name), twin(name)
    r = start(net(x).detach(), target[:, None])
    options = OPTIONS.get(row, {})
    if row == "gradient":
        return "autograd", peers.by_autograd(net, x, r)
    if row == "gradient-x-input":
        return "autograd", x * peers.by_autograd(net, x, r)
    if row == "rectgrad":
        return "autograd", peers.by_rectgrad(spelled, x, r, options["percentile"])
    if row.startswith("pattern"):
        way = (fitted(name), row == "patternattribution")
        return "autograd", peers.by_patterns(spelled, x, r, *way)
    if row in ZENNIT:
        return "Zennit", peers.by_zennit(spelled, x, r, **ZENNIT[row])
    if row == "smoothgrad":
        way = (options["samples"], 0.15, 0)
        return "Captum", peers.by_smoothgrad(net, x, target, *way)
    if row == "integrated-gradients":
        steps = options["steps"]
        return "Captum", peers.by_integrated_gradients(net, x, target, steps)
    if row in ("guided-bp", "deconv"):
        return "Captum", peers.by_captum(row, spelled, x, target)
    compared = reference(name).expand_as(x)
    if row == "deeplift-rescale":
        return "Captum", peers.by_deeplift(spelled, x, compared, target, SMALL)
    if row == "deeplift-ablation":
        return "Captum", peers.by_ablation(spelled, x, compared, target, SMALL)
    return None, None


# By modbp -----------------------------------------------------------------------------


def method_of(row, name, more=None):
    base, options = PIXELS.get(row, (row, OPTIONS.get(row, {})))
    options = dict(options if more is None else more)
    if base.startswith("deeplift"):
        options["reference"] = reference(name)
    if base.startswith("pattern"):
        options["patterns"] = fitted(name)
    return methods.get(base, **options)


def shorten(message):
    """Cut a message after what was found, and inside that after a line or so."""
    first = re.split(r"(?<=[a-z])\. ", str(message))[0]
    return textwrap.shorten(first.removesuffix("."), 120, placeholder=" …")


def sum_of(row, name, x, target):
    """Return how far relevance is from the sum that the method promises."""
    method = method_of(row, name, SUMS[row])
    found = modbp.explain(network(name), x, method, target).flatten(1).sum(1)
    with torch.no_grad():
        logits = network(name)(x)
        if row.startswith("deeplift"):
            logits = logits - network(name)(reference(name))
    wanted = logits.gather(1, target[:, None])[:, 0]
    scale = torch.ones_like(wanted) if method.output == "one" else wanted
    if row.startswith("deeplift") or row == "gradient-x-input":
        scale = wanted
    return ((found - scale) / scale).abs().max().item()


def rounded(value):
    return float(f"{value:.1e}")


def cell(row, name):
    """Measure one cell; its "verdict" is one of three.

    "equal", and then to whom and the largest difference in units of the largest entry;
    "property", and then how far the sum is off; or "refused", and why.
    """
    x = pictures(name) - (0 if row in UNSHIFTED else SHIFT)
    with torch.no_grad():
        target = network(name)(x).argmax(1)
    method = method_of(row, name)
    try:
        found = modbp.explain(network(name), x, method, target)
    except ModbpError as error:
        return {"verdict": "refused", "reason": shorten(error)}
    result = {"verdict": "property"}
    chain = method.method if isinstance(method, methods.Averaged) else method
    who, wanted = by_others(row, name, x, target, chain.begin)
    if who is not None:
        assert wanted.abs().max() > 0
        difference = rounded(relative(found, wanted))
        result = {"verdict": "equal", "to": who, "difference": difference}
    if row in SUMS:
        result["sum"] = rounded(sum_of(row, name, x, target))
    return result


def refusal(name):
    """Return why a network is refused, whatever the method."""
    try:
        modbp.explain(foreign(name), torch.rand(1, 3, 64, 64), "lrp-a1b0")
    except ModbpError as error:
        return shorten(error)
    raise AssertionError(f"{name} is not refused")


def table(rows=ROWS, columns=COLUMNS):
    """Measure all cells."""
    result = {row: {} for row in rows}
    for column in tqdm(columns, mininterval=1):
        for row in rows:
            result[row][column] = cell(row, column)
        for kept in (twin, fitted, network):  # gigabytes, after a few networks
            kept.cache_clear()
    return result


def config():
    """Return what the table rests on, as plain JSON values."""
    chosen = OPTIONS | {row: options for row, (_, options) in PIXELS.items()}
    return {
        "inputs": {name: list(pictures(name).shape) for name in COLUMNS},
        "methods": ROWS,
        "options": {row: str(options) for row, options in chosen.items()},
        "options_of_sums": {row: str(options) for row, options in SUMS.items()},
    }


if __name__ == "__main__":
    versions = {name: metadata.version(name) for name in ("captum", "zennit")}
    results = {"cells": table(), "refused": {name: refusal(name) for name in FOREIGN}}
    provenance = facts(command=COMMAND, peers=versions)
    stored = {"config": config(), "provenance": provenance, "results": results}
    write_json(FILE, stored)
