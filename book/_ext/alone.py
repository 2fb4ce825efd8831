"""Run notebooks where nothing else is: `alone.py FOLDER [--part 1/3] NOTEBOOK...`.

Each in an empty folder of its own, as a reader has it who has that one file. Prints
what failed, what is not plain, and what was stored because weights are not here.
"""

import argparse
import re
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic

import nbformat
from execute import at_a_time, cores, memory
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError

TIMEOUT = 600  # seconds per cell: other machines are slower than ours

# What only MyST understands.
RAW = {
    "directive": re.compile(r"^[>\s]*(`{3,}|:{3,}) *\{", re.M),
    "role": re.compile(r"\{[a-z][\w:+.-]*\}`"),
    "target": re.compile(r"^[>\s]*\([\w-]+\)=\s*$", re.M),
    "comment": re.compile(r"^(% |\+\+\+)", re.M),
    "citation": re.compile(r"\bcite:[pt]\b"),
    "macro": re.compile(r"\\(norm|R)(?![A-Za-z])"),
}
# How a cell begins that shows a stored result in place of its own (modbp.study.page).
STORED = "Stored result:"
# These run on what a wheel brings.
LIVE = {"phenomenon", "chains", "theorem", "repair", "speed"}
COLUMNS = ("cells", "failed", "raw", "stored")


def raw(notebook):
    """Return how many cells of text only MyST would understand."""
    said = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    return sum(any(p.search(text) for p in RAW.values()) for text in said)


def printed(cell):
    """Return what a cell printed."""
    return "".join(o.text for o in cell.outputs if o.output_type == "stream")


def failures(cells):
    """Yield what went wrong: errors, and a first cell that misses something."""
    if cells and "Everything is here." not in printed(cells[0]):
        yield f"the first cell says: {printed(cells[0]).strip() or 'nothing'}"
    for cell in cells:
        for output in cell.outputs:
            if output.output_type == "error":
                yield f"{output.ename}: {output.evalue}\n    in: {cell.source[:200]!r}"


def run(path, folder):
    """Run one notebook; return its counts, and what went wrong."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    notebook = nbformat.read(path, 4)
    place = {"metadata": {"path": str(folder)}}
    client = NotebookClient(
        notebook, timeout=TIMEOUT, allow_errors=True, resources=place
    )
    stopped = []
    try:
        client.execute()
    except (CellTimeoutError, DeadKernelError) as error:
        stopped.append(f"{type(error).__name__}: {str(error).splitlines()[0]}")
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    wrong = [*failures(cells), *stopped]
    stored = sum(printed(cell).startswith(STORED) for cell in cells)
    return (len(cells), len(wrong), raw(notebook), stored), wrong


def part_of(paths, part):
    """Return the notebooks of a part such as 2/3: every third, from the second."""
    number, count = map(int, part.split("/"))
    if not 1 <= number <= count:
        raise SystemExit(f"alone.py: there is no part {part}; the first is 1/{count}.")
    return paths[number - 1 :: count]


def main(arguments):
    """Run them side by side, print a table; return how many are not as they should."""
    parser = argparse.ArgumentParser(prog="alone.py")
    parser.add_argument("folder", type=Path)
    parser.add_argument("notebooks", type=Path, nargs="+")
    parser.add_argument(
        "--part", default="1/1", help="2/3: every third, from the second"
    )
    told = parser.parse_args(arguments)
    paths = part_of(told.notebooks, told.part)
    count, bad, total = at_a_time(cores(), memory()), 0, [0] * len(COLUMNS)
    print(f"{len(paths)} notebooks to run, {count} at a time", flush=True)
    print(f"{'':20}{''.join(f'{c:>8}' for c in COLUMNS)}{'seconds':>9}", flush=True)

    def one(path):
        start = monotonic()
        counts, wrong = run(path.resolve(), told.folder.resolve() / path.stem)
        row = "".join(f"{c:8}" for c in counts)
        lines = [f"{path.stem:20}{row}{monotonic() - start:9.1f}", *wrong]
        print("\n    ".join(lines), flush=True)
        return path, counts

    with ThreadPoolExecutor(count) as pool:
        for path, counts in pool.map(one, paths):
            total = [a + b for a, b in zip(total, counts, strict=True)]
            _, failed, rough, stored = counts
            bad += bool(failed or rough or (stored and path.stem in LIVE))
    print(f"{'together':20}{''.join(f'{c:8}' for c in total)}")
    if bad:
        print(f"{bad} of {len(paths)} notebooks do not run as they should.")
    return bad


if __name__ == "__main__":
    sys.exit(bool(main(sys.argv[1:])))
