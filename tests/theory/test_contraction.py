import itertools
import math

import numpy as np
import pytest
from hypothesis import strategies as st
from theory.strategies import (
    SIGNED,
    chains,
    conserving,
    holds_for,
    matrices,
    stochastic,
)

from modbp import theory

POSITIVE = st.floats(1e-2, 10)


def test_dobrushin_by_hand():
    # Columns (1/2, 1/2, 0), (1/2, 0, 1/2), (0, 1/2, 1/2): each two differ by 1/2 in two
    # places, half the ℓ₁ distance is 1/2.
    A = np.array([[1, 1, 0], [1, 0, 1], [0, 1, 1]]) / 2
    assert theory.dobrushin(A) == 0.5
    assert theory.dobrushin(np.eye(2)) == 1


def test_birkhoff_by_hand():
    # Columns (1, 2), (3, 1): ratios 3 and 1/2, Δ = log 6, and tanh(log(6)/4) is
    # (√6 - 1) / (√6 + 1).
    root = math.sqrt(6)
    assert theory.birkhoff([[1, 3], [2, 1]]) == pytest.approx((root - 1) / (root + 1))
    assert theory.birkhoff([[1, 1], [0, 1]]) == 1
    # A row of zeros is outside of every support.
    assert theory.birkhoff([[1, 3], [0, 0], [2, 1]]) == theory.birkhoff(
        [[1, 3], [2, 1]]
    )


def test_euclidean_by_hand():
    # (1 0; 0 1) minus the mean column (1/2, 1/2) is (1 -1; -1 1)/2, of norm 1.
    assert theory.euclidean(np.eye(2)) == pytest.approx(1)
    assert theory.euclidean(np.ones((3, 4))) == pytest.approx(0, abs=1e-15)


def test_overlap_by_hand():
    # ν = (5, 1); weighted columns (5, 1) and (0, 2), sums 6 and 2, shared 1·2:
    # 2/12 = 1/6. With ν = (1, 1) it would be 2/4 = 1/2.
    M, A = [[3, 0], [4, 1]], [[1, 0], [1, 2]]
    assert theory.overlap(M, A) == pytest.approx(1 / 6)
    assert theory.overlap(np.eye(2), A) == pytest.approx(1 / 2)
    assert theory.overlap(np.eye(2), [[1], [1]]) == 1


@holds_for(matrices(entries=SIGNED))
def test_dobrushin_and_euclidean_agree_with_their_definitions(A):
    n = A.shape[1]
    half = [
        sum(abs(x - y) for x, y in zip(A[:, j], A[:, k], strict=True)) / 2
        for j in range(n)
        for k in range(n)
    ]
    assert theory.dobrushin(A) == pytest.approx(max(half), abs=1e-12)
    P = np.eye(n) - np.ones((n, n)) / n
    assert theory.euclidean(A) == pytest.approx(np.linalg.norm(A @ P, 2), abs=1e-12)


@holds_for(matrices())
def test_birkhoff_agrees_with_the_distances_of_the_columns(A):
    distances = [0.0]
    for x, y in itertools.combinations(A.T, 2):
        same = ((x > 0) == (y > 0)).all()
        logs = np.log(y[x > 0] / x[x > 0]) if same else [-np.inf, np.inf]
        distances.append(max(logs) - min(logs))
    expected = math.tanh(max(distances) / 4)
    assert theory.birkhoff(A) == pytest.approx(expected, abs=1e-12)


@holds_for(chains(length=2))
def test_overlap_agrees_with_its_definition(mats):
    M, A = mats
    nu = [math.sqrt(sum(x * x for x in v)) for v in M.T]
    shares = []
    for a, b in itertools.combinations(A.T, 2):
        shared = sum(x * y * n * n for x, y, n in zip(a, b, nu, strict=True))
        shares.append(shared / (np.dot(a, nu) * np.dot(b, nu)))
    assert theory.overlap(M, A) == pytest.approx(min(shares), abs=1e-12)


@holds_for(matrices())
def test_dobrushin_is_below_one_exactly_for_mixing_matrices(A):
    A = stochastic(A)
    delta = theory.dobrushin(A)
    assert delta <= 1 + 1e-12
    assert bool(theory.mixing(A)) == (delta < 1 - 1e-9)
    assert delta == pytest.approx(
        1 - min(np.minimum(a, b).sum() for a, b in itertools.combinations(A.T, 2)),
        abs=1e-12,
    )
    assert delta <= 1 - A.min(axis=1).sum() + 1e-12


@holds_for(chains(length=2, entries=SIGNED))
def test_dobrushin_is_submultiplicative_on_column_sums_one_signs_included(mats):
    A, B = map(conserving, mats)
    bound = theory.dobrushin(A) * theory.dobrushin(B)
    assert theory.dobrushin(A @ B) <= bound + 1e-12 * (1 + bound)


def test_dobrushin_is_not_submultiplicative_without_column_sums_one():
    # δ(B) = 0 for two equal columns only if sums agree; here columns (1, 0), (2, 0).
    A, B = np.array([[1.0, 0], [0, 1]]) * 3, np.array([[1.0, 2], [0, 0]])
    assert theory.dobrushin(A @ B) == 1.5
    assert theory.dobrushin(np.ones((2, 2))) * theory.dobrushin(B) == 0
    assert theory.dobrushin(np.ones((2, 2)) @ B) == 1


@holds_for(chains(length=2, entries=POSITIVE))
def test_birkhoff_is_submultiplicative(mats):
    A, B = mats
    bound = theory.birkhoff(A) * theory.birkhoff(B)
    assert theory.birkhoff(A @ B) <= bound + 1e-12


@holds_for(matrices(entries=POSITIVE), st.data())
def test_birkhoff_ignores_every_scaling_of_rows_and_columns(A, data):
    rows = data.draw(st.lists(POSITIVE, min_size=len(A), max_size=len(A)))
    columns = data.draw(st.lists(POSITIVE, min_size=A.shape[1], max_size=A.shape[1]))
    scaled = np.array(rows)[:, None] * A * columns
    assert theory.birkhoff(scaled) == pytest.approx(theory.birkhoff(A), abs=1e-12)


@holds_for(matrices(entries=POSITIVE))
def test_birkhoff_is_never_less_than_dobrushin_in_any_gauge(A):
    assert theory.dobrushin(stochastic(A)) <= theory.birkhoff(A) + 1e-12


@holds_for(chains(length=2))
def test_theorem_a_holds_step_by_step(mats):
    M, A = mats
    o = theory.overlap(M, A)
    before, after = theory.min_cosine(M), theory.min_cosine(M @ A)
    assert 1 - after <= (1 - before) * (1 - o) + 1e-12
