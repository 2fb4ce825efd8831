import math
from fractions import Fraction
from functools import reduce

import numpy as np
import pytest
from hypothesis import strategies as st
from theory.strategies import SIGNED, chains, holds_for, stochastic

from modbp import surrogate, theory
from modbp.errors import InputError

F3 = theory.COUNTEREXAMPLES["F3"]


def exact_gap(M):
    """log₁₀(1 - s) of a matrix of fractions, by 1 - s = (1 - s²) / (1 + s)."""
    G = M.T @ M
    gaps = []
    for j in range(len(G)):
        for i in range(j):
            square = G[i, j] ** 2 / (G[i, i] * G[j, j])
            cosine = math.copysign(math.sqrt(square), G[i, j])
            rest = 1 - square
            if not rest:
                continue
            log = math.log(rest.numerator) - math.log(rest.denominator)
            gaps.append(log / math.log(10) - math.log10(1 + cosine))
    return max(gaps)


def fractions_chain(seed, sizes, low=1, high=9):
    rng = np.random.default_rng(seed)
    return [
        rng.integers(low, high, shape) for shape in zip(sizes, sizes[1:], strict=False)
    ]


def test_products_by_hand():
    # (1 1; 0 2)² = (1 3; 0 4), and its largest entry 4 is brought to 1/2.
    A = [[1, 1], [0, 2]]
    one, two = theory.products([A, A])
    np.testing.assert_array_equal(one * 4, A)
    np.testing.assert_array_equal(two * 8, [[1, 3], [0, 4]])


@holds_for(chains(entries=SIGNED))
def test_products_are_the_plain_products_up_to_one_power_of_two(mats):
    for n, M in enumerate(theory.products(mats), 1):
        plain = reduce(np.matmul, mats[:n])
        if not plain.any():
            assert not M.any()
            continue
        scale = np.abs(plain).max() / np.abs(M).max()
        np.testing.assert_allclose(M * scale, plain, atol=1e-12 * scale)
        assert 0.5 <= np.abs(M).max() < 1


def test_products_neither_overflow_nor_underflow():
    for factor in (1e200, 1e-200):
        M = theory.products([factor * np.ones((2, 2))] * 50)[-1]
        np.testing.assert_array_equal(M, M[0, 0])
        assert 0.5 <= M[0, 0] < 1


def test_the_gauge_by_hand():
    # A = (1 1; 0 2): column sums 1, 3, so D_1 = diag(1, 3) and A'_1 = (1 1/3; 0 2/3).
    # D_1 A = (1 1; 0 6), column sums 1, 7, so A'_2 = (1 1/7; 0 6/7).
    first, second = theory.gauge([[[1, 1], [0, 2]]] * 2)
    np.testing.assert_allclose(first, [[1, 1 / 3], [0, 2 / 3]], atol=1e-15)
    np.testing.assert_allclose(second, [[1, 1 / 7], [0, 6 / 7]], atol=1e-15)


@holds_for(chains())
def test_the_gauge_has_column_sums_one_and_the_same_angles(mats):
    gauged = theory.gauge(mats)
    for A in gauged:
        np.testing.assert_allclose(A.sum(axis=0), 1, atol=1e-14)
    for M, N in zip(theory.products(mats), theory.products(gauged), strict=True):
        np.testing.assert_allclose(theory.cosines(M), theory.cosines(N), atol=1e-12)


@holds_for(chains())
def test_the_gauge_is_the_z_plus_rule_of_the_network_at_the_input_one(mats):
    ones = np.ones(len(mats[0]))
    rule = surrogate.gamma_backward([A.T for A in mats], ones, np.inf)
    for A, B in zip(theory.gauge(mats), rule, strict=True):
        np.testing.assert_allclose(A, B, atol=1e-12)


@holds_for(chains())
def test_a_chain_that_conserves_is_its_own_gauge(mats):
    mats = [stochastic(A) for A in mats]
    for A, B in zip(mats, theory.gauge(mats), strict=True):
        np.testing.assert_allclose(A, B, atol=1e-12)
    for A, B in zip(mats, theory.conserving(mats), strict=True):
        np.testing.assert_array_equal(A, B)
    # Sums that miss one by a little more than rounding are rescaled.
    sums = theory.conserving([mats[0] * (1 + 1e-6)])[0].sum(axis=0)
    np.testing.assert_allclose(sums, 1, atol=1e-12)


