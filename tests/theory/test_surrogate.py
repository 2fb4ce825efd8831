import math
from functools import reduce

import numpy as np
import pytest
from hypothesis import assume
from hypothesis import strategies as st
from theory.strategies import holds_for

from modbp import surrogate, theory
from modbp.errors import InputError
from modbp.zoo.vision import load_torchvision

GAMMAS = [0, 0.25, 1, 4, 100, np.inf]
SEEDS = st.integers(0, 10**6)
GAMMA = st.one_of(st.just(0.0), st.floats(0.01, 100), st.just(math.inf))


def network(seed, widths=(6, 7, 5, 4), bias=False, signed=False):
    """Weights, biases and an input, non-negative unless signed."""
    rng = np.random.default_rng(seed)
    shapes = zip(widths[1:], widths, strict=False)
    mats = [rng.standard_normal(shape) for shape in shapes]
    biases = [0.5 * rng.standard_normal(len(W)) if bias else None for W in mats]
    x = rng.standard_normal(widths[0])
    return mats, biases, x if signed else np.abs(x)


def activations(mats, x, biases, relu):
    """The network itself: h = ReLU(W h + b), no ReLU at the end."""
    hs = [x]
    for k, (W, b) in enumerate(zip(mats, biases, strict=True), 1):
        z = W @ hs[-1] + (0 if b is None else b)
        hs.append(np.maximum(z, 0) if relu and k < len(mats) else z)
    return hs


def one_unit(gamma, w, h, **options):
    return surrogate.gamma_layer([w], h, gamma, **options)


# By hand -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gamma", "c"), [(0, 1), (0.5, 2), (1, -np.inf), (2, -1), (10, -1 / 9)]
)
def test_g1_the_factor_of_a_negative_unit_is_nowhere_in_the_unit_interval(gamma, c):
    # z = 1 - 2 = -1, P = 1, N = 2: z^γ = -1 + γ, c = 1 / (1 - γ).
    layer = one_unit(gamma, [1, -2], [1, 1])
    assert layer.c[0] == pytest.approx(c)
    assert layer.pole[0] == (gamma == 1)
    assert layer.poles[0] == 1
    np.testing.assert_array_equal([layer.positive[0], layer.negative[0]], [1, 2])


@pytest.mark.parametrize(("gamma", "c"), [(1, 2), (2, np.inf), (3, -2)])
def test_g2_negative_inputs_put_a_pole_where_the_unit_is_positive(gamma, c):
    # h = (-1, -1), w = (1, -3): z = 2, Σ h w⁺ = -1, z^γ = 2 - γ.
    layer = one_unit(gamma, [1, -3], [-1, -1])
    assert layer.c[0] == pytest.approx(c)
    assert layer.poles[0] == pytest.approx(2)


@pytest.mark.parametrize("gamma", [1, 2, 3])
def test_g2_split_contributions_have_no_pole(gamma):
    # Contributions (-1, 3): P = 3, N = 1, z = 2, denominator 2 + 3γ.
    layer = one_unit(gamma, [1, -3], [-1, -1], split=True)
    assert layer.c[0] == pytest.approx(2 / (2 + 3 * gamma))
    expected = np.array([-1, 3 * (1 + gamma)]) / (2 + 3 * gamma)
    np.testing.assert_allclose(layer.backward[:, 0], expected)
    assert np.isnan(layer.poles[0])


def test_split_contributions_follow_the_sign_of_a_negative_unit():
    # Contributions (1, -2), z = -1: denominator -1 - 2γ = -5 at γ = 2. The negative one
    # is strengthened: (1, -2·3) / -5.
    layer = one_unit(2, [1, -2], [1, 1], split=True)
    assert layer.c[0] == pytest.approx(1 / 5)
    np.testing.assert_allclose(layer.backward[:, 0], [-1 / 5, 6 / 5])
    infinite = one_unit(np.inf, [1, -2], [1, 1], split=True)
    np.testing.assert_allclose(infinite.backward[:, 0], [0, 1])


