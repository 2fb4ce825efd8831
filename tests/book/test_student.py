"""The students' edition: nothing of a solution, stubs, and checks that tell."""

import ast
import re
import subprocess
import sys
from zipfile import ZipFile

import nbformat
import pytest
import student
from bs4 import BeautifulSoup
from conftest import SITE
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from teaching import sessions

from modbp.study import course

ROOT = SITE.parents[1]
BUILT = sorted((SITE.parent / "notebooks").glob("*.ipynb"))
needs_book = pytest.mark.skipif(not BUILT, reason="needs the book: noxfile.py book")


def solved(cell, **facts):
    """A cell of the solution of exercise 9.1."""
    cell.metadata |= {"solution": "ex-nine-one", **facts}
    return cell


@pytest.fixture
def plain():
    """A plain notebook with an exercise and its solution."""
    cells = [
        new_code_cell("print('Everything is here.')"),
        new_markdown_cell("# Nine\n\n## Exercises\n\nAdd."),
        solved(new_markdown_cell("<details>It is three.</details>")),
        solved(new_code_cell("three = 1 + 2\nprint(three)"), check="three"),
        solved(new_code_cell("big = three > 2"), check="big and three"),
        new_markdown_cell("## The end"),
    ]
    facts = {"exercises": {"ex-nine-one": "9.1"}, "title": "Nine"}
    return new_notebook(cells=cells, metadata=facts)


def sources(notebook):
    return [cell.source for cell in notebook.cells]


def test_a_solution_becomes_a_stub_that_checks_itself(plain):
    assert sources(student.edition(plain, with_solutions=False)) == [
        "print('Everything is here.')",
        "from modbp.study.course import check",
        "# Nine\n\n## Exercises\n\nAdd.",
        "three = ...\n...",
        'check("9.1", three)',
        "big = ...\nthree = ...",
        'check("9.1b", lambda: big and three)',
        "## The end",
    ]


def test_the_other_edition_keeps_it_and_checks_it(plain):
    found = sources(student.edition(plain, with_solutions=True))
    assert found[3:6] == [sources(plain)[2], sources(plain)[3], 'check("9.1", three)']


def test_without_code_there_is_room_to_write(plain):
    plain.cells = plain.cells[:3]
    assert sources(student.edition(plain, with_solutions=False))[2:] == [student.WRITE]


def test_what_is_sealed_tells_right_from_wrong(plain, tmp_path, monkeypatch):
    made = student.edition(plain, with_solutions=True)
    found = student.seal(made, tmp_path, tmp_path)
    found = {n: {"form": form, "seals": [s]} for n, (form, s) in found.items()}
    monkeypatch.setattr(course, "_seals", lambda: found)
    assert course.check("9.1", 3) and not course.check("9.1", 4)
    assert found.keys() == {"9.1", "9.1b"}


# The whole book.


@pytest.fixture(scope="module")
def both():
    """The plain notebooks and what students get, by name."""
    found = {path.stem: nbformat.read(path, 4) for path in BUILT}
    return {
        name: (notebook, student.edition(notebook, with_solutions=False))
        for name, notebook in found.items()
    }


def printed(cell):
    """What a cell put out as text."""
    for output in cell.get("outputs", ()):
        data = {"text/plain": output.get("text", ""), **output.get("data", {})}
        yield from (str(text) for kind, text in data.items() if "text/plain" in kind)


def lines(texts):
    """Lines that are long enough to be told from others."""
    every = (line.strip() for text in texts for line in text.split("\n"))
    return {line for line in every if len(line) >= 20}


@needs_book
def test_nothing_of_a_solution_is_left(both):
    for name, (notebook, made) in both.items():
        secret, told = [], []
        for cell in notebook.cells:
            texts = [cell.source, *printed(cell)]
            (secret if cell.metadata.get("solution") else told).extend(texts)
        # What the chapter says anyway, and heads of functions with their sentences.
        stubs = [c.source for c in made.cells if "stub" in c.metadata]
        known = lines(told) | {line for line in lines(stubs) if is_head(line)}
        left = lines(secret) & lines(
            t for c in made.cells for t in [c.source, *printed(c)]
        )
        assert left <= known, name
        assert not any("solution" in cell.metadata for cell in made.cells)


def is_head(line):
    """Whether a line of a stub is one that stays: an import, a head, its sentence."""
    return line.startswith(("import ", "from ", "def ", "class ", '"""'))


