"""Nonsense for every argument of what is public: refused by name, never raw or silent.

For each function stands one call that works. Every argument in turn is replaced by what
it cannot be; `refusals.txt` has the calls that are nearly right.
"""

import copy
import os
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from nets import repeatable
from torch import nn

import modbp
from modbp import (
    data,
    figures,
    methods,
    models,
    patterns,
    rules,
    sanity,
    similarity,
    surrogate,
    theory,
    widgets,
)
from modbp.__main__ import main
from modbp.errors import ModbpError
from modbp.measures import neurons, spectra

MATRIX = np.array([[0.5, 0.2], [0.5, 0.8]])
CHAIN = [MATRIX] * 3


@cache
def net():
    torch.manual_seed(0)
    conv, fc = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(256, 5)
    return nn.Sequential(conv, nn.ReLU(), nn.Flatten(), fc).eval()


def x():
    return torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))


@cache
def chain():
    return modbp.chain(net(), x(), "lrp-z")


@cache
def measured():
    return {"lrp-z": modbp.csc(net(), x(), "lrp-z", "3")}


@cache
def compared():
    return {"lrp-z": sanity.random_logit(net(), x(), "lrp-z", 0)}


def explained(method):
    return modbp.explain(net(), x(), method, 0)


def by_box(**ends):
    return explained(methods.get("dtd", first=rules.Box(**ends)))


def by_path(**options):
    return explained(methods.integrated_gradients(**options))


def by_reference(**options):
    return explained(methods.deeplift_rescale(**options))


def all_randomised(**options):
    return list(sanity.randomised(**options))


def drawn_anew(**options):
    # Not the network that the other calls share.
    options = {k: copy.deepcopy(v) for k, v in options.items()}
    return sanity.randomise(**options)


def through(r):
    return chain().operator("3").apply(r)


def back_through(r):
    return chain().operator("3").adjoint(r)


def two_layers(first, second):
    return models.dense(first, second)


