import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import strategies as st
from theory.strategies import chains, conserving, holds_for, stochastic

from modbp import theory
from modbp.errors import InputError

POSITIVE = st.floats(1e-2, 10)


# The sharp bound ---------------------------------------------------------------------


def test_the_sharp_bound_by_hand():
    # δ = 1/4 twice, m = 2: √(2/2) / 16. As 1 - cos: 2 / 256 / (1 + 1/256) = 2/257.
    A = [[0.5, 0.25], [0.5, 0.75]]
    assert theory.sharp_bound([A, A]) == pytest.approx(1 / 16, rel=1e-14)
    assert theory.theorem_b_bound([A, A]) == pytest.approx(2 / 257, rel=1e-14)
    # The identity: t² = 3/2 > 1 says nothing, 2 · 3/2 / (5/2) = 6/5 neither.
    assert theory.sharp_bound([np.eye(3)]) == pytest.approx(math.sqrt(1.5))
    assert theory.theorem_b_bound([np.eye(3)]) == pytest.approx(6 / 5)


def draw_chains(rng, count, signed):
    """Yield batches of chains of column sums one, ``[count, rows, columns]`` each.

    Half of them are two outputs over equal pixels, near which the bound is tight.
    """
    m, n = rng.integers(2, 6), rng.integers(1, 6)
    sizes = [m, *(rng.integers(2, 6, n))]
    if rng.random() < 0.5:
        sizes = [m] + [2] * n
    mats = []
    for size in itertools.pairwise(sizes):
        if signed:
            scale = rng.random((count, 1, 1))
            A = rng.random((count, *size)) + scale * rng.standard_normal((count, *size))
            A[:, 0] += 1 - A.sum(axis=1)
        else:
            A = rng.random((count, *size)) ** rng.integers(1, 9)
            A[rng.random(A.shape) < 0.2] = 0
            A[:, 0] += ~A.any(axis=1)
        mats.append(A / A.sum(axis=1, keepdims=True))
    return mats


def batch_delta(A):
    """Dobrushin's coefficient of every matrix, ``[count]``."""
    pairs = np.triu_indices(A.shape[2], k=1)
    return np.abs(A[:, :, pairs[0]] - A[:, :, pairs[1]]).sum(axis=1).max(axis=1) / 2


def batch_tangent(mats):
    """tan(θ/2) of the widest pair of every product, from differences of columns."""
    *_, last = mats
    i, j = np.triu_indices(last.shape[2], k=1)
    u, v, e = last[:, :, i], last[:, :, j], last[:, :, i] - last[:, :, j]
    for A in reversed(mats[:-1]):
        u, v, e = A @ u, A @ v, A @ e
    a, b = np.linalg.norm(u, axis=1), np.linalg.norm(v, axis=1)
    # |v| u - |u| v without a difference of nearly equal vectors.
    shorter = np.sum(e * (u + v), axis=1) / (a + b)
    apart = b[:, None] * e - shorter[:, None] * v
    together = b[:, None] * u + a[:, None] * v
    return np.max(np.linalg.norm(apart, axis=1) / np.linalg.norm(together, axis=1), 1)


def worst_ratio(chains, signed):
    """Measured over bound, the largest, and how many of the angles are obtuse."""
    rng, worst, tried, obtuse = np.random.default_rng(int(signed)), 0.0, 0, 0
    while tried < chains:
        mats = draw_chains(rng, 500, signed)
        deltas = np.array([*map(batch_delta, mats)])
        # A factor of rank one ends all angles, and both sides are rounding.
        fine = deltas.min(axis=0) > 1e-4
        left = batch_tangent(mats)[fine]
        right = np.sqrt(mats[0].shape[1] / 2) * deltas.prod(axis=0)[fine]
        worst, tried = max(worst, np.max(left / right)), tried + len(left)
        obtuse += np.sum(left > 1.1)
        # The batches are those of the library.
        one = [A[fine][0] for A in mats]
        assert theory.sharp_bound(one) == pytest.approx(right[0], rel=1e-9)
        if left[0] < 1e3:
            gap = 10 ** theory.gaps(one)[-1]
            assert math.sqrt(gap / (2 - gap)) == pytest.approx(left[0], rel=1e-6)
    return worst, obtuse


