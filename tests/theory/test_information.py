import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import strategies as st
from theory.strategies import chains, holds_for

from modbp import theory
from modbp.errors import InputError

F3 = theory.COUNTEREXAMPLES["F3"]


def by_definition(Q, p):
    """Σ p_c q_ic log₂ (q_ic / q_i), term by term."""
    Q = Q / Q.sum(axis=0)
    q = Q @ p
    return sum(
        p[c] * Q[i, c] * math.log2(Q[i, c] / q[i])
        for i, c in itertools.product(*map(range, Q.shape))
        if Q[i, c] * p[c] > 0
    )


def test_bits_by_hand():
    # Columns (1/2, 1/2) and (0, 1), uniform classes: q = (1/4, 3/4). One half of the
    # first column tells log₂ 2 = 1 bit, half of it log₂ (2/3), the second log₂ (4/3):
    # 1/2 · (1/2 + 1/2 · log₂(2/3) + log₂(4/3)) = 3/2 - 3/4 · log₂ 3.
    expected = 1.5 - 0.75 * math.log2(3)
    assert theory.bits([[[1, 0], [1, 2]]]) == pytest.approx(expected, abs=1e-15)


def test_f3_keeps_half_a_bit_for_ever():
    # Two outputs that are shown at a pixel of their own with 2^n / (2^(n+1) - 1), else
    # at a common one: that often the whole bit arrives, and never less than half of it.
    half = [Fraction(1, 2), Fraction(1, 2), Fraction(0)]
    for n in (1, 2, 3, 10, 50, 1000):
        mats = F3.exact_chain(n)
        M = theory.exact_products(mats)[-1][:, :2]
        Q = M / M.sum(axis=0)
        kept = Fraction(2**n, 2 ** (n + 1) - 1)
        assert Q[:, 0].tolist() == [kept, 0, 1 - kept]
        assert Q[:, 1].tolist() == [0, kept, 1 - kept]
        assert kept > Fraction(1, 2)
        if n <= 50:
            assert theory.bits(F3.chain(n), half) == pytest.approx(
                float(kept), abs=1e-14
            )
            bound = theory.bits_bound(F3.chain(n), half)
            assert bound == pytest.approx(float(kept), abs=1e-12)
    assert theory.bits(F3.chain(1000), half) == pytest.approx(0.5, abs=1e-12)


@pytest.mark.parametrize("classes", [2, 3, 10, 100])
def test_a_map_that_keeps_the_class_has_all_bits_and_one_that_ignores_it_none(classes):
    every = np.eye(classes)[np.random.default_rng(0).permutation(classes)]
    assert theory.bits([every]) == pytest.approx(math.log2(classes), rel=1e-14)
    assert theory.bits_bound([every]) == pytest.approx(math.log2(classes), rel=1e-14)
    # Parallel columns of any lengths are one explanation.
    none = np.outer(np.arange(1, 6), np.arange(1, classes + 1))
    assert theory.bits([none]) == pytest.approx(0, abs=1e-30)
    # A known class has no bits to tell.
    assert theory.bits([every], np.eye(classes)[0]) == 0
    assert theory.bits_bound([every], np.eye(classes)[0]) == 0


@holds_for(chains(), st.data())
def test_bits_agree_with_their_definition(mats, data):
    classes = mats[-1].shape[1]
    weights = data.draw(
        st.lists(st.integers(0, 5), min_size=classes, max_size=classes).filter(any)
    )
    prior = np.array(weights) / sum(weights)
    found = theory.bits(mats, prior)
    expected = by_definition(theory.products(theory.gauge(mats))[-1], prior)
    assert found == pytest.approx(expected, abs=1e-12)
    assert 0 <= found <= theory.bits_bound(mats, prior) * (1 + 1e-12)


