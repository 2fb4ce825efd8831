"""What the theorem says of the layers of trained networks, as it is stored."""

import random

import numpy as np
import pytest
from study import stored as book

from modbp.study import experiments

STORED = book.names_of("contraction")


def fields(layers):
    """What was found, ``[layer, picture]`` each; NaN where δ is not known."""
    keys = ("units", "delta", "sigma", "tangent")
    return {k: np.array([row[k] for row in layers.values()], float) for k in keys}


def rules():
    """Yield network, rule and what was found by it."""
    for name in STORED:
        for rule, layers in experiments.read(name)["results"].items():
            yield name, rule, fields(layers)


def test_both_networks_are_stored_for_each_conserving_rule():
    assert STORED == ["contraction/cifar10", "contraction/vgg16"]
    for name in STORED:
        config = experiments.read(name)["config"]
        planned = experiments.PLANS[config["network"]].conserving
        assert set(config["parts"]) == set(planned)


@pytest.mark.parametrize("name", book.small_first(STORED))
def test_results_were_made_with_this_code_and_these_weights(name):
    stored = experiments.read(name)
    config = stored["config"]
    about = book.subject_of(config)
    labels = [*config["parts"]]
    now = experiments.Contraction(about, labels, batch=config["batch"])
    book.check_made_by_this_code(stored, now)


def test_the_sharp_bound_is_never_below_the_measured_angle():
    compared = 0
    for _, _, found in rules():
        for coefficient in ("delta", "sigma"):
            factors = np.cumprod(found[coefficient], axis=0)
            bound = np.sqrt(found["units"] / 2) * factors
            known = ~np.isnan(bound)
            assert (found["tangent"] <= bound)[known].all()
            compared += known.sum()
    assert compared > 100


def test_the_bound_says_something_of_one_rule_on_one_network():
    # Below a right angle: tan θ/2 < 1.
    said = set()
    for name, rule, found in rules():
        bound = np.sqrt(found["units"] / 2) * np.cumprod(found["sigma"], axis=0)
        if (bound < 0.5).any():
            said.add((name, rule.partition(":")[0]))
    assert said == {("contraction/vgg16", "lrp-a1b0")}


def test_without_signs_no_coefficient_of_dobrushin_exceeds_one():
    for _, rule, found in rules():
        if rule.startswith("lrp-a1b0"):
            assert found["delta"].max() <= 1 + 1e-5
        else:
            assert np.nanmax(found["delta"]) > 1


@pytest.mark.long
@pytest.mark.parametrize("name", STORED)
def test_a_random_picture_can_be_measured_again(name):
    stored = experiments.read(name)
    config, draw = stored["config"], random.Random(name)
    rule = draw.choice([*config["parts"]])
    about = book.subject_of(config)
    now = experiments.Contraction(about, [rule], batch=config["batch"])
    unit = draw.randrange(now.counts[rule])
    wanted = fields(stored["results"][rule])
    for key, values in now.compute(rule, unit).items():
        assert values[0] == pytest.approx(wanted[key][:, unit], rel=1e-3, nan_ok=True)
