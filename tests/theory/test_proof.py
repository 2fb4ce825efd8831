import itertools

import numpy as np
import pytest
from theory.strategies import chains, holds_for

from modbp import theory


def steps(name, depth, weights):
    mats = theory.COUNTEREXAMPLES[name].chain(depth + 1)
    products = theory.products(mats)
    pairs = zip(products, mats[1:], strict=False)
    return [theory.proof_step(M, A, weights) for M, A in pairs]


def test_the_quantities_of_a_step_by_hand():
    # M = (3 0; 4 1) has lengths 5 and 1, and cosine 4/5. A = (1 0; 1 2): the columns of
    # MA have true weights (5, 1) and (0, 2), published ones (1, 1) and (0, 2).
    M, A = [[3, 0], [4, 1]], [[1, 0], [1, 2]]
    true, published = (theory.proof_step(M, A, w) for w in ("true", "published"))
    np.testing.assert_allclose(true.a, [5, 1])
    np.testing.assert_allclose(true.b, [0, 2])
    np.testing.assert_allclose(published.a, [1, 1])
    # (5·2·4/5 + 1·2) / ((5 + 1)·2) = 10/12, and s = 4/5.
    assert true.eq22 == pytest.approx(10 / 12)
    assert true.eq23 == pytest.approx(4 / 5)
    assert true.s_next == pytest.approx(5 / np.sqrt(34))
    assert (true.q, true.r(0, 1)) == (pytest.approx(12), pytest.approx(10))
    # (1 + 1/2 · 10/20) · 4/5 = 1, with an upper bound of 20 on q.
    assert true.case_1(0, 1, epsilon=0.5, q_bar=20)[27] == pytest.approx(1)
    # 2·5·1·2² + 0 - 0 = 40.
    assert true.r_prime(0, 1) == pytest.approx(40)
    # a = (1, 1), b = (2, 3): 2·1·5² + 2·6·2² - 4·1·6 = 74.
    assert theory.proof_step(np.eye(2), [[1, 2], [1, 3]]).r_prime(0, 1) == 74


@holds_for(chains(length=2))
def test_with_the_true_weights_every_inequality_of_the_proof_holds(mats):
    step = theory.proof_step(*mats)
    assert step.eq21 == pytest.approx(step.s_next, abs=1e-9)
    assert step.eq21 >= step.eq22 - 1e-12
    assert step.eq22 >= step.eq23 - 1e-12
    assert step.eq23 == pytest.approx(step.s, abs=1e-12)
    for pair in itertools.combinations(range(len(step.a)), 2):
        if step.s > 0:
            bounds = list(step.case_1(*pair).values())
            assert step.s_next >= bounds[0] - 1e-9
            assert np.diff(bounds).max() <= 1e-12
        bounds = step.case_2(*pair)
        assert bounds[32] == pytest.approx(bounds[33], abs=1e-9)
        assert bounds[34] == pytest.approx(bounds[35], abs=1e-9)
        assert step.s_next >= bounds[29] - 1e-9
        assert np.diff(list(bounds.values())).max() <= 1e-9


@holds_for(chains(length=2))
def test_monotonicity_survives_the_wrong_weights(mats):
    step = theory.proof_step(*mats, weights="published")
    assert step.s_next >= step.eq23 - 1e-12


def test_case_1_of_the_published_proof_fails_on_f3_from_the_third_step_on():
    # Pair (1, 3): ε = 0.41, r = 2·1 + 1·0 = 2, q̄ = 3·3 = 9.
    found = steps("F3", 30, "published")
    for n, step in enumerate(found, 1):
        assert (step.r(0, 2), step.q) == (2, 9)
        # The hypothesis of case 1 holds at every step.
        assert step.C[0, 2] >= 1.41 * step.s
        claimed = step.case_1(0, 2, epsilon=0.41)[27]
        assert claimed == pytest.approx((1 + 0.41 * 2 / 9) * step.s)
        assert (claimed > step.s_next) == (n >= 3)


def test_case_1_with_the_true_weights_gives_factors_of_finite_product():
    found = steps("F3", 60, "true")
    # s_∞ / s_1 is 2.5; the bound proves no more than 1.14 with a fixed ε, and 1.30 with
    # the largest ε that each step allows: no contradiction, and no convergence.
    for epsilon, product in [(0.41, 1.1367), (None, 1.3028)]:
        bounds = [step.case_1(0, 2, epsilon)[27] for step in found]
        assert all(b <= step.s_next for b, step in zip(bounds, found, strict=True))
        factors = [b / step.s for b, step in zip(bounds, found, strict=True)]
        assert np.prod(factors) == pytest.approx(product, abs=5e-5)


def test_case_2_of_the_published_proof_fails_on_f1_from_the_fourth_step_on():
    epsilon = 1 - 1 / np.sqrt(2)
    for n, step in enumerate(steps("F1", 30, "published"), 1):
        assert (step.r_prime(0, 1), step.q) == (4, 3)
        assert step.C[0, 1] <= 1 - epsilon
        claimed = step.case_2(0, 1, epsilon=epsilon)[35]
        assert claimed / step.s == pytest.approx(1.0196, abs=5e-5)
        assert (claimed > step.s_next) == (n >= 4)


def test_step_five_leaves_only_orthogonal_columns_and_multiples_of_one_basis_vector():
    # (36) for all i < j, tried on every pair of supports of up to five entries.
    for size in range(2, 6):
        for a in itertools.product([0, 1], repeat=size):
            for b in itertools.product([0, 1], repeat=size):
                if not (any(a) and any(b)):
                    continue
                solves = all(
                    a[i] * b[j] == 0 == a[j] * b[i] or a[i] * a[j] == 0 == b[i] * b[j]
                    for i, j in itertools.combinations(range(size), 2)
                )
                orthogonal = not np.dot(a, b)
                same_basis_vector = a == b and sum(a) == 1
                assert solves == (orthogonal or same_basis_vector)
