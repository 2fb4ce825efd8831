"""The start page: a picture that moves, one answer, five questions two clicks away."""

import pytest
from conftest import SITE, long_but

if not (SITE / "questions.html").exists():
    pytest.skip("needs the built book: noxfile.py book", allow_module_level=True)

from modbp.study import experiments  # noqa: E402 - only where there are pages

PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
QUESTIONS = {
    "Which methods ignore the later layers?": "lrp-a1b0",
    "Why do they ignore them?": "mixture",
    "Is the theorem true?": "Not as published",
    "What about my ResNet?": "Skips slow it down",
    "What should I use?": "changes with what you ask",
}


@pytest.fixture
def page(browser, site):
    page = browser.new_page(base_url=site, viewport=DESK, reduced_motion="reduce")
    page.set_default_timeout(90_000)
    page.goto("index.html", wait_until="load")
    yield page
    page.close()


def titles(page):
    """Count the titles of a page, as soon as it has one."""
    page.locator(".bd-article h1").first.wait_for()
    return page.locator(".bd-article h1").count()


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_the_picture_is_on_the_first_screen(page, size):
    page.set_viewport_size(size)
    picture = page.locator(".bd-article .modbp-frame:visible").first
    place = picture.bounding_box()
    assert place["y"] + place["height"] <= size["height"]
    assert place["x"] >= 0 and place["x"] + place["width"] <= size["width"]
    control = page.locator(".bd-article .modbp-frames input").first.bounding_box()
    assert control["y"] + control["height"] <= size["height"]


def test_the_number_is_that_of_the_stored_result(page):
    stored = experiments.read("csc/vgg16")["results"]["lrp-a1b0"]["fc3"]["relu1_1"]
    assert f"{stored['median']:.13f}" in page.locator(".bd-article").inner_text()


@pytest.mark.parametrize("title", ["Five minutes", "The theorem", "My own network"])
def test_three_links_lead_on(page, title):
    card = page.locator(".bd-article .sd-card", has_text=title)
    card.click()
    assert titles(page) == 1
    assert page.url.partition("#")[0] != f"{page.url.rpartition('/')[0]}/index.html"


@pytest.mark.parametrize("question", long_but(lambda q: "my" in q, QUESTIONS))
def test_a_question_is_answered_within_two_clicks(page, question):
    page.locator(".bd-article a", has_text=question).first.click()
    anchor = page.url.partition("#")[2]
    section = page.locator(f"section:has(> span#{anchor}), section#{anchor}").first
    heading = section.locator("h2").first.inner_text()
    assert heading.startswith(question)
    assert QUESTIONS[question] in section.inner_text()
    # The second click leads to where it is shown, and there is something there.
    links = [a.get_attribute("href") for a in section.locator("p a.internal").all()]
    shown = {link for link in links if not link.startswith("#")}
    assert shown
    here = page.url
    for link in shown:
        page.goto(here)
        page.locator(f'.bd-article a.internal[href="{link}"]').first.click()
        assert titles(page) == 1, link
        if "#" in link:
            assert page.locator(f"[id='{link.partition('#')[2]}']").count() == 1


def test_every_page_is_on_the_start_page(page):
    # As parts with short lists; the theme's own list beside the text does not count.
    links = page.locator(".bd-article a").evaluate_all("all => all.map(a => a.href)")
    built = {path.name for path in SITE.glob("*.html")} - {"index.html"}
    built -= {"genindex.html", "search.html", "py-modindex.html"}
    assert built <= {link.partition("#")[0].rpartition("/")[2] for link in links}
