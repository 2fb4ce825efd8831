"""The book on paper: what is moved and mended, and that nothing is cut or lost."""

import io
import json
import re
from pathlib import Path
from types import SimpleNamespace

import bs4
import numpy as np
import paper
import pypdf
import pytest
import shrink
from conftest import SITE

BOOK = Path(__file__).parents[2] / "book"
PDF = SITE.parent / "pdf" / "explanations-that-forget.pdf"
MEGABYTES = 25


# ---- From pages to one document

EXERCISE = """<div class="exercise admonition" id="ex-{0}">
<p class="admonition-title">Exercise {0}</p><p>Why?</p></div>"""
CELL = """<div class="cell tag_hide-input"><details class="hide above-input">
<summary>Show</summary><div class="cell_input"><pre>{}</pre></div></details>
<div class="cell_output"><pre>printed {}</pre></div></div>"""
FIRST = f"""<section id="one"><h1>First<a class="headerlink" href="#one">#</a></h1>
<p>See <a href="second.html#there">there</a>, <a href="second.html">second</a>,
<a href="#own">here</a>, <a href="https://host/x">far</a>,
<a href="x.ipynb">file</a>.</p>
<svg id="own"><clipPath id="c"></clipPath><g clip-path="url(#c)"></g>
<use href="#c"/></svg>
<img src="_images/a.png" alt="a">{CELL.format("folded = 1", "figure")}
<div class="modbp-frames"><div class="modbp-controls"><label>n</label></div>
<output>n</output>
<div class="modbp-frame modbp-telling" hidden><p>n = 1</p><img alt="1"></div>
<div class="modbp-frame"><p>n = 2</p><img alt="2"></div></div>
{EXERCISE.format("old")}<div class="solution dropdown admonition" id="first-solution-0">
<p class="admonition-title">Solution to <a href="#ex-old">Exercise old</a></p></div>
{CELL.format("after = 2", "after")}
{EXERCISE.format("new")}<details class="solution admonition" id="first-solution-1">
<summary class="admonition-title">Solution to Exercise new</summary>
<section><p>So.</p>{CELL.format("inside = 3", "inside")}</section></details>
{EXERCISE.format("open")}</section>"""
SECOND = """<section id="two"><h1>Second</h1>
<section id="there"><h2>There</h2></section></section>"""
PAGE = """<html><head><link rel="stylesheet" href="_static/a.css">
<script src="_static/x.js"></script><script src="_static/mathjax/tex.js"></script>
</head><body><p>navigation</p>
<article class="bd-article">{}</article></body></html>"""


@pytest.fixture(scope="module")
def soup(tmp_path_factory):
    """Two pages as one document."""
    pages = tmp_path_factory.mktemp("pages")
    (pages / "first.html").write_text(PAGE.format(FIRST), encoding="utf-8")
    (pages / "second.html").write_text(PAGE.format(SECOND), encoding="utf-8")
    parts = [("", ["first"]), ("Theory", ["second"])]
    html = paper.Book(pages, "A title", "An author", parts).html()
    return bs4.BeautifulSoup(html.replace(f"{pages.name}/", "pages/"), "html.parser")


def test_pages_come_in_order_under_the_names_of_their_parts():
    chapters = [{"file": "b", "sections": [{"file": "c"}]}, {"file": "d"}]
    toc = {"root": "a", "parts": [{"caption": "P", "chapters": chapters}]}
    assert paper.order(toc) == [("", ["a"]), ("P", ["b", "c", "d"])]


def test_contents_name_every_chapter_and_section(soup):
    found = [
        (a["class"][0], a["href"], a.span.text) for a in soup.select(".contents a")
    ]
    assert found == [
        ("chapter", "#first", "First"),
        ("chapter", "#second", "Second"),
        ("section", "#second--there", "There"),
        ("chapter", "#solutions", "Solutions"),
        ("section", "#first--solutions", "First"),
    ]
    assert soup.find(id="second--there").name == "h2"
    assert [p.text for p in soup.select(".contents .part")] == ["Theory", "Appendix"]