@holds_for(chains(), st.randoms())
def test_names_of_classes_and_lengths_of_columns_change_nothing(mats, random):
    classes = mats[-1].shape[1]
    order = random.sample(range(classes), classes)
    prior = np.array([random.random() + 0.1 for _ in order])
    prior /= prior.sum()
    lengths = np.array([random.random() + 0.1 for _ in order])
    again = [*mats[:-1], (mats[-1] * lengths)[:, order]]
    expected = theory.bits(mats, prior)
    assert theory.bits(again, prior[order]) == pytest.approx(
        expected, rel=1e-12, abs=1e-15
    )


def test_bits_far_below_rounding_are_right():
    # Columns (1 ± 3^-n) / 2: 1 - H₂ of that is 9^-n / (2 log 2) in leading order.
    mats = [np.array([[2.0, 1], [1, 2]])] * 200
    expected = 9.0**-200 / (2 * math.log(2))
    assert theory.bits(mats) == pytest.approx(expected, rel=1e-10)
    assert theory.bits(mats[:9]) == pytest.approx(9.0**-9 / (2 * math.log(2)), rel=1e-7)


def batch_bits(mats):
    """Bits of chains of column sums one, ``[chains, rows, columns]``, uniform prior."""
    Q = mats[0]
    for A in mats[1:]:
        Q = Q @ A
    q = Q.mean(axis=2, keepdims=True)
    ratio = np.divide(Q, q, out=np.ones_like(Q), where=Q > 0)
    return np.sum(Q * np.log2(ratio), axis=1).mean(axis=1)


def worst_share(count):
    """The largest bits over H ∏ δ of so many random chains, and how many there were."""
    rng, worst, seen = np.random.default_rng(0), 0.0, 0
    while seen < count:
        sizes = rng.integers(2, 6, rng.integers(2, 6))
        mats = []
        for size in itertools.pairwise(sizes):
            A = rng.random((500, *size)) ** rng.integers(1, 9)
            A[rng.random(A.shape) < 0.4] = 0
            A[:, 0] += ~A.any(axis=1)
            mats.append(A / A.sum(axis=1, keepdims=True))
        pairs = [np.triu_indices(A.shape[2], k=1) for A in mats]
        deltas = [
            np.abs(A[:, :, i] - A[:, :, j]).sum(axis=1).max(axis=1) / 2
            for A, (i, j) in zip(mats, pairs, strict=True)
        ]
        bound = np.log2(sizes[-1]) * np.prod(deltas, axis=0)
        found = batch_bits(mats)
        # Differences of column entries are 1e-16; their squares are the bits.
        fine = bound > 1e-6
        assert (found[fine] <= bound[fine] * (1 + 1e-9)).all()
        # From the bottom up: what is lost above does not come back below.
        left = [batch_bits(mats[k:]) for k in range(len(mats))]
        assert (np.diff(left, axis=0) >= -1e-12).all()
        worst, seen = max(worst, np.max(found[fine] / bound[fine])), seen + fine.sum()
        one = [A[fine][0] for A in mats]
        assert theory.bits(one) == pytest.approx(found[fine][0], abs=1e-13)
        assert theory.bits_bound(one) == pytest.approx(bound[fine][0], rel=1e-9)
    return worst


def test_no_layer_adds_information_in_100_000_chains(record_property):
    worst = worst_share(100_000)
    record_property("bits over bound at most", f"{worst:.6f}")
    # Nearly attained, or it would say little.
    assert 0.99 < worst <= 1 + 1e-9


@pytest.mark.parametrize(
    ("prior", "message"),
    [([0.5, 0.6], "prior"), ([1], "prior"), ([2, -1], "prior"), ("uniform", "prior")],
)
def test_what_is_no_distribution_is_refused(prior, message):
    for function in (theory.bits, theory.bits_bound):
        with pytest.raises(InputError, match=message):
            function([np.eye(2)], prior)


def test_signed_maps_are_no_channel():
    signed = [np.array([[2.0, -1], [-1, 2]])]
    for function in (theory.bits, theory.bits_bound):
        with pytest.raises(InputError, match="negative entries"):
            function(signed)
