"""The rules, by hand: each with readings that it and no other is about."""

import numpy as np
import pytest

from modbp.audits.verdict import CHANGE, PICTURES, Reading, judge

FLOOR = {"cosine": 0.5, "ssim": 0.9}


def reading(cosine, ssim=None, same=False, count=8):
    """A reading with the same change for every picture."""
    shares = {"cosine": cosine, "ssim": cosine if ssim is None else ssim}
    shares = {key: np.full(count, value) for key, value in shares.items()}
    return Reading(np.full(count, same), shares)


SAME, NONE, LARGE, NAN = (
    reading(0.0, same=True),
    reading(0.01),
    reading(0.9),
    reading(np.nan),
)
WIDE = Reading(
    np.zeros(8, bool), dict.fromkeys(FLOOR, np.array([0.0, 1, 0, 1, 0, 1, 0, 1]))
)


def verdict(other, *stages, floor=FLOOR, **more):
    names = ("top", "middle", "bottom")[: len(stages)]
    return judge(other, dict(zip(names, stages, strict=True)), floor, **more)


@pytest.mark.parametrize(
    ("kind", "other", "stages"),
    [
        ("looks", LARGE, (LARGE, LARGE)),
        # One likeness that sees a change is enough, as with opposite maps.
        ("looks", reading(2.0, 0.0), (LARGE, LARGE)),
        ("looks", reading(np.nan, 0.9), (LARGE, LARGE)),
        ("does not look", NONE, (LARGE, LARGE)),
        ("does not look", LARGE, (NONE, LARGE)),
        ("does not look", SAME, (SAME, SAME)),
        # A picture for each class, whatever the network.
        ("does not look", LARGE, (SAME, SAME)),
        ("does not look", SAME, (LARGE, LARGE)),
        ("does not look", SAME, (SAME, NONE)),
        ("looks only at", SAME, (SAME, LARGE)),
        # Nearly the same is not the same: what is lost on the way is lost.
        ("does not look", NONE, (SAME, LARGE)),
        ("does not look", SAME, (NONE, LARGE)),
        ("cannot be told with these pictures", WIDE, (LARGE, LARGE)),
        ("cannot be told with these pictures", LARGE, (WIDE, LARGE)),
        ("cannot be told with these pictures", NAN, (NAN, NAN)),
        ("cannot be told with these pictures", LARGE, ()),
    ],
)
def test_each_kind_has_its_readings(kind, other, stages):
    assert verdict(other, *stages).kind == kind


def test_below_is_the_highest_layer_that_matters():
    assert verdict(SAME, SAME, SAME, LARGE).below == "bottom"
    found = verdict(SAME, SAME, SAME, LARGE, highest="between")
    assert str(found) == "looks only at between and below"


def test_empty_maps_are_no_evidence():
    """That zero stays zero says neither that a method looks nor that it does not."""
    zero = np.full(8, np.nan)
    shares, same = dict.fromkeys(FLOOR, zero), np.ones(8, bool)
    empty = Reading(same, shares, None, np.ones(8, bool))
    none = dict.fromkeys(FLOOR, np.nan)
    found = verdict(empty, empty, empty, floor=none, again=empty)
    assert found.kind.startswith("cannot") and "no contrast" in found.why
    # Where some have something in them, those tell.
    some = Reading(same, shares, None, np.arange(8) > 5)
    assert verdict(some, some, some, floor=none).kind == "does not look"
    assert verdict(some, some, LARGE).kind == "looks only at"


def test_few_pictures_tell_only_what_is_exact():
    few = reading(0.9, count=PICTURES - 1)
    assert verdict(few, few).kind.startswith("cannot")
    same = reading(0.0, same=True, count=2)
    assert verdict(same, same).kind == "does not look"
    enough = reading(0.9, count=PICTURES)
    assert verdict(enough, enough).kind == "looks"


def test_what_differs_when_asked_twice_cannot_be_told():
    assert verdict(LARGE, LARGE, again=LARGE).kind.startswith("cannot")
    assert verdict(LARGE, LARGE, again=NONE).kind == "looks"


def test_without_a_floor_there_is_no_unit():
    none = dict.fromkeys(FLOOR, 0.001)
    assert verdict(LARGE, LARGE, floor=none).kind.startswith("cannot")
    assert verdict(LARGE, LARGE, floor={**none, "ssim": 0.5}).kind == "looks"


@pytest.mark.parametrize("share", [CHANGE * 0.99, CHANGE * 1.01])
def test_the_threshold_is_where_it_is_said(share):
    kind = "looks" if share > CHANGE else "does not look"
    assert verdict(reading(share), LARGE).kind == kind
    assert verdict(LARGE, reading(share)).kind == kind


def test_a_median_that_too_many_pictures_lack_is_none():
    values = np.array([np.nan, np.nan, np.nan, 1.0, 1, 1, 1, 1, 1])
    few = Reading(np.zeros(8, bool), {"cosine": values[:8]})
    assert not few.changed and not few.unchanged
    enough = Reading(np.zeros(9, bool), {"cosine": values})
    assert enough.changed


def test_draws_of_weights_count_as_well():
    """Two draws, one without a change: of pictures alone all would be sure."""
    values = np.array([0.0] * 10 + [1.0] * 11)
    one = Reading(np.zeros(21, bool), {"cosine": np.array([1.0] * 21)})
    assert one.changed
    groups = np.repeat([0, 1], [10, 11])
    two = Reading(np.zeros(21, bool), {"cosine": values}, groups)
    assert not two.changed and not two.unchanged