def calls(tmp_path=None):
    """Return for each function, by name, itself and the arguments of a good call."""
    images, maps = x(), torch.rand(2, 8, 8)
    both = {"net": net(), "x": images}
    whole = {**both, "method": "lrp-z", "fold": True}
    random = {"seed": 0}
    layer = {"relu": True, "split": False}
    black = [np.zeros((4, 4, 3), np.uint8)] * 2
    start = {"output": "one"}
    return {
        # backprop
        "explain": (modbp.explain, {**whole, "target": 0}),
        "chain": (modbp.chain, whole),
        "supported": (modbp.supported, {**both, "methods": ["lrp-z"], "fold": True}),
        "Chain.pull": (
            chain().pull,
            {"r": torch.rand(2, 5), "start": "3", "to": ["input"]},
        ),
        "Chain.output": (chain().output, {"layer": "3"}),
        "Chain.below": (chain().below, {"layer": "3"}),
        "Chain.matrix": (chain().matrix, {"layer": "3", "sample": 0}),
        "Chain.operator": (chain().operator, {"layer": "3", "sample": 0}),
        "Chain.explain": (chain().explain, {"target": 0}),
        "Operator.apply": (through, {"r": torch.rand(2, 5)}),
        "Operator.adjoint": (back_through, {"r": torch.rand(2, 256)}),
        "reduce": (figures.reduce, {"r": images, "method": "lrp-z"}),
        # methods and rules
        "get": (methods.get, {"method": "lrp-eps", "preset": "zennit", "epsilon": 1}),
        "Method": (
            methods.Method,
            {
                "name": "mine",
                "rules": {"linear": rules.Epsilon()},
                "first": rules.Box(0, 1),
                "output": "one",
                "times_input": False,
                "reduction": "sum",
            },
        ),
        "Averaged": (
            methods.Averaged,
            {"name": "mine", "method": methods.gradient(), "points": iter, "count": 1},
        ),
        "smoothgrad": (methods.smoothgrad, {"samples": 3, "noise": 0.1, **random}),
        "integrated": (by_path, {"steps": 3, "quadrature": "midpoint", **start}),
        "baseline": (by_path, {"baseline": 0.0}),
        "deeplift": (by_reference, {"reference": 0 * images[:1], "small": 1e-9}),
        "gradient": (methods.gradient, start),
        "Epsilon": (rules.Epsilon, {"epsilon": 0.1, "bias": "unit"}),
        "AlphaBeta": (rules.AlphaBeta, {"alpha": 2, "beta": 1, "stabilizer": 0}),
        "Gamma": (rules.Gamma, {"gamma": 0.1}),
        "lrp-gamma": (methods.lrp_gamma, {"gamma": 0.1, "split": True}),
        "AvgPool": (rules.AvgPool, {"by_contribution": True}),
        "RectGrad": (rules.RectGrad, {"percentile": 90}),
        "Box": (by_box, {"low": 0, "high": 1}),
        # measures
        "csc": (
            modbp.csc,
            {**whole, "start": "3", "to": ["0"], "relevances": 3, **random},
        ),
        "bits": (
            modbp.bits,
            {
                **{**whole, "method": "lrp-a1b0"},
                **{"classes": [0, 1], "to": ["input"], "over": "places"},
                **{"part": "positive", "batch": 2},
            },
        ),
        "audit": (
            modbp.audit,
            {
                **{"net": net(), "x": x(), "methods": ["gradient"], "target": 0},
                **{**random, "classes": ["cat"]},
            },
        ),
        "random_logit": (sanity.random_logit, {**whole, "target": 0, **random}),
        "cascade": (
            sanity.cascade,
            {
                **whole,
                "target": 0,
                "stages": ["3"],
                **random,
                "own": True,
                "stale": False,
            },
        ),
        "randomise": (drawn_anew, {"net": net(), "layers": ["0"], **random}),
        "randomised": (
            all_randomised,
            {**both, "stages": ["3"], **random, "own": True},
        ),
        "fit": (
            patterns.fit,
            {"net": net(), "batches": [images], "kind": "relu", "estimator": "code"},
        ),
        "cosine": (similarity.cosine, {"u": maps, "v": maps, "dim": -1}),
        "pairwise": (similarity.pairwise, {"r": torch.rand(3, 2, 4)}),
        "random_floor": (similarity.random_floor, {"channels": 4}),
        "ssim": (
            similarity.ssim,
            {"a": maps, "b": maps, "paper": True, "percentile": 99.5},
        ),
        "seen": (neurons.seen, {**both, "most": 100, **random}),
        "ratio": (spectra.ratio, {"M": MATRIX}),
        "leading": (spectra.leading, {"x": MATRIX, "count": 2}),
        "power_step": (
            spectra.power_step,
            {"layer": neurons.seen(net(), images)["0"], "neuron": 0},
        ),
        # zoo
        "build": (models.build, {"name": "cifar10", **random, "training": False}),
        "cifar10": (models.cifar10, {"weights": None}),
        "vit": (models.vit, {"weights": None}),
        "dense": (two_layers, {"first": [[1.0, 2.0]], "second": [[1.0]]}),
        "images": (
            data.images,
            {
                "n": 2,
                "split": "test",
                "size": 32,
                "folder": "photographs",
                "download": False,
            },
        ),
        "indices": (data.images, {"indices": [0], "folder": "photographs"}),
        "paper_indices": (data.paper_indices, {"count": 3}),
        "save": (models.save, {"net": net(), "path": f"{tmp_path}/net.safetensors"}),
        "provenance": (models.provenance, {"path": None}),
        # figures
        "heatmaps": (
            figures.heatmaps,
            {
                "pictures": images,
                "columns": {"a": maps},
                "rows": ["p", "q"],
                "source": "here",
                "size": 1.3,
            },
        ),
        "gallery": (
            figures.gallery,
            {"pictures": images, "maps": {"a": maps}, "columns": 3, "width": 4.6},
        ),
        "difference": (figures.difference, {"first": maps, "second": maps}),
        "csc_curves": (
            figures.csc_curves,
            {
                "results": measured(),
                "start": "3",
                "log": True,
                "names": ["lrp-z"],
                "least": 1e-8,
            },
        ),
        "csc_histogram": (
            figures.csc_histogram,
            {"results": measured(), "start": "3", "layer": "0"},
        ),
        "csc_table": (figures.csc_table, {"results": measured(), "start": "3"}),
        "similarity_boxes": (
            figures.similarity_boxes,
            {"results": compared(), "stage": "random logit", "names": ["lrp-z"]},
        ),
        "similarity_curves": (
            figures.similarity_curves,
            {"results": compared(), "kind": "ssim"},
        ),
        "cones": (
            figures.cones,
            {"matrices": [MATRIX], "titles": ["one"], "height": 2.0},
        ),
        "cone_in_space": (
            figures.cone_in_space,
            {"M": np.eye(3), "title": "three", "turn": 45, "lift": 25, "height": 3.0},
        ),
        "frames": (
            widgets.frames,
            {
                "pictures": black,
                "labels": ["a", "b"],
                "alt": ["this", "that"],
                "control": "range",
                "label": "Picture",
                "first": 0,
                "telling": [0, 1],
            },
        ),
        "explore": (
            widgets.explore,
            {"function": torch.eye, "alt": "{}", "control": "select", "n": [1, 2]},
        ),
        # theory
        "products": (theory.products, {"mats": CHAIN}),
        "gauge": (theory.gauge, {"mats": CHAIN}),
        "gaps": (theory.gaps, {"mats": CHAIN, "backward": 2, "statistic": np.max}),
        "log_sines": (theory.log_sines, {"mats": CHAIN}),
        "active_chain": (theory.active_chain, {"mats": CHAIN}),
        "dobrushin": (theory.dobrushin, {"A": MATRIX}),
        "birkhoff": (theory.birkhoff, {"A": MATRIX}),
        "overlap": (theory.overlap, {"M": MATRIX, "A": MATRIX}),
        "sharp": (theory.sharp_bound, {"mats": CHAIN, "norm": "dobrushin"}),
        "attained": (theory.attained, {"rows": 3, "deltas": ["1/2", "1/3"]}),
        "criterion": (theory.criterion, {"mats": CHAIN, "blocks": [1, 2]}),
        "shared_mass": (theory.shared_mass, {"mats": CHAIN, "blocks": 1}),
        "rate": (theory.rate, {"A": MATRIX}),
        "lyapunov_gap": (theory.lyapunov_gap, {"n": 4}),
        "contraction_law": (
            theory.contraction_law,
            {"rows": 4, "cv2": 1.0, "columns": "dirichlet"},
        ),
        "expectation": (
            theory.expectation_bound,
            {"rows": 4, "factors": [0.1, 0.2]},
        ),
        "theory.bits": (theory.bits, {"mats": CHAIN, "prior": [0.5, 0.5]}),
        "bits_bound": (theory.bits_bound, {"mats": CHAIN, "prior": [0.5, 0.5]}),
        "theorem_b": (theory.theorem_b_bound, {"mats": CHAIN, "norm": "euclidean"}),
        "theorem_c": (theory.theorem_c_bound, {"mats": CHAIN, "block": 1}),
        "mixing": (theory.mixing, {"A": MATRIX}),
        "structure": (theory.structure, {"A": MATRIX}),
        "left_perron": (theory.left_perron, {"A": MATRIX}),
        "min_cosine": (theory.min_cosine, {"M": MATRIX}),
        "squared": (theory.min_cosine_squared, {"M": np.array([[1, 2], [3, 4]])}),
        "proof_step": (
            theory.proof_step,
            {"M": MATRIX, "A": MATRIX, "weights": "true"},
        ),
        "cv_squared": (theory.cv_squared, {"A": MATRIX}),
        "cv_alpha_beta": (theory.cv_squared_alpha_beta, {"alpha": 2.0, "beta": 1.0}),
        "rate_law": (theory.rate_law, {"widths": [3, 4], "cv2": 0.5}),
        "critical_beta": (theory.critical_beta, {"width": 4}),
        "gamma_rate": (theory.gamma_rate, {"gamma": 0.5, "width": 4}),
        "contracting_gamma": (theory.contracting_gamma, {"delta": 0.5}),
        "cosines": (theory.cosines, {"M": MATRIX}),
        "widest_pair": (theory.widest_pair, {"M": MATRIX}),
        "euclidean": (theory.euclidean, {"A": MATRIX}),
        "exact": (theory.exact, {"rows": [[1, 2], [3, 4]]}),
        "exact_products": (theory.exact_products, {"mats": CHAIN}),
        "slow_pair": (theory.slow_pair, {"epsilon": "1/3"}),
        "spatial_blur": (theory.spatial_blur, {"positions": 4}),
        "high_power": (theory.high_power, {"A": MATRIX, "doublings": 3}),
        "search": (
            theory.search_counterexample,
            {"hypotheses": "published", "size": 2, "largest": 1, "conclusion": "angle"},
        ),
        "measure": (
            theory.measure,
            {"R": MATRIX, "protocol": theory.PROTOCOLS["code"]},
        ),
        "simulate": (
            theory.simulate,
            {
                "widths": (4, 5, 6),
                "protocol": theory.PROTOCOLS["code"],
                "vectors": 3,
                "repetitions": 2,
                **random,
                "dtype": np.float64,
            },
        ),
        "simulate_learned": (
            theory.simulate_learned,
            {"mats": CHAIN, "relu": False, "vectors": 2, "repetitions": 2, **random},
        ),
        "gamma_layer": (
            surrogate.gamma_layer,
            {"W": MATRIX, "h": [1, 1], "gamma": 1, "bias": [0, 0], **layer},
        ),
        "gamma_layers": (
            surrogate.gamma_layers,
            {"mats": CHAIN, "x": [1, 1], "gamma": 1, "biases": [None] * 3, **layer},
        ),
        "gamma_forward": (
            surrogate.gamma_forward,
            {"mats": CHAIN, "x": [1, 1], "gamma": 1},
        ),
        "gamma_backward": (
            surrogate.gamma_backward,
            {"mats": CHAIN, "x": [1, 1], "gamma": 1},
        ),
    }


