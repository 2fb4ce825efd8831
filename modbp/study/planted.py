"""What an audit said of methods of which it is known whether they look, as stored.

`python -m audits.planted_table`, in the folder of the tests, measures it.
"""

from collections import Counter
from collections.abc import Iterator, Mapping

from modbp.audits.verdict import NOT, ONLY, UNTOLD
from modbp.study.runs.store import read

__all__ = ["audits", "counted", "kind", "outcome", "stored"]

_HALF = [NOT]  # whatever is blind, where the upper half is random


def stored() -> dict:
    """Return the results of all networks together."""
    return read("audit/planted")


def kind(said: str) -> str:
    """Return a verdict that was told with its layer without it."""
    return ONLY if said.startswith(ONLY) else said


def outcome(said: str, right: list[str]) -> str:
    """Return whether a verdict is right, wrong, or says that it cannot be told."""
    if kind(said) in right:
        return "right"
    return "untold" if said == UNTOLD else "wrong"


def audits(found: Mapping) -> Iterator[tuple[str, list[str]]]:
    """Return each audit's network, and the outcome of each of its verdicts."""
    truths = found["config"]["truths"]
    for name, row in found["results"].items():
        for verdicts in row["repetitions"].values():
            yield name, [outcome(verdicts[k], truths[k]) for k in verdicts]
        half = row["half random"].values()
        yield name, [outcome(said, _HALF) for said in half]


def counted(found: Mapping, name: str | None = None) -> Counter:
    """Count outcomes, of all networks or of one."""
    return Counter(
        each for of, found in audits(found) if name in (None, of) for each in found
    )
