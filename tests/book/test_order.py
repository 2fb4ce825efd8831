"""A reader who goes from page to page never needs what comes later."""

import re
from pathlib import Path

import pytest
import yaml

BOOK = Path(__file__).parents[2] / "book"
TOC = yaml.safe_load((BOOK / "_toc.yml").read_text(encoding="utf-8"))
PARTS = {
    part.get("caption", ""): [chapter["file"] for chapter in part["chapters"]]
    for part in TOC["parts"]
}
PAGES = [page for pages in PARTS.values() for page in pages]
TEXTS = {page: (BOOK / f"{page}.md").read_text(encoding="utf-8") for page in PAGES}
# Pages that one looks up need not be read in order.
CHAPTERS = [page for page in PAGES if page not in PARTS["Reference"]]
BOXES = {
    page: text.partition("{admonition} In this chapter")[2].partition("\n```\n")[0]
    for page, text in TEXTS.items()
    if "{admonition} In this chapter" in text
}
_LINK = re.compile(r"\[([^\]]*)\]\((\w[\w-]*)\.md(?:#[\w-]*)?\)")


def line(page, name):
    """Return the paragraph of a page's box that begins with a name."""
    found = [part for part in BOXES[page].split("\n\n") if part.startswith(f"**{name}")]
    assert len(found) == 1, f"{page}: {len(found)} lines say {name!r}"
    return found[0]


def linked(text):
    return [page for _, page in _LINK.findall(text)]


def labels():
    """Return the page that defines each equation."""
    found = {}
    for page, text in TEXTS.items():
        names = re.findall(r"^:label: (eq-[\w-]+)$", text, re.MULTILINE)
        names += re.findall(r"^\$\$ \((eq-[\w-]+)\)$", text, re.MULTILINE)
        found |= dict.fromkeys(names, page)
    return found


def test_every_chapter_with_code_of_its_own_has_a_box():
    parts = ("The finding", "Theory", "Methods", "Experiments", "Beyond")
    assert {page for part in parts for page in PARTS[part]} <= BOXES.keys()


@pytest.mark.parametrize("page", BOXES)
def test_what_a_chapter_needs_comes_before_it(page):
    place = PAGES.index(page)
    needed = linked(line(page, "You need"))
    if page in CHAPTERS:
        assert [other for other in needed if PAGES.index(other) >= place] == []


@pytest.mark.parametrize("page", [page for page in BOXES if page in CHAPTERS])
def test_the_box_names_what_comes_next(page):
    part = next(pages for pages in PARTS.values() if page in pages)
    after = part[part.index(page) + 1 :]
    (next_one,) = linked(line(page, "Next"))
    if after:
        assert next_one == after[0]
    else:  # where a part ends, with one that comes later
        assert PAGES.index(next_one) > PAGES.index(page)


@pytest.mark.parametrize("page", TEXTS)
def test_the_next_chapter_is_the_next_chapter(page):
    text = " ".join(TEXTS[page].split())
    for said, other in _LINK.findall(text):
        if said.lower() == "the next chapter":
            assert other == PAGES[PAGES.index(page) + 1]
        if said.lower() in ("the last chapter", "the chapter before"):
            assert other == PAGES[PAGES.index(page) - 1]


@pytest.mark.parametrize("page", CHAPTERS)
def test_no_formula_is_used_before_it_is_written(page):
    where = labels()
    cited = re.findall(r"\{eq\}`(?:[^`<]*<)?([\w-]+)>?`", TEXTS[page])
    early = [eq for eq in cited if PAGES.index(where[eq]) > PAGES.index(page)]
    assert early == []


def cells(page):
    """Return tags and code of a page's cells."""
    found = re.findall(r"^```\{code-cell\}.*?\n(.*?)^```$", TEXTS[page], re.M | re.S)
    return [
        (options, code)
        for cell in found
        for options, code in [
            re.fullmatch(r"((?:---\n.*?^---\n)?(?::.*?\n)*)(.*)", cell, re.M | re.S)
            .groups()
        ]
    ]  # fmt: skip


@pytest.mark.parametrize("number", [*range(24, 28), *range(29, 36)])
def test_each_step_of_the_published_proof_is_code_that_one_sees(number):
    seen = [code for options, code in cells("theorem") if "hide" not in options]
    written = [code for code in seen if re.search(rf"^eq{number} = ", code, re.M)]
    assert len(written) == 1
    assert len(written[0].splitlines()) <= 15
    # An equation or an inequality: held against its neighbour in a line of its own.
    told = [line for line in "\n".join(seen).split("\n") if line.startswith("assert ")]
    assert any(re.search(rf"\beq{number}\b", line) for line in told)
