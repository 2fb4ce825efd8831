import math

import numpy as np
import pytest

from modbp import theory
from modbp.errors import InputError


def test_the_law_by_hand():
    # Dirichlet with α = 1 over four entries: E a² = 2 / (4 · 5), four times 1/10 less
    # 1/4 is 3/20. Its entries have cv² = 3/5, a quarter of which is the same.
    assert theory.contraction_law(4, 1) == pytest.approx(3 / 20, rel=1e-14)
    assert theory.contraction_law(4, 0.6, "exchangeable") == pytest.approx(3 / 20)
    # One-hot columns, each place as likely: E|a|² - 1/4 = 3/4; equal entries: 0.
    assert theory.contraction_law(4, math.inf) == 3 / 4
    assert theory.contraction_law(4, 3, "exchangeable") == 3 / 4
    assert theory.contraction_law(4, 0) == 0
    # T = 4/2 · (3/20)² = 9/200, 2T/(1 + T) = 18/209.
    assert theory.expectation_bound(4, [0.15, 0.15]) == pytest.approx(18 / 209)


@pytest.mark.parametrize("rows", [4, 16, 64])
@pytest.mark.parametrize("cv2", [0.25, 1, 10])
def test_the_law_is_exact_for_dirichlet_columns(rows, cv2):
    rng = np.random.default_rng(rows)
    d = rng.standard_normal(6)
    d -= d.mean()
    # [draws, columns, rows]
    A = rng.dirichlet(np.full(rows, 1 / cv2), (4000, 6))
    squares = np.sum(np.einsum("kji,j->ki", A, d) ** 2, axis=1) / (d @ d)
    error = squares.std() / math.sqrt(len(squares))
    law = theory.contraction_law(rows, cv2)
    assert abs(squares.mean() - law) < 3 * error
    # The test sees a law that is wrong by a tenth.
    assert 3 * error < 0.1 * law


def test_the_law_is_exact_for_other_exchangeable_columns():
    # Half of the entries of a column share its mass at random: cv² = E a² N'² - 1.
    rng = np.random.default_rng(0)
    rows, draws = 6, 20_000
    A = np.zeros((draws, 4, rows))
    A[..., :3] = rng.random((draws, 4, 3)) ** 2
    A = rng.permuted(A, axis=2)
    A /= A.sum(axis=2, keepdims=True)
    d = np.array([1.0, -1, 2, -2])
    squares = np.sum(np.einsum("kji,j->ki", A, d) ** 2, axis=1) / (d @ d)
    cv2 = rows**2 * np.mean(A**2) - 1
    law = theory.contraction_law(rows, cv2, "exchangeable")
    error = squares.std() / math.sqrt(draws)
    assert abs(squares.mean() - law) < 4 * error < 0.1 * law


def test_the_law_is_that_of_wide_layers_in_the_limit():
    # (1 - 1/N) cv² / (N + cv²) → cv²/N.
    assert theory.contraction_law(10**6, 2) == pytest.approx(2 / 10**6, rel=1e-5)


@pytest.mark.parametrize("layers", [1, 2, 4])
def test_the_mean_of_1000_chains_stays_below_its_bound(layers):
    rng = np.random.default_rng(layers)
    widths = [5, 8, 12, 8, 6][: layers + 1]
    u = v = None
    for rows, columns in reversed([*zip(widths, widths[1:], strict=False)]):
        # [chains, rows, columns], by concentration 1/2.
        A = np.moveaxis(rng.dirichlet(np.full(rows, 0.5), (1000, columns)), 1, 2)
        u, v = (
            (A[..., 0], A[..., 1])
            if u is None
            else (np.einsum("kij,kj->ki", A, u), np.einsum("kij,kj->ki", A, v))
        )
    lengths = np.linalg.norm(u, axis=1) * np.linalg.norm(v, axis=1)
    gaps = 1 - np.sum(u * v, axis=1) / lengths
    error = gaps.std() / math.sqrt(len(gaps))
    factors = [theory.contraction_law(rows, 2) for rows in widths[:-1]]
    bound = theory.expectation_bound(5, factors)
    assert gaps.mean() - 3 * error <= bound <= 5 * math.prod(factors)
    # And it is no idle bound.
    assert gaps.mean() > bound / 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 1), "rows"),
        ((4, -1), "cv2"),
        ((4, 4, "exchangeable"), "from 0 to 3"),
        ((4, 1, "gauss"), "columns"),
    ],
)
def test_what_is_no_layer_is_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        theory.contraction_law(*arguments)


@pytest.mark.parametrize("factors", [[], [-0.1], 0.5, None])
def test_what_is_no_factor_is_refused(factors):
    with pytest.raises(InputError, match="factors"):
        theory.expectation_bound(4, factors)
