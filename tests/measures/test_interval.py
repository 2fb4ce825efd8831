"""Intervals of medians: bootstrap over values, and over groups of them."""

import numpy as np
import pytest
from scipy import stats

from modbp.measures.interval import nested


def test_of_one_group_it_is_the_usual_bootstrap():
    values = np.random.default_rng(1).normal(size=60)
    found = stats.bootstrap(
        (values,), np.median, method="percentile", n_resamples=5000, rng=0
    ).confidence_interval
    assert nested(values, np.zeros(60), resamples=5000) == pytest.approx(
        found, abs=0.03
    )


def test_values_without_spread_have_no_width_and_missing_ones_do_not_count():
    assert nested(np.full(4, 0.25), [0, 0, 1, 1]) == (0.25, 0.25)
    values, groups = (
        np.array([np.nan, 1, 2, 3, np.nan, 5]),
        np.array([0, 0, 0, 1, 2, 1]),
    )
    kept = ~np.isnan(values)
    assert nested(values, groups) == nested(values[kept], groups[kept])
    assert np.isnan(nested(np.full(3, np.nan), [0, 1, 2])).all()


def test_what_groups_share_counts():
    """Means of groups scatter by one, values within by a tenth of that: 95 ± 5 %."""
    generator, inside = np.random.default_rng(0), {"groups": 0, "none": 0}
    groups = np.repeat(np.arange(12), 5)
    for _ in range(150):
        values = generator.normal(size=12)[groups] + generator.normal(size=60) / 10
        for name, given in {"groups": groups, "none": 0 * groups}.items():
            low, high = nested(values, given, resamples=200)
            inside[name] += low <= 0 <= high
    assert inside["groups"] >= 0.88 * 150
    assert inside["none"] < 0.8 * 150
