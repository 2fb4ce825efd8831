"""The built pages in a browser: nothing from elsewhere, no errors, usable by everyone.

Each page is opened once and then read by all tests of this file.
"""

import json

import pytest
from conftest import SITE, in_the_suite

from modbp.study import ledger

axe = pytest.importorskip("axe_playwright_python.sync_playwright")

PAGES = sorted(path.relative_to(SITE).as_posix() for path in SITE.rglob("*.html"))
PAGES = [name for name in PAGES if not name.startswith("_")]
if not PAGES:
    pytest.skip("needs the built book: noxfile.py book", allow_module_level=True)

PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
# Markup of the theme and of docutils, which no chapter can change.
UPSTREAM = [".citation-list", ".citation", ".theme-switch-button"]
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
# Contrast is slow to compute, and the same for all text of the same colours and size.
# This marks a few elements for each.
SAMPLE = """(upstream) => {
  const count = new Map();
  for (const element of document.body.querySelectorAll("*")) {
    element.removeAttribute("data-sample");
    const text = [...element.childNodes].some((n) => n.nodeType == 3 && n.data.trim());
    if (!text || !element.checkVisibility() || element.closest(upstream)) continue;
    const { color, fontSize, fontWeight, textShadow } = getComputedStyle(element);
    const key = [color, fontSize, fontWeight, textShadow];
    for (let above = element; above; above = above.parentElement) {
      const { backgroundColor, backgroundImage, opacity } = getComputedStyle(above);
      if (opacity != "1") key.push(opacity);
      if (backgroundColor == "rgba(0, 0, 0, 0)" && backgroundImage == "none") continue;
      key.push(backgroundColor, backgroundImage);
    }
    const seen = (count.get(key.join()) ?? 0) + 1;
    count.set(key.join(), seen);
    if (seen <= 3) element.dataset.sample = seen;
  }
}"""


@pytest.fixture(scope="module")
def window(browser, site):
    page = browser.new_page(base_url=site, viewport=DESK, reduced_motion="reduce")
    page.set_default_timeout(90_000)  # an old machine, doing other things as well
    yield page
    page.close()


@pytest.fixture(scope="module", params=in_the_suite(PAGES))
def page(request, window, site):
    """The window with the page in it, and what went wrong while it loaded."""
    window.trouble, window.number = [], PAGES.index(request.param)

    def note_error(error):
        window.trouble.append(f"script error: {error}")

    def note_request(request):
        if not request.url.startswith((site, "data:", "blob:")):
            window.trouble.append(f"asked another host: {request.url}")

    window.on("pageerror", note_error)
    window.on("request", note_request)
    window.emulate_media(color_scheme="light")
    window.set_viewport_size(DESK)
    window.goto(request.param, wait_until="networkidle")
    yield window
    window.remove_listener("pageerror", note_error)
    window.remove_listener("request", note_request)


def violations(page, contrast, theme="light"):
    """Return what axe finds that a reader would stumble over."""
    page.emulate_media(color_scheme=theme)
    page.wait_for_selector(f"html[data-theme={theme}]", state="attached")
    where = {"exclude": [[place] for place in UPSTREAM]}
    options = {"runOnly": WCAG, "resultTypes": ["violations"]}
    if contrast:
        options["runOnly"] = ["color-contrast"]
        page.evaluate(SAMPLE, ", ".join(UPSTREAM))
        where["include"] = [["[data-sample]"]]
    else:
        options["rules"] = {"color-contrast": {"enabled": False}}
    found = axe.Axe().run(page, context=where, options=options).response
    return [
        f"{violation['id']}: {node['target']} {node['failureSummary']}"
        for violation in found["violations"]
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]


def test_page_is_accessible(page):
    assert violations(page, contrast=False) == []


# Every other page in the dark; the long run turns that round.
@pytest.mark.parametrize("turned", [0, pytest.param(1, marks=pytest.mark.long)])
def test_text_stands_out_from_its_ground(page, turned):
    theme = ("light", "dark")[(page.number + turned) % 2]
    assert violations(page, contrast=True, theme=theme) == []


def test_page_fits_a_phone(page):
    page.set_viewport_size(PHONE)
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    cut = page.evaluate("""() => [...document.querySelectorAll(".modbp-controls > *")]
      .flatMap((label) => [...label.children].filter((control) =>
        control.getBoundingClientRect().right
          > label.parentElement.getBoundingClientRect().right + 1))
      .map((control) => control.outerHTML)""")
    page.set_viewport_size(DESK)
    assert wide <= 0 and cut == []


def test_each_control_changes_the_picture_by_keyboard(page):
    for widget in page.locator(".modbp-frames").all():
        # One that leaves nothing to choose is hidden.
        for control in widget.locator("[data-labels]:visible").all():
            picture = widget.locator(".modbp-frame [role=img]:visible")
            before = picture.get_attribute("aria-label")
            said = widget.locator("output").inner_text()
            control.focus()
            labels = json.loads(control.get_attribute("data-labels"))
            last = control.input_value() == str(len(labels) - 1)
            slider = control.get_attribute("type") == "range"
            forth, back = ("Right", "Left") if slider else ("Down", "Up")
            page.keyboard.press(f"Arrow{back if last else forth}")
            assert picture.count() == 1
            assert picture.get_attribute("aria-label") != before
            assert widget.locator("output").inner_text() != said


def test_page_needs_nothing_from_elsewhere_and_raises_no_error(page):
    # Last, so that it also sees what the other tests set off.
    assert page.trouble == []


@pytest.mark.parametrize("kind", ["confirmed", "refined", "refuted", "awaits"])
def test_the_ledger_is_filtered_without_a_script(browser, site, kind):
    page = browser.new_page(base_url=site, java_script_enabled=False)
    page.goto("ledger.html")
    rows = page.locator(".modbp-ledger tbody tr:visible")
    assert rows.count() == len(ledger.read())
    page.check(f"#show-{kind}")
    assert f"({rows.count()})" in page.inner_text(f"label[for=show-{kind}]")
    assert rows.count() == page.locator(f".modbp-ledger tr.{kind}").count() > 0
    page.close()


def test_search_finds_a_page(window, site):
    window.goto("search.html?q=relevance", wait_until="networkidle")
    window.locator("#search-results li a").first.wait_for()


def test_faint_text_is_seen(window):
    window.goto("index.html", wait_until="networkidle")
    window.emulate_media(color_scheme="light")
    window.evaluate("document.querySelector('.bd-article p').style.color = '#888'")
    found = violations(window, contrast=True)
    assert found and all("#888888" in entry for entry in found)
