"""Which methods change with the class, from what is stored."""

import numpy as np
import pytest

from modbp.errors import ModbpError
from modbp.study import answers, experiments


def test_kept_is_the_way_from_the_floor_to_one():
    # From 0.2 to 1 are 0.8, and 0.6 is half of the way.
    found = {
        "stages": {"random logit": {"corrected": {"median": 0.6}}},
        "floor": {"corrected": {"median": 0.2}},
    }
    assert answers.kept(found) == pytest.approx(0.5)


def test_of_maps_that_are_the_same_for_every_picture_no_share_is_kept():
    found = {
        "stages": {"random logit": {"corrected": {"median": 0.999}}},
        "floor": {"corrected": {"median": 0.997}},
    }
    assert np.isnan(answers.kept(found))
    deaf = experiments.read("random-logit/efficientnet_lite0")["results"]["deconv"]
    assert np.isnan(answers.kept(deaf))
    groups = answers.by_answer()
    assert len(next(g["deconv"] for g in groups.values() if "deconv" in g)) == 3


def test_an_unknown_setting_is_refused():
    with pytest.raises(ModbpError, match="corrected"):
        answers.kept({}, "exact")
    with pytest.raises(ModbpError, match="random-logit"):
        answers.missing("csc")


def test_what_is_missing_is_counted(monkeypatch):
    # Of two methods, three similarities at one stage and two at the other: one is lost.
    cells = [{"corrected": {"values": v}} for v in ([0.1, None, 0.2], [0.3, 0.4])]
    results = {"gradient": {"stages": {"fc": cells[0]}}}
    results["lrp-z"] = {"stages": {"fc": cells[1]}}
    stored = {"cifar10": {"results": results}}
    monkeypatch.setattr(experiments, "stored", lambda name: stored)
    assert answers.missing("cascade") == (5, 1)


def test_each_method_stands_in_one_group_and_belongs_there():
    groups = answers.by_answer()
    stored = experiments.stored("random-logit").values()
    names = {name for entry in stored for name in entry["results"]}
    assert sorted(name for group in groups.values() for name in group) == sorted(names)
    assert min(map(min, groups["ignores"].values())) >= answers.DEAF
    assert max(map(max, groups["listens"].values())) <= answers.LISTENS
    for shares in groups["depends"].values():
        assert min(shares) < answers.DEAF and max(shares) > answers.LISTENS


def test_the_groups_are_those_of_the_paper_where_it_has_them():
    groups = answers.by_answer()
    assert {"lrp-a1b0", "dtd"} <= groups["ignores"].keys()
    assert {"gradient", "lrp-z", "deeplift-rescale"} <= groups["listens"].keys()
