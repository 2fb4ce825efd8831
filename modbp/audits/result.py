"""What an audit found: verdicts as a table, a figure, a page, and as JSON."""

import json
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from os import PathLike
from pathlib import Path

from modbp.audits.verdict import KINDS
from modbp.errors import InputError, ResultError
from modbp.files import read_json, write_bytes

__all__ = ["AuditResult", "advised", "assembled", "most", "report_path", "sentence"]
__all__ += ["share", "told"]

_FORMAT = "modbp audit 1"


@dataclass(frozen=True, eq=False)
class AuditResult:
    """What :func:`modbp.audit` found: a verdict on each method, and what it rests on.

    Attributes
    ----------
    content : dict
        All of it in plain JSON values; ``modbp/audits/schema.json`` describes them.

    Examples
    --------
    >>> x = modbp.data.images(6, folder="photographs").x
    >>> found = modbp.audit(modbp.models.cifar10(), x, ["gradient", "lrp-a1b0"])
    audit: ...
    >>> found.verdicts
    {'gradient': 'looks', 'lrp-a1b0': 'does not look'}
    """

    content: dict

    @property
    def verdicts(self):
        """The verdict on each method, by label."""
        return {label: told(each) for label, each in self.content["methods"].items()}

    @property
    def advised(self):
        """The method to use instead: one that looks, or None."""
        return self.content["advised"]

    def __str__(self):
        rows = [("method", "verdict", "other class", "last layer random")]
        for label, each in self.content["methods"].items():
            first = next(iter(each["cascade"].values()))
            cells = (share(each["class"]), share(first))
            rows.append((label, told(each), *cells))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        lines.insert(1, "-" * len(lines[0]))
        return "\n".join([*textwrap.wrap(sentence(self.content), 88), "", *lines])

    def _repr_html_(self):
        from modbp.audits.page import table

        told = escape(sentence(self.content))
        return f'<div class="modbp-audit"><p>{told}</p>{table(self.content)}</div>'

    def figure(self):
        """Draw how maps change with the class, and with weights from the top down.

        Returns
        -------
        Drawing

        Examples
        --------
        >>> x = modbp.data.images(2, folder="photographs").x
        >>> found = modbp.audit(modbp.models.cifar10(), x, ["gradient"])
        audit: ...
        >>> len(found.figure().axes)
        2
        """
        from modbp.audits.curves import figure

        return figure(self.content)

    def to_json(self) -> str:
        """Return all that was found as JSON.

        Returns
        -------
        str

        Examples
        --------
        >>> x = modbp.data.images(2, folder="photographs").x
        >>> found = modbp.audit(modbp.models.cifar10(), x, ["gradient"])
        audit: ...
        >>> found.to_json()[:28]
        '{"format": "modbp audit 1", '
        """
        return json.dumps(self.content, allow_nan=False, ensure_ascii=False)

    def report(self, path: str | PathLike) -> Path:
        """Write one page of HTML that needs nothing else, and the same as JSON.

        Parameters
        ----------
        path : Where to, a name that ends in ``.html``; the JSON lies beside it.

        Returns
        -------
        pathlib.Path : Of the page.

        Raises
        ------
        InputError : If the name ends otherwise.
        ResultError : If a file cannot be written.

        Examples
        --------
        >>> x = modbp.data.images(2, folder="photographs").x
        >>> found = modbp.audit(modbp.models.cifar10(), x, ["gradient"])
        audit: ...
        >>> found.report("report.html").name
        'report.html'
        """
        from modbp.audits.page import page

        path = report_path(path)
        text = page(self.content)
        try:
            # The page last: where it is, all is.
            write_bytes(path.with_suffix(".json"), self.to_json().encode())
            write_bytes(path, text.encode())
        except OSError as error:
            raise ResultError(
                f"{path}: cannot be written ({error.strerror or error}). Make room, or "
                "choose another place."
            ) from error
        return path

    @classmethod
    def read(cls, path: str | PathLike) -> "AuditResult":
        """Return what a file of JSON holds that `report` wrote.

        Parameters
        ----------
        path : The file.

        Returns
        -------
        AuditResult

        Raises
        ------
        ResultError : If it is none.

        Examples
        --------
        >>> x = modbp.data.images(2, folder="photographs").x
        >>> found = modbp.audit(modbp.models.cifar10(), x, ["gradient"])
        audit: ...
        >>> _ = found.report("report.html")
        >>> str(modbp.audits.AuditResult.read("report.json")) == str(found)
        True
        """
        try:
            content = read_json(path)
        except (OSError, ValueError) as error:
            raise ResultError(f"{path}: cannot be read ({error}).") from None
        if not isinstance(content, dict) or content.get("format") != _FORMAT:
            raise ResultError(
                f"{path}: is no audit of this version. Give what a report wrote beside "
                "itself."
            )
        return cls(content)


