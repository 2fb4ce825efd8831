import itertools
import math

import numpy as np
import pytest
from hypothesis import assume
from hypothesis import strategies as st
from theory.strategies import holds_for, matrices

from modbp import theory

COUNTEREXAMPLES = theory.COUNTEREXAMPLES


@st.composite
def square(draw, entries=None):
    size = draw(st.integers(2, 5))
    small = st.sampled_from([0, 0, 0, 1, 2, 3])
    return draw(matrices(size, size, small if entries is None else entries)).astype(
        float
    )


def test_the_drawing_of_the_paper_is_not_mixing_and_the_certificate_says_why():
    A = np.array(
        [[0, 1, 1, 0, 0, 0], [1, 1, 0, 0, 0, 0], [1, 1, 1, 0, 0, 0], [1, 1, 0, 1, 0, 0]]
    )
    found = theory.mixing(A)
    assert not found
    assert found.zero == (4, 5)
    assert found.orthogonal == ((2, 3),)


@holds_for(matrices(entries=st.sampled_from([0, 0, 1])))
def test_mixing_agrees_with_the_inner_products(A):
    A[0, 0] = 0
    zero = tuple(j for j, v in enumerate(A.T) if v @ v == 0)
    pairs = itertools.combinations(enumerate(A.T), 2)
    orthogonal = tuple(
        (j, k) for (j, u), (k, v) in pairs if u @ v == 0 and u.any() and v.any()
    )
    found = theory.mixing(A)
    assert (found.zero, found.orthogonal) == (zero, orthogonal)
    assert bool(found) == (not zero and not orthogonal)


@pytest.mark.parametrize("name", ["F1", "F2", "F3", "F4", "F5", "F8", "F11", "F12"])
def test_the_counterexamples_meet_the_published_hypotheses_except_the_blur(name):
    assert bool(theory.mixing(COUNTEREXAMPLES[name].matrix())) == (name != "F11")


def test_classes_of_the_counterexample():
    # F3: columns 0 and 1 feed themselves and row 2, column 2 only itself.
    found = theory.structure(COUNTEREXAMPLES["F3"].matrix())
    assert [c.indices for c in found.components] == [(0,), (1,), (2,)]
    assert [c.radius for c in found.components] == [2, 2, 1]
    assert [c.final for c in found.components] == [False, False, True]
    assert (found.constant_converges, found.condition_e) == (False, False)
    # F2 has two classes of one radius: F7 tends to it as well, and does not converge.
    found = theory.structure(COUNTEREXAMPLES["F2"].matrix())
    assert (found.constant_converges, found.condition_e) == (True, False)


def test_a_cycle_is_one_class_and_not_primitive():
    found = theory.structure([[0, 0, 2], [1, 0, 0], [0, 1, 0]])
    assert len(found.components) == 1
    assert found.radius == pytest.approx(2 ** (1 / 3))
    assert not found.components[0].primitive
    assert theory.structure([[0, 1, 1], [1, 0, 0], [0, 1, 0]]).components[0].primitive


def test_wielandts_matrix_needs_its_full_power_and_counts_as_primitive():
    for size in (3, 4, 5, 6):
        A = np.roll(np.eye(size), 1, axis=0)
        A[1, -1] = 1
        power = np.linalg.matrix_power(A, size**2 - 2 * size + 1)
        assert not power.all()
        assert theory.structure(A).components[0].primitive


def test_an_index_without_a_loop_is_a_class_of_radius_zero():
    found = theory.structure([[0, 0], [1, 1]])
    assert [(c.radius, c.primitive) for c in found.components] == [
        (0, False),
        (1, True),
    ]
    assert found.condition_e


@holds_for(square())
def test_the_largest_radius_of_a_class_is_that_of_the_matrix(A):
    found = theory.structure(A)
    radius = np.abs(np.linalg.eigvals(A)).max()
    # A defective eigenvalue of multiplicity 5 is known to the fifth root of rounding.
    assert found.radius == pytest.approx(radius, abs=5e-3)
    assert sorted(i for c in found.components for i in c.indices) == list(range(len(A)))
    for c in found.components:
        others = [i for i in range(len(A)) if i not in c.indices]
        leaves = A[np.ix_(others, c.indices)].any()
        assert c.final == (not leaves)


