"""The students' notebooks: in the place of solutions stubs, and checks of the answers.

`student.py NOTEBOOKS TARGET` makes them of plain notebooks; with `--solutions` the same
with solutions and checks. With `--seal FILE` solutions are run, and what the checks
compare answers with goes to that file.
"""

import argparse
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from pathlib import Path

import nbformat
from execute import at_a_time, cores, memory
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from stub import answers, call, stub

from modbp.zoo.data.sources import root

IMPORT = "from modbp.study.course import check"
WRITE = "*Your answer:*"
TIMEOUT = 600  # seconds per cell
LETTERS = "bcdefgh"


def solutions(notebook):
    """Return the cells of each solution by the label of its exercise."""
    found = {}
    for cell in notebook.cells:
        if label := cell.metadata.get("solution"):
            found.setdefault(label, []).append(cell)
    return found


def checked(cells):
    """Return the cells of a solution that end in an answer."""
    return [cell for cell in cells if cell.metadata.get("check")]


def numbered(number, count):
    """Return the numbers of an exercise's answers: 3.4, 3.4b."""
    return [number, *(number + letter for letter in LETTERS)][:count]


def checks(number, cells):
    """Yield cells of a solution with an answer, and what checks that."""
    asked = checked(cells)
    for name, cell in zip(numbered(number, len(asked)), asked, strict=True):
        made = new_code_cell(call(name, cell.metadata["check"]))
        made.metadata["answer"] = [name, cell.metadata["check"]]
        yield cell, made


def stubs(number, cells):
    """Yield what a student gets in the place of a solution."""
    code = [cell for cell in cells if cell.cell_type == "code"]
    following = {id(cell): made for cell, made in checks(number, cells)}
    if not code:
        yield new_markdown_cell(WRITE)
    for cell in code:
        wanted = []
        if cell.metadata.get("check"):
            sources = [each.source for each in code[: code.index(cell) + 1]]
            wanted = answers(cell.metadata["check"], *sources)
        made = new_code_cell(stub(cell.source, wanted))
        made.metadata["stub"] = number
        yield made
        if id(cell) in following:
            yield following[id(cell)]


def asks(notebook):
    """Return whether a notebook has an answer to check."""
    return any("answer" in cell.metadata for cell in notebook.cells)


def edition(notebook, with_solutions):
    """Return a notebook with stubs for solutions, or with both and the checks."""
    numbers, by_label = notebook.metadata["exercises"], solutions(notebook)
    cells, done = [], set()
    for cell in notebook.cells:
        label = cell.metadata.get("solution")
        if not label:
            cells.append(cell)
        elif with_solutions:
            cells.append(cell)
            pairs = checks(numbers[label], by_label[label])
            cells += [made for before, made in pairs if before is cell]
        elif label not in done:
            done.add(label)
            cells += stubs(numbers[label], by_label[label])
    # Copies: each edition counts its cells.
    made = new_notebook(cells=deepcopy(cells), metadata=notebook.metadata)
    if asks(made):
        made.cells.insert(1, new_code_cell(IMPORT))
    for number, cell in enumerate(made.cells):
        cell.id = f"cell-{number}"
    nbformat.validate(made)
    return made


# Sealing.

# Runs in the notebook in the place of a check, and keeps what the check would see.
SEAL = """\
from modbp.study import course as _course
_answer = {answer}
_kept = _course.form(_answer), _course.sealed({number!r}, _answer)
print({mark!r} + __import__("json").dumps(_kept))"""
MARK = "sealed: "


def seal(notebook, folder, data):
    """Run a notebook with solutions; return what answers are compared with.

    `data` is the folder that images are looked for in.
    """
    notebook, asked = deepcopy(notebook), []
    for cell in notebook.cells:
        if "answer" in cell.metadata:
            name, answer = cell.metadata["answer"]
            cell.source = SEAL.format(answer=answer, number=name, mark=MARK)
            asked.append((name, cell))
    folder.mkdir(parents=True, exist_ok=True)
    resources = {"metadata": {"path": str(folder)}}
    client = NotebookClient(notebook, timeout=TIMEOUT, resources=resources)
    client.execute(env={**os.environ, "MODBP_DATA": str(data)})
    found = {}
    for name, cell in asked:
        text = "".join(o.text for o in cell.outputs if o.output_type == "stream")
        found[name] = json.loads(text.partition(MARK)[2])
    return found


def seal_all(notebooks, folder, data):
    """Seal the answers of several notebooks, several at a time."""

    def one(item):
        return seal(item[1], folder / item[0], data)

    def place(number):
        chapter, _, rest = number.partition(".")
        return int(chapter), int(rest.rstrip(LETTERS)), rest

    found = {}
    with ThreadPoolExecutor(at_a_time(cores(), memory())) as pool:
        for each in pool.map(one, notebooks.items()):
            found |= each
    return {number: found[number] for number in sorted(found, key=place)}


def main(argv):
    """Write one of the editions, and seal the answers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("notebooks", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--solutions", action="store_true")
    parser.add_argument("--seal", type=Path)
    told = parser.parse_args(argv)
    told.target.mkdir(parents=True, exist_ok=True)
    found = {p: nbformat.read(p, 4) for p in sorted(told.notebooks.glob("*.ipynb"))}
    for path, notebook in found.items():
        made = edition(notebook, told.solutions)
        nbformat.write(made, told.target / path.name)
    if told.seal:
        solved = {path.stem: edition(each, True) for path, each in found.items()}
        solved = {name: each for name, each in solved.items() if asks(each)}
        place = told.target.parent / "sealing"
        (place / "no data").mkdir(parents=True, exist_ok=True)
        # Answers about images: about the built-in ones, and about those found here.
        ways = [seal_all(solved, place, data) for data in (place / "no data", root())]
        found = {}
        for number, (form, _) in ways[0].items():
            seals = {tuple(way[number][1]) for way in ways}
            found[number] = {"form": form, "seals": sorted(map(list, seals))}
        text = json.dumps({"answers": found}, indent=1)
        told.seal.write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