def test_links_stay_inside_where_they_can(soup):
    links = [a.get("href") for a in soup.select("#first > section > p a")]
    inside = ["#second--there", "#second", "#first--own"]
    assert links == [*inside, "https://host/x", None]
    ids = [element["id"] for element in soup.find_all(id=True)]
    assert len(ids) == len(set(ids)) and set(ids) >= {each[1:] for each in inside}
    assert "url(#first--c)" in str(soup.svg) and '"#first--c"' in str(soup.svg)
    assert soup.find("img", alt="a")["src"] == "pages/_images/a.png"


def test_what_only_a_screen_can_do_is_left_out(soup):
    text = soup.get_text()
    assert "navigation" not in text and "folded" not in text and "#" not in text
    assert [img["alt"] for img in soup.select(".modbp-frames img")] == ["1"]
    assert not soup.select("[hidden], .modbp-controls, output")
    scripts = [script["src"] for script in soup.find_all("script")]
    assert scripts == ["pages/_static/mathjax/tex.js"]
    assert "printed figure" in soup.find(id="first").text


def test_solutions_move_to_the_appendix_and_say_where_the_exercise_is(soup):
    first, appendix = soup.find(id="first"), soup.find(id="solutions")
    assert not first.select(".solution") and len(appendix.select(".solution")) == 2
    for words in ("after = 2", "printed after", "inside = 3", "printed inside", "So."):
        assert words in appendix.text and words not in first.text
    for name in ("old", "new"):
        exercise, solution = f"first--ex-{name}", f"first--ex-{name}--solution"
        forth = soup.find(id=exercise).select_one(".to-solution a")
        box = soup.find(id=solution).find_parent(class_="solution")
        back = box.select_one(".to-exercise a")
        assert (forth["href"], back["href"]) == (f"#{solution}", f"#{exercise}")
        assert forth.span["data-page-of"] == solution
    assert not soup.find(id="first--ex-open").select(".to-solution")


# ---- From the document to paper


def test_pages_are_written_where_they_are_asked_for(soup):
    html = paper.numbered(str(soup), {"first": 7, "first--ex-old--solution": 12})
    found = bs4.BeautifulSoup(html, "html.parser")
    chapter = found.select_one(".contents a[href='#first'] b")
    assert chapter.text == "7"
    assert found.select_one(".to-solution").text == "Solution on page 12."
    assert html.count(">000<") == str(soup).count(">000<") - 2


def test_without_a_browser_the_remedy_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(paper.shutil, "which", lambda name: None)
    engine = SimpleNamespace(
        chromium=SimpleNamespace(executable_path=tmp_path / "none")
    )
    with pytest.raises(SystemExit, match="Install Chromium"):
        paper.launch(engine)


@pytest.fixture(scope="module")
def small(browser):
    page = browser.new_page()
    page.set_content("<h1>One</h1><p><a href='#x'>to x</a></p><h2 id=x>Two</h2>" * 40)
    yield page.pdf(tagged=True, outline=True)
    page.close()


def test_a_shrunk_book_says_the_same(small):
    before, after = pypdf.PdfReader(io.BytesIO(small)), shrink.shrunk(small)
    assert len(after) < 0.6 * len(small)
    after = pypdf.PdfReader(io.BytesIO(after), strict=True)
    texts = [[page.extract_text() for page in pdf.pages] for pdf in (before, after)]
    assert texts[0] == texts[1] and len(texts[0]) > 1 and "Two" in texts[0][0]
    assert before.named_destinations.keys() == after.named_destinations.keys() == {"/x"}
    assert len(after.outline) == len(before.outline) > 1
    assert after.metadata == before.metadata


def test_what_is_wider_than_a_page_is_told(browser):
    page = browser.new_page(viewport={"width": paper.WIDTH, "height": 900})
    page.set_content(
        """<script>MathJax = { startup: { promise: null } }</script><article id=a>
        <table><td><div style="width: 900px">wide</div></table><p>narrow</p>
        <p style="width: 800px">beyond</p></article>"""
    )
    found = page.evaluate((BOOK / "_ext" / "paper.js").read_text(encoding="utf-8"))
    page.close()
    assert found and all("beyond" in each for each in found)


