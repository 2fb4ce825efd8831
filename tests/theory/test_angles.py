from fractions import Fraction

import numpy as np
import pytest
from hypothesis import strategies as st
from theory.strategies import holds_for, matrices

from modbp import theory


def test_cosines_by_hand():
    # Columns (3, 4) and (4, 3): 24/25. Column (-4, 3) is orthogonal to (3, 4), and
    # its product with (4, 3) is -16 + 9 = -7, hence -7/25.
    C = theory.cosines([[3, 4, -4], [4, 3, 3]])
    expected = np.array([[25, 24, 0], [24, 25, -7], [0, -7, 25]]) / 25
    np.testing.assert_allclose(C, expected, atol=1e-15)
    assert theory.min_cosine([[3, 4, -4], [4, 3, 3]]) == pytest.approx(-7 / 25)
    assert theory.widest_pair([[3, 4, -4], [4, 3, 3]]) == (1, 2)


def test_a_single_column_is_parallel_to_itself():
    assert theory.min_cosine([[1.0], [2.0]]) == 1


def test_cosines_survive_columns_of_any_length():
    M = np.array([[3e200, 4e-200], [4e200, 3e-200]])
    assert theory.min_cosine(M) == pytest.approx(24 / 25, abs=1e-15)


@holds_for(matrices(entries=st.integers(0, 9)))
def test_the_exact_square_agrees_with_floating_point(M):
    exact = theory.min_cosine_squared(M.astype(int))
    assert isinstance(exact, Fraction)
    assert float(exact) == pytest.approx(theory.min_cosine(M) ** 2, abs=1e-14)


def test_one_minus_cosine_keeps_its_digits_far_below_the_resolution_of_the_cosine():
    # u = (1, 0), v = (1, t): cos = 1/sqrt(1 + t²), 1 - cos = t²/2 - 3 t⁴/8 + …
    for t in [1e-4, 1e-8, 1e-12]:
        gap = theory.one_minus_cosine([1, 0], [1, t])
        assert gap == pytest.approx(t**2 / 2, rel=1e-7)
    assert 1 - theory.min_cosine([[1, 1], [0, 1e-12]]) == 0


def test_opposite_vectors_are_two_apart():
    assert theory.one_minus_cosine([1, 2], [-2, -4]) == pytest.approx(2)


def test_hilbert_distance_by_hand():
    # Ratios y/x: 6, 2, 3. The largest over the smallest: 3.
    assert theory.hilbert_distance([1, 2, 3], [6, 4, 9]) == pytest.approx(np.log(3))
    assert theory.hilbert_distance([1, 0, 3], [2, 0, 6]) == pytest.approx(0)
    assert theory.hilbert_distance([1, 0], [1, 1]) == np.inf


@pytest.mark.parametrize("d", [0.1, 1.0, 5.0])
def test_the_angle_bound_is_attained(d):
    x, y = np.array([1, np.exp(-d / 2)]), np.array([np.exp(-d / 2), 1])
    assert theory.hilbert_distance(x, y) == pytest.approx(d)
    cosine = theory.min_cosine(np.column_stack([x, y]))
    assert cosine == pytest.approx(1 / np.cosh(d / 2), abs=1e-14)


@holds_for(matrices(columns=2, entries=st.floats(1e-3, 10)))
def test_half_the_angle_is_bounded_by_a_quarter_of_the_distance(M):
    x, y = M.T
    gap = theory.one_minus_cosine(x, y)
    tangent = np.sqrt(gap / (2 - gap))
    assert tangent <= np.tanh(theory.hilbert_distance(x, y) / 4) + 1e-12


@holds_for(matrices(entries=st.floats(1e-3, 10)), st.floats(0.01, 100))
def test_hilbert_distance_ignores_lengths_and_obeys_the_triangle_inequality(M, scale):
    x, y = M[:, 0], M[:, 1]
    d = theory.hilbert_distance
    assert d(scale * x, y) == pytest.approx(d(x, y), abs=1e-12)
    for z in M.T:
        assert d(x, y) <= d(x, z) + d(z, y) + 1e-12
