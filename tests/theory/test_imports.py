"""The theory is for readers without torch, and the door opens at once."""

import subprocess
import sys

import pytest

HEAVY = {"torch", "torchvision", "matplotlib", "scipy", "pandas", "skimage", "sklearn"}

# Everything that works on matrices, called once where torch cannot be imported.
WITHOUT_TORCH = """
import sys
sys.modules["torch"] = sys.modules["torchvision"] = None
from inspect import isfunction
import numpy as np
from modbp import surrogate, theory
A, F1 = [[2, 1], [1, 2]], theory.COUNTEREXAMPLES["F1"]
mats = [np.array(A, dtype=float)] * 3
calls = {
    "active_chain": [mats], "alpha_beta_variants": [], "attained": [3, ["1/2"]],
    "bits": [mats], "bits_bound": [mats], "contraction_law": [4, 1],
    "criterion": [mats], "differences": [mats], "expectation_bound": [4, [0.1]],
    "lyapunov_gap": [8], "rate": [A], "shared_mass": [mats], "sharp_bound": [mats],
    "backward_pass": [mats, np.eye(2)], "birkhoff": [A], "conserving": [mats],
    "contracting_gamma": [0.5], "cosines": [A], "critical_beta": [64],
    "cv_squared": [A], "cv_squared_alpha_beta": [1, 0], "dobrushin": [A],
    "euclidean": [A], "exact": [A], "exact_products": [F1.exact_chain(3)],
    "gamma_rate": [1, 64], "gaps": [mats], "gauge": [mats], "high_power": [A],
    "left_perron": [A], "log_sines": [mats], "measure": [A], "min_cosine": [A],
    "min_cosine_squared": [A],
    "mixing": [A], "overlap": [A, A], "products": [mats], "proof_step": [A, A],
    "rate_law": [[8, 8], 2], "search_counterexample": ["published", 2, 2, "angle"],
    "simulate": [None], "simulate_learned": [mats], "slow_pair": [0.25],
    "spatial_blur": [4], "structure": [A], "theorem_b_bound": [mats],
    "theorem_c_bound": [mats], "widest_pair": [A],
}
functions = {n for n in theory.__all__ if isfunction(getattr(theory, n))}
assert functions == set(calls), functions ^ set(calls)
theory.simulate.__kwdefaults__.update(widths=(3, 4, 5), repetitions=1)
theory.simulate_learned.__kwdefaults__.update(repetitions=1)
for name, arguments in calls.items():
    found = getattr(theory, name)(*arguments)
    if name in ("backward_pass", "differences"):
        list(found)
step = theory.proof_step(A, [[2, 1], [1, 3]])
step.case_1(0, 1), step.case_2(0, 1), step.eq21, theory.structure(A).condition_e
surrogate.gamma_layer(A, [1, 1], 1)
for function in (surrogate.gamma_layers, surrogate.gamma_forward):
    function(mats, [1, 1], 1)
surrogate.gamma_backward(mats, [1, 1], 1)
"""


def run(code, *options):
    """What a fresh process says, its two streams."""
    command = [sys.executable, *options, "-c", code]
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=True)


def test_every_function_of_the_theory_works_without_torch():
    run(WITHOUT_TORCH)


@pytest.mark.parametrize("name", ["modbp", "modbp.theory", "modbp.theory.surrogate"])
def test_nothing_heavy_is_loaded_by(name):
    code = f"import sys, {name}; print(*{{m.split('.')[0] for m in sys.modules}})"
    assert not HEAVY & set(run(code).stdout.split())


def test_the_door_opens_in_less_time_than_numpy_takes():
    # About 0.06 s against 0.15 s; each is the best of three, other work may disturb.
    found = {"modbp": [], "numpy": []}
    for name, times in found.items():
        for _ in range(3):
            told = run(f"import {name}", "-X", "importtime").stderr.splitlines()
            (line,) = (row for row in told if row.endswith(f"| {name}"))
            times.append(int(line.split("|")[1]))
    assert min(found["modbp"]) < 1.5 * min(found["numpy"])
