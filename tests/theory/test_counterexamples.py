import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import strategies as st
from theory.strategies import holds_for

from modbp import theory

EXAMPLES = theory.COUNTEREXAMPLES
CLOSED = [name for name, example in EXAMPLES.items() if example.s_squared]


def exact_squares(example, n):
    mats = example.exact_chain(n)
    return [theory.min_cosine_squared(M) for M in theory.exact_products(mats)]


@pytest.mark.parametrize("name", CLOSED)
def test_the_closed_form_of_s_is_exact_for_the_first_ten_products(name):
    example = EXAMPLES[name]
    expected = [example.s_squared(n) for n in range(1, 11)]
    assert exact_squares(example, 10) == expected


@pytest.mark.parametrize("name", [n for n in CLOSED if n not in ("F2", "F7", "F10")])
def test_s_comes_as_close_to_its_limit_as_float64_can_tell(name):
    example = EXAMPLES[name]
    assert float(example.s_squared(200)) == pytest.approx(
        float(example.limit_squared), abs=1e-14
    )


@pytest.mark.parametrize("name", ["F2", "F7"])
def test_slow_sequences_approach_their_limit_like_a_power_of_n(name):
    example = EXAMPLES[name]
    gaps = [abs(example.s_squared(n) - example.limit_squared) for n in (1000, 2000)]
    exponent = math.log2(gaps[0] / gaps[1])
    assert exponent == pytest.approx(2 if name == "F2" else 1, abs=0.01)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_normalised_product_tends_to_its_rank(name):
    depth = 5000 if name in ("F2", "F7", "F10", "F11") else 300
    example = EXAMPLES[name]
    constant = name not in ("F6", "F7")
    chain = [example.matrix()] * depth if constant else example.chain(min(depth, 3000))
    values = np.linalg.svd(theory.products(chain)[-1], compute_uv=False)
    assert np.sum(values > 2e-3 * values[0]) == example.rank


def test_strictly_positive_factors_do_not_help():
    example = EXAMPLES["F6"]
    assert all((A > 0).all() for A in example.exact_chain(5))
    products = theory.exact_products(example.exact_chain(40))
    difference = products[-1][:, 0] - products[-1][:, 1]
    assert difference.tolist() == [3**40, -(3**40), 0, 0]
    s = [math.sqrt(theory.min_cosine_squared(M)) for M in products]
    assert s[-1] == pytest.approx(0.830851, abs=5e-7)
    assert (np.diff(s) > -1e-15).all()
    # The limit: unchanged to six digits at twice the depth.
    later = theory.min_cosine(theory.products(example.chain(80))[-1])
    assert later == pytest.approx(s[-1], abs=1e-6)


def test_six_units_without_any_column_that_one_might_exclude():
    # F3 with every unit twice: columns (2, 2, 0, 0, 1, 1), (0, 0, 2, 2, 1, 1) and
    # (0, 0, 0, 0, 1, 1), each twice. A power is that of F3 spread over 2 × 2 ones.
    example = EXAMPLES["F13"]
    A, F3 = example.term(1), EXAMPLES["F3"].term(1)
    assert A.shape == (6, 6)
    assert A[:, 0].tolist() == [2, 2, 0, 0, 1, 1]
    assert bool(theory.mixing(A))
    assert ((A > 0).sum(axis=0) > 1).all()
    ones, power, small = exact_ones(2), A, F3
    for n in range(2, 40):
        power, small = power @ A, small @ F3
        assert (power == 2 ** (n - 1) * np.kron(small, ones)).all()
        assert theory.min_cosine_squared(power) == EXAMPLES["F3"].s_squared(n)
    # s → 1/2 from below, and two columns stay on either side of it.
    assert example.limit_squared == Fraction(1, 4)
    assert Fraction(1, 4) - example.s_squared(40) < Fraction(1, 10**11)


def exact_ones(size):
    return theory.exact(np.ones((size, size), dtype=int))


def test_one_limit_and_two_conclusions():
    # F2 and F7 share their limit; one converges and the other does not.
    f2, f7 = EXAMPLES["F2"], EXAMPLES["F7"]
    np.testing.assert_allclose(f7.matrix(10**9), f2.matrix(), atol=1e-8)
    assert (f2.limit_squared, f7.limit_squared) == (1, Fraction(1, 2))


def test_excluded_by_the_theorem_and_convergent_all_the_same():
    # I + cyclic shift: columns 0 and 2 are orthogonal.
    example = EXAMPLES["F9"]
    assert theory.mixing(example.matrix()).orthogonal == ((0, 2), (1, 3))
    gaps = theory.gaps(example.chain(40))[[9, 19, 39]]
    np.testing.assert_allclose(10**gaps, [3.9e-3, 3.8e-6, 3.6e-12], rtol=0.02)


def test_excluded_matrices_fail():
    for A in (np.eye(3), np.roll(np.eye(3), 1, axis=0)):
        assert [theory.min_cosine(M) for M in theory.products([A] * 9)] == [0] * 9
    blocks = np.kron(np.eye(2), [[1, 2], [3, 1]])
    assert theory.min_cosine(theory.products([blocks] * 50)[-1]) == 0


@holds_for(st.fractions(Fraction(1, 1000), Fraction(1, 2)), st.integers(1, 6))
def test_the_closed_form_of_slow_mixing_holds_for_every_epsilon(epsilon, n):
    example = theory.slow_pair(epsilon)
    assert exact_squares(example, n)[-1] == example.s_squared(n)


def test_positions_only_diffuse():
    A = EXAMPLES["F11"].matrix()
    np.testing.assert_allclose(A.sum(axis=0), 1, atol=1e-15)
    values = np.sort(np.linalg.eigvalsh(A))
    assert values[-2] == pytest.approx((1 + 2 * math.cos(math.pi / 32)) / 3, abs=1e-12)
    # Zeros are exact in floating point: sums of products with an exact zero.
    M = [np.linalg.matrix_power(A, n) for n in (15, 16)]
    assert theory.min_cosine(M[0]) == 0 < theory.min_cosine(M[1])
    assert theory.dobrushin(M[0]) == pytest.approx(1, abs=1e-14)
    assert theory.dobrushin(M[1]) < 1 - 1e-9


def test_blocks_of_changing_length_destroy_the_existence_of_a_limit():
    # Sizes 2 → 3 → 2 and 2 → 4 → 2 in an aperiodic order: every size converges, being
    # constant, and the 2 × 2 blocks take two values for ever.
    by_three = np.ones((2, 3)) @ np.array([[1, 1], [1, 2], [1, 3]])
    by_four = np.ones((2, 4)) @ np.array([[5, 1], [1, 1], [1, 1], [1, 1]])
    assert by_three.tolist() == [[3, 6], [3, 6]]
    assert by_four.tolist() == [[8, 4], [8, 4]]
