"""What an audit says in words, on a page and in a terminal."""

from collections.abc import Mapping

from modbp.audits.likeness import LIKENESSES
from modbp.audits.verdict import KINDS

__all__ = ["advised", "keeps_signs", "most", "sentence", "share", "told"]

# What keeps all signs of the network on its way down: gradients, and contributions that
# add up to the logit. Why a clipped map changes with the class nobody has shown.
_SIGNED = ("gradient", "gradient-x-input", "smoothgrad", "integrated-gradients")
_SIGNED += ("lrp-z", "lrp-eps", "deeplift-rescale", "deeplift-revealcancel")
_ONE = (
    "{} looks at this network's decision.",
    "{} looks only at lower layers of this network.",
    "{} does not look at this network's decision.",
    "These pictures do not tell whether {} looks at this network's decision.",
)


def advised(methods: Mapping) -> str | None:
    """Return the method that looks and changes most surely with the class.

    One that keeps all signs on its way down, if any of these looks.
    """
    looks = [k for k, each in methods.items() if each["verdict"]["kind"] == KINDS[0]]
    signed = [label for label in looks if keeps_signs(methods[label])]

    def least(label):
        found = methods[label]["class"]
        return max(found[key]["interval"][0] or 0 for key in LIKENESSES)

    return max(signed or looks, key=least, default=None)


def keeps_signs(record: Mapping) -> bool:
    """Return whether a method drops no sign of the network on its way down."""
    return record["table"].partition(":")[0] in _SIGNED


def sentence(content: Mapping) -> str:
    """Return the answer in a sentence."""
    by_kind = {kind: [] for kind in KINDS}
    for label, each in content["methods"].items():
        by_kind[each["verdict"]["kind"]].append(label)
    if len(content["methods"]) == 1:
        ((label, each),) = content["methods"].items()
        return _ONE[KINDS.index(each["verdict"]["kind"])].format(label)
    looks, only, nothing, untold = by_kind.values()
    parts = [
        f"{len(looks) or 'none'} {_plural(looks, 'looks', 'look')} at this network's "
        "decision",
        f"{len(nothing)} {_plural(nothing, 'does', 'do')} not" if nothing else "",
        f"{len(only)} {_plural(only, 'looks', 'look')} only at its lower layers"
        if only
        else "",
        f"of {len(untold)} these pictures do not tell" if untold else "",
    ]
    text = f"Of {len(content['methods'])} methods, {_listed([p for p in parts if p])}."
    if content["advised"] and len(looks) < len(content["methods"]):
        text += f" Where one does not look, use {content['advised']}, which does."
    return text


def told(record: Mapping) -> str:
    """Return a verdict in words."""
    verdict = record["verdict"]
    below = verdict["below"]
    return f"{verdict['kind']} {below} and below" if below else verdict["kind"]


def most(reading: Mapping) -> dict | None:
    """Return the likeness of a reading that sees most of the change, None if none."""
    seen = (reading[key] for key in LIKENESSES if key in reading)
    seen = [each for each in seen if each["median"] is not None]
    return max(seen, key=lambda each: each["median"], default=None)


def share(reading: Mapping) -> str:
    """Return a change in words, with its interval."""
    if (found := most(reading) if isinstance(reading, Mapping) else None) is None:
        return "-"
    low, high = found["interval"]
    return f"{found['median']:.2f} ({low:.2f} … {high:.2f})"


def _plural(entries, one, many):
    return one if len(entries) < 2 else many


def _listed(parts):
    *first, last = parts
    return f"{', '.join(first)}, and {last}" if first else last