def test_a_quiz_is_printed_and_a_filter_is_not(browser):
    page = browser.new_page()
    style = (BOOK / "_ext" / "paper.css").read_text(encoding="utf-8")
    quiz = "<legend>Question 1</legend><label><input type=radio>Yes</label>"
    page.set_content(
        f"""<style>{style}</style><fieldset class=modbp-question>{quiz}</fieldset>
        <div class=modbp-ledger><fieldset>Show all</fieldset></div>"""
    )
    assert page.locator("legend").is_visible() and page.locator("input").is_visible()
    assert not page.get_by_text("Show all").is_visible()
    page.close()


# ---- The built book

built = pytest.mark.skipif(not PDF.exists(), reason="needs: noxfile.py pdf")


@pytest.fixture(scope="module")
def reader():
    return pypdf.PdfReader(PDF, strict=True)


@pytest.fixture(scope="module")
def contents():
    return json.loads(PDF.with_suffix(".json").read_text(encoding="utf-8"))


def letters(text):
    # Ligatures, accents and formulas come out of a PDF in many ways.
    text = text.replace("ﬁ", "fi").replace("ﬂ", "fl").replace("ﬀ", "ff")
    return re.sub(r"[^a-z]", "", text.lower())


@built
def test_the_book_is_small_enough_to_send(reader):
    assert PDF.stat().st_size <= MEGABYTES * 2**20
    assert len(reader.pages) > 100


@built
def test_all_chapters_are_there_in_order(reader, contents):
    toc = paper.yaml.safe_load((BOOK / "_toc.yml").read_text(encoding="utf-8"))
    names = [name for _, names in paper.order(toc) for name in names]
    places = paper.places(PDF)
    pages = [places[name] for name in [*names, "solutions"]]
    assert pages == sorted(set(pages))
    chapters = [entry["page"] for entry in contents if entry["kind"] == "chapter"]
    assert chapters == pages


@built
@pytest.mark.long
def test_every_page_number_in_the_contents_is_true(reader, contents):
    first = min(entry["page"] for entry in contents)
    printed = "\n".join(page.extract_text() for page in reader.pages[1 : first - 1])
    numbers = [int(n) for n in re.findall(r"(?<!\d)(\d+)$", printed, re.MULTILINE)]
    # Between the entries stands the number of each page of the contents.
    own = list(range(2, first))
    wanted = [entry["page"] for entry in contents]
    for n in own:
        numbers.remove(n)
    assert numbers == wanted
    for entry in contents:
        text = letters(reader.pages[entry["page"] - 1].extract_text())
        words = max(re.findall(r"[A-Za-z ,]+", entry["title"]), key=len)
        assert letters(words) in text, entry


@built
@pytest.mark.long
def test_exercises_and_solutions_name_each_others_pages(reader):
    places = paper.places(PDF)
    pairs = [name for name in places if name.endswith("--solution")]
    assert len(pairs) > 40
    for solution in pairs:
        exercise = solution.removesuffix("--solution")
        there, back = places[exercise], places[solution]
        assert f"onpage{back}" in "".join(
            reader.pages[there - 1].extract_text().split()
        )
        # A long solution says it at its end.
        pages = [p.extract_text() for p in reader.pages[back - 1 : back + 2]]
        assert f"onpage{there}" in "".join("".join(pages).split())


@built
@pytest.mark.long
def test_nothing_is_beyond_the_margins_and_no_picture_is_cut():
    pdfium = pytest.importorskip("pypdfium2")
    margin = 20 / 25.4 * 72  # points
    document = pdfium.PdfDocument(PDF)
    pictures = 0
    for number, page in enumerate(document, 1):
        width, height = page.get_size()
        pixels = np.asarray(page.render(scale=1).to_pil().convert("L"))
        edge = int(margin) - 2
        dark = [pixels[:, :edge], pixels[:, -edge:], pixels[:edge], pixels[-20:]]
        dark += [pixels[-edge:, :260], pixels[-edge:, -260:]]  # beside the number
        assert all(part.min() > 250 for part in dark), number
        for picture in page.get_objects(filter=[pdfium.raw.FPDF_PAGEOBJ_IMAGE]):
            left, bottom, right, top = picture.get_bounds()
            # A picture that goes on on the next page is there as a whole, and clipped.
            assert margin - 2 < left < right < width - margin + 2, number
            assert margin - 2 < bottom < top < height - margin + 2, number
            pictures += 1
    assert pictures > 50
