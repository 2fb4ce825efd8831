"""What an audit found: verdicts as a table, a figure, a page, and as JSON."""

import json
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from os import PathLike
from pathlib import Path

from modbp.audits.words import advised, sentence, share, told
from modbp.errors import InputError, ResultError
from modbp.figures.drawing import Drawing
from modbp.files import read_json, write_bytes
from modbp.zoo.data import as_path

__all__ = ["AuditResult", "assembled", "report_path"]

_FORMAT = "modbp audit 1"
_KEYS = {"format", "about", "methods", "left_out", "advised"}


@dataclass(frozen=True, eq=False, repr=False)
class AuditResult:
    """What :func:`modbp.audit` found: a verdict on each method, and what it rests on.

    Attributes
    ----------
    content : dict
        All of it in plain JSON values; ``modbp/audits/schema.json`` describes them.

    Examples
    --------
    >>> net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(75, 4)).eval()
    >>> x = modbp.data.images(2, folder="photographs", size=5).x
    >>> found = modbp.audit(net, x, {"mine": lambda net, x, target: x})
    audit: ...
    >>> found.verdicts
    {'mine': 'does not look'}
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

    # What it holds is as long as a page.
    __repr__ = __str__

    def _repr_html_(self):
        from modbp.audits.page import table

        told = escape(sentence(self.content))
        return f'<div class="modbp-audit"><p>{told}</p>{table(self.content)}</div>'

    def figure(self) -> Drawing:
        """Draw how maps change with the class, and with weights from the top down.

        Returns
        -------
        Drawing

        Examples
        --------
        >>> net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(75, 4)).eval()
        >>> x = modbp.data.images(2, folder="photographs", size=5).x
        >>> found = modbp.audit(net, x, ["gradient"])
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
        >>> net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(75, 4)).eval()
        >>> x = modbp.data.images(2, folder="photographs", size=5).x
        >>> found = modbp.audit(net, x, ["gradient"])
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
        >>> net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(75, 4)).eval()
        >>> x = modbp.data.images(2, folder="photographs", size=5).x
        >>> found = modbp.audit(net, x, ["gradient"])
        audit: ...
        >>> found.report("report.html").name
        'report.html'
        """
        from modbp.audits.page import page

        path = report_path(path)
        text = page(self.content)
        try:
            # The page last: where it is, all is.
            write_bytes(path.with_suffix(".json"), _encoded(self.to_json()))
            write_bytes(path, _encoded(text))
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            raise ResultError(
                f"{path}: cannot be written ({why}). Make room, or choose another "
                "place."
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
        >>> net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(75, 4)).eval()
        >>> x = modbp.data.images(2, folder="photographs", size=5).x
        >>> found = modbp.audit(net, x, ["gradient"])
        audit: ...
        >>> _ = found.report("report.html")
        >>> str(modbp.audits.AuditResult.read("report.json")) == str(found)
        True
        """
        path = as_path(path)
        try:
            content = read_json(path)
        except (OSError, ValueError) as error:
            raise ResultError(
                f"{path}: cannot be read ({error}). Give the JSON that a report wrote "
                "beside itself."
            ) from None
        whole = isinstance(content, dict) and _KEYS <= content.keys()
        if not whole or content["format"] != _FORMAT:
            raise ResultError(
                f"{path}: is no audit of this version. Give what a report wrote beside "
                "itself."
            )
        return cls(content)


def _encoded(text):
    """Return text as UTF-8; a name of a file that is none, as JSON would tell it."""
    return text.encode("utf-8", "backslashreplace")


def report_path(path: str | PathLike) -> Path:
    """Return the path of a page, or refuse its name."""
    path = as_path(path)
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
