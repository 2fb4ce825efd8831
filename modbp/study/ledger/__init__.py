"""The claims, one by one: what decides each, the number, and the verdict.

The ledger is a JSON file in the book. It holds sentences and verdicts, which people
write, and numbers, which only this module writes: every number names the stored result
and the reduction, or the measurement, that gives it again.
"""

import json
from importlib import import_module
from pathlib import Path

from modbp.errors import DataError, unknown_name
from modbp.files import write_bytes
from modbp.study.experiments import read as read_result
from modbp.study.ledger.page import Decided, table

__all__ = ["VERDICTS", "cited", "decided_in", "holds", "read", "refresh", "table"]

# In the order of the filter on the page.
VERDICTS = ("confirmed", "refined", "refuted", "awaits")

# Where the measuring functions are.
_PLACES = ("stored", "medians", "matrices", "simulations", "surrogates", "networks")


def read(path="ledger.json"):
    """Return the claims of a ledger, by number.

    Parameters
    ----------
    path : path
        The file; chapters find it beside them.

    Returns
    -------
    list of dict
        ``number``, ``claim``, ``origin``, ``decided``, ``numbers``, ``verdict``,
        ``because``, and what is still awaited.

    Raises
    ------
    DataError
        If there is no such file, or it is no ledger.
    """
    try:
        return json.loads(Path(path).read_text())["claims"]
    except FileNotFoundError:
        raise DataError(
            f"{path}: no such ledger. The book's is book/ledger.json."
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path}: no ledger ({error!r}). Take it from the repository again."
        ) from None


def cited(number, folder="."):
    """Compute a number of the ledger again, from what it cites.

    Parameters
    ----------
    number : dict
        An entry of ``numbers``. Either ``from``, places ``file#/path/in/it`` in stored
        results, and the ``reduction`` that makes one number of the values found there;
        or a ``measurement``, which starts from nothing. ``arguments`` go to either.
    folder : path
        Where the ledger is; files are named from there.

    Returns
    -------
    float

    Raises
    ------
    DataError
        If the file or a path in it is missing.
    UnknownName
        If there is no such reduction or measurement.
    """
    arguments = number.get("arguments", {})
    if "measurement" in number:
        return float(_function(number["measurement"])(**arguments))
    values = [_at(folder, place) for place in number["from"]]
    return float(_function(number["reduction"])(*values, **arguments))


def holds(number):
    """Say whether a number satisfies the condition on which its verdict rests.

    Parameters
    ----------
    number : dict
        With ``value``, and ``at_least`` or ``at_most`` or both.

    Returns
    -------
    bool
    """
    low, high = number.get("at_least"), number.get("at_most")
    value = number["value"]
    return (low is None or value >= low) and (high is None or value <= high)


def refresh(path="ledger.json", only=None):
    """Compute the numbers of a ledger and write them into it.

    Parameters
    ----------
    path : path
        The file.
    only : iterable of int, optional
        The claims to compute; all if left out.

    Returns
    -------
    list of dict
        The claims.
    """
    path = Path(path)
    claims = read(path)
    for claim in claims:
        if only is None or claim["number"] in only:
            for number in claim["numbers"]:
                number["value"] = float(f"{cited(number, path.parent):.6g}")
    text = json.dumps({"claims": claims}, indent=2, ensure_ascii=False)
    write_bytes(path, f"{text}\n".encode())
    return claims


def decided_in(chapter, path="ledger.json"):
    """Return the claims that a chapter decides, as a list that a notebook shows.

    Parameters
    ----------
    chapter : str
        The name of its page.
    path : path
        The ledger.

    Returns
    -------
    Decided
        With HTML for pages and Markdown for print.
    """
    claims = [
        claim
        for claim in read(path)
        if any(place.partition("#")[0] == chapter for place in claim["decided"])
    ]
    return Decided(claims)


def _function(name):
    place, _, function = name.partition(".")
    if place not in _PLACES:
        raise unknown_name("place of measurements", place, _PLACES)
    module = import_module(f"modbp.study.ledger.{place}")
    if function not in module.__all__:
        raise unknown_name(f"measurement in {place}", function, module.__all__)
    return getattr(module, function)


def _at(folder, place):
    """Return what is at a place such as ``results/x.json#/results/y/0``."""
    name, _, pointer = place.partition("#/")
    found = read_result(Path(folder) / name)
    for key in pointer.split("/"):
        try:
            found = found[int(key) if isinstance(found, list) else key]
        except (KeyError, IndexError, ValueError, TypeError):
            raise DataError(
                f"{place}: there is no {key!r}. Run the experiment again, or mend the "
                "ledger."
            ) from None
    return found
