import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import strategies as st
from theory.strategies import chains, holds_for

from modbp import theory
from modbp.errors import InputError

EXAMPLES = theory.COUNTEREXAMPLES
# In F6 the digits of fractions grow with the square of the depth, and the others have
# more units. Floats keep the digits of small terms, too.
IN_FRACTIONS = ("F1", "F2", "F3", "F7", "F10")


def test_the_terms_and_their_sums_by_hand():
    # Columns (1, 0) and (1, 1)/2 share 1/2; in the gauge the next have (1, 0) and
    # (1, 2)/3, then (1, 3)/4. In twos, M_2 has (1, 0) and (2, 1)/3, which share 2/3.
    F2 = EXAMPLES["F2"].exact_chain(4)
    shares = [Fraction(1, k) for k in (2, 3, 4, 5)]
    assert theory.shared_mass(F2).tolist() == shares
    assert theory.criterion(F2).tolist() == list(itertools.accumulate(shares))
    assert theory.shared_mass(F2, 2)[0] == Fraction(2, 3)
    assert theory.shared_mass(F2, [2, 1]).tolist() == [Fraction(2, 3), Fraction(1, 4)]
    assert len(theory.shared_mass(F2, 3)) == 1
    assert theory.shared_mass([[[1], [2]]]).tolist() == [1]


def test_entries_are_exact_or_floats_by_what_they_are():
    assert isinstance(theory.criterion([[[1, 1], [0, 1]]])[0], Fraction)
    assert theory.criterion([[[1.0, 1], [0, 1]]]).dtype == np.float64
    mixed = [[[1, 1], [0, 1]], [[0.5, 1], [0, 1]]]
    assert theory.criterion(mixed).dtype == np.float64


def test_small_terms_keep_their_digits_in_floats():
    # 1/(2^101 - 1), where one minus δ would be rounding.
    found = theory.shared_mass(EXAMPLES["F3"].chain(100))
    assert found[-1] == pytest.approx(2.0**-101, rel=1e-9)


@holds_for(chains(entries=st.integers(0, 9)), st.integers(1, 5))
def test_terms_are_one_minus_delta_of_the_blocks(mats, length):
    length = min(length, len(mats))
    gauge = theory.gauge(mats)
    whole = [A.astype(int) for A in mats]
    exact = theory.shared_mass(whole, length)
    floats = theory.shared_mass(mats, length)
    for k, (share, near) in enumerate(zip(exact, floats, strict=True)):
        block = theory.exact_products(gauge[k * length : (k + 1) * length])[-1]
        assert float(share) == pytest.approx(1 - theory.dobrushin(block), abs=1e-12)
        assert near == pytest.approx(float(share), abs=1e-12)


@holds_for(chains(length=4), st.sampled_from([[4], [1, 3], [2, 2], [3, 1], [1] * 4]))
def test_what_is_left_falls_with_the_sum(mats, lengths):
    # δ(M) ≤ ∏ (1 - share) ≤ exp(-Σ share).
    M = theory.exact_products(theory.gauge(mats))[-1]
    total = theory.criterion(mats, lengths)[-1]
    assert theory.dobrushin(M) <= math.exp(-total) + 1e-12


def compare(name, layers, floats):
    """Hold the proved bounds against the terms of so many layers."""
    example = EXAMPLES[name]
    mats = example.chain(layers) if floats else example.exact_chain(layers)
    found = theory.shared_mass(mats, example.block)
    bounds = [example.shared(k) for k in range(1, len(found) + 1)]
    assert len(found) == layers // example.block
    # Below that, float64 has fewer digits.
    rounding = 1e-9 if floats else 0
    for term, bound in zip(found, bounds, strict=True):
        excess = term - bound if example.sum_bound else bound - term
        assert excess <= bound * rounding + (1e-300 if floats else 0)


@pytest.mark.parametrize("name", EXAMPLES)
def test_proved_bounds_hold_for_all_terms_of_2000_layers(name):
    compare(name, 2000, floats=name not in IN_FRACTIONS)


@pytest.mark.long
@pytest.mark.parametrize("name", ["F4", "F5", "F8", "F9", "F12", "F13"])
def test_proved_bounds_hold_for_fractions_too(name):
    compare(name, 2000, floats=False)


@pytest.mark.parametrize("name", sorted(EXAMPLES.keys() - {"F6", "F11"}))
def test_proved_bounds_are_the_terms_themselves(name):
    # But for F6, where they are not far, and F11, where nothing more is needed.
    example = EXAMPLES[name]
    found = theory.shared_mass(example.exact_chain(20), example.block)
    assert found.tolist() == [example.shared(k) for k in range(1, len(found) + 1)]


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_sum_decides_as_the_limit_of_s_does(name):
    example = EXAMPLES[name]
    assert example.proof
    if example.limit_squared is not None:
        assert (example.limit_squared == 1) == (example.sum_bound is None)
    # Finite: no grouping has a larger sum than what is proved.
    rng = np.random.default_rng(0)
    for _ in range(5 * bool(example.sum_bound)):
        lengths = rng.integers(1, 7, 8)
        sums = theory.criterion(example.exact_chain(sum(lengths)), lengths.tolist())
        assert sums[-1] <= example.sum_bound
    # Infinite: the bounds of the terms pass every number, here 3.
    if example.sum_bound is None:
        terms = (float(example.shared(k)) for k in range(1, 200))
        assert sum(terms) > 3 or name == "F11"


def test_two_sequences_of_one_limit_are_told_apart_by_their_sums():
    # F2 and F7 tend to one matrix; the first sum is harmonic, the second below one.
    for name, total in (("F2", 7.18), ("F7", 0.6439)):
        found = theory.criterion(EXAMPLES[name].chain(2000))
        assert found[-1] == pytest.approx(total, abs=5e-3)


@pytest.mark.parametrize("blocks", [0, -1, 4, [], [2, 2], [1, 0], [1.5], "11", True])
def test_a_grouping_that_does_not_fit_is_refused(blocks):
    with pytest.raises(InputError, match="blocks"):
        theory.criterion([np.ones((2, 2))] * 3, blocks)