@pytest.mark.parametrize("signed", [False, True])
def test_the_sharp_bound_holds_for_100_000_random_chains(signed, record_property):
    worst, obtuse = worst_ratio(100_000, signed)
    record_property("measured / bound at most", f"{worst:.9f}")
    assert 0.999 <= worst <= 1 + 1e-9
    # Signed columns far apart count too: nothing is left out where t > 1.
    assert bool(obtuse) == signed


def test_the_sharp_bound_holds_beyond_a_right_angle():
    # Columns (5, -4) and (-4, 5): c = (1, 1)/2, e = (9, -9)/2, equal lengths, and
    # tan(θ/2) = |e|/|c| = 9 = t. As 1 - cos: 2 · 81/82, cos = -80/82.
    A = np.array([[5.0, -4.0], [-4.0, 5.0]])
    assert theory.sharp_bound([A]) == pytest.approx(9)
    assert theory.min_cosine(A) == pytest.approx(-80 / 82)
    assert theory.theorem_b_bound([A]) == pytest.approx(1 + 80 / 82)
    # ‖e‖/‖c‖ alone would not do: columns (1, -1, 1) and (-9, 9, 1) have ⟨u, v⟩ = -17,
    # lengths √3 and √163, cos = -0.77, tan(θ/2) = 2.76; e = (5, -5, 0), c = (-4, 4, 1).
    A = np.array([[1.0, -9.0], [-1.0, 9.0], [1.0, 1.0]])
    u, v = A.T
    s = theory.min_cosine(A)
    tangent = math.sqrt((1 - s) / (1 + s))
    assert np.linalg.norm(u - v) / np.linalg.norm(u + v) < tangent
    assert tangent <= theory.sharp_bound([A])


@pytest.mark.parametrize("rows", [2, 3, 7])
@pytest.mark.parametrize("layers", [1, 2, 5])
def test_the_sharp_bound_is_attained_exactly(rows, layers):
    deltas = [Fraction(2, rows + 1), *(Fraction(k, k + 1) for k in range(1, layers))]
    mats = theory.attained(rows, deltas)
    M = theory.exact_products(mats)[-1]
    assert all((A >= 0).all() and (A.sum(axis=0) == 1).all() for A in mats)
    # Both columns of one length, so that the cosine is a fraction.
    assert M[:, 0] @ M[:, 0] == M[:, 1] @ M[:, 1]
    s = (M[:, 0] @ M[:, 1]) / (M[:, 0] @ M[:, 0])
    right = Fraction(rows, 2) * math.prod(deltas) ** 2
    assert (1 - s) / (1 + s) == right
    assert theory.sharp_bound(mats) ** 2 == pytest.approx(float(right), rel=1e-12)
    # Seven per cent less would be broken.
    assert (1 - s) / (1 + s) > (Fraction(93, 100)) ** 2 * right


@pytest.mark.parametrize(
    ("rows", "deltas"),
    [(1, [1]), (3, []), (3, [1]), (3, [-1]), (3, ["1/2", 2]), (3, [0.5]), (3, ["x"])],
)
def test_equality_is_refused_beyond_non_negative_chains(rows, deltas):
    with pytest.raises(InputError, match="rows|deltas"):
        theory.attained(rows, deltas)


@holds_for(chains())
def test_the_sharp_bound_is_below_the_old_one(mats):
    # The old one: 1 - s ≤ m ∏ δ².
    delta = math.prod(map(theory.dobrushin, theory.gauge(mats)))
    old = len(mats[0]) * delta**2
    assert theory.theorem_b_bound(mats) <= old * (1 + 1e-12)


def test_a_mask_between_conserving_layers_is_refused_and_not_overlooked():
    # PatternAttribution: A₁ = J/2 and A₂ have column sums one, but the ReLU between
    # them drops relevance. Blind to it, the bound is 0; the cosine is -1.
    A_1, mask = np.full((2, 2), 0.5), np.diag([0.0, 1.0])
    A_2 = np.array([[2, 0.5], [-1, 0.5]])
    assert theory.sharp_bound([A_1, A_2]) == 0
    assert theory.min_cosine(A_1 @ mask @ A_2) == pytest.approx(-1)
    for mats in ([A_1, mask, A_2], [A_1, mask @ A_2]):
        with pytest.raises(InputError, match="zero columns|column"):
            theory.sharp_bound(mats)