@pytest.mark.parametrize(
    ("gamma", "columns", "nu", "delta"),
    [
        (np.inf, [[2 / 3, 1 / 3, 0], [1 / 3, 2 / 3, 0]], 0, 1 / 3),
        (1, [[4 / 5, 2 / 5, -1 / 5], [2 / 5, 4 / 5, -1 / 5]], 1 / 5, 2 / 5),
        (0, [[1, 1 / 2, -1 / 2], [1 / 2, 1, -1 / 2]], 1 / 2, 1 / 2),
    ],
)
def test_g3_columns_and_contraction(gamma, columns, nu, delta):
    # P = 3, N = 1: z^γ = 2 + 3γ, ν = 1 / (2 + 3γ).
    layer = surrogate.gamma_layer([[2, 1, -1], [1, 2, -1]], [1, 1, 1], gamma)
    np.testing.assert_allclose(layer.backward.T, columns, atol=1e-15)
    np.testing.assert_allclose(layer.nu, nu, atol=1e-15)
    assert theory.dobrushin(layer.backward) == pytest.approx(delta)
    norms = np.abs(layer.backward).sum(axis=0)
    np.testing.assert_allclose(norms, 1 + 2 * nu)


def test_g4_the_bias_is_one_more_input():
    # z = -1 - 1 + 3 = 1; P = 3 from the bias alone, N = 2: z^γ = 1 + 3 = 4 at γ = 1.
    layer = one_unit(1, [-1, -1], [1, 1], bias=[3])
    assert layer.z[0] / layer.c[0] == pytest.approx(4)
    np.testing.assert_allclose(layer.backward[:, 0], [-1 / 4, -1 / 4])
    assert layer.bias_share[0] == layer.forward_bias[0] == pytest.approx(3 / 2)
    # Without it in P, the z⁺ column would be 0/0; with it, it is empty and the bias
    # keeps everything.
    infinite = one_unit(np.inf, [-1, -1], [1, 1], bias=[3])
    np.testing.assert_array_equal(infinite.backward[:, 0], [0, 0])
    assert infinite.bias_share[0] == 1


def test_a_unit_without_positive_contribution_does_not_depend_on_gamma():
    for gamma in GAMMAS:
        layer = one_unit(gamma, [-1, -3], [1, 1])
        assert layer.c[0] == 1
        np.testing.assert_allclose(layer.backward[:, 0], [1 / 4, 3 / 4])
        np.testing.assert_array_equal(layer.n, layer.backward)


def test_the_notes_formulas_on_a_2_by_2_network():
    # W = (1 2; 3 -1), h = (1, 2), γ = 1: z = (5, 1), z + γP = (10, 4), c = (1/2, 1/4).
    # F = (w + γ w⁺) c: (2 4)/2, (6 -1)/4. B: (2, 8)/10, (6, -2)/4.
    forward = surrogate.gamma_forward([[[1, 2], [3, -1]]], [1, 2], 1)
    layer = surrogate.gamma_layer([[1, 2], [3, -1]], [1, 2], 1)
    np.testing.assert_allclose(forward.factors[0], [1 / 2, 1 / 4])
    np.testing.assert_allclose(forward.activations[1], [5, 1])
    np.testing.assert_allclose(layer.forward, [[1, 2], [3 / 2, -1 / 4]])
    (B,) = surrogate.gamma_backward([[[1, 2], [3, -1]]], [1, 2], 1)
    np.testing.assert_allclose(B.T, [[1 / 5, 4 / 5], [3 / 2, -1 / 2]])


# By replication ----------------------------------------------------------------------