# No argument of any function may be one of these.
NONSENSE = {
    "object": object(),
    "complex": 1j,
    "matrix of complex": np.ones((2, 2)) * 1j,
    "matrix of text": np.array([["a", "b"]]),
    "table of nothing": {None: None},
    "list of nothing": [None],
    "ragged": [[1], [1, 2]],
    "bytes": b"abc",
    "infinity": -float("inf"),
    "nan": float("nan"),
}
# These some arguments may be; what they must not do is stop with another error.
ODD = {
    "nothing": None,
    "true": True,
    "number": 7,
    "negative": -1,
    "fraction": 0.5,
    "huge": 10**30,
    "words": "keine  Ahnung ✗",
    "no text": "",
    "no list": [],
    "no table": {},
    "no tensor": torch.zeros(0),
    "scalar": torch.tensor(1.0),
    "tensor of nan": torch.full((2, 2), float("nan")),
    "whole tensor": torch.ones(2, 2, dtype=torch.int64),
    "negative matrix": -np.ones((2, 2)),
    "set": {1},
    "type": int,
}
# Functions and texts of the user, whose errors are his own; what may be a list of
# values of any kind; and texts that may hold anything.
FREE = {("explore", "function"), ("explore", "n"), ("gaps", "statistic")}
FREE |= {("frames", "labels"), ("frames", "alt"), ("Averaged", "points")}
NONE = ("randomise", "save", "search")  # these return nothing
ARGUMENTS = [(name, part) for name, (_, good) in calls().items() for part in good]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where a file of an odd name may be written


