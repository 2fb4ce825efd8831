"""A few places of many."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modbp.measures.places import evenly


@pytest.mark.parametrize(
    ("count", "most", "places"),
    [
        (0, 4, []),
        (3, 4, [0, 1, 2]),
        # Steps of 9/3 and of 10/3, of which the latter are rounded.
        (10, 4, [0, 3, 6, 9]),
        (11, 4, [0, 3, 7, 10]),
    ],
)
def test_places_by_hand(count, most, places):
    assert evenly(range(count), most) == places


@given(st.integers(1, 200), st.integers(2, 20))
def test_ends_are_there_and_gaps_differ_by_one_at_most(count, most):
    found = evenly(range(count), most)
    assert (found[0], found[-1], len(found)) == (0, count - 1, min(count, most))
    gaps = {b - a for a, b in zip(found, found[1:], strict=False)}
    assert all(gap > 0 for gap in gaps) and (not gaps or max(gaps) - min(gaps) <= 1)