@pytest.mark.parametrize("gamma", [0, 0.25, 1, 4])
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_the_backward_matrices_are_the_rule_written_out(gamma, relu, bias, seed):
    mats, biases, x = network(seed, bias=bias)
    hs = activations(mats, x, biases, relu)
    found = surrogate.gamma_backward(mats, x, gamma, biases, relu=relu)
    for k, (W, b, h, B) in enumerate(zip(mats, biases, hs, found, strict=False), 1):
        assert B.shape == W.T.shape
        b = np.zeros(len(W)) if b is None else b
        for j, row in enumerate(W):
            below = sum(
                v * (w + gamma * max(w, 0)) for v, w in zip(h, row, strict=True)
            )
            below += b[j] + gamma * max(b[j], 0)
            for i, w in enumerate(row):
                expected = h[i] * (w + gamma * max(w, 0)) / below
                if relu and k < len(mats) and hs[k][j] == 0:
                    expected = 0
                assert B[i, j] == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("gamma", [0.25, 1, 4])
@pytest.mark.parametrize("seed", range(5))
def test_split_contributions_are_the_generalised_rule_written_out(gamma, seed):
    mats, _, x = network(seed, widths=(6, 9), signed=True)
    (B,) = surrogate.gamma_backward(mats, x, gamma, split=True)
    for j, row in enumerate(mats[0]):
        contributions = x * row
        sign = np.sign(contributions.sum())
        strengthened = contributions * (1 + gamma * (contributions * sign > 0))
        expected = strengthened / strengthened.sum()
        np.testing.assert_allclose(B[:, j], expected, atol=1e-12)


# By oracle ---------------------------------------------------------------------------


@pytest.mark.parametrize("gamma", [0.25, 4])
@pytest.mark.parametrize(
    ("bias", "signed"), [(False, False), (True, False), (True, True)]
)
def test_the_rule_agrees_with_zennit_on_relu_networks(gamma, bias, signed):
    # Zennit's rule is the generalised one. At hidden units it is the plain one, whose
    # inputs are not negative; the first layer and the outputs need the split.
    torch = pytest.importorskip("torch")
    load_torchvision()
    rules = pytest.importorskip("zennit.rules")
    mats, biases, x = network(1, widths=(12, 20, 16, 5), bias=bias, signed=signed)
    layers = []
    for W, b in zip(mats, biases, strict=True):
        layer = torch.nn.Linear(*W.shape[::-1], bias=bias, dtype=torch.float64)
        layer.weight.data = torch.tensor(W)
        if bias:
            layer.bias.data = torch.tensor(b)
        layers += [layer, torch.nn.ReLU()]
    net = torch.nn.Sequential(*layers[:-1])
    for layer in net:
        linear = isinstance(layer, torch.nn.Linear)
        # No stabiliser: ours has none.
        rule = rules.Gamma(gamma, lambda z: z) if linear else rules.Pass()
        rule.register(layer)
    r = np.random.default_rng(2).standard_normal(5)
    batch = torch.tensor(x)[None].requires_grad_()
    (expected,) = torch.autograd.grad(net(batch), batch, torch.tensor(r)[None])
    matrices = surrogate.gamma_backward(mats, x, gamma, biases, relu=True, split=True)
    found = reduce(np.matmul, matrices) @ r
    np.testing.assert_allclose(found, expected.numpy()[0], atol=1e-10)


# By property -------------------------------------------------------------------------


@holds_for(SEEDS, GAMMA, st.booleans(), st.booleans(), st.booleans())
def test_the_forward_surrogate_reproduces_the_activations(
    seed, gamma, relu, bias, signed
):
    mats, biases, x = network(seed, bias=bias, signed=signed)
    try:
        found = surrogate.gamma_forward(
            mats, x, gamma, biases, relu=relu, split=signed and gamma > 0
        )
    except InputError as error:
        # A pole hit exactly, or an output that no active unit feeds.
        assert "vanishes" in str(error)
        assume(False)
    for h, R in zip(activations(mats, x, biases, relu), found.activations, strict=True):
        # Near a pole c is large, and with it the rounding.
        largest = max(1, *(np.abs(c).max() for c in found.factors))
        np.testing.assert_allclose(R, h, atol=1e-11 * largest * max(1, np.abs(h).max()))