def test_the_calls_work_before_anything_is_replaced(tmp_path):
    for name, (function, good) in calls(tmp_path).items():
        assert function(**good) is not None or name in NONE, name
    assert len(ARGUMENTS) >= 150


def replaced(call, part, value):
    """Call with another value of one argument; return what it is told, or nothing."""
    function, good = call
    try:
        function(**{**good, part: value})
    except ModbpError as error:
        told = str(error)
        assert told.endswith((".", "…")) and len(told) < 1000, told
        return told
    return ""


@pytest.mark.parametrize(("name", "part"), ARGUMENTS)
def test_nonsense_is_refused_by_name(name, part, tmp_path):
    if (name, part) in FREE:
        return
    call = calls(tmp_path)[name]
    assert not [
        what for what, value in NONSENSE.items() if not replaced(call, part, value)
    ]


# None stands for all methods, which take seconds.
SLOW = ("audit", "methods")


@pytest.mark.parametrize(
    ("name", "part"),
    [
        *[each for each in ARGUMENTS if each != SLOW],
        pytest.param(*SLOW, marks=pytest.mark.long),
    ],
)
def test_odd_values_are_taken_or_refused_and_nothing_else(name, part, tmp_path):
    if (name, part) in FREE:
        return
    call = calls(tmp_path)[name]
    for value in ODD.values():
        replaced(call, part, value)