# Theorems B and C ---------------------------------------------------------------------


def random_chains(seed, signed):
    """Chains of column sums one: sizes 2 to 5, 1 to 6 factors, sparse or dense."""
    rng = np.random.default_rng(seed)
    while True:
        sizes = rng.integers(2, 6, rng.integers(2, 8))
        mats = []
        for shape in itertools.pairwise(sizes):
            if signed:
                # Around a stochastic matrix, by up to several times its size.
                A = conserving(rng.random(shape) + rng.normal(0, rng.random(), shape))
            else:
                A = rng.random(shape) ** rng.integers(1, 9)
                A[rng.random(shape) < 0.3] = 0
                A[0, ~A.any(axis=0)] = 1
                A = stochastic(A)
            mats.append(A)
        # A factor of rank one ends all angles, and both sides are rounding.
        if min(map(theory.dobrushin, mats)) > 1e-6:
            yield mats


@pytest.mark.parametrize("signed", [False, True])
def test_theorem_b_holds_for_every_one_of_2000_random_chains(signed, record_property):
    slack = {"dobrushin": [], "euclidean": []}
    tried = itertools.islice(random_chains(seed=int(signed), signed=signed), 2000)
    for mats in tried:
        s = theory.min_cosine(theory.products(mats)[-1])
        # Where the cosine has lost its digits, the propagated differences have not.
        gap = math.log10(1 - s) if 1 - s > 1e-9 else theory.gaps(mats)[-1]
        for norm, found in slack.items():
            bound = theory.theorem_b_bound(mats, norm)
            found.append(math.log10(bound) - gap)
    for norm, found in slack.items():
        smallest, median = min(found), np.median(found)
        record_property(
            f"slack {norm} (decades)", f"{smallest:.2f}, median {median:.2f}"
        )
        print(f"signed={signed} {norm}: smallest {smallest:.3f}, median {median:.2f}")
        assert smallest >= -1e-6
        # A bound that is nowhere near would hold as well.
        assert smallest < 0.02


@holds_for(chains())
def test_theorem_b_speaks_about_every_non_negative_chain_through_its_gauge(mats):
    s = theory.min_cosine(theory.products(mats)[-1])
    for norm in ("dobrushin", "euclidean"):
        bound = theory.theorem_b_bound(mats, norm)
        assert 1 - s <= bound + 1e-12
        through_gauge = theory.sharp_bound(theory.gauge(mats), norm)
        tangent = theory.sharp_bound(mats, norm)
        assert tangent == pytest.approx(through_gauge, rel=1e-9, abs=1e-12)


@holds_for(chains(length=4, entries=POSITIVE), st.sampled_from([1, 2, 3, 4]))
def test_theorem_c_holds_for_blocks_of_any_length(mats, block):
    s = theory.min_cosine(theory.products(mats)[-1])
    bound = theory.theorem_c_bound(mats, block)
    assert 1 - s <= bound + 1e-12
    # 2t²/(1+t²) is the same statement as tan(θ/2) ≤ t.
    t = math.prod(
        theory.birkhoff(theory.products(mats[k : k + block])[-1])
        for k in range(0, 4, block)
    )
    assert bound == pytest.approx(2 * t**2 / (1 + t**2), abs=1e-12)


def test_theorem_c_is_attained_at_every_depth():
    # τ = 1/3, and tan(θ/2) = 3^-n; blocks change nothing.
    for n in (1, 2, 5):
        mats = [[[2, 1], [1, 2]]] * n
        measured = 10 ** theory.gaps(mats)[-1]
        for block in (1, 2):
            assert theory.theorem_c_bound(mats, block) == pytest.approx(measured)


def test_entries_between_a_half_and_two_give_a_rate_of_six_tenths():
    # (b - a)/(b + a) = (2 - 1/2)/(2 + 1/2) = 3/5, for any such matrices.
    rng = np.random.default_rng(0)
    for _ in range(50):
        mats = [rng.choice([0.5, 2.0], (4, 4)) for _ in range(12)]
        gaps = 10 ** theory.gaps(mats)
        tangents = np.sqrt(gaps / (2 - gaps))
        assert (tangents <= 0.6 ** np.arange(1, 13) + 1e-15).all()
