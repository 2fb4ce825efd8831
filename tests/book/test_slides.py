"""The decks: made of the built pages, no slide too full, nothing from elsewhere."""

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import SITE, long_but

ROOT = Path(__file__).parents[2]
DECKS = sorted(path.stem for path in (ROOT / "book/teaching/slides").glob("*.md"))
DECKS = long_but("seminar-2".__eq__, DECKS)
if not (SITE / "lecture.html").exists():
    pytest.skip("needs the built book: noxfile.py book", allow_module_level=True)

# What of the slide that is shown lies outside of 1280 × 720.
OUTSIDE = """() => {
  const slide = Reveal.getCurrentSlide();
  return [slide, ...slide.querySelectorAll("*")]
    .filter((e) => e.checkVisibility() && !e.closest("aside.notes, mjx-assistive-mml"))
    .map((e) => [e, e.getBoundingClientRect()])
    .filter(([e, r]) => r.width && r.height && (r.left < -1 || r.top < -1
      || r.right > 1281 || r.bottom > 721 || e === slide && e.scrollHeight > 720))
    .map(([e, r]) => `${e.tagName}.${e.className} ${r.right} ${r.bottom}`);
}"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of all decks."""
    target = tmp_path_factory.mktemp("made") / "slides"
    script = ROOT / "book" / "_ext" / "slides.py"
    done = subprocess.run(
        [sys.executable, script, SITE, target], capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return target


@pytest.fixture(params=DECKS)
def deck(request, browser, folder):
    """A deck, and what went wrong while it loaded."""
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    page.trouble, page.asked = [], []
    page.on("pageerror", lambda error: page.trouble.append(str(error)))
    page.on("requestfailed", lambda request: page.trouble.append(request.url))
    page.on("request", lambda request: page.asked.append(request.url))
    page.goto((folder / f"{request.param}.html").as_uri(), wait_until="networkidle")
    page.evaluate("window.MathJax?.startup?.promise")
    yield page
    page.close()


def test_no_slide_overflows_and_no_deck_asks_another_host(deck):
    for number in range(deck.evaluate("Reveal.getTotalSlides()")):
        assert deck.evaluate(OUTSIDE) == [], f"slide {number + 1}"
        deck.evaluate("Reveal.next()")
    assert deck.evaluate("Reveal.isLastSlide()")
    here = ("file:", "data:", "blob:")
    assert [url for url in deck.asked if not url.startswith(here)] == []
    assert deck.asked and deck.trouble == []


def test_pictures_say_what_they_show_and_formulas_are_set(deck):
    drawn = "all => all.map((e) => e.alt ?? e.getAttribute('aria-label') ?? '')"
    for told in deck.eval_on_selector_all("img, .modbp-figure", drawn):
        assert " " in told.strip()
    uses = "all => all.filter((e) => !document.querySelector(e.getAttribute('href')))"
    assert deck.eval_on_selector_all("use", uses) == []
    assert deck.locator(".math:not(:has(mjx-container))").count() == 0


def test_what_is_too_large_is_seen(browser, folder):
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    page.goto((folder / "lecture.html").as_uri() + "#/0/1", wait_until="networkidle")
    page.evaluate("Reveal.getCurrentSlide().lastElementChild.style.height = '800px'")
    page.evaluate("Reveal.getCurrentSlide().append('x '.repeat(9999))")
    assert page.evaluate(OUTSIDE)
    page.close()


def test_a_lecture_has_notes_for_the_speaker(folder):
    assert (folder / "lecture.html").read_text("utf-8").count('class="notes"') > 9
