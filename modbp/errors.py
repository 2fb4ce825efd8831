"""What bad input gets: one family of errors, each naming the remedy.

Every message says which layer (where there is one), what was found there and what to
do about it. All of them are :class:`ModbpError`, so one ``except`` catches the family;
each is also the built-in error that a caller would expect (`ValueError`, `TypeError`…).
"""

import difflib
import math
from collections.abc import Iterable
from numbers import Integral, Real

__all__ = ["DataError", "InputError", "MethodError", "ModbpError", "ResultError"]
__all__ += ["TraceError", "UnknownName", "WeightsError", "check_flag", "check_names"]
__all__ += ["check_number", "check_once", "check_option", "check_seed"]
__all__ += ["check_whole", "in_a_line", "is_number", "unknown_name"]


class ModbpError(Exception):
    """The base of every error that modbp raises on purpose.

    >>> try:
    ...     modbp.explain(net, x, "lrp-a1b1")
    ... except modbp.ModbpError as error:
    ...     print(str(error)[:39])
    unknown method 'lrp-a1b1'. Did you mean
    """


class InputError(ModbpError, ValueError):
    """A tensor, a number or an option that the call cannot work with."""


class UnknownName(ModbpError, LookupError):
    """A method, layer or network name that does not exist."""


class TraceError(ModbpError, TypeError):
    """A model that cannot be written as a list of layer calls."""


class MethodError(ModbpError, TypeError):
    """A method that has no rule for a layer, or whose rule does not apply there."""


class WeightsError(ModbpError, ValueError):
    """A weights file that is missing, damaged or made for another network."""


class DataError(ModbpError, ValueError):
    """Images that are not there or not laid out as expected."""


class ResultError(ModbpError, OSError):
    """A result that cannot be written or read, or does not fit what is asked for."""


def check_option(name, value, fits, remedy):
    """Refuse the option of that name with an `InputError`, unless its value fits.

    What makes `fits` raise is no value of the right type.
    """
    try:
        fine = bool(fits(value))
    except (ArithmeticError, AttributeError, RuntimeError, TypeError, ValueError):
        fine = False
    if not fine:
        raise InputError(f"{name} is {_short(value)}; {remedy}")


def check_number(name, value, fits, remedy):
    """Do the same, and refuse what is no real number, such as an array or None."""
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    check_option(name, value, lambda _: is_number and fits(float(value)), remedy)


def check_whole(name, value, least, most=None):
    """Refuse an option unless it is a whole number between two ends."""
    is_whole = isinstance(value, Integral) and not isinstance(value, bool)
    ends = f"from {least} up" if most is None else f"from {least} to {most}"
    check_option(
        name,
        value,
        lambda n: is_whole and least <= n and (most is None or n <= most),
        f"give a whole number {ends}.",
    )


def check_flag(name, value):
    """Refuse an option unless it is True or False."""
    is_flag = type(value).__name__ in ("bool", "bool_")
    check_option(name, value, lambda _: is_flag, "give True or False.")


def check_names(name, value, remedy):
    """Return names as a list, or refuse what is something else, as a single word."""
    is_many = isinstance(value, Iterable) and not isinstance(value, (str, bytes))
    check_option(name, value, lambda _: is_many, remedy)
    try:
        names = list(value)
    except TypeError:  # an array without dimensions
        names = [None]
    check_option(name, value, lambda _: all(isinstance(n, str) for n in names), remedy)
    return names


def _short(value):
    told = repr(value)
    return told if len(told) <= 200 else f"{told[:80]} … ({type(value).__name__})"


def check_once(name, values):
    """Refuse a list of names in which one comes twice, or that is none or empty."""
    remedy = "give one name or more, in a list."
    check_option(name, values, lambda v: not isinstance(v, str) and len(v) > 0, remedy)
    for value in values:
        if list(values).count(value) > 1:
            raise InputError(f"{name} has {value!r} twice; give each once.")


def check_seed(value):
    """Refuse what is no seed of the generators that there are."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    remedy = "give a whole number from 0 to 2³² − 1."
    check_option("seed", value, lambda value: whole and 0 <= value < 2**32, remedy)


def in_a_line(error):
    """Return what an error of other code says, in one line of ours."""
    said = " ".join(str(error).split())[:300].rstrip(".")
    return said or type(error).__name__


def is_number(value):
    """Return whether a value is a finite number."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and math.isfinite(value)


def unknown_name(kind, name, known):
    """Return an `UnknownName` that lists the nearest known names of a kind of thing."""
    known = [str(entry) for entry in known]
    close = difflib.get_close_matches(str(name), known, n=3, cutoff=0.4)
    hint = f"Did you mean {' or '.join(map(repr, close))}? " if close else ""
    return UnknownName(
        f"unknown {kind} {_short(name)}. {hint}Known: {', '.join(known)}."
    )
