"""Results say who made them, and with what."""

import json
import os

from modbp.study.runs import provenance


def test_facts_are_plain_json_with_versions_and_the_callers_own():
    facts = provenance.facts(command="python -m modbp", seed=3, log=[{"loss": 0.5}])
    assert json.loads(json.dumps(facts)) == facts
    assert (facts["command"], facts["seed"]) == ("python -m modbp", 3)
    assert set(facts["versions"]) == {"numpy", "torch", "torchvision"}
    assert all(version[0].isdigit() for version in facts["versions"].values())
    assert facts["python"].startswith("3.")
    assert len(facts["platform"].split()) == 2


def test_facts_hold_nothing_that_names_the_user_or_the_machine():
    text = json.dumps(provenance.facts())
    assert os.path.expanduser("~") not in text
    assert os.uname().nodename not in text
