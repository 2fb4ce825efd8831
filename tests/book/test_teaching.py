"""Sessions name what exists, and nothing public holds an answer to a quiz."""

import re
from pathlib import Path

import pytest
import teacher
import yaml
from bs4 import BeautifulSoup
from conftest import SITE

BOOK = Path(__file__).parents[2] / "book"
SESSIONS = yaml.safe_load((BOOK / "teaching" / "sessions.yml").read_text("utf-8"))
ANSWERS = yaml.safe_load((BOOK / "_teacher" / "quizzes.yml").read_text("utf-8"))
NAMES = [session["name"] for session in SESSIONS]
built = pytest.mark.skipif(
    not (SITE / "quizzes.html").exists(), reason="needs the built book: noxfile.py book"
)


def text(name):
    return (BOOK / f"{name}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("session", SESSIONS, ids=NAMES)
def test_a_session_is_made_of_what_there_is(session):
    chapters = "".join(map(text, session["chapters"]))
    for label in session["exercises"]:
        assert f":label: {label}\n" in chapters, f"{label}: not in these chapters"
    assert f"```{{session}} {session['name']}\n" in text(session["page"])
    if "quiz" in session:
        assert f"\n## {session['quiz']}\n" in text("quizzes")


def test_every_deck_belongs_to_a_session():
    decks = {path.stem for path in (BOOK / "teaching" / "slides").glob("*.md")}
    assert decks - {"index"} <= {*NAMES}
    assert "lecture" in decks and len(decks) > 4


def test_a_lecture_has_as_many_minutes_as_it_says():
    (lecture,) = (session for session in SESSIONS if session["name"] == "lecture")
    steps = re.findall(r"^\| (\d+)–(\d+) \|", text("lecture"), re.MULTILINE)
    ends = [0, *(int(end) for _, end in steps)]
    assert [int(start) for start, _ in steps] == ends[:-1]
    assert ends[-1] == lecture["minutes"]


def test_every_question_has_one_answer_for_teachers():
    labels = re.findall(r"^:label: (.*)$", text("quizzes"), re.MULTILINE)
    assert labels == [*ANSWERS]
    letters = [letter for letter, _ in ANSWERS.values()]
    assert {*letters} == {*"abcd"}
    # Nobody should be right by always choosing the same.
    assert max(map(letters.count, "abcd")) <= 0.4 * len(letters)


@built
def test_the_public_build_holds_no_answer():
    kinds = {".html", ".js", ".json", ".ipynb", ".md", ".txt"}
    files = [path for path in SITE.rglob("*") if path.suffix in kinds]
    files = [path for path in files if "mathjax" not in path.as_posix().lower()]
    assert SITE / "searchindex.js" in files and SITE / "quizzes.html" in files
    secrets = [reason.encode() for _, reason in ANSWERS.values()]
    for path in files:
        content = path.read_bytes()
        assert not any(secret in content for secret in secrets), path


@built
def test_answers_look_all_the_same():
    page = BeautifulSoup((SITE / "quizzes.html").read_text("utf-8"), "html.parser")
    for control in page.select(".modbp-question input"):
        assert control.attrs.keys() == {"type", "name", "value"}
        assert control.parent.attrs == {}
    boxes = page.select(".modbp-question")
    assert len(boxes) == len(ANSWERS)
    assert all(len(box.select("input")) == 4 for box in boxes)


@built
def test_a_choice_shows_where_to_check_it_without_a_script(browser, site):
    page = browser.new_page(base_url=site, java_script_enabled=False)
    page.goto("quizzes.html")
    for box in page.locator(".modbp-question").all():
        assert not box.locator(".check").is_visible()
        box.locator("input").nth(1).focus()
        page.keyboard.press("Space")
        assert box.locator(".check a").is_visible()
    page.close()


@built
def test_the_teachers_edition_has_all_answers(tmp_path):
    teacher.main(SITE, tmp_path)
    made = BeautifulSoup((tmp_path / "quizzes.html").read_text("utf-8"), "html.parser")
    for label, (letter, reason) in ANSWERS.items():
        box = made.find(id=label)
        assert [control["value"] for control in box.select("input[checked]")] == [
            letter
        ]
        assert reason in box.select_one(".modbp-because").get_text()
