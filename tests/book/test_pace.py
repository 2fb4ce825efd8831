"""Minutes are counted on the page by a stated model, and typed nowhere."""

import re
from pathlib import Path

import pace
import pytest
from conftest import SITE
from docutils import nodes
from docutils.utils import new_document

BOOK = Path(__file__).parents[2] / "book"

SAID = re.compile(r"It takes\s+(\d+) minutes?")


def words(number):
    return nodes.paragraph("", " ".join(["word"] * number))


def cell(*parts, tags=()):
    return nodes.container("", *parts, nb_element="cell_code", classes=["cell", *tags])


def source(lines):
    code = nodes.literal_block("", "\n\n".join(["a = 1"] * lines))
    return nodes.container("", code, nb_element="cell_code_source")


def output(**forms):
    kinds = {"html": "text/html", "png": "image/png", "plain": "text/plain"}
    forms = [nodes.container("", n, mime_type=kinds[k]) for k, n in forms.items()]
    return nodes.container("", *forms, nb_element="mime_bundle")


def plain(text):
    return nodes.literal_block("", text, classes=["output"])


def page(*parts):
    return nodes.section("", nodes.title("", ""), *parts)


class proof_node(nodes.Element):  # noqa: N801 - as sphinx-proof calls it
    pass


def test_words_take_their_time():
    assert pace.minutes(page(words(3 * pace.WORDS))) == 3


def test_a_minute_that_is_begun_counts():
    assert pace.minutes(page(words(pace.WORDS + 1))) == 2


def test_code_takes_its_time_and_folded_code_none():
    assert pace.minutes(page(cell(source(pace.LINES)))) == 60
    assert pace.minutes(page(cell(source(pace.LINES), tags=["tag_hide-input"]))) == 0


def test_what_a_cell_prints_is_read_as_words():
    printed = plain("one two\nthree")
    assert pace.count(page(cell(printed))) == {"words": 3}


def test_an_output_counts_once_in_the_form_that_is_shown():
    picture = nodes.image(uri="p.png")
    assert pace.count(output(png=picture, plain=plain("a b"))) == {"figures": 1}
    moving = nodes.raw("", '<div class="modbp-frames">')
    assert pace.count(output(html=moving, plain=plain("a b"))) == {"moving": 1}
    drawing = nodes.raw("", '<div class="modbp-figure"><svg></svg></div>')
    assert pace.count(output(html=drawing, plain=plain("a b"))) == {"figures": 1}


def test_formulas_take_more_time_than_their_letters():
    line = nodes.paragraph("", "", nodes.Text("so "), nodes.math("", "a + b"))
    assert pace.count(line) == {"words": 1, "symbols": 1}
    assert pace.count(nodes.math_block("", "a")) == {"formulas": 1}


def test_a_proof_is_read_twice_or_left_out():
    text = page(words(10), proof_node("", words(100)))
    assert pace.count(text)["words"] == 10 + 100 * pace.PROOF
    assert pace.count(text, proofs=0)["words"] == 10


def test_exercises_have_minutes_of_their_own():
    exercises = nodes.section("", nodes.title("", "Exercises"), words(900))
    assert pace.minutes(page(words(10), exercises)) == 1


@pytest.mark.parametrize("wish", ["page", "words"])
def test_the_role_is_answered_when_the_page_is_whole(wish):
    ((asked,), trouble) = pace.ask("pace", "", wish, 1, None)
    document = new_document("")
    document += page(nodes.paragraph("", "", asked), words(2 * pace.WORDS))
    pace.answer(None, document)
    said = {"page": "2 minutes", "words": str(pace.WORDS)}[wish]
    assert trouble == [] and said in document.astext()
    assert not list(document.findall(pace.Pace))


def test_a_wish_that_nobody_knows_is_a_warning():
    class Inliner:
        reporter = new_document("").reporter

    Inliner.reporter.report_level = 5
    found, (trouble,) = pace.ask("pace", "", "hours", 1, Inliner)
    assert found == [] and "no pace 'hours'" in trouble.astext()


@pytest.mark.parametrize("path", sorted(BOOK.glob("*.md")), ids=lambda path: path.stem)
def test_no_page_types_its_own_minutes(path):
    text = path.read_text(encoding="utf-8")
    typed = re.findall(
        r"[Tt]akes\**\s+(?:about )?(?!some)(?:\w+ minutes?|an hour)", text
    )
    assert typed == []
    assert all("{pace}`" in said for said in re.findall(r"\*\*It takes\*\*.*", text))


def test_the_five_minutes_are_no_more():
    built = SITE / "five-minutes.html"
    if not built.exists():
        pytest.skip("needs the built book: noxfile.py book")
    text = re.sub(r"<[^>]+>", "", built.read_text(encoding="utf-8"))
    (minutes,) = re.findall(r"They take (\d+) minutes?", text)
    assert 1 <= int(minutes) <= 5


def test_chapters_say_minutes_that_belong_to_them():
    built = {path.stem: path for path in SITE.glob("*.html")}
    if not built:
        pytest.skip("needs the built book: noxfile.py book")
    said = {}
    for name, path in built.items():
        text = re.sub(r"<[^>]+>", "", path.read_text(encoding="utf-8"))
        said.update((name, int(found)) for found in SAID.findall(text))
    assert len(said) >= 15
    # A page and its minutes: the longest are those with the most to read.
    assert said["rules"] > said["theorem"] > said["phenomenon"] > 5
