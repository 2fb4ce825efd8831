import math
from itertools import pairwise

import numpy as np
import pytest

from modbp import surrogate, theory


def test_cv_squared_by_hand():
    # Entries 1, 3: mean 2, variance 1, cv² = 1/4.
    assert theory.cv_squared([[1, 3]]) == 0.25
    assert theory.cv_squared([[1, -1]]) == math.inf


@pytest.mark.parametrize(
    ("alpha", "beta", "expected"),
    [(1, -1, math.pi / 2 - 1), (1, 0, math.pi - 1), (2, 1, 5 * math.pi - 1)],
)
def test_cv_squared_of_the_variants_is_that_of_large_samples(alpha, beta, expected):
    W = np.random.default_rng(0).standard_normal((1000, 1000))
    A = alpha * np.maximum(W, 0) + beta * np.minimum(W, 0)
    assert theory.cv_squared_alpha_beta(alpha, beta) == pytest.approx(expected)
    # One million entries: a few per mille.
    assert theory.cv_squared(A) == pytest.approx(expected, rel=0.02)
    assert theory.cv_squared_alpha_beta(1, 1) == math.inf


def test_the_identity_behind_the_law_holds_on_average():
    # E‖Ad‖² = rows · σ² ‖d‖² for d of sum zero; 4000 draws, standard error near 1 %.
    rng = np.random.default_rng(0)
    d = np.array([0.5, -0.25, -0.25, 0.0])
    A = np.abs(rng.standard_normal((4000, 6, 4)))
    found = np.mean(np.sum((A @ d) ** 2, axis=1))
    assert found == pytest.approx(6 * (1 - 2 / math.pi) * (d @ d), rel=0.05)


def test_the_law_by_hand():
    # cv² = 2, N = 10: 2/3 after the first, where κN = 1. Then κ = 1/3, κN = 10/3 and
    # the factor is 2 / (10/3 + 2) = 3/8.
    first, second = theory.rate_law([10, 10], 2)
    assert 10**first == pytest.approx(2 / 3)
    assert 10**second == pytest.approx(2 / 3 * 3 / 8)


def test_the_law_tends_to_cv_squared_over_width_or_to_no_convergence():
    slope = np.diff(theory.rate_law([512] * 10, 2))[-1]
    # κ → 1 - cv²/N, so that the factor is cv²/N exactly.
    assert 10**slope == pytest.approx(2 / 512, rel=1e-9)
    assert np.diff(theory.rate_law([64] * 200, 100))[-1] == pytest.approx(0, abs=1e-9)
    assert theory.rate_law([5, 5], math.inf).tolist() == [0, 0]
    assert theory.rate_law([5], 0).tolist() == [-math.inf]


@pytest.mark.parametrize(
    ("name", "weights"),
    [("positive", np.abs), ("non-negative", lambda W: np.maximum(W, 0))],
)
def test_the_law_predicts_vgg16_over_the_decades(name, weights):
    # Individual runs vary by about 0.05 decades, hence 0.25. At the last multiplication
    # only three rows are left, which is not the wide limit.
    rng = np.random.default_rng(0)
    mats = [weights(rng.standard_normal(shape)) for shape in pairwise(theory.VGG16)]
    measured = theory.gaps(mats, backward=32, statistic=np.median)
    variant = theory.VARIANTS[name]
    cv2 = theory.cv_squared_alpha_beta(variant.alpha, variant.beta)
    predicted = theory.rate_law(theory.VGG16[:0:-1], cv2)
    np.testing.assert_allclose(measured[:-1], predicted[:-1], atol=0.25)
    assert measured[-1] == pytest.approx(predicted[-1], abs=1.5)
    assert measured[-1] < -30


@pytest.mark.parametrize(
    ("width", "beta"), [(64, 2.68), (128, 4.00), (256, 5.88), (512, 8.52)]
)
def test_the_critical_beta_depends_on_the_width(width, beta):
    found = theory.critical_beta(width)
    assert found == pytest.approx(beta, abs=5e-3)
    # There cv² = N.
    assert theory.cv_squared_alpha_beta(found + 1, found) == pytest.approx(width)


@pytest.mark.parametrize("beta", [0, 1, 2])
def test_the_law_predicts_signed_chains_below_the_critical_beta(beta):
    # The whole curve from one-hot starts, also while the common component builds up:
    # the statistic is a median over 496 pairs and 3 draws, hence 0.2 decades. Below
    # 1e-13 rounding shows.
    variants = theory.alpha_beta_variants([beta])
    (curves,) = theory.simulate(
        variants, widths=[256] * 11, protocol=theory.PROTOCOLS["text"], repetitions=3
    ).values()
    curve = np.median(curves, axis=0)[1:]
    cv2 = theory.cv_squared_alpha_beta(beta + 1, beta)
    predicted = theory.rate_law([256] * 10, cv2)
    far = predicted > -13
    np.testing.assert_allclose(np.log10(curve[far]), predicted[far], atol=0.2)


def test_signed_chains_stay_apart_for_twenty_layers_above_the_critical_beta():
    # Width 64, where the critical β is 2.68.
    variants = theory.alpha_beta_variants([1, 6])
    curves = theory.simulate(
        variants, widths=[64] * 21, protocol=theory.PROTOCOLS["text"], repetitions=3
    )
    below, above = (np.median(curve, axis=0) for curve in curves.values())
    assert below[20] < 1e-9
    assert above[20] > 0.9


def test_the_rate_of_the_gamma_rule_by_its_limits():
    assert theory.gamma_rate(0, 512) == pytest.approx(1, abs=1e-3)
    limit = theory.gamma_rate(math.inf, 512)
    assert limit == pytest.approx(math.pi * (math.pi - 1) / 512)
    assert theory.gamma_rate(1e6, 512) == pytest.approx(limit, rel=1e-2)
    rates = [theory.gamma_rate(gamma, 512) for gamma in (0, 0.1, 0.25, 1, 4, math.inf)]
    expected = [0, -0.45, -0.74, -1.27, -1.66, -1.88]
    np.testing.assert_allclose(np.log10(rates), expected, atol=6e-3)


@pytest.mark.parametrize("gamma", [0, 0.25, 1, math.inf])
def test_the_mean_field_rate_of_the_gamma_rule_is_near_the_measured_slope(gamma):
    # He-initialised ReLU networks of width 256, without bias; 0.2 decades of tolerance
    # for a formula that neglects all correlations, and for three draws.
    slopes = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        scale = math.sqrt(2 / 256)
        mats = [scale * rng.standard_normal((256, 256)) for _ in range(9)]
        rule = surrogate.gamma_backward(
            mats, np.abs(rng.standard_normal(256)), gamma, relu=True
        )
        hidden = theory.active_chain(rule[:-1])
        R, curve = np.eye(hidden[-1].shape[1], 24), []
        for B in reversed(hidden):
            R = B @ R
            curve.append(theory.measure(R, theory.PROTOCOLS["text"]))
        slopes.append(np.log10(curve[5] / curve[1]) / 4)
    expected = np.log10(theory.gamma_rate(gamma, 256))
    assert np.mean(slopes) == pytest.approx(expected, abs=0.2)


def test_the_gamma_that_must_contract_by_hand():
    # δ(Z⁺) = 1/3: 2 / (2/3) = 3.
    assert theory.contracting_gamma(1 / 3) == pytest.approx(3)
