"""Intervals of the ledger's numbers: bootstrap over what their results keep."""

import numpy as np
import pytest

from modbp.errors import DataError
from modbp.study.ledger import samples


@pytest.fixture
def result(monkeypatch):
    """Let the one stored result be what a test puts into this dictionary."""
    found = {"config": {"network": "net", "images": "some"}, "results": {}}
    monkeypatch.setattr(samples, "_stored", lambda name: found)
    monkeypatch.setattr(samples, "_beside", lambda place: [])
    return found


def difference(first, second):
    return first - second


def test_images_are_drawn_again_and_the_same_ones_for_both_of_a_pair(result):
    values = np.random.default_rng(0).normal(size=50)
    for name, more in {"a": 0, "b": 3}.items():
        result["results"][name] = {"values": [*(values + more)], "median": 9}
    (low, high), over = samples.of_places(["r#a/median"], float)
    assert low < np.median(values) < high and over == "50 images"
    # Their difference is the same for every image, and so has no width.
    ends, _ = samples.of_places(["r#b/median", "r#a/median"], difference)
    assert ends == pytest.approx((3, 3))


def test_what_is_missing_does_not_count(result):
    result["results"]["a"] = {"values": [None, 1, 1, 1, 1, 1, 1, 1], "median": 1}
    assert samples.of_places(["r#a/median"], float) == ((1, 1), "8 images")


def test_a_cosine_is_made_of_distances_and_keeps_its_own_median(result):
    # All images are as far from one, and all their pairs in the median twice as far.
    result["results"]["a"] = {"images": [1e-9] * 9, "median": 1 - 2e-9}
    (low, high), _ = samples.of_places(["r#a/median"], lambda value: 1 - value)
    assert (low, high) == pytest.approx((2e-9, 2e-9), rel=1e-6)


def test_images_with_a_draw_of_weights_in_common_are_drawn_together(result):
    result["config"] |= {"draws": 2, "batch": 5}
    # Five images with one draw of weights, five with the other.
    result["results"]["a"] = {"values": [0] * 5 + [1] * 5, "median": 0.5}
    found = samples.of_places(["r#a/median"], float)
    assert found == ((0, 1), "10 images and 2 draws of weights")


def test_whole_repetitions_are_drawn_of_curves(result):
    result["config"]["repetitions"] = 4
    curves = [[1, 0.1 * n, 0.01 * n] for n in range(1, 5)]
    result["results"]["a"] = {"median": [1, 0.25, 0.025], "values": curves}
    # Within each repetition the last step is one decade.
    (low, high), over = samples.of_places(
        ["r#a/median"], lambda curve: np.log10(curve[1] / curve[2])
    )
    assert (low, high) == pytest.approx((1, 1)) and over == "4 repetitions"
    (low, high), _ = samples.of_places(["r#a/median/1"], float)
    assert 0.1 <= low < high <= 0.4


def test_sets_of_fitting_images_are_samples(result):
    result["results"] = {"code": [{"csc": 0.9}, {"csc": 0.9}, {"csc": 0.9}]}
    places = [f"r#code/{number}/csc" for number in range(3)]
    found = samples.of_places(places, lambda *each: float(np.median(each)))
    assert found == ((0.9, 0.9), "3 sets of fitting images")


def test_a_result_without_samples_has_no_interval(result):
    result["results"]["a"] = {"median": 0.5}
    assert samples.of_places(["r#a/median"], float) is None
    # Nor has what is made of it and of others: it would count as certain.
    result["results"]["b"] = {"values": [1, 2, 3], "median": 2}
    places = ["r#b/median", "r#a/median"]
    assert samples.of_places(places, difference) is None
    with pytest.raises(DataError, match="there is no 'c'"):
        samples.of_places(["r#c/median"], float)


def test_a_measurement_with_a_seed_is_repeated_and_one_of_values_is_resampled():
    found = samples.of_measurement(lambda seed=0: seed**2)
    assert found == ((0, 16), "5 seeds")
    assert samples.of_measurement(lambda: 3.0) is None
    number = samples.Sampled(np.array([2.0, 2.0, 2.0]), np.mean, "3 images")
    assert float(number) == 2
    assert samples.of_measurement(lambda: number) == ((2, 2), "3 images")
