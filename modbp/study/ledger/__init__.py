"""The claims, one by one: what decides each, the number, and the verdict.

The ledger is a JSON file. It holds sentences and verdicts, which people write, and
numbers, which only this module writes: every number names the stored result and the
reduction, or the measurement, that gives it again.
"""

import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from modbp.errors import DataError, check_option, is_number, unknown_name
from modbp.files import read_json, write_bytes
from modbp.study.ledger import controls, matrices, networks, reductions
from modbp.study.ledger.page import VERDICTS, Decided, Table
from modbp.study.ledger.reductions import decades
from modbp.study.runs.store import as_path
from modbp.study.runs.store import read as read_result

__all__ = ["CLAIMS", "ORIGINS", "VERDICTS", "cited", "decades", "decided_in", "holds"]
__all__ += ["Table", "read", "refresh"]

# Where a claim is from: the appendix and the notes that we have; what people remember
# of the paper's main part, which we have not; its code; or a question of ours.
ORIGINS = ("seed", "abstract", "2020 code", "our own control")
ORIGINS += ("main part, wording unverified",)

# The book's own.
CLAIMS = Path(__file__).with_name("claims.json")
# What a number may cite, by kind and name.
_ROOMS = {"measurement": (matrices, networks, controls), "reduction": (reductions,)}
WAYS = {
    kind: {name: getattr(room, name) for room in rooms for name in room.__all__}
    for kind, rooms in _ROOMS.items()
}


def read(path: str | Path | None = None) -> list[dict]:
    """Return the claims of a ledger, by number.

    Parameters
    ----------
    path : The file; the book's if left out.

    Returns
    -------
    list of dict
        ``number``, ``claim``, ``origin``, ``decided``, ``numbers``, ``verdict``,
        ``because``, and what is still awaited.

    Raises
    ------
    DataError : If there is no such file, or it is no ledger.

    Examples
    --------
    >>> claims = modbp.study.ledger.read()
    >>> len(claims), claims[0]["verdict"]
    (61, 'confirmed')
    """
    path = CLAIMS if path is None else as_path("path", path)
    try:
        claims = read_json(path)["claims"]
        if wrong := [n for n, claim in enumerate(claims) if not _is_claim(claim)]:
            raise ValueError(f"entry {wrong[0]} is no claim")
        return claims
    except FileNotFoundError:
        raise DataError(
            f"{path}: no such ledger. Leave the path out for the book's."
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path}: no ledger ({error!r}). Take it from the repository again."
        ) from None


def _is_claim(claim):
    """Return whether an entry has what numbers and pages are made of."""
    numbered = isinstance(claim["number"], int) and isinstance(claim["claim"], str)
    placed = all(isinstance(place, str) for place in claim["decided"])
    made = ({"measurement", "reduction"} & number.keys() for number in claim["numbers"])
    valued = all(is_number(number["value"]) for number in claim["numbers"])
    return numbered and placed and all(made) and valued


def cited(number: dict) -> float:
    """Compute a number of the ledger again, from what it cites.

    An entry of ``numbers`` has either ``from``, places ``result#path/in/it``, and the
    ``reduction`` that makes one number of the values found there; or a ``measurement``,
    which starts from nothing. ``arguments`` go to either.
    """
    kind = "measurement" if "measurement" in number else "reduction"
    name, known = number[kind], WAYS[kind]
    if name not in known:
        raise unknown_name(kind, name, known)
    found = map(_at, number.get("from", ()))
    return float(known[name](*found, **number.get("arguments", {})))


def holds(number: dict) -> bool:
    """Say whether a number satisfies the condition on which its verdict rests."""
    low, high = number.get("at_least"), number.get("at_most")
    value = number["value"]
    return (low is None or value >= low) and (high is None or value <= high)


def refresh(
    path: str | Path | None = None, only: Iterable[int] | None = None
) -> list[dict]:
    """Compute the numbers of a ledger and write them into it.

    Parameters
    ----------
    path : The file; the book's if left out.
    only : The claims to compute; all if left out, which takes minutes.

    Returns
    -------
    list of dict : The claims.

    Raises
    ------
    DataError : If a stored result or a place in it is missing.

    Examples
    --------
    >>> from modbp.study import ledger
    >>> copy = {"claims": ledger.read()[:3]}
    >>> import json; from pathlib import Path
    >>> _ = Path("mine.json").write_text(json.dumps(copy), encoding="utf-8")
    >>> ledger.refresh("mine.json", only=[3])[2]["numbers"][0]["value"]
    0.0
    """
    path = CLAIMS if path is None else as_path("path", path)
    _stored.cache_clear()
    claims = read(path)
    if only is not None:
        known = {claim["number"] for claim in claims}
        remedy = f"give numbers of claims, as in {[*known][:1]}."
        check_option("only", only, lambda only: {*only} <= known, remedy)
    for claim in claims:
        if only is None or claim["number"] in only:
            for number in claim["numbers"]:
                number["value"] = float(f"{cited(number):.6g}")
    text = json.dumps({"claims": claims}, indent=2, ensure_ascii=False)
    write_bytes(path, f"{text}\n".encode())
    return claims


def decided_in(chapter: str, path: str | Path | None = None) -> Table:
    """Return the claims that a chapter decides, as a list that a notebook shows.

    Parameters
    ----------
    chapter : The name of its page.
    path : The ledger; the book's if left out.

    Returns
    -------
    Table : With HTML for pages and Markdown for print.

    Raises
    ------
    DataError : If there is no such ledger.

    Examples
    --------
    >>> [claim["number"] for claim in modbp.study.ledger.decided_in("csc").claims][:2]
    [16, 17]
    """

    def decides(claim):
        return any(place.partition("#")[0] == chapter for place in claim["decided"])

    return Decided([claim for claim in read(path) if decides(claim)])


# A ledger cites the same few results again and again.
_stored = lru_cache(maxsize=4)(read_result)


def _at(place):
    """Return what is at a place such as ``csc/cifar10#lrp-z/fc6/conv1/median``."""
    name, _, pointer = place.partition("#")
    found = _stored(name)["results"]
    for key in filter(None, pointer.split("/")):
        try:
            found = found[int(key) if isinstance(found, list) else key]
        except (KeyError, IndexError, ValueError, TypeError):
            raise DataError(
                f"{place}: there is no {key!r}. Run the experiment again, or mend the "
                "ledger."
            ) from None
    return found
