"""Places in the pages of the book that something may link to."""

import re
from functools import cache
from pathlib import Path

import pytest

BOOK = Path(__file__).parents[1] / "book"


@cache
def anchors(page):
    """Return what can be linked to in a page, by its name, read off its source."""
    nodes = pytest.importorskip("docutils.nodes")
    text = (BOOK / f"{page}.md").read_text(encoding="utf-8")
    text = re.sub(r"(?ms)^```\{code-cell\}.*?^```", "", text)
    headings = re.findall(r"^#+ (.*)$", text, re.M)
    plain = [re.sub(r"\[(.*?)\]\(.*?\)|[$*`]", r"\1", title) for title in headings]
    labels = re.findall(r"^:label: (\S+)$|^\((\S+)\)=$", text, re.M)
    return {nodes.make_id(title) for title in plain} | {a or b for a, b in labels}


def exists(place):
    """Return whether there is a place such as ``speed#the-law``."""
    page, _, anchor = place.partition("#")
    return anchor in anchors(page)
