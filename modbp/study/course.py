"""Tell right answers to the book's exercises from wrong ones, and give none away."""

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
import torch

from modbp.errors import unknown_name
from modbp.files import read_json

__all__ = ["Verdict", "check", "form", "sealed"]

# By number of the exercise the form of its answer, and what `sealed` makes of it, once
# for each kind of images. The verb `student` writes it, from the solutions as they run.
FILE = Path(__file__).with_name("course.json")
# Numbers are written in three digits. They may differ by this part of themselves, by
# which another machine may round otherwise; below the second number they are nothing.
CLOSE, ZERO = 1e-3, 1e-9
# Of more entries only a few sums are compared, with signs by chance.
MANY, SUMS = 8, 4
# So that trying answers takes longer than finding one.
ROUNDS = 20_000


class Verdict:
    """Whether an answer is right, in a sentence."""

    def __init__(self, is_right, sentence):
        self.is_right, self.sentence = is_right, sentence

    def __bool__(self):
        return self.is_right

    def __repr__(self):
        return self.sentence


def check(number: str, answer: object) -> Verdict:
    """Tell whether an answer to an exercise is that of the book.

    Numbers are compared in three digits, arrays by their shape and a few sums of their
    entries, words without regard to capitals. An answer of another form than the book's
    is told which one is wanted.

    Parameters
    ----------
    number : of the exercise, as in "3.4"; a second answer is "3.4b"
    answer
        A number, a truth value, a text, an array, or several of them in a list or by
        name; or a function without arguments that returns it.

    Returns
    -------
    Verdict : true if it is right

    Raises
    ------
    UnknownName : If there is no such exercise, or nothing of it can be checked.

    Examples
    --------
    >>> from modbp.study.course import check
    >>> check("2.1", "two")
    2.1: not yet; the answer is a number, and this is a text.
    """
    seals = _seals()
    if not isinstance(number, str) or number not in seals:
        raise unknown_name("exercise", number, seals)
    wanted = seals[number]["form"]
    try:
        answer = _plain(answer() if callable(answer) else answer)
    except Exception as error:  # as of a blank, where an answer is computed from it
        found = f"{type(error).__name__}: {error}"
        told = f"no answer yet ({found}); the answer is {wanted}."
        return Verdict(False, f"{number}: {told}")
    parts = _parts(answer)
    if Ellipsis in parts:
        told = f"nothing is filled in yet; the answer is {wanted}."
        return Verdict(False, f"{number}: {told}")
    # One for each kind of images that the book has been run with.
    if any(_agree(number, parts, each) for each in seals[number]["seals"]):
        return Verdict(True, f"{number}: right.")
    given = _form(answer)
    other = f"; the answer is {wanted}, and this is {given}."
    told = other if given != wanted else ", the book's answer is another one."
    return Verdict(False, f"{number}: not yet{told}")


def _agree(number, parts, wanted):
    """Return whether the parts of an answer are those that were sealed."""
    return len(parts) == len(wanted) and all(
        any(_seal(number, place, near) == seal for near in _near(part))
        for place, (part, seal) in enumerate(zip(parts, wanted, strict=True))
    )


def form(answer: object) -> str:
    """Return in words what an answer looks like, which does not tell what it is."""
    return _form(_plain(answer))


def _form(answer):
    """Return the form of a plain answer."""
    if answer is Ellipsis:
        return "a blank"
    if isinstance(answer, str):
        return "a text"
    if isinstance(answer, dict):
        forms = " or ".join(sorted({_form(each) for each in answer.values()}))
        return f"{forms} for each of {', '.join(map(repr, answer))}"
    if isinstance(answer, list):
        forms = [_form(each) for each in answer]
        all_same = len(set(forms)) == 1
        told = f", each {forms[0]}" if all_same else f": {', '.join(forms)}"
        return f"{len(forms)} in a list{told}"
    if answer.ndim > 1:
        return f"numbers of shape {answer.shape}"
    one = "True or False" if answer.dtype.kind == "b" else "a number"
    return f"{answer.size} in a list, each {one}" if answer.ndim else one


@cache
def _seals():
    """Return form and seals of the answers by number."""
    return read_json(FILE)["answers"]


def sealed(number: str, answer: object) -> list[str]:
    """Return what an answer is compared with, from which it cannot be read."""
    parts = _parts(_plain(answer))
    return [_seal(number, place, _near(part)[0]) for place, part in enumerate(parts)]


def _seal(number, place, text):
    """Hash a part of an answer, slowly, and differently in every exercise."""
    salt = f"exercise {number}, part {place}".encode()
    return hashlib.pbkdf2_hmac("sha256", text.encode(), salt, ROUNDS).hex()[:16]


def _near(part):
    """Return how a part is written, and how an equal one may have been."""
    if isinstance(part, str):
        return [part]
    written = [f"{part * by:.2e}" for by in (1, 1 - CLOSE, 1 + CLOSE)]
    if abs(part) < ZERO:
        written = ["0"]
    whole = isinstance(part, int) or part.is_integer()  # not, where it is infinite
    itself = [str(int(part))] if whole else []
    return itself + written if isinstance(part, int) else written + itself


def _plain(answer):
    """Return an answer of blanks, texts, arrays, lists of these, and these by name."""
    if answer is Ellipsis or isinstance(answer, str):
        return answer
    if isinstance(answer, Mapping):
        return dict(sorted((str(key), _plain(value)) for key, value in answer.items()))
    if isinstance(answer, torch.Tensor):
        answer = answer.detach().cpu().numpy()
    if isinstance(answer, list | tuple) and not _is_matrix(answer):
        return [_plain(each) for each in answer]
    array = np.asarray(answer)
    if array.dtype.kind not in "bif":
        raise TypeError("neither numbers nor a text")
    return array


def _parts(answer):
    """Return a plain answer as texts, numbers, and blanks."""
    if answer is Ellipsis:
        return [answer]
    if isinstance(answer, str):
        return [f"text {answer.strip().casefold()}"]
    if isinstance(answer, dict):
        return _all([part for pair in answer.items() for part in pair])
    return _all(answer) if isinstance(answer, list) else _numbers(answer)


def _all(answers):
    """Return the parts of several answers, and how many these are."""
    return [f"{len(answers)} of", *(part for each in answers for part in _parts(each))]


def _is_matrix(answers):
    """Whether lists are rows of numbers, and mean the same as an array of them."""
    try:
        return np.asarray(answers).dtype.kind in "bif"
    except (ValueError, RuntimeError):  # ragged, or tensors that know their gradient
        return False


def _numbers(array):
    """Return an array's shape and entries; of a large one, a few sums."""
    kept = np.int64 if array.dtype.kind in "bi" else np.float64
    shape, entries = f"shape {array.shape}", array.ravel().astype(kept)
    if entries.size > MANY:
        signs = np.random.default_rng(entries.size).choice([-1, 1], (SUMS, array.size))
        entries = signs @ entries
    return [shape, *entries.tolist()]