@holds_for(SEEDS, GAMMA, st.booleans(), st.booleans())
def test_the_columns_sum_to_one_at_active_units_together_with_the_bias(
    seed, gamma, relu, bias
):
    mats, biases, x = network(seed, bias=bias)
    h = x
    for k, (W, b) in enumerate(zip(mats, biases, strict=True), 1):
        layer = surrogate.gamma_layer(W, h, gamma, b, relu=relu and k < len(mats))
        assume(not layer.pole.any())
        sums = layer.backward.sum(axis=0) + layer.bias_share
        size = np.abs(layer.backward).sum(axis=0) + np.abs(layer.bias_share)
        assert (np.abs(sums - layer.active) <= 1e-12 * (1 + size)).all()
        if b is None:
            assert not layer.bias_share.any()
        h = layer.output


@holds_for(SEEDS, st.one_of(st.floats(0.01, 100), st.just(math.inf)))
def test_every_active_unit_is_an_alpha_beta_rule_of_its_own(seed, gamma):
    mats, _, x = network(seed, widths=(6, 8))
    layer = surrogate.gamma_layer(mats[0], x, gamma, relu=True)
    nu, active = layer.nu, layer.active
    written = (1 + nu) * layer.p - nu * layer.n
    np.testing.assert_allclose(layer.backward, written * active, atol=1e-12)
    assert (nu[active] >= 0).all()
    if gamma < math.inf:
        assert (nu[active] < 1 / gamma).all()
    norms = np.abs(layer.backward).sum(axis=0)
    np.testing.assert_allclose(norms[active], 1 + 2 * nu[active], rtol=1e-12)
    np.testing.assert_allclose(layer.p.sum(axis=0), layer.positive > 0, atol=1e-12)
    np.testing.assert_allclose(layer.n.sum(axis=0), layer.negative > 0, atol=1e-12)
    assert not (layer.p * layer.n).any()


@holds_for(SEEDS, GAMMA)
def test_at_active_units_the_factor_is_between_zero_and_one_over_one_plus_gamma(
    seed, gamma
):
    mats, _, x = network(seed, widths=(6, 8))
    layer = surrogate.gamma_layer(mats[0], x, gamma, relu=True)
    assert (layer.c >= 0).all()
    assert (layer.c <= 1 / (1 + gamma) + 1e-15).all()
    assert not layer.c[~layer.active].any()


@holds_for(SEEDS, st.floats(0.01, 100))
def test_the_factor_of_a_linear_unit_is_where_the_ratio_of_its_parts_says(seed, gamma):
    mats, _, x = network(seed, widths=(6, 8))
    layer = surrogate.gamma_layer(mats[0], x, gamma)
    P, N, c = layer.positive, layer.negative, layer.c
    for j in range(8):
        if P[j] == 0:
            assert c[j] == pytest.approx(1)
        elif N[j] <= P[j]:
            assert 0 <= c[j] <= 1 / (1 + gamma) + 1e-15
        elif N[j] < (1 + gamma) * P[j]:
            assert c[j] < 0
        else:
            assert c[j] > 1
        if P[j] > 0 and N[j] > P[j]:
            assert layer.poles[j] == pytest.approx(-layer.z[j] / P[j])


@holds_for(SEEDS, st.floats(0.01, 100), st.booleans())
def test_split_contributions_keep_every_factor_in_the_interval(seed, gamma, signed):
    mats, _, x = network(seed, widths=(6, 8), signed=signed)
    layer = surrogate.gamma_layer(mats[0], x, gamma, split=True)
    assert not layer.pole.any()
    assert (layer.c >= 0).all()
    assert (layer.c <= 1 / (1 + gamma) + 1e-15).all()
    plain = surrogate.gamma_layer(mats[0], x, gamma)
    same = layer.z > 0 if not signed else np.zeros(8, dtype=bool)
    np.testing.assert_allclose(layer.c[same], plain.c[same], rtol=1e-12)


