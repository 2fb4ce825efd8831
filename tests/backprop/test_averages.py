"""Methods that average over several inputs: SmoothGrad and integrated gradients."""

import pytest
import torch
from nets import (
    WEIGHTS,
    Zoo,
    cifar10,
    filled,
    fingerprint,
    mlp,
    normal,
    photographs,
    relative,
    uniform,
)

import modbp
from modbp import methods
from modbp.zoo.vision import load_torchvision

load_torchvision()
from captum.attr import IntegratedGradients  # noqa: E402

AVERAGES = ["smoothgrad", "integrated-gradients"]


def of_captum(net, x, y, **options):
    return IntegratedGradients(net).attribute(x, target=y, **options).detach()


@pytest.mark.parametrize("name", AVERAGES)
def test_an_average_says_over_how_many_inputs_and_of_what(name):
    assert isinstance(methods.get(name), methods.Averaged)
    lines = str(methods.get(name)).splitlines()
    assert lines[0] == f"{name}: average over 50 inputs of"
    assert lines[1] == "gradient: output one, reduction max-abs"


@pytest.mark.parametrize("name", AVERAGES)
def test_after_an_average_network_and_input_are_as_before(name):
    net, x = filled(Zoo()), uniform(1, 2, 2, 6, 6).requires_grad_()
    before = fingerprint(net, x)
    modbp.explain(net, x, name, 1)
    assert fingerprint(net, x) == before


@pytest.mark.parametrize("name", AVERAGES)
def test_without_a_target_all_inputs_explain_the_class_of_the_one_given(name):
    net, x = mlp(4, 7, 3, bias=normal), normal(3, 5, 4)
    wanted = modbp.explain(net, x, name, net(x).argmax(1))
    assert torch.equal(modbp.explain(net, x, name, None), wanted)


# SmoothGrad ---------------------------------------------------------------------------


def test_smoothgrad_is_a_loop_over_noisy_copies():
    net, x = mlp(4, 9, 3, bias=normal), normal(3, 2, 4)
    generator = torch.Generator().manual_seed(7)
    size = 0.5 * (x.amax(1, keepdim=True) - x.amin(1, keepdim=True))
    wanted = torch.zeros_like(x)
    for _ in range(5):
        noise = torch.randn(4, generator=generator, dtype=torch.float64)
        copy = (x + size * noise).requires_grad_()
        wanted += torch.autograd.grad(net(copy)[:, 2].sum(), copy)[0] / 5
    method = methods.get("smoothgrad", samples=5, noise=0.5, seed=7)
    assert relative(modbp.explain(net, x, method, 2), wanted) < 1e-12


def test_without_noise_smoothgrad_is_the_gradient():
    net, x = mlp(4, 9, 3), normal(3, 2, 4)
    found = modbp.explain(net, x, methods.get("smoothgrad", noise=0.0, samples=3), 2)
    assert relative(found, modbp.explain(net, x, "gradient", 2)) < 1e-14


def test_the_seed_decides_the_noise_and_leaves_the_global_state_alone():
    net, x = mlp(4, 30, 3, bias=normal), normal(3, 2, 4)
    before = torch.random.get_rng_state()
    one, same, other = (
        modbp.explain(net, x, methods.get("smoothgrad", seed=seed), 2)
        for seed in (0, 0, 1)
    )
    assert torch.equal(one, same) and not torch.equal(one, other)
    assert torch.equal(torch.random.get_rng_state(), before)


# Integrated gradients -----------------------------------------------------------------


@pytest.mark.parametrize("weights", WEIGHTS)
def test_at_midpoints_integrated_gradients_are_captums(weights):
    # 16 steps: Captum rounds weights to float32, and 1/16 is one that it keeps.
    net, (x, y) = cifar10(weights), photographs(2)
    options = {"steps": 16, "quadrature": "midpoint"}
    found = modbp.explain(net, x, methods.get("integrated-gradients", **options), y)
    wanted = of_captum(net, x, y, n_steps=16, method="riemann_middle")
    assert relative(found, wanted) < 1e-9


def test_by_default_integrated_gradients_are_captums_up_to_its_rounded_weights():
    net, x, y = filled(Zoo()), normal(1, 3, 2, 6, 6), torch.tensor([0, 2, 4])
    found = modbp.explain(net, x, "integrated-gradients", y)
    wanted = of_captum(net, x, y)
    assert relative(found, wanted) < 1e-6


@pytest.mark.parametrize(
    "baseline", [0.25, normal(5, 1, 2, 6, 6)], ids=["number", "image"]
)
def test_a_baseline_is_captums(baseline):
    net, x, y = filled(Zoo()), normal(1, 3, 2, 6, 6), torch.tensor([0, 2, 4])
    options = {"steps": 8, "quadrature": "midpoint", "baseline": baseline}
    found = modbp.explain(net, x, methods.get("integrated-gradients", **options), y)
    options = {"n_steps": 8, "method": "riemann_middle", "baselines": baseline}
    assert relative(found, of_captum(net, x, y, **options)) < 1e-9


def test_on_a_straight_line_one_step_is_exact():
    # Without a ReLU the gradient is w everywhere: w ⊙ (x − x₀).
    net, x = mlp(3, 2), normal(1, 2, 3)
    method = methods.get("integrated-gradients", steps=1, baseline=1.0)
    wanted = net[0].weight[1].detach() * (x - 1)
    assert relative(modbp.explain(net, x, method, 1), wanted) < 1e-12


def test_integrated_gradients_sum_to_the_difference_of_the_logits():
    net, x = mlp(4, 9, 3, bias=normal), normal(3, 5, 4)
    difference = (net(x) - net(0 * x))[:, 2].detach()
    away = []
    for steps in (10, 100, 1000):
        method = methods.get("integrated-gradients", steps=steps)
        total = modbp.explain(net, x, method, 2).sum(1)
        away.append((total - difference).abs().max().item())
    assert away[2] < 2e-3 < away[0]
