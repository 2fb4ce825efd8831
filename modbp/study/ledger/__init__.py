"""The claims, one by one: what decides each, the number, and the verdict.

The ledger is a JSON file. It holds sentences and verdicts, which people write, and
numbers, which only this module writes: every number names the stored result and the
reduction, or the measurement, that gives it again.
"""

import json
from collections.abc import Iterable
from functools import cache, partial
from importlib import import_module
from pathlib import Path

from modbp.errors import DataError, check_option, is_number, unknown_name
from modbp.files import read_json, write_bytes
from modbp.study.ledger import samples, trainings
from modbp.study.ledger.page import VERDICTS, Decided, Table
from modbp.study.ledger.reductions import decades
from modbp.study.runs.store import as_path

__all__ = ["CLAIMS", "ORIGINS", "VERDICTS", "cited", "decades", "decided_in", "holds"]
__all__ += ["Table", "read", "refresh", "retrained", "spread", "ways"]

# Where a claim is from: the appendix and the notes that we have; what people remember
# of the paper's main part, which we have not; its code; or a question of ours.
ORIGINS = ("seed", "abstract", "2020 code", "our own control")
ORIGINS += ("main part, wording unverified",)

# The book's own.
CLAIMS = Path(__file__).with_name("claims.json")
# What a number may cite, by kind and name.
_ROOMS = {"measurement": ("matrices", "networks", "controls")}
_ROOMS["reduction"] = ("reductions",)


@cache
def ways(kind: str) -> dict[str, object]:
    """Return what numbers may be made by; only measurements need torch."""
    rooms = [import_module(f"{__name__}.{room}") for room in _ROOMS[kind]]
    return {name: getattr(room, name) for room in rooms for name in room.__all__}


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
    (63, 'confirmed')
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
    found = map(samples.at, number.get("from", ()))
    return float(_way(number)(*found))


def _way(number):
    """Return the reduction or measurement of a number, with its arguments."""
    kind = "measurement" if "measurement" in number else "reduction"
    name, known = number[kind], ways(kind)
    if name not in known:
        raise unknown_name(kind, name, known)
    return partial(known[name], **number.get("arguments", {}))


def spread(number: dict) -> dict:
    """Return how far a number of the ledger would move with other samples.

    Either ``interval`` and ``over``, what was sampled: 95 % by bootstrap, or from the
    least to the greatest of a few repetitions. Or ``exact``, where nothing was sampled.
    Of results that keep no samples nothing is told.
    """
    way = _way(number)
    if "from" in number:
        found = samples.of_places(number["from"], way)
    else:
        found = samples.of_measurement(way)
    if found is None:
        # Of a result that keeps no samples nothing can be said.
        return {} if "from" in number else {"exact": True}
    (low, high), over = found
    return {"interval": [_short(low), _short(high)], "over": over}


def retrained(number: dict) -> list[float]:
    """Return a number of the small network for each of its other training seeds.

    Of numbers of other networks, or of matrices alone, there is none. The other
    trainings were measured on fewer images; see the results under ``seeds``.
    """
    return trainings.retrained(number, _way(number))


def _short(value):
    """Round to six digits, just below one to six of what is missing."""
    if 0.9 < value < 1:
        return 1 - float(f"{1 - value:.6g}")
    return float(f"{value:.6g}")


def holds(number: dict) -> bool:
    """Say whether a number satisfies the condition on which its verdict rests."""
    low, high = number.get("at_least"), number.get("at_most")
    # Some conditions are about all of the interval.
    ends = number["interval"] if number.get("throughout") else [number["value"]] * 2
    return (low is None or ends[0] >= low) and (high is None or ends[1] <= high)


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
    samples.forget()
    claims = read(path)
    if only is not None:
        known = {claim["number"] for claim in claims}
        remedy = f"give numbers of claims, as in {[*known][:1]}."
        check_option("only", only, lambda only: {*only} <= known, remedy)
    for claim in claims:
        if only is None or claim["number"] in only:
            for number in claim["numbers"]:
                number["value"] = _short(cited(number))
                for key in ("interval", "over", "exact", "seeds"):
                    number.pop(key, None)
                number |= spread(number)
                if others := retrained(number):
                    number["seeds"] = [*map(_short, others)]
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
