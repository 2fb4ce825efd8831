"""Exercises: what they say of themselves, and solutions that open and shut as one."""

import ast
import builtins
import re
import symtable
from functools import cache
from pathlib import Path

import jupytext
import pytest
from conftest import SITE, in_the_suite

BOOK = Path(__file__).parents[2] / "book"
LEVELS = {"blackboard", "run", "change", "prove"}
EXERCISE = re.compile(r"^`{3,}\{exercise\} .+\n((?::\w+: .+\n)+)", re.M)
GATE = re.compile(r"^`{3,}\{(exercise|solution-start|solution-end)\} ?(\S*)", re.M)
TEXTS = {path.stem: path.read_text(encoding="utf-8") for path in BOOK.glob("*.md")}
CHAPTERS = sorted(name for name, text in TEXTS.items() if "\n## Exercises\n" in text)


def exercises(name):
    """Return the options of each exercise."""
    found = EXERCISE.findall(TEXTS[name])
    return [dict(re.findall(r"^:(\w+): (.+)$", options, re.M)) for options in found]


@cache
def read(name):
    """Return the cells of the chapter, of each solution, and those beside these."""
    chapter, solutions, stray = [], {}, []
    place = chapter
    for cell in jupytext.reads(TEXTS[name], "md:myst").cells:
        if cell.cell_type == "code":
            place.append(cell)
            continue
        if "## Exercises" in cell.source.splitlines():
            place = stray
        for kind, label in GATE.findall(cell.source):
            opened = kind == "solution-start"
            place = solutions.setdefault(label, []) if opened else stray
    return chapter, solutions, stray


def code(cells):
    """Return the statements of cells."""
    return ast.parse("\n".join(cell.source for cell in cells)).body


def given(statements):
    """Return the names that have a value after these statements."""
    table = symtable.symtable(ast.unparse(ast.Module(statements, [])), "", "exec")
    symbols = table.get_symbols()
    return {s.get_name() for s in symbols if s.is_assigned() or s.is_imported()}


def needed(statements):
    """Return the names that these statements take from outside of themselves."""
    tables = [symtable.symtable(ast.unparse(ast.Module(statements, [])), "", "exec")]
    read = {s.get_name() for s in tables[0].get_symbols() if s.is_referenced()}
    for table in tables:
        tables += table.get_children()
        if table.get_type() != "module":
            read |= {s.get_name() for s in table.get_symbols() if s.is_global()}
    return read - set(dir(builtins))


def outside(statements, checks):
    """Return what they read before they give it a value."""
    known, read = set(), set()
    for statement in [*statements, *(ast.parse(check).body[0] for check in checks)]:
        new = given([statement])
        loop = not isinstance(statement, ast.Assign | ast.AugAssign | ast.Expr)
        read |= needed([statement]) - known - (new if loop else set())
        known |= new
    return read


def test_there_are_enough():
    assert len(CHAPTERS) >= 15
    assert sum(len(exercises(name)) for name in CHAPTERS) >= 75


@pytest.mark.parametrize("name", CHAPTERS)
def test_all_levels_are_there_and_say_their_minutes(name):
    assert {each["level"] for each in exercises(name)} == LEVELS
    assert all(5 <= int(each["minutes"]) <= 60 for each in exercises(name))


@pytest.mark.parametrize("name", CHAPTERS)
def test_every_exercise_has_its_solution_behind_it(name):
    labels = [each["label"] for each in exercises(name)]
    assert labels == list(read(name)[1]) and len(labels) == len(set(labels))
    assert all(re.fullmatch(rf"ex-{name}-\w+", label) for label in labels)
    in_turn = [kind for kind, _ in GATE.findall(TEXTS[name])]
    assert in_turn == ["exercise", "solution-start", "solution-end"] * len(labels)
    assert TEXTS[name].count(":class: dropdown") == len(labels)


@pytest.mark.parametrize("name", CHAPTERS)
def test_cells_are_inside_solutions_and_not_hidden_once_more(name):
    _, solutions, stray = read(name)
    assert not stray
    assert not any(
        "tags" in cell.metadata for each in solutions.values() for cell in each
    )


@pytest.mark.parametrize("name", CHAPTERS)
def test_what_is_run_or_changed_can_be_checked(name):
    _, solutions, _ = read(name)
    for each in exercises(name):
        checks = [cell for cell in solutions[each["label"]] if "check" in cell.metadata]
        assert checks or each["level"] in ("blackboard", "prove")


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_solution_needs_the_chapter_and_no_other_solution(name):
    # A student has not solved them all.
    cells, solutions, _ = read(name)
    chapter, others = given(code(cells)), set()
    for label, cells in solutions.items():
        checks = [cell.metadata["check"] for cell in cells if "check" in cell.metadata]
        wanted = outside(code(cells), checks)
        assert not wanted - chapter, label
        assert not wanted & others, label
        others |= given(code(cells))


pages = [SITE / f"{name}.html" for name in CHAPTERS]
needs_site = pytest.mark.skipif(
    not all(page.exists() for page in pages), reason="needs the book: noxfile.py book"
)
# What of each solution is seen: shut, opened, shut again, and how much there is.
TRY = """() => [...document.querySelectorAll("details.solution")].map((solution) => {
  const content = [...solution.querySelectorAll(".cell, .cell_output, section > *")];
  const seen = () => content.filter((element) => element.checkVisibility()).length;
  const states = [seen()];
  for (const _ of [1, 2]) {
    solution.querySelector("summary").click();
    states.push(seen());
  }
  return [...states, content.length];
})"""
PRINTED = """() => [...document.querySelectorAll("details.solution section > *")]
  .filter((element) => !element.checkVisibility()).length"""


@needs_site
@pytest.mark.parametrize("name", in_the_suite(CHAPTERS))
def test_the_page_shuts_solutions_with_their_outputs(browser, site, name):
    page = browser.new_page(base_url=site)
    page.goto(f"{name}.html")
    found = page.evaluate(TRY)
    assert len(found) == len(exercises(name))
    for shut, opened, again, everything in found:
        assert shut == again == 0 < opened == everything
    astray = page.locator("#exercises .cell:not(details.solution *)")
    assert astray.count() == 0
    first = page.locator("details.solution").first
    first.locator("summary").press("Enter")
    assert first.get_attribute("open") is not None
    page.emulate_media(media="print")
    assert page.evaluate(PRINTED) == 0
    page.close()


@needs_site
def test_numbers_on_the_pages_are_of_the_chapter_and_without_gaps():
    chapters = []
    for name in CHAPTERS:
        text = (SITE / f"{name}.html").read_text(encoding="utf-8")
        (chapter,) = re.findall(r'<h1><span class="section-number">(\d+)\. ', text)
        facts = [f"{each['level']}, {each['minutes']}" for each in exercises(name)]
        numbers = [f"{chapter}.{k + 1}" for k in range(len(facts))]
        title = r'admonition-title">{}Exercise (\d+\.\d+) · '
        told = r'class="exercise-facts"> – (\w+, \d+) minutes<'
        assert re.findall(title.format(""), text) == numbers
        assert re.findall(title.format("Solution to "), text) == numbers
        assert re.findall(told, text) == facts
        chapters.append(chapter)
    assert len(set(chapters)) == len(CHAPTERS)