ANY = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**40), 10**40),
    st.floats(),
    st.text(),
    st.binary(),
    st.lists(st.one_of(st.none(), st.floats(), st.text()), max_size=3),
    st.dictionaries(st.text(), st.floats(), max_size=2),
)
NUMBERS = [
    (theory.cv_squared_alpha_beta, {"alpha": 2.0, "beta": 1.0}),
    (theory.rate_law, {"widths": [3, 4], "cv2": 0.5}),
    (theory.gamma_rate, {"gamma": 0.5, "width": 4}),
    (theory.critical_beta, {"width": 4}),
    (theory.contracting_gamma, {"delta": 0.5}),
    (theory.lyapunov_gap, {"n": 4}),
    (theory.contraction_law, {"rows": 4, "cv2": 1.0, "columns": "exchangeable"}),
    (theory.expectation_bound, {"rows": 4, "factors": [0.1]}),
    (theory.attained, {"rows": 3, "deltas": ["1/2"]}),
    (theory.criterion, {"mats": CHAIN, "blocks": 1}),
    (theory.theorem_c_bound, {"mats": CHAIN, "block": 1}),
    (surrogate.gamma_layer, {"W": MATRIX, "h": [1, 1], "gamma": 1}),
    (similarity.random_floor, {"channels": 4}),
    (rules.Epsilon, {"epsilon": 0.1, "bias": "unit"}),
    (rules.AlphaBeta, {"alpha": 2, "beta": 1, "stabilizer": 0}),
    (rules.Gamma, {"gamma": 0.1}),
    (rules.RectGrad, {"percentile": 90}),
    (methods.get, {"method": "lrp-eps", "preset": "zennit"}),
    (methods.smoothgrad, {"samples": 3, "noise": 0.1, "seed": 0, "output": "one"}),
    (models.build, {"name": "cifar10", "seed": 0}),
]


@repeatable
@given(st.data())
def test_any_value_is_taken_or_refused(choice):
    function, good = choice.draw(st.sampled_from(NUMBERS))
    part = choice.draw(st.sampled_from(list(good)))
    try:
        function(**{**good, part: choice.draw(ANY)})
    except ModbpError as error:
        assert str(error).endswith(".")


LINES = [
    "", "explode", "explain", "run", "train", "evaluate", "status nowhere",
    "explain cifar10 nowhere.png", "explain nothing --method gradient",
    "explain cifar10 --method lrp-zz", "explain cifar10 --weights nowhere",
    "explain cifar10 --target cat", "explain --method", "train vgg61 --out x",
    "train cifar10 --out x --epochs 0", "train cifar10 --out x --epochs many",
    "train cifar10 --out x --device tpu", "evaluate vgg61", "run nothing",
    "run csc --network vgg61 --out x", "run csc --repetitions 0", "run --help-me",
    "status --out", "evaluate cifar10 --weights nowhere.safetensors",
]  # fmt: skip


@pytest.mark.parametrize("line", LINES)
def test_a_line_that_cannot_be_meant_is_refused(line, capfd):
    try:
        status = main(line.split())
    except SystemExit as stop:
        status = stop.code
    told = capfd.readouterr().err
    assert status == 2 and told.strip() and "Traceback" not in told
    assert not os.listdir()