@needs_book
def test_every_stub_is_its_solution_with_parts_blanked(both):
    for name, (notebook, made) in both.items():
        numbers = notebook.metadata["exercises"]
        for label, cells in student.solutions(notebook).items():
            code = "\n".join(c.source for c in cells if c.cell_type == "code")
            mine = [c for c in made.cells if c.metadata.get("stub") == numbers[label]]
            for cell in mine:
                for node in ast.walk(ast.parse(cell.source)):
                    if isinstance(node, ast.Name | ast.FunctionDef | ast.arg):
                        word = (
                            getattr(node, "id", getattr(node, "name", None)) or node.arg
                        )
                        assert re.search(rf"\b{word}\b", code), (name, label, word)
                # A value that is not a blank stands in the head of a function only.
                for node in ast.parse(cell.source).body:
                    if isinstance(node, ast.Assign):
                        assert ast.unparse(node.value) == "...", (name, label)


@needs_book
def test_every_exercise_of_code_is_checked(both):
    for name, (notebook, made) in both.items():
        asked = {c.metadata["answer"][0] for c in made.cells if "answer" in c.metadata}
        for label, cells in student.solutions(notebook).items():
            if student.checked(cells):
                assert notebook.metadata["exercises"][label] in asked, name
    answers = [
        c.metadata["answer"][0]
        for _, m in both.values()
        for c in m.cells
        if "answer" in c.metadata
    ]
    assert sorted(course._seals()) == sorted(answers)


@needs_book
@pytest.mark.long
@pytest.mark.parametrize(
    "path",
    [p for p in BUILT if student.asks(student.edition(nbformat.read(p, 4), True))],
    ids=lambda p: p.stem,
)
def test_stubs_fail_their_checks_and_then_solutions_pass_them(path, tmp_path):
    """In one run, since it takes a chapter's time: students begin with stubs too."""
    made, full = (student.edition(nbformat.read(path, 4), w) for w in (False, True))
    blank = len(made.cells)
    kept = {"solution", "answer"}
    made.cells += [cell for cell in full.cells if kept & cell.metadata.keys()]
    for number, cell in enumerate(made.cells):
        cell.id = f"cell-{number}"
    where = {"metadata": {"path": tmp_path}}
    NotebookClient(made, timeout=600, resources=where).execute()
    for place, cell in enumerate(made.cells):
        if "answer" in cell.metadata:
            (told,) = printed(cell)
            assert ("right." in told) == (place >= blank), (cell.source, told)


@pytest.fixture(scope="module")
def pages():
    """The students' pages, made of the pages that are there."""
    command = [sys.executable, ROOT / "noxfile.py", "student"]
    subprocess.run(command, check=True, cwd=ROOT)
    return SITE.parent / "student" / "html"


def parts(path):
    """A page's solutions, their figures among them, and the rest of its text."""
    page = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
    solutions = [solution.extract() for solution in page.select("details.solution")]
    drawn = [f["aria-label"] for s in solutions for f in s.select(".modbp-figure")]
    told = "\n".join(solution.get_text() for solution in solutions)
    return lines([told]) | set(drawn), page.get_text()


@needs_book
@pytest.mark.long
def test_no_page_shows_anything_of_a_solution(pages):
    found = 0
    for path in SITE.glob("*.html"):
        secret, rest = parts(path)
        text = (pages / path.name).read_text(encoding="utf-8")
        page = BeautifulSoup(text, "html.parser")
        assert not page.select("details.solution"), path.name
        said = page.get_text()
        assert [line for line in secret if line in said and line not in rest] == []
        found += len(secret)
    assert found > 1000
    # Nor does a text or a notebook that one can download.
    assert {p.suffix for p in (pages / "_sources").iterdir()} == {".ipynb"}
    for path in (pages / "_sources").iterdir():
        assert (
            path.read_bytes() == (pages.parent / "notebooks" / path.name).read_bytes()
        )


@needs_book
@pytest.mark.long
def test_the_zip_of_a_session_has_what_its_chapters_need(pages):
    for name, session in sessions().items():
        with ZipFile(pages.parent / f"{name}.zip") as made:
            names = {path.removeprefix(f"{name}/") for path in made.namelist()}
            said = made.read(f"{name}/README.md").decode()
        (wheel,) = (each for each in names if each.endswith(".whl"))
        assert names == {f"{c}.ipynb" for c in session["chapters"]} | {
            wheel,
            "README.md",
        }
        assert wheel in said and session["title"] in said