@holds_for(SEEDS, st.booleans())
def test_gamma_zero_is_gradient_times_input(seed, relu):
    mats, biases, x = network(seed)
    hs = activations(mats, x, biases, relu)
    assume(all(h.any() for h in hs))
    product = reduce(np.matmul, surrogate.gamma_backward(mats, x, 0, relu=relu))
    # The gradient of every output: the weights, with the inactive units cut out.
    jacobian = np.eye(len(x))
    for k, W in enumerate(mats, 1):
        cut = hs[k] > 0 if relu and k < len(mats) else np.ones(len(W), dtype=bool)
        jacobian = cut[:, None] * W @ jacobian
    expected = x[:, None] * jacobian.T
    np.testing.assert_allclose(product * hs[-1], expected, atol=1e-9)


@holds_for(SEEDS, st.floats(0.1, 10))
def test_for_any_gamma_it_is_gradient_times_input_of_the_frozen_surrogate(seed, gamma):
    mats, biases, x = network(seed)
    assume(all(h.any() for h in activations(mats, x, biases, relu=True)))
    layers = surrogate.gamma_layers(mats, x, gamma, relu=True)
    jacobian = reduce(lambda J, layer: layer.forward @ J, layers, np.eye(len(x)))
    product = reduce(np.matmul, [layer.backward for layer in layers])
    expected = x[:, None] * jacobian.T / layers[-1].output
    # Outputs are not rectified, and near a pole there entries are large.
    np.testing.assert_allclose(product, expected, rtol=1e-8, atol=1e-8)


@holds_for(SEEDS)
def test_gamma_to_infinity_is_the_z_plus_rule(seed):
    mats, _, x = network(seed, widths=(6, 8))
    layer = surrogate.gamma_layer(mats[0], x, math.inf, relu=True)
    plus = np.maximum(mats[0], 0) * x
    for j in np.flatnonzero(layer.active):
        np.testing.assert_allclose(layer.backward[:, j], plus[j] / plus[j].sum())
    assert (layer.backward >= 0).all()
    # The distance to it is 2ν < 2/γ per column.
    for gamma in (1, 10, 1000):
        near = surrogate.gamma_layer(mats[0], x, gamma, relu=True)
        distance = np.abs(near.backward - layer.backward).sum(axis=0)
        np.testing.assert_allclose(distance, 2 * near.nu, atol=1e-12)
        assert (distance[near.active] < 2 / gamma).all()


@holds_for(SEEDS, st.floats(0.01, 100))
def test_contraction_is_that_of_z_plus_and_twice_the_largest_nu(seed, gamma):
    mats, _, x = network(seed, widths=(6, 8))
    near, plus = (
        surrogate.gamma_layer(mats[0], x, g, relu=True) for g in (gamma, math.inf)
    )
    active = near.active
    assume(active.sum() > 1)
    delta = theory.dobrushin(plus.backward[:, active])
    bound = delta + 2 * near.nu[active].max()
    assert theory.dobrushin(near.backward[:, active]) <= bound + 1e-12
    if delta < 1 - 1e-9 and gamma >= theory.contracting_gamma(delta):
        assert theory.dobrushin(near.backward[:, active]) < 1


def test_a_cancelled_positive_part_is_not_an_empty_one():
    # w = (1, 1, -1), h = (1, -1, -1): P = 1 - 1 = 0, though there are positive weights,
    # and z = 1 = z^γ. B = h (w + γ w⁺) / z^γ = (1 + γ, -1 - γ, 1).
    W, h = [[1, 1, -1]], [1, -1, -1]
    for gamma in (0, 1, 3):
        layer = surrogate.gamma_layer(W, h, gamma)
        expected = [[1 + gamma], [-1 - gamma], [1]]
        np.testing.assert_allclose(layer.backward, expected, rtol=1e-14)
        # Forward (w + γ w⁺) c with c = 1; what goes forward is z.
        np.testing.assert_allclose(layer.forward, [[1 + gamma, 1 + gamma, -1]])
        assert layer.output == pytest.approx(1)
        # No distribution over what adds up to nothing.
        assert np.isnan(layer.p).all()
        assert layer.n[:, 0].tolist() == [0, 0, 1]
    # In the limit both entries grow without bound: a pole.
    assert surrogate.gamma_layer(W, h, np.inf).pole.all()


