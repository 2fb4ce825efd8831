"""What the paper shows and says beside what its code did and what this book has.

Two files hold what people write: `figures.json` the figures of the appendix, and
`deviations.json` where its text, the code of 2020 and this book differ. Methods that
are shown, and who made the results, are read off the results themselves.
"""

import json
from pathlib import Path

from modbp.files import read_json
from modbp.study.runs.store import RESULTS, read

__all__ = ["METHODS", "deviations", "figures", "made", "values"]

# Those of the paper's figures, in their order.
METHODS = ("guided-bp", "deconv", "rectgrad", "dtd", "patternattribution", "patternnet")
METHODS += ("lrp-a1b0", "lrp-a2b1", "lrp-a5b4", "lrp-z", "lrp-cmp-a1b0", "lrp-cmp-a2b1")
METHODS += ("smoothgrad", "deeplift-revealcancel", "deeplift-rescale")
METHODS += ("deeplift-ablation", "gradient")


def deviations() -> list[dict]:
    """Return where text, code and book differ, by number.

    Each has ``text``, ``code`` (empty where only the text is in question), ``here``,
    whether it ``matters``, the places ``where`` that shows, and the ``claims`` of the
    ledger that measure it.

    >>> from modbp.study import paper
    >>> paper.deviations()[0]["text"]
    'The median of cosines is shown.'
    """
    return _written("deviations")["deviations"]


def values() -> list[dict]:
    """Return numbers that the original gives, each with the number that is ours.

    That is one of a claim of the ledger, by its place there.

    >>> from modbp.study import paper
    >>> paper.values()[0]["claim"]
    8
    """
    found = _written("figures")
    inside = [
        {"figure": entry["figure"], **value}
        for entry in found["figures"]
        for value in entry["values"]
    ]
    return inside + found["values"]


def figures() -> list[dict]:
    """Return the figures of the appendix with what stands for each in this book.

    ``shown`` are the methods, or curves, of the original that are here, ``missing``
    those that are not, each with the reason; ``results`` the stored results that exist.

    >>> from modbp.study import paper
    >>> [entry["figure"] for entry in paper.figures()][:3]
    ['7a', '7b', '8a']
    """
    found = _written("figures")["figures"]
    for entry in found:
        wanted = entry.get("curves") or [m for m in METHODS if m not in entry["but"]]
        # A picture that is made while its page is built has no result.
        there = set(wanted) - entry["reasons"].keys()
        if entry["results"]:
            there = {part for name in entry["results"] for part in _parts(name)}
        entry["results"] += entry.pop("also", [])
        entry["shown"] = [name for name in wanted if name in there]
        missing = [name for name in wanted if name not in there]
        entry["missing"] = {name: entry["reasons"].get(name) for name in missing}
        del entry["reasons"]
    return found


def _written(name):
    return read_json(Path(__file__).with_name(f"{name}.json"))


def _parts(name):
    """Return the methods of a stored result, or the curves of a simulation."""
    results = read(name)["results"]
    return results.get("code", results)


def made() -> list[dict]:
    """Return by whom, with what and in how long each stored result was made.

    ``commit``, ``versions``, ``platform``, ``command`` are lists of all that its parts
    say; what they do not say is not in the list. ``seconds`` is None where there is no
    log of times.

    >>> from modbp.study import paper
    >>> "csc/cifar10" in [entry["name"] for entry in paper.made()]
    True
    """
    return [_made(name) for name in sorted({*_names()})]


def _names():
    """Yield the name of each file's result: a folder of parts, or a single file."""
    for path in RESULTS.rglob("*.json"):
        below = path.relative_to(RESULTS)
        # A part lies in the folder of its result, which lies in that of its experiment.
        yield below.parent.as_posix() if len(below.parts) > 2 else str(below)[:-5]


def _made(name):
    folder = RESULTS / name
    if folder.is_dir():
        parts = [*read(folder)["provenance"].values()]
    else:
        parts = [read(RESULTS / f"{name}.json")["provenance"]]
    found = {"name": name, "parts": len(parts), "seconds": _seconds(folder)}
    for key in ("commit", "python", "platform", "command"):
        found[key] = sorted({part[key] for part in parts if part.get(key)})
    told = {json.dumps(part.get("versions", {}), sort_keys=True) for part in parts}
    return found | {"versions": [json.loads(text) for text in sorted(told)]}


def _seconds(folder):
    """Return how long the units of a result took, as the logs in its folder say."""
    logs = [path.read_text("utf-8") for path in folder.glob("times-*.jsonl")]
    entries = [json.loads(line) for text in logs for line in text.splitlines()]
    return sum(entry["seconds"] for entry in entries) if entries else None