def report_path(path: str | PathLike) -> Path:
    """Return the path of a page, or refuse its name."""
    path = Path(path)
    if path.suffix.lower() != ".html":
        raise InputError(
            f"{path}: the report is a page; give a name that ends in .html."
        )
    return path


def assembled(about: Mapping, methods: Mapping, left_out: Mapping) -> AuditResult:
    """Return the result of what is told of each method."""
    content = {
        "format": _FORMAT,
        "about": dict(about),
        "methods": dict(methods),
        "left_out": dict(left_out),
        "advised": advised(methods),
    }
    return AuditResult(json.loads(json.dumps(content, allow_nan=False)))


def advised(methods: Mapping) -> str | None:
    """Return the method that looks and changes most surely with the class."""
    lows = {
        label: max(each["class"][key]["interval"][0] or 0 for key in ("cosine", "ssim"))
        for label, each in methods.items()
        if each["verdict"]["kind"] == KINDS[0]
    }
    return max(lows, key=lows.get, default=None)


def sentence(content: Mapping) -> str:
    """Return the answer in a sentence."""
    methods = content["methods"]
    by_kind = {kind: [] for kind in KINDS}
    for label, each in methods.items():
        by_kind[each["verdict"]["kind"]].append(label)
    looks, only, nothing, untold = by_kind.values()
    count = f"Of {len(methods)} methods" if len(methods) > 1 else "Of one method"
    parts = [
        f"{len(looks)} {_plural(looks, 'looks', 'look')} at this network's decision",
        f"{len(nothing)} {_plural(nothing, 'does', 'do')} not" if nothing else "",
        f"{len(only)} {_plural(only, 'looks', 'look')} only at its lower layers"
        if only
        else "",
        f"of {len(untold)} these pictures do not tell" if untold else "",
    ]
    text = f"{count}, {_listed([part for part in parts if part])}."
    if content["advised"]:
        text += f" Where one does not look, use {content['advised']}, which does."
    return text


def told(record: Mapping) -> str:
    """Return a verdict in words."""
    verdict = record["verdict"]
    below = verdict["below"]
    return f"{verdict['kind']} {below} and below" if below else verdict["kind"]


def most(reading: Mapping) -> dict | None:
    """Return the likeness of a reading that sees most of the change, None if none."""
    seen = (reading[key] for key in ("cosine", "ssim") if key in reading)
    seen = [each for each in seen if each["median"] is not None]
    return max(seen, key=lambda each: each["median"], default=None)


def share(reading: Mapping) -> str:
    """Return a change in words, with its interval."""
    if (found := most(reading) if isinstance(reading, Mapping) else None) is None:
        return "-"
    low, high = found["interval"]
    return f"{found['median']:.2f} ({low:.2f} … {high:.2f})"


def _plural(entries, one, many):
    return one if len(entries) == 1 else many


def _listed(parts):
    *first, last = parts
    return f"{', '.join(first)}, and {last}" if first else last
