"""Every figure of the built pages, on a desk and on a phone, in either theme."""

from xml.etree import ElementTree

import figures as own
import pypdf
import pytest
from conftest import SITE, in_the_suite

SIGN = 'class="modbp-figure"'
PAGES = [p for p in sorted(SITE.glob("*.html")) if SIGN in p.read_text("utf-8")]
if not PAGES:
    pytest.skip("needs the built book: noxfile.py book", allow_module_level=True)

# Pixels that the smallest letter of a figure may have.
SMALLEST = 9
LETTERS = """(smallest) => {
  for (const frame of document.querySelectorAll(".modbp-frame")) frame.hidden = false;
  for (const box of document.querySelectorAll("details")) box.open = true;
  for (const box of document.querySelectorAll(".toggle-hidden"))
    box.classList.remove("toggle-hidden");
  const small = [], seen = [];
  const font = getComputedStyle(document.querySelector(".bd-article p")).fontFamily;
  for (const figure of document.querySelectorAll(".modbp-figure")) {
    const shown = [...figure.children].filter((svg) => svg.checkVisibility());
    if (shown.length != 1) small.push(`${shown.length} drawings are seen`);
    if (!shown.length) continue;
    const outer = figure.closest(".cell_output").getBoundingClientRect();
    const box = shown[0].getBoundingClientRect();
    if (box.right > outer.right + 1) small.push("wider than its cell");
    for (const text of shown[0].querySelectorAll("text, tspan")) {
      const { a, b } = text.getScreenCTM();
      const look = getComputedStyle(text);
      const size = parseFloat(look.fontSize) * Math.hypot(a, b);
      if (size < smallest) small.push(`${text.textContent}: ${size.toFixed(1)}`);
      if (look.fontFamily != font) small.push(look.fontFamily);
      seen.push(size);
    }
  }
  return [small, seen.length];
}"""
# A card is a light ground that is no part of the data.
CARDS = """() => {
  const light = (colour) => {
    const [r, g, b, a = 1] = colour.match(/[\\d.]+/g)?.map(Number) ?? [0, 0, 0, 0];
    return a > 0.5 && 0.2126 * r + 0.7152 * g + 0.0722 * b > 150;
  };
  const cards = [];
  for (const frame of document.querySelectorAll(".modbp-frame")) frame.hidden = false;
  for (const figure of document.querySelectorAll(".modbp-figure")) {
    for (let around = figure; around; around = around.parentElement)
      if (light(getComputedStyle(around).backgroundColor)) cards.push(around.className);
    for (const svg of figure.children) {
      if (!svg.checkVisibility()) continue;
      const whole = svg.getBoundingClientRect();
      for (const path of svg.querySelectorAll("path")) {
        const { fill, fillOpacity, opacity } = getComputedStyle(path);
        const box = path.getBoundingClientRect();
        const large = box.width * box.height > 0.2 * whole.width * whole.height;
        if (large && fillOpacity * opacity > 0.5 && light(fill)) cards.push(fill);
      }
      for (const map of svg.querySelectorAll(".modbp-map"))
        if (getComputedStyle(map).filter == "none") cards.push("a white map");
    }
  }
  return cards;
}"""


@pytest.fixture(scope="module")
def window(browser, site):
    page = browser.new_page(base_url=site)
    page.set_default_timeout(90_000)
    yield page
    page.close()


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("path", in_the_suite(PAGES), ids=lambda path: path.stem)
def test_letters_can_be_read_and_are_those_of_the_page(window, path, width):
    window.set_viewport_size({"width": width, "height": 900})
    window.goto(path.name)
    small, seen = window.evaluate(LETTERS, SMALLEST)
    assert small == [] and seen > 0
    assert window.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("path", in_the_suite(PAGES), ids=lambda path: path.stem)
def test_no_figure_is_a_light_card_in_the_dark(window, path):
    window.set_viewport_size({"width": 1280, "height": 900})
    window.emulate_media(color_scheme="dark")
    window.goto(path.name)
    window.wait_for_selector("html[data-theme=dark]", state="attached")
    assert window.evaluate(CARDS) == []
    # Pictures of cells are drawings, which follow the theme; pixels would not.
    assert window.locator(".cell_output img").count() == 0
    window.emulate_media(color_scheme="light")


def test_small_letters_and_light_cards_are_seen(window):
    """Both measures can fail."""
    window.set_viewport_size({"width": 390, "height": 900})
    window.emulate_media(color_scheme="dark")
    window.goto(PAGES[0].name)
    window.evaluate("""for (const svg of document.querySelectorAll(".modbp-figure svg"))
      { svg.style.width = "100px"; svg.style.background = "white"; }""")
    window.evaluate("""for (const figure of document.querySelectorAll(".modbp-figure"))
      figure.style.background = "white"; """)
    assert window.evaluate(LETTERS, SMALLEST)[0] and window.evaluate(CARDS)
    window.emulate_media(color_scheme="light")


@pytest.mark.parametrize("path", in_the_suite(PAGES), ids=lambda path: path.stem)
def test_every_figure_is_told_and_downloads_with_its_text(window, path):
    window.goto(path.name)
    told = window.evaluate("""[...document.querySelectorAll(".modbp-figure")].map((f) =>
      [f.getAttribute("role"), f.getAttribute("aria-label"),
       [...f.nextElementSibling.querySelectorAll("a")].map((a) => a.pathname)])""")
    texts = {}
    for role, alt, (svg, paper) in told:
        assert role == "img" and len(alt) > 10
        svg = ElementTree.parse(SITE / svg.lstrip("/")).getroot()
        assert svg[0].tag.endswith("title") and svg[0].text == alt
        assert "var(" not in ElementTree.tostring(svg, "unicode")
        texts.setdefault(paper, []).append(alt)
    for paper, alts in texts.items():
        pages = pypdf.PdfReader(SITE / paper.lstrip("/"))
        assert len(pages.pages) == len(alts)
        assert pages.metadata.title == alts[0]
        assert pages.metadata.subject == "\n".join(alts)


@pytest.mark.parametrize("path", in_the_suite(PAGES), ids=lambda path: path.stem)
def test_names_inside_drawings_are_unique(window, path):
    window.goto(path.name)
    ids = window.evaluate("[...document.querySelectorAll('svg [id]')].map((e) => e.id)")
    assert len(ids) == len(set(ids))


def test_pixels_that_drawings_share_are_kept_once():
    image = '<image class="modbp-map" width="2" height="3" href="data:{}" id="x"/>'
    texts = [image.format("a"), image.format("a") + image.format("b")]
    first, second = own.share(texts, "c5")
    assert first.count("data:a") == 1 and "data:a" not in second
    assert '<image id="c5pixels-0" width="2" height="3" href="data:a"/>' in first
    assert '<use class="modbp-map" href="#c5pixels-0"/>' in second
    assert '<image class="modbp-map" width="2" height="3" href="data:b"/>' in second
