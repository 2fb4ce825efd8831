"""A table with long texts in it: rows that become blocks where the page is narrow."""

import re
from dataclasses import dataclass
from html import escape

__all__ = ["Rows", "link"]


@dataclass(frozen=True)
class Rows:
    """A table that a notebook shows; cells are text with ``*emphasis*`` and links.

    A link is ``[text](page#place)``. The first column names the row.
    """

    heads: list
    rows: list

    def _repr_html_(self):
        heads = "".join(f"<th>{_html(head)}</th>" for head in self.heads)
        rows = "".join(map(self._row, self.rows))
        return (
            f'<div class="modbp-rows"><table><thead><tr>{heads}</tr></thead>'
            f"<tbody>{rows}</tbody></table></div>"
        )

    def _row(self, row):
        name, *cells = row
        # Where rows become blocks, a cell says its column.
        columns = zip(self.heads[1:], cells, strict=True)
        rest = "".join(
            f'<td data-head="{escape(head)}">{_html(cell)}</td>'
            for head, cell in columns
        )
        return f'<tr><th scope="row">{_html(name)}</th>{rest}</tr>'

    def _repr_markdown_(self):
        lines = [self.heads, ["---"] * len(self.heads), *self.rows]
        plain = [[re.sub(r"\[(.*?)\]\(.*?\)", r"\1", c) for c in row] for row in lines]
        return "\n".join("| " + " | ".join(row) + " |" for row in plain)


def link(place: str, text: str = "") -> str:
    """Return a link to a place such as ``speed#the-law``, named by its words."""
    words = re.sub(r"-s-(?=\w\w)", "’s ", place).replace("#", ": ").replace("-", " ")
    return f"[{text or words}]({place})"


def _html(text):
    """Write a cell as HTML."""
    text = escape(text, quote=False)
    text = re.sub(r"\[(.*?)\]\(([\w-]+)(.*?)\)", r'<a href="\2.html\3">\1</a>', text)
    text = re.sub(r"`(.+?)`", r"<code>\1</code>", text)
    return re.sub(r"\*(.+?)\*", r"<em>\1</em>", text)
