"""What chapters need of their page, with a page and without one."""

import re
import subprocess
import sys
from pathlib import Path

import chapters
import pytest

from modbp.study import page

ROOT = Path(__file__).parents[2]

WITHOUT = "import sys; sys.modules.update(myst_nb=None, sphinx=None"
SHELL = """
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
InteractiveShell.instance()
with capture_output() as seen:
    assert glue("answer", 42) is None
print(seen.stdout, [entry.metadata["scrapbook"]["name"] for entry in seen.outputs])
"""


FROM_ANYWHERE = """
from modbp.study import experiments, ledger
config = experiments.read("csc/cifar10")["config"]
print(len(config["image_names"]), "of", config["experiment"], "on", config["network"])
print(len(ledger.decided_in("convergence").claims))
"""


def python(code, **options):
    """Return what a fresh Python prints."""
    command = [sys.executable, "-W", "error", "-c", code]
    environment = {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, capture_output=True, encoding="utf-8", env=environment, **options
    )
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


@pytest.mark.parametrize("name", chapters.names())
def test_a_chapter_needs_neither_myst_nb_nor_the_folder_that_it_runs_in(name):
    code = "\n".join(chapters.sources(name))
    # A folder that it makes, and what lies beside a file that it writes, are its own.
    code = re.sub(r"Path\((tempfile\.mkdtemp\(\)|__file__)\)", "", code)
    assert not re.search(r"myst_nb|\bopen\(|Path\(|\bos\.|\.\./|read_text", code)


def test_results_and_claims_are_found_from_an_empty_folder(tmp_path):
    stored, told = python(FROM_ANYWHERE, cwd=tmp_path).splitlines()
    assert stored == "200 of csc on cifar10" and int(told) > 2
    assert list(tmp_path.iterdir()) == []


def test_a_power_of_ten_is_written_as_people_do():
    assert page.power(3.18e-10) == "3·10⁻¹⁰"
    assert page.power(3.18e-10, 2) == "3.2·10⁻¹⁰"
    assert page.power(9.96e5, 2) == "1.0·10⁶"
