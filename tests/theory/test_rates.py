import math
from itertools import pairwise

import numpy as np
import pytest

from modbp import surrogate, theory
from modbp.errors import InputError


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
    # cv² = 2, N = 10: 2/3 after the first, where κN = 1. With N' = 20 then κ = 11/30,
    # κN' = 22/3, and the factor is 2 / (22/3 + 2) = 3/14.
    first, second = theory.rate_law([10, 20], 2)
    assert 10**first == pytest.approx(2 / 3)
    assert 10**second == pytest.approx(2 / 3 * 3 / 14)


def test_the_share_of_the_common_part_is_that_of_second_moments():
    # E S² = N'(N' κN + cv²) and E‖u‖² = N'(κN + cv²) in units of μ²‖u‖², so that
    # κ' = (κN + cv²/N') / (κN + cv²), by 100,000 draws of a layer.
    rng = np.random.default_rng(0)
    rows, u = 3, np.array([1.0, 2, -1, 0.5])
    images = (1 + 2 * rng.standard_normal((100_000, rows, 4))) @ u
    found = np.mean(images.sum(axis=1) ** 2) / rows / np.mean(np.sum(images**2, axis=1))
    kappa_n, cv2 = u.sum() ** 2 / (u @ u), 4
    expected = (kappa_n + cv2 / rows) / (kappa_n + cv2)
    assert found == pytest.approx(expected, rel=0.02)
    # Without the term, as it stood, it would be half of that.
    assert kappa_n / (kappa_n + cv2) < 0.7 * expected
    # The law makes the same step: its second factor knows κ'.
    first, second = theory.rate_law([4, rows], cv2)
    start = (1 + cv2 / rows) / (1 + cv2)
    assert 10 ** (second - first) == pytest.approx(cv2 / (start * rows + cv2))


def test_the_law_tends_to_cv_squared_over_width_or_to_a_very_slow_rate():
    slope = np.diff(theory.rate_law([512] * 10, 2))[-1]
    # The factor is cv²/N up to a share of cv²/N².
    assert 10**slope == pytest.approx(2 / 512, rel=2e-5)
    # Far beyond cv² = N, κN tends to one, and a layer takes 1/cv² or so of 1 - cos.
    slope = np.diff(theory.rate_law([64] * 200, 64 * 50))[-1]
    assert 10**slope == pytest.approx(1 - 1 / (64 * 50), rel=1e-4)
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


# Everything forgets -------------------------------------------------------------------


def line_angles(mats, rng):
    """Yield log tan of the angle between two lines in each of many chains.

    `mats` yields matrices ``[chains, n, n]``. Two orthonormal vectors are carried
    along, and the second line's coordinates in them: no angle is too small.
    """
    first = second = None
    for A in mats:
        chains, n, _ = A.shape
        if first is None:
            Q = np.linalg.qr(rng.standard_normal((chains, n, 2)))[0]
            first, second = Q[..., 0], Q[..., 1]
            along, apart = np.ones(chains), np.zeros(chains)  # in units of exp(apart)
        u, v = np.einsum("kij,kj->ki", A, first), np.einsum("kij,kj->ki", A, second)
        size = np.linalg.norm(u, axis=1)
        first = u / size[:, None]
        shared = np.sum(v * first, axis=1)
        v = v - shared[:, None] * first
        rest = np.linalg.norm(v, axis=1)
        second = v / rest[:, None]
        # (along, e^apart) → (size along + shared e^apart, rest e^apart), rescaled.
        along = along + shared / size * np.exp(apart)
        apart = apart + np.log(rest / size)
        yield apart - np.log(np.abs(along))


@pytest.mark.parametrize("n", [4, 8, 16, 32])
def test_signed_gaussian_chains_converge_at_the_exact_rate(n):
    rng, layers, half = np.random.default_rng(n), 160, 80
    mats = (rng.standard_normal((300, n, n)) for _ in range(layers))
    logs = list(line_angles(mats, rng))
    # Over the second half, when both lines have forgotten their start.
    slopes = (logs[half - 1] - logs[-1]) / (layers - half)
    error = slopes.std() / math.sqrt(len(slopes))
    gap = theory.lyapunov_gap(n)
    assert abs(slopes.mean() - gap) < 3 * error
    # A gap that is wrong by a quarter would be seen.
    assert 3 * error < gap / 4


