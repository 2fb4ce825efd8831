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


def test_the_exact_square_knows_no_largest_number():
    # F3 at n = 1100 has entries of 2^1100, beyond float64.
    example = theory.COUNTEREXAMPLES["F3"]
    M = theory.exact_products(example.exact_chain(1100))[-1]
    assert theory.min_cosine_squared(M) == example.s_squared(1100)
    small = [[Fraction(1, 2**1100), 1], [0, 1]]
    assert theory.min_cosine_squared(small) == Fraction(1, 2)


def test_floats_count_at_their_exact_value():
    # Columns (1, 0) and (1/2, 1/2); nothing is rounded.
    assert theory.min_cosine_squared([[1.0, 0.5], [0.0, 0.5]]) == Fraction(1, 2)