def test_the_gauge_of_the_counterexample_tends_to_an_excluded_limit():
    # At layer k the sums are h = (2^k - 1)·…: h_1 = h_2 = 2^(k+1) - 1, h_3 = 1, and
    # (A'_k)_31 = 1 / (2^(k+1) - 1).
    late = theory.gauge(F3.chain(3000))
    for k in (1, 2, 10):
        assert late[k - 1][2, 0] == pytest.approx(1 / (2 ** (k + 1) - 1), rel=1e-12)
    np.testing.assert_allclose(late[-1], np.eye(3), atol=1e-12)
    assert not theory.mixing(np.round(late[-1], 12))


def test_saliency_of_the_counterexample_stays_different_at_any_depth():
    M = theory.products(theory.gauge(F3.chain(60)))[-1]
    M = M / M.sum(axis=0)
    np.testing.assert_allclose(M[:, 0], [0.5, 0, 0.5], atol=1e-15)
    np.testing.assert_allclose(M[:, 1], [0, 0.5, 0.5], atol=1e-15)


@pytest.mark.parametrize("seed", range(3))
def test_gaps_agree_with_exact_arithmetic_down_to_127_decades(seed):
    sizes = [4, 5, 3, 4] + [5, 3, 4] * 20
    mats = fractions_chain(seed, sizes)
    exact = [exact_gap(M) for M in theory.exact_products(map(theory.exact, mats))]
    assert exact[-1] < -70
    np.testing.assert_allclose(theory.gaps(mats), exact, atol=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_backward_gaps_agree_with_exact_arithmetic(seed):
    mats = fractions_chain(seed, [4, 5, 3, 4] + [5, 3, 4] * 20)
    running, exact = None, []
    for A in map(theory.exact, reversed(mats)):
        running = A if running is None else A @ running
        exact.append(exact_gap(running))
    np.testing.assert_allclose(theory.gaps(mats, backward=4), exact, atol=1e-9)


def test_gaps_of_a_signed_chain_that_conserves_agree_with_exact_arithmetic():
    rng = np.random.default_rng(0)
    mats = []
    for _ in range(40):
        A = theory.exact(rng.integers(-3, 9, (3, 3)))
        A[0] += 10 - A.sum(axis=0)
        mats.append(A / Fraction(10))
    assert min(A.min() for A in mats) < 0
    exact = [exact_gap(M) for M in theory.exact_products(mats)]
    assert exact[-1] < -20
    np.testing.assert_allclose(theory.gaps(mats), exact, atol=1e-9)
    running, exact = None, []
    for A in reversed(mats):
        running = A if running is None else A @ running
        exact.append(exact_gap(running))
    np.testing.assert_allclose(theory.gaps(mats, backward=3), exact, atol=1e-9)


def test_gaps_take_start_vectors_and_a_statistic():
    # Starts (1, 1), (2, 2), (1, 0): after the identity one pair is parallel, and two
    # pairs have cosine 1/√2.
    start = [[1, 2, 1], [1, 2, 0]]
    gap = math.log10(1 - 1 / math.sqrt(2))
    assert theory.gaps([np.eye(2)], backward=start)[0] == pytest.approx(gap)
    median = theory.gaps([np.eye(2)], backward=start, statistic=np.median)
    assert median[0] == pytest.approx(gap)
    assert theory.gaps([np.eye(2)], backward=start, statistic=np.min)[0] < -30


def test_gaps_neither_overflow_nor_underflow():
    # tan(θ/2) = 3^-n: 1 - cos = 2 / (9^n + 1).
    gaps = theory.gaps([[[2, 1], [1, 2]]] * 1000)
    assert gaps[-1] == pytest.approx(math.log10(2) - 1000 * math.log10(9))


def test_a_chain_of_rank_one_has_no_gap_at_all():
    assert theory.gaps([np.ones((2, 2))] * 2).tolist() == [-math.inf, -math.inf]


def test_a_unit_without_influence_does_not_stop_a_backward_pass():
    # Column 1 of A_1 is zero: unit 1 has no relevance to pass on. The two starts reach
    # layer 1 as (1, 2) and (2, 1), and the input as multiples of the same column.
    mats = [[[1, 0], [1, 0]], [[1, 2], [2, 1]]]
    first, second = theory.gaps(mats, backward=2)
    assert first == pytest.approx(math.log10(1 / 5))
    assert second < -30


def test_gaps_do_not_flatten_on_the_counterexample_and_do_not_lose_its_columns():
    # The third column is 2^-3000 times as long as the others.
    assert theory.gaps(F3.chain(3000))[-1] == pytest.approx(math.log10(1 / 2))


@holds_for(chains())
def test_the_smallest_cosine_never_falls_under_right_multiplication(mats):
    s = [theory.min_cosine(M) for M in theory.products(mats)]
    assert np.diff(s).min() >= -1e-12


def test_the_smallest_cosine_may_fall_under_left_multiplication():
    # s(M) = 102/√(101·104) = 0.99523; AM = (11 12; 20 30), and
    # s(AM) = 732/√(521·1044) = 0.99253.
    M, A = np.array([[10, 10], [1, 2]]), np.array([[1, 1], [1, 10]])
    before, after = theory.min_cosine(M), theory.min_cosine(A @ M)
    assert before == pytest.approx(0.99523, abs=5e-6)
    assert after == pytest.approx(0.99253, abs=5e-6)
    # Hilbert's distance never grows: log 2, and log 11/8.
    assert theory.birkhoff(M) == pytest.approx(math.tanh(math.log(2) / 4))
    assert theory.birkhoff(A @ M) == pytest.approx(math.tanh(math.log(11 / 8) / 4))


@holds_for(chains(length=3), st.data())
def test_taking_inactive_units_out_of_a_chain_leaves_its_product_alone(mats, data):
    columns = mats[0].shape[1]
    dead = data.draw(st.lists(st.integers(0, columns - 1), max_size=columns - 1))
    mats[0][:, dead] = 0
    mats[1][dead] = 0
    mats[1][[j for j in range(columns) if j not in dead][0]] += 1
    kept = theory.active_chain(mats)
    assert kept[0].shape[1] == kept[1].shape[0] == columns - len(set(dead))
    assert all(A.any(axis=0).all() for A in kept)
    np.testing.assert_allclose(
        reduce(np.matmul, kept), reduce(np.matmul, mats), atol=1e-12
    )


# Lines --------------------------------------------------------------------------------


def test_log_sines_by_hand():
    # The columns (2, 1) and (1, 2) have the cosine 4/5, the next, (5, 4), 40/41.
    found = theory.log_sines([[[2, 1], [1, 2]]] * 2)
    assert np.exp(found) == pytest.approx([3 / 5, 9 / 41])
    # By a sign the lines stay the same; a shear by 3 leaves sin = 1/√10.
    turned = theory.log_sines([[[-2, 1], [-1, 2]], [[2, 1], [1, 2]]])
    assert turned == pytest.approx(found)
    assert theory.log_sines([[[1, 3], [0, 1]]]) == pytest.approx([-np.log(10) / 2])


@holds_for(st.integers(0, 10**6), st.integers(2, 5))
def test_log_sines_are_those_of_the_product(seed, size):
    draw = np.random.default_rng(seed)
    mats = draw.standard_normal((4, size, size))
    found, M = theory.log_sines(mats), np.eye(size, 2)
    for B, log_sine in zip(mats, found, strict=True):
        M = B @ M
        areas = np.linalg.det(M.T @ M) / np.prod(np.sum(M**2, axis=0))
        assert np.exp(2 * log_sine) == pytest.approx(areas, rel=1e-6, abs=1e-9)


def test_log_sines_below_rounding_agree_with_gaps():
    mats = np.random.default_rng(0).random((40, 3, 3))
    # 1 - cos is sin² / 2 where the angle is small.
    gaps = theory.gaps(mats[::-1], backward=2) * np.log(10)
    found = theory.log_sines(mats)
    assert gaps[-1] < -40
    assert 2 * found[-1] - np.log(2) == pytest.approx(gaps[-1], rel=1e-9)


def test_log_sines_of_many_chains_are_those_of_each():
    mats = np.random.default_rng(1).standard_normal((5, 7, 3, 3))
    together = theory.log_sines(layer for layer in mats)
    assert together.shape == (5, 7)
    for n in range(7):
        assert theory.log_sines(mats[:, n]) == pytest.approx(together[:, n])


def test_lines_that_meet_and_lines_that_vanish():
    one, nothing = np.ones((2, 2)), np.zeros((2, 2))
    assert theory.log_sines([[[1.0, 1], [0, 0]]])[0] == -np.inf
    assert theory.log_sines([one])[0] < -30
    for lost in (nothing, np.diag([1.0, 0])):
        assert np.isnan(theory.log_sines([lost])[0])


@pytest.mark.parametrize(
    "mats", [3, [], [[[1, 2]]], [[[1], [2]]], [np.eye(3), np.eye(2)], [np.ones(2)]]
)
def test_what_has_no_two_lines_is_refused(mats):
    with pytest.raises(InputError, match="chain|B_"):
        theory.log_sines(mats)
