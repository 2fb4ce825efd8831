"""Checks of the answers to exercises."""

import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from modbp.errors import UnknownName
from modbp.study import course

TABLE = np.arange(100.0).reshape(10, 10)


@pytest.fixture
def ask(monkeypatch):
    """Return whether an answer passes for another one."""

    def passes(truth, answer):
        kept = {"form": course.form(truth), "seals": [course.sealed("9.1", truth)]}
        seals = {"9.1": kept}
        monkeypatch.setattr(course, "_seals", lambda: seals)
        return course.check("9.1", answer)

    return passes


@pytest.mark.parametrize(
    ("truth", "answer"),
    [
        (3, 3.0),
        (3, torch.tensor(3)),
        (0.12345, np.float32(0.12345)),
        (99.95, 100.0),
        (True, np.True_),
        ("Cat", " cat "),
        ([1.5, 2.5], np.array([1.5, 2.5])),
        ({"a": 1.0, "b": [1, 2]}, {"b": (1, 2), "a": 1.0}),
        (TABLE, torch.from_numpy(TABLE)),
        (1e-17, 0),
        (math.nan, math.nan),
        ([torch.ones(2, requires_grad=True), 1], [[1.0, 1.0], 1]),
        (3, lambda: 1 + 2),
    ],
)
def test_the_same_answer_is_right(ask, truth, answer):
    assert ask(truth, answer)


@pytest.mark.parametrize(
    ("truth", "answer"),
    [
        (3, 4),
        (3, "3"),
        (3, [3]),
        (12345, 12350),
        (0.12345, 0.125),
        (True, False),
        ([1.5, 2.5], [2.5, 1.5]),
        ({"a": 1.0}, {"b": 1.0}),
        (TABLE, TABLE.T),
        (TABLE, TABLE.ravel()),
        (math.inf, -math.inf),
        (3, ...),
        ([1, 2], [1, ...]),
        (3, None),
        (3, object()),
        (3, lambda: ... < 1),
    ],
)
def test_another_answer_is_not(ask, truth, answer):
    assert not ask(truth, answer)


@given(st.floats(1e-8, 1e8), st.floats(-5e-4, 5e-4))
def test_rounding_does_not_matter_and_two_percent_do(value, off):
    kept = course._near(value)[0]
    assert kept in course._near(value * (1 + off))
    assert kept not in course._near(value * 1.02)


def test_what_is_kept_says_nothing_of_the_answer():
    kept = json.loads(course.FILE.read_text(encoding="utf-8"))["answers"]
    assert kept
    for seals in (seals for each in kept.values() for seals in each["seals"]):
        assert all(len(seal) == 16 and int(seal, 16) >= 0 for seal in seals)
    # The same answer looks different elsewhere.
    assert course.sealed("1.1", 2) != course.sealed("1.2", 2)


def test_an_exercise_that_is_not_there_is_refused():
    with pytest.raises(UnknownName, match="exercise '99.1'"):
        course.check("99.1", 3)


@pytest.mark.parametrize(
    ("truth", "answer", "told"),
    [
        (3, "three", "the answer is a number, and this is a text."),
        (3, ..., "nothing is filled in yet; the answer is a number."),
        (True, lambda: 1 / 0, "division by zero); the answer is True or False."),
        ({"b": 2.0, "a": 1}, [1.0, 2.0], "is a number for each of 'a', 'b', and this"),
        ([1, 2, 3], [1, 2], "3 in a list, each a number, and this is 2 in a list"),
        (TABLE, TABLE[0], "the answer is numbers of shape (10, 10), and this is"),
        (["a", TABLE], "a", "2 in a list: a text, numbers of shape (10, 10), and"),
        (3, 4, "9.1: not yet, the book's answer is another one."),
    ],
)
def test_an_answer_is_told_the_form_that_is_wanted(ask, truth, answer, told):
    assert told in repr(ask(truth, answer))