@pytest.mark.parametrize("gamma", [0, 1, 7])
@pytest.mark.parametrize("split", [False, True])
def test_the_rule_is_its_formula_for_inputs_of_any_sign(gamma, split):
    # Small integers, so that sums cancel often.
    rng = np.random.default_rng(gamma)
    cancelled = 0
    for _ in range(300):
        w, h = rng.integers(-1, 2, 4), rng.choice([-1, 1], 4)
        K = w * h
        side = (K > 0) if split else (w > 0)
        if split and K.sum() < 0:
            side = K < 0
        modified = w * np.where(side, 1 + gamma, 1)
        denominator = (modified * h).sum()
        cancelled += (K * side).sum() == 0 and (K * side).any()
        if denominator and not (split and K.sum() == 0):
            layer = surrogate.gamma_layer([w], h, gamma, split=split)
            expected = modified * h / denominator
            np.testing.assert_allclose(layer.backward[:, 0], expected, atol=1e-14)
            expected = modified * K.sum() / denominator
            np.testing.assert_allclose(layer.forward[0], expected, atol=1e-14)
    assert (cancelled > 5) == (not split)


def test_the_active_chain_conserves_and_theorem_b_bounds_its_explanations():
    mats, _, x = network(0, widths=[24] * 7)
    rule = surrogate.gamma_backward(mats, x, 30, relu=True)[:-1]
    chain = theory.active_chain(rule)
    for B in chain:
        np.testing.assert_allclose(B.sum(axis=0), 1, atol=1e-12)
    gaps = theory.gaps(chain)
    for n in range(1, len(chain) + 1):
        for norm in ("dobrushin", "euclidean"):
            assert 10 ** gaps[n - 1] <= theory.theorem_b_bound(chain[:n], norm)
    assert gaps[-1] < gaps[0] - 1


# Refusals ----------------------------------------------------------------------------


def test_a_pole_is_refused_by_name():
    with pytest.raises(InputError, match=r"layer 1, unit 1: z \+ γP vanishes at γ = 1"):
        surrogate.gamma_forward([[[1, 1], [1, -2]]], [1, 1], 1)
    with pytest.raises(InputError, match="layer 2, unit 0"):
        surrogate.gamma_backward([np.eye(2), [[1, -2]]], [1, 1], 1, relu=True)


def test_a_pole_at_an_inactive_unit_is_invisible():
    found = surrogate.gamma_backward(
        [[[1, 1], [1, -2]], [[1, 1]]], [1, 1], 1, relu=True
    )
    np.testing.assert_array_equal(found[0][:, 1], [0, 0])
    np.testing.assert_allclose(found[0][:, 0], [0.5, 0.5])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: surrogate.gamma_forward([np.eye(2)], [1, 1], -1), "gamma is -1"),
        (lambda: surrogate.gamma_forward([], [1, 1], 1), "no layers"),
        (lambda: surrogate.gamma_forward([np.eye(2)], [1], 1), "W_1 takes 2 inputs"),
        (
            lambda: surrogate.gamma_forward([np.eye(2), np.eye(3)], [1, 1], 1),
            "W_2 takes 3 inputs but gets 2",
        ),
        (
            lambda: surrogate.gamma_forward([np.eye(2)], [1, 1], 1, [None, None]),
            "2 biases for 1 layers",
        ),
        (lambda: surrogate.gamma_layer(np.eye(2), [1, 1, 1], 1), "do not fit"),
        (lambda: surrogate.gamma_layer(np.eye(2), [1, 1], 1, bias=[1]), "do not fit"),
    ],
)
def test_bad_input_is_named_with_a_remedy(call, message):
    with pytest.raises(InputError, match=message):
        call()
