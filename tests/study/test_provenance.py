"""Results say who made them, and with what."""

import json
import os
import subprocess

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


def test_the_commit_is_told_with_a_plus_where_code_was_changed(tmp_path):
    def git(*words):
        who = ["-c", "user.name=x", "-c", "user.email=x@y"]
        subprocess.run(["git", "-C", tmp_path, *who, *words], check=True)

    assert provenance.commit(tmp_path) is None  # under no git
    assert provenance.commit(tmp_path / "nothing") is None
    git("init", "-q")
    assert provenance.commit(tmp_path) is None  # git knows no file of it
    (tmp_path / "code.py").write_text("a = 1\n", "utf-8")
    git("add", ".")
    git("commit", "-qm", "first")
    told = provenance.commit(tmp_path)
    assert len(told) == 40 and set(told) <= set("0123456789abcdef")
    (tmp_path / "result.json").write_text("{}", "utf-8")
    assert provenance.commit(tmp_path) == told
    (tmp_path / "more.py").write_text("b = 2\n", "utf-8")
    assert provenance.commit(tmp_path) == told + "+"


def test_without_git_there_is_no_commit(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert provenance.commit() is None
