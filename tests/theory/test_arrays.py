import numpy as np
import pytest

from modbp import theory
from modbp.errors import InputError
from modbp.theory.arrays import as_chain, as_matrix, as_vector

EYE = np.eye(2)


def test_lists_and_integers_become_float64():
    A = as_matrix([[1, 2], [3, 4]])
    assert A.dtype == np.float64
    np.testing.assert_array_equal(A, [[1, 2], [3, 4]])


def test_tensors_are_taken_and_those_with_gradients_refused():
    torch = pytest.importorskip("torch")
    assert theory.min_cosine(torch.eye(2)) == 0
    with pytest.raises(InputError, match="detached"):
        theory.min_cosine(torch.eye(2, requires_grad=True))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([1.0, 2.0], "2 dimensions are needed"),
        (np.zeros((0, 3)), "none of them empty"),
        ([[1.0, np.nan]], r"NaN or infinite, the first at \[0, 1\]"),
        ([[1.0, np.inf]], "NaN or infinite"),
        ([["a"]], "not an array of real numbers"),
        ([[1.0, 2.0], [3.0]], "not an array of real numbers"),
    ],
)
def test_what_is_no_finite_matrix_is_refused(value, message):
    with pytest.raises(InputError, match=message):
        as_matrix(value)


def test_negative_entries_are_counted_and_the_smallest_shown():
    with pytest.raises(InputError, match=r"2 negative entries \(the smallest is -3\)"):
        as_matrix([[1, -3], [-2, 1]], nonnegative=True)


def test_zero_columns_are_listed():
    with pytest.raises(InputError, match="zero columns: 1, 3"):
        as_matrix([[1, 0, 2, 0]], no_zero_column=True)


def test_a_long_list_of_zero_columns_is_shortened():
    with pytest.raises(InputError, match=r"0, 1, 2, 3, 4, 5, 6, 7 … \(20 in all\)"):
        as_matrix(np.zeros((2, 20)), no_zero_column=True)


def test_a_rectangle_is_no_square():
    with pytest.raises(InputError, match="2×3"):
        as_matrix(np.ones((2, 3)), square=True)


def test_a_matrix_is_no_vector():
    with pytest.raises(InputError, match="1 dimensions"):
        as_vector(EYE)


def test_the_message_names_the_two_factors_that_do_not_fit():
    with pytest.raises(InputError, match="A_2 has 3 columns but A_3 has 2 rows"):
        as_chain([EYE, np.ones((2, 3)), EYE])


def test_an_empty_chain_and_a_chain_that_is_no_list_are_refused():
    with pytest.raises(InputError, match="the chain is empty"):
        as_chain([])
    with pytest.raises(InputError, match="not int"):
        as_chain(3)


def test_a_matrix_instead_of_a_list_of_matrices_is_refused():
    with pytest.raises(InputError, match="A_1 has shape"):
        as_chain(EYE)


ZERO_COLUMN = np.array([[1.0, 0.0], [1.0, 0.0]])
NEGATIVE = np.array([[1.0, -1.0], [1.0, 1.0]])


@pytest.mark.parametrize("bad", [ZERO_COLUMN, NEGATIVE])
@pytest.mark.parametrize(
    "function",
    [
        lambda A: theory.gauge([A]),
        lambda A: theory.gaps([A]),
        lambda A: theory.birkhoff(A),
        lambda A: theory.overlap(A, EYE),
        lambda A: theory.theorem_b_bound([A]),
        lambda A: theory.theorem_c_bound([A]),
        lambda A: theory.proof_step(A, EYE),
        lambda A: theory.min_cosine_squared(A.astype(int)),
        lambda A: theory.high_power(A),
    ],
)
def test_statements_about_non_negative_chains_refuse_the_rest(function, bad):
    with pytest.raises(InputError, match="zero columns|negative entries"):
        function(bad)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda: theory.min_cosine(ZERO_COLUMN), "zero columns: 1"),
        (lambda: theory.widest_pair([[1.0], [2.0]]), "single column"),
        (lambda: theory.mixing(NEGATIVE), "negative entries"),
        (lambda: theory.structure(np.ones((2, 3))), "2×3"),
        (lambda: theory.left_perron([[0, 1], [0, 0]]), "nilpotent"),
        (lambda: theory.theorem_b_bound([EYE], norm="frobenius"), "'frobenius'"),
        (lambda: theory.theorem_c_bound([EYE], block=0), "block is 0"),
        (lambda: theory.proof_step(EYE, EYE, weights="wrong"), "'wrong'"),
        (lambda: theory.gaps([[[1.0], [2.0]]]), "only one column"),
        (lambda: theory.gaps([EYE], backward=3), "there are 2 outputs"),
        (lambda: theory.gaps([ZERO_COLUMN], backward=2), "multiplication by A_1"),
        (lambda: theory.gaps([NEGATIVE], backward=2), "negative entries"),
        (lambda: theory.active_chain([np.zeros((2, 2))]), "no unit is active"),
        (lambda: theory.slow_pair(0), "above 0 and up to"),
        (lambda: theory.spatial_blur(1), "from 2 to"),
        (lambda: theory.simulate(widths=[3]), "two positive widths"),
        (
            lambda: theory.simulate(widths=[3, 4], protocol=theory.PROTOCOLS["text"]),
            "vectors is 32",
        ),
        (lambda: theory.rate_law([], 1), "none of them empty"),
        (lambda: theory.rate_law([4], -1), "not negative"),
        (lambda: theory.critical_beta(2), "width is 2"),
        (lambda: theory.gamma_rate(-1, 8), "γ ≥ 0"),
        (lambda: theory.contracting_gamma(1), "δ\\(Z⁺\\) < 1"),
    ],
)
def test_bad_input_is_named_with_a_remedy(function, message):
    with pytest.raises(InputError, match=message):
        function()
