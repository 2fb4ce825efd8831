"""The tables of the page on reproducibility, each made of data."""

from collections import Counter

from modbp.study import ledger, paper
from modbp.study.ledger.page import VERDICTS, shown, word
from modbp.study.paper.table import Rows, link
from modbp.zoo import models

__all__ = ["differences", "panels", "provenance", "scope", "values"]

_UNKNOWN = "not recorded"


def scope() -> Rows:
    """Return how many claims of each origin got which verdict."""
    claims = ledger.read()
    origins = [claim["origin"].partition(":")[0] for claim in claims]
    pairs = zip(origins, (claim["verdict"] for claim in claims), strict=True)
    count = Counter(pairs)
    rows = [
        [origin, *(str(count[origin, verdict]) for verdict in VERDICTS)]
        for origin in ledger.ORIGINS
    ]
    total = Counter(claim["verdict"] for claim in claims)
    rows.append(["all", *(str(total[verdict]) for verdict in VERDICTS)])
    return Rows(["origin", *map(word, VERDICTS)], rows)


def panels() -> Rows:
    """Return the appendix's figures, with what stands for each here and what lacks."""
    heads = ["figure", "the original", "here", "methods or curves", "not here, and why"]
    rows = []
    for entry in paper.figures():
        here = ", ".join(map(link, entry["where"]))
        results = ", ".join(f"`{name}`" for name in entry["results"])
        lacks = [f"{name}: {why}" for name, why in entry["missing"].items()]
        lacks += filter(None, [entry.get("note")])
        wanted = len(entry["shown"]) + len(entry["missing"])
        rows.append(
            [
                entry["figure"],
                f"{entry['shows']}; {entry['network']}.",
                f"{here}; {results or 'made while the page is built'}.",
                f"{len(entry['shown'])} of {wanted}: {'; '.join(entry['shown'])}",
                " ".join(lacks) or "Nothing is missing.",
            ]
        )
    return Rows(heads, rows)


def values() -> Rows:
    """Return what the appendix says in numbers beside ours, out of the ledger."""
    claims, rows = {claim["number"]: claim for claim in ledger.read()}, []
    for said in paper.values():
        claim = claims[said["claim"]]
        number = claim["numbers"][said["number"]]
        decided = f"{_claim(said['claim'])}, {word(claim['verdict'])}"
        ours = f"{shown(number)}: {number['says']}"
        rows.append([said["figure"], said["says"], ours, decided])
    return Rows(["figure", "the paper", "here", "claim"], rows)


def differences() -> Rows:
    """Return where text, code and book differ, in one table."""
    heads = ["no.", "the text", "the code of 2020", "here", "does it matter", "where"]
    rows = []
    for entry in paper.deviations():
        measured = ", ".join(map(_claim, entry["claims"]))
        rows.append(
            [
                str(entry["number"]),
                f"*{entry['about']}:* {entry['text']}",
                entry["code"] or "It has no part in this.",
                entry["here"],
                f"{entry['matters']} {f'Measured: {measured}.' if measured else ''}",
                ", ".join(map(link, entry["where"])),
            ]
        )
    return Rows(heads, rows)


def provenance() -> Rows:
    """Return with what, and in how long, each result and each network was made."""
    heads = ["result", "parts", "hours", "commit", "machine and versions", "command"]
    rows = []
    for entry in paper.made():
        versions = [f"{k} {v}" for each in entry["versions"] for k, v in each.items()]
        python = [f"Python {each}" for each in entry["python"]]
        rows.append(
            [
                entry["name"],
                str(entry["parts"]),
                _hours(entry["seconds"]),
                ", ".join(commit[:12] for commit in entry["commit"]) or _UNKNOWN,
                ", ".join([*entry["platform"], *python, *versions]) or _UNKNOWN,
                " ".join(f"`{each}`" for each in entry["command"]) or _UNKNOWN,
            ]
        )
    return Rows(heads, rows + [_trained(name) for name in sorted(_SHIPPED)])


_SHIPPED = ("cifar10", "vgg16", "resnet50")


def _trained(name):
    made = models.provenance(models.SHIPPED / f"{name}.safetensors")
    versions = [f"{key} {value}" for key, value in made["versions"].items()]
    machine = f"{made['platform']}, {made['threads']} threads, Python {made['python']}"
    return [
        f"weights of {name}",
        "1",
        _hours(made["seconds"]),
        made.get("commit") or _UNKNOWN,
        ", ".join([machine, *versions]),
        f"`{made['command']}`",
    ]


def _hours(seconds):
    return _UNKNOWN if seconds is None else f"{seconds / 3600:.1f}"


def _claim(number):
    return link(f"ledger#claim-{number}", f"claim {number}")
