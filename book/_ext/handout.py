"""One zip for each session: `handout.py NOTEBOOKS WHEEL TARGET`.

In it are the notebooks of its chapters, the module that they need, and a sheet that
says what to do.
"""

import sys
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import nbformat
from teaching import sessions

SHEET = """\
# {title}

Chapters: {chapters}.

Exercises: {exercises}, at the end of their chapters. A cell with `check(…)` tells
whether your answer is right.

To run the notebooks, install the module from this folder, and what opens them:

    pip install "{wheel}[live]" jupyterlab
    jupyter lab
"""


def sheet(session, notebooks, wheel):
    """Return what a session asks for, in words."""
    numbers = {}
    for notebook in notebooks.values():
        numbers |= notebook.metadata["exercises"]
    titles = [
        f"*{n.metadata['title']}* ({name}.ipynb)" for name, n in notebooks.items()
    ]
    asked = [numbers[label] for label in session["exercises"]]
    return SHEET.format(
        title=session["title"],
        chapters=", ".join(titles),
        exercises=", ".join(asked) or "none",
        wheel=wheel.name,
    )


def pack(session, folder, wheel, target):
    """Write the zip of a session."""
    paths = {name: folder / f"{name}.ipynb" for name in session["chapters"]}
    notebooks = {name: nbformat.read(path, 4) for name, path in paths.items()}
    files = {path.name: path.read_bytes() for path in [*paths.values(), wheel]}
    files["README.md"] = sheet(session, notebooks, wheel).encode()
    with ZipFile(target / f"{session['name']}.zip", "w", ZIP_DEFLATED) as made:
        for name, content in files.items():
            # The same bytes whenever it is made.
            made.writestr(ZipInfo(f"{session['name']}/{name}"), content, ZIP_DEFLATED)


def main(folder, wheel, target):
    """Write all of them."""
    for session in sessions().values():
        pack(session, folder, wheel, target)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