@holds_for(square())
def test_the_left_perron_vector_is_a_left_eigenvector(A):
    radius, w = theory.left_perron(A)
    assert w.min() >= 0
    assert w.sum() == pytest.approx(1)
    np.testing.assert_allclose(w @ A, radius * w, atol=1e-9)


def test_left_perron_vectors_by_hand():
    # F1: (0, 1) (1 1; 0 2) = (0, 2). F4: (1, 0, 0). F3: (1, 0, 0) and (0, 1, 0), whose
    # mean is returned. (1 1; 1 1): (1/2, 1/2). F2 has the single eigenvector (0, 1).
    cases = {"F1": [0, 1], "F2": [0, 1], "F3": [0.5, 0.5, 0], "F4": [1, 0, 0]}
    for name, expected in cases.items():
        _, w = theory.left_perron(COUNTEREXAMPLES[name].matrix())
        np.testing.assert_allclose(w, expected, atol=1e-15)
    assert theory.left_perron(np.ones((2, 2)))[0] == pytest.approx(2)
    # Three eigenvalues of a cycle have modulus one; the vector belongs to 1.
    radius, w = theory.left_perron(np.roll(np.eye(3), 1, axis=0))
    assert radius == pytest.approx(1)
    np.testing.assert_allclose(w, 1 / 3)


@holds_for(square())
def test_for_mixing_matrices_condition_e_is_a_positive_left_perron_vector(A):
    if theory.mixing(A):
        positive = theory.left_perron(A)[1].min() > 0
        assert theory.structure(A).condition_e == positive


@holds_for(square())
def test_constant_sequences_converge_exactly_when_the_classes_say_so(A):
    # The verdict of the powers knows nothing of classes.
    gap = 1 - theory.min_cosine(theory.high_power(A)[0])
    assert theory.structure(A).constant_converges == (gap < 1e-8)


@holds_for(square())
def test_condition_e_says_that_a_rescaled_power_is_stochastic_and_mixing(A):
    # Theorem E, (2) ⇔ (4): with w > 0, ρ⁻¹ diag(w) A diag(w)⁻¹ is column-stochastic; a
    # power of it is mixing. Powers up to 2^10 are enough for sizes up to 5.
    radius, w = (
        theory.left_perron(A) if theory.structure(A).radius else (0, np.zeros(1))
    )
    fourth = False
    if w.min() > 0:
        rescaled = w[:, None] * A / w / radius
        np.testing.assert_allclose(rescaled.sum(axis=0), 1, atol=1e-9)
        support = (rescaled > 0).astype(float)
        for _ in range(10):
            support = (support @ support > 0).astype(float)
        fourth = bool(theory.mixing(support))
    assert theory.structure(A).condition_e == fourth


@holds_for(square(entries=st.sampled_from([0, 1, 2])), examples=25)
def test_perturbed_sequences_converge_under_condition_e(A):
    values = np.sort(np.abs(np.linalg.eigvals(A)))
    assume(theory.structure(A).condition_e and values[-2] < 0.8 * values[-1])
    rng = np.random.default_rng(0)
    mats = [A + rng.random(A.shape) / k**2 for k in range(1, 200)]
    assert theory.gaps(mats)[-1] < -3


def test_the_rate_of_theorem_e_is_the_ratio_of_eigenvalues():
    A = np.array([[4.0, 1, 0], [1, 2, 1], [2, 1, 3]])
    values = np.sort(np.abs(np.linalg.eigvals(A)))
    gaps = theory.gaps([A] * 200)
    slope = (gaps[-1] - gaps[100]) / 99
    assert slope == pytest.approx(2 * math.log10(values[-2] / values[-1]), abs=1e-3)
