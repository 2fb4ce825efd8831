"""Words of the glossary in the built chapters: all used, and told as defined."""

import re
from functools import cache
from urllib.parse import urlsplit

import pytest
from bs4 import BeautifulSoup
from conftest import SITE, long_but

if not (SITE / "glossary.html").exists():
    pytest.skip("needs the built book: noxfile.py book", allow_module_level=True)


def read(path):
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


def said(element):
    return " ".join(element.get_text().split())


@cache
def meanings():
    """Return by the anchor of its first word an entry's words and first paragraph."""
    words, found = {}, {}
    for heads in read(SITE / "glossary.html").select("dl.glossary"):
        entry = None
        for part in heads.find_all(["dt", "dd"], recursive=False):
            if part.name == "dd":
                found[entry], entry = said(part.p), None
            else:
                entry = entry or part["id"]
                for link in part.select("a.headerlink"):
                    link.decompose()
                words.setdefault(entry, set()).add(said(part).lower())
    return words, found


# Pages with words; only tests read more of them, which takes seconds.
USING = [
    page
    for page in sorted(SITE.glob("*.html"))
    if "modbp-term" in page.read_text(encoding="utf-8")
]


@cache
def uses(page):
    return read(page).select("a.modbp-term")


def entry_of(link):
    return urlsplit(link["href"]).fragment


def test_every_entry_is_used_in_a_chapter():
    link = re.compile(r'<a [^>]*modbp-term[^>]*href="[^"#]*#([^"]+)"')
    used = {
        anchor
        for page in USING
        for anchor in link.findall(page.read_text(encoding="utf-8"))
    }
    assert used == meanings()[1].keys()


@pytest.mark.parametrize("page", USING, ids=lambda page: page.stem)
def test_a_word_is_explained_as_the_glossary_does(page):
    words, found = meanings()
    entries = [entry_of(link) for link in uses(page)]
    assert len(entries) == len({*entries}), "explained once, at first use"
    for link, entry in zip(uses(page), entries, strict=True):
        tip = link.find_next_sibling("span")
        assert link["aria-describedby"] == tip["id"]
        assert said(tip) == found[entry]
        word = said(link).lower()
        assert words[entry] & {word, word.removesuffix("s")}


@pytest.fixture(params=long_but("phone".__eq__, ["desk", "phone"]))
def reader(request, browser, site):
    """A page with words, on a desk or a phone."""
    phone = request.param == "phone"
    size = {"width": 390 if phone else 1280, "height": 800}
    kind = {"has_touch": True, "is_mobile": True} if phone else {}
    context = browser.new_context(base_url=site, viewport=size, **kind)
    page = context.new_page()
    page.goto("csc.html", wait_until="networkidle")
    page.touch = phone
    yield page
    context.close()


def test_every_meaning_can_be_read_whole_and_closed_again(reader):
    for word in reader.locator("a.modbp-term").all():
        tip = reader.locator("#" + word.get_attribute("aria-describedby"))
        assert not tip.is_visible()
        word.tap() if reader.touch else word.focus()
        tip.wait_for()
        box, width = tip.bounding_box(), reader.viewport_size["width"]
        assert 0 <= box["x"] and box["x"] + box["width"] <= width
        assert 0 <= box["y"] and box["y"] + box["height"] <= 800
        reader.keyboard.press("Escape")
        tip.wait_for(state="hidden")
    assert reader.url.endswith("csc.html")


def test_a_word_leads_to_the_glossary(reader):
    word = reader.locator("a.modbp-term").first
    if reader.touch:
        word.tap()
        reader.wait_for_timeout(100)
        assert reader.url.endswith("csc.html"), "the first tap only shows"
    word.tap() if reader.touch else word.click()
    reader.wait_for_url("**/glossary.html#term-*")
