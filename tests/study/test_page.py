"""What chapters need of their page, with a page and without one."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHAPTERS = sorted((ROOT / "book").glob("*.md"))

WITHOUT = "import sys; sys.modules.update(myst_nb=None, sphinx=None"
SHELL = """
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
InteractiveShell.instance()
with capture_output() as seen:
    assert glue("answer", 42) is None
print(seen.stdout, [entry.metadata["scrapbook"]["name"] for entry in seen.outputs])
"""


def python(code):
    """Return what a fresh Python prints."""
    command = [sys.executable, "-W", "error", "-c", code]
    environment = {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


IMPORT = "from modbp.study.page import glue\n"


def test_a_value_reaches_the_page():
    assert python(IMPORT + SHELL) == "['answer']"


@pytest.mark.parametrize(
    ("code", "printed"),
    [
        (f"{WITHOUT})\n{IMPORT}{SHELL}", "[]"),
        (f"{WITHOUT}, IPython=None)\n{IMPORT}print(glue('answer', 42))", "None"),
        (f"{IMPORT}print(glue('answer', 42))", "None"),
    ],
    ids=["a notebook without myst-nb", "no IPython", "a script"],
)
def test_without_a_page_nothing_happens(code, printed):
    assert python(code) == printed


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_chapters_take_glue_from_there(path):
    assert "myst_nb" not in path.read_text(encoding="utf-8")