def test_the_gap_by_hand():
    # ψ(1) = -γ and ψ(1/2) = -γ - 2 log 2: half the difference is log 2.
    assert theory.lyapunov_gap(2) == pytest.approx(math.log(2))
    assert theory.lyapunov_gap(8) == pytest.approx(0.0765, abs=5e-5)
    assert 2 * 1000 * theory.lyapunov_gap(1000) == pytest.approx(1, abs=2e-3)


def test_signed_chains_converge_whatever_cv_squared_is():
    # Gaussian, N = 8: cv² is infinite, and 1 - |cos| is 4e-12 or so after 200 layers.
    rng = np.random.default_rng(0)
    chain = [rng.standard_normal((8, 8)) for _ in range(200)]
    lines = theory.Protocol(True, True, False, np.median)
    curve = [
        theory.measure(R, lines) for R in theory.backward_pass(chain, np.eye(8, 2))
    ]
    assert curve[10] > 1e-3
    assert curve[-1] < 1e-9
    # N = 64 and β = 6, far beyond cv² = N at β = 2.68: slow, and certain.
    curves = theory.simulate(
        theory.alpha_beta_variants([6]), widths=[64] * 801, protocol=lines,
        vectors=2, repetitions=3,
    )  # fmt: skip
    (curve,) = (np.median(c, axis=0) for c in curves.values())
    assert curve[20] > 0.05
    assert curve[-1] < 1e-6


@pytest.mark.parametrize(("n", "layers"), [(8, 120), (16, 200), (32, 300)])
def test_the_gradient_of_a_random_relu_network_converges_too(n, layers):
    found = []
    for seed in range(40):
        rng, mats = np.random.default_rng(seed), []
        h = np.abs(rng.standard_normal(n))
        for _ in range(layers):
            W = rng.standard_normal((n, n)) * math.sqrt(2 / n)
            h = np.maximum(W @ h, 0)
            h = h / max(h.max(), 1e-300)
            mats.append(W.T * (h > 0))
        # Networks in which some layer is off have no gradient.
        if all(A.any() for A in mats):
            lines = theory.Protocol(False, True, False, np.max)
            start = rng.standard_normal((n, 2))
            *_, R = theory.backward_pass(mats[:-1], start)
            found.append(theory.measure(R, lines))
    assert len(found) > 5
    # 1 - max|cos| is that of the one pair.
    assert np.median(found) < 6e-7


# One matrix ---------------------------------------------------------------------------


def test_the_rate_by_hand():
    # Eigenvalues 3 and 1; 2 and 0; twice 1 for F2, whose angle falls like 1/n; and a
    # single unit has no angle.
    assert theory.rate([[2, 1], [1, 2]]) == pytest.approx(1 / 9)
    assert theory.rate([[1, 1], [1, 1]]) == pytest.approx(0, abs=1e-30)
    assert theory.rate(theory.COUNTEREXAMPLES["F2"].matrix()) == 1
    assert theory.rate([[3.0]]) == 0
    # I + shift by one of four: |1 + i| = √2 beside 2.
    assert theory.rate(theory.COUNTEREXAMPLES["F9"].matrix()) == pytest.approx(0.5)


@pytest.mark.parametrize("name", ["F1", "F3", "F4", "F5", "F8", "F12", "F13"])
def test_matrices_whose_angles_stay_have_no_rate(name):
    with pytest.raises(InputError, match="no rate"):
        theory.rate(theory.COUNTEREXAMPLES[name].matrix())


def misses_of_the_rate(matrices, layers):
    """By how much the measured exponent differs, relatively, for random matrices."""
    rng, found = np.random.default_rng(0), []
    for _ in range(matrices):
        n = rng.integers(2, 9)
        A = rng.random((n, n)) ** rng.integers(1, 6)
        # Differences are propagated, so no depth is too large for rounding.
        gaps = theory.gaps([A] * layers) * math.log(10)
        first = layers // 3
        exponent = (gaps[-1] - gaps[first]) / (layers - 1 - first)
        found.append(exponent / math.log(theory.rate(A)) - 1)
    return np.abs(found)


def test_the_rate_of_random_matrices_is_within_five_percent():
    assert misses_of_the_rate(40, 150).max() < 0.05


@pytest.mark.long
def test_the_rate_of_200_random_matrices_is_within_five_percent():
    assert misses_of_the_rate(200, 300).max() < 0.05


# The γ-rule ---------------------------------------------------------------------------


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
