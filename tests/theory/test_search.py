import numpy as np
import pytest

from modbp import theory
from modbp.errors import InputError, UnknownName

REPAIRED = ["column sums one", "positive left Perron vector", "irreducible"]


def test_the_published_theorem_is_refuted():
    A = theory.search_counterexample("published", size=3)
    assert theory.mixing(A)
    # Integers, so that the refutation can be checked by hand: exact powers.
    products = theory.exact_products([theory.exact(A)] * 60)
    s = [float(theory.min_cosine_squared(M)) for M in products]
    assert s[-1] < 0.9
    assert s[-1] == pytest.approx(s[-2], abs=1e-9)
    values = np.linalg.svd(theory.products([A] * 400)[-1], compute_uv=False)
    assert values[1] > 0.1 * values[0]


@pytest.mark.parametrize("hypotheses", REPAIRED)
@pytest.mark.parametrize(("size", "largest"), [(2, 5), (3, 2)])
def test_no_repaired_theorem_is_refuted_in_the_same_space(hypotheses, size, largest):
    # The angle is the stricter conclusion: where it closes, the rank becomes one.
    found = theory.search_counterexample(hypotheses, size, largest, "angle")
    assert found is None
    if size == 2:
        assert theory.search_counterexample(hypotheses, size, largest) is None


@pytest.mark.parametrize("hypotheses", REPAIRED)
def test_the_repaired_hypotheses_are_met_by_some_matrix(hypotheses):
    # Else it would be no wonder that none of them violates anything.
    predicates = theory.HYPOTHESES[hypotheses]
    assert all(
        holds(np.array([[1, 1, 1], [1, 2, 1], [1, 0, 1]])) for holds in predicates
    )


def test_two_is_the_least_size_for_the_angle_and_three_for_the_rank():
    assert theory.search_counterexample("published", 2, 5, "rank") is None
    A = theory.search_counterexample("published", 2, 5, "angle")
    assert A.sum() == 4
    assert theory.search_counterexample("published", 3, 2, "rank").sum() == 6


def test_the_smallest_counterexample_depends_on_the_conclusion():
    # What B and E claim is the angle. Against it sum 5 is enough, where the rank of the
    # normalised product needs 6; column 1 grows like 2^n, and the others stay e_1.
    A = theory.search_counterexample("published", 3, 2, "angle")
    assert A.sum() == 5
    assert theory.mixing(A)
    known = np.array([[1, 1, 1], [0, 2, 0], [0, 0, 0]])
    columns, whole = theory.high_power(known)
    assert theory.min_cosine(columns) == pytest.approx(np.sqrt(0.5))
    assert np.linalg.matrix_rank(whole) == 1


def test_a_positive_left_perron_vector_needs_a_mixing_power():
    # The identity has w = 1 > 0, and s = 0 for ever. Some power has to be mixing, as in
    # F9, which is not mixing itself and converges.
    identity, F9 = np.eye(3), theory.COUNTEREXAMPLES["F9"].matrix()
    assert theory.left_perron(identity)[1].min() > 0
    assert not theory.structure(identity).condition_e
    assert theory.min_cosine(np.linalg.matrix_power(identity, 9)) == 0
    assert not theory.mixing(F9)
    assert theory.left_perron(F9)[1].min() > 0
    assert theory.mixing(F9 @ F9)
    assert theory.structure(F9).condition_e


def test_without_basis_columns_the_angle_needs_size_three():
    strict = "published, no basis column"
    assert theory.search_counterexample(strict, 2, 5, "angle") is None
    A = theory.search_counterexample(strict, 3, 3, "angle")
    # The pattern of F4, up to the order of the indices and a zero in the first column.
    assert ((A > 0).sum(axis=0) > 1).all()
    assert A.sum() <= 9
    assert A.max() == 3


def test_predicates_of_ones_own_are_taken():
    # A positive row is not enough.
    def positive_row(A):
        return A.all(axis=1).any()

    A = theory.search_counterexample([theory.mixing, positive_row], size=3)
    assert positive_row(A)
    assert theory.mixing(A)


@pytest.mark.parametrize("name", ["F1", "F2", "F3", "F4", "F5", "F8", "F9", "F12"])
def test_the_high_power_finds_the_limits_of_the_counterexamples(name):
    example = theory.COUNTEREXAMPLES[name]
    columns, whole = theory.high_power(example.matrix())
    s = theory.min_cosine(columns)
    assert s**2 == pytest.approx(float(example.limit_squared), abs=1e-6)
    values = np.linalg.svd(whole, compute_uv=False)
    assert np.sum(values > 1e-3 * values[0]) == example.rank


def test_a_low_high_power_is_a_plain_power():
    A = np.array([[1, 2, 0], [0, 1, 3], [2, 1, 1]])
    columns, whole = theory.high_power(A, doublings=3)
    plain = np.linalg.matrix_power(A, 8)
    np.testing.assert_allclose(whole, plain / plain.max(), atol=1e-12)
    np.testing.assert_allclose(columns, plain / plain.max(axis=0), atol=1e-12)


def test_every_matrix_up_to_permutation_is_tried_once():
    seen = []

    def remember(A):
        seen.append(A)
        return False

    assert theory.search_counterexample([remember], 2, 2) is None
    # 3⁴ = 81 matrices, 8² = 64 without zero columns; 8 of them are fixed by the swap
    # of the two indices: (64 + 8) / 2 = 36 classes.
    assert len(seen) == 36
    sums = [A.sum() for A in seen]
    assert sums == sorted(sums)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("published", 4, 3), "4,294,967,296 matrices"),
        (("published", 1), "from 2 to 4"),
        (("published", 3, 2, "cosine"), "'cosine'"),
    ],
)
def test_a_search_that_cannot_be_is_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        theory.search_counterexample(*arguments)


def test_unknown_hypotheses_are_answered_with_the_nearest_names():
    with pytest.raises(UnknownName, match="Did you mean 'published'"):
        theory.search_counterexample("publisched")
