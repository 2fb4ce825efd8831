"""The two commands: what they say, and when they do their work again."""

import ast
import importlib.util
import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
from conftest import long_but

ROOT = Path(__file__).parents[1]
FILE = ROOT / "noxfile.py"


def loaded(path):
    """A file as a module."""
    spec = importlib.util.spec_from_file_location(f"{path.stem}_under_test", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def noxfile():
    """The noxfile as a module; nox wants it to be loaded once."""
    pytest.importorskip("nox")
    return loaded(FILE)


@pytest.fixture
def nox(noxfile, monkeypatch, tmp_path):
    """The noxfile in an empty project."""
    monkeypatch.setattr(noxfile, "ROOT", tmp_path)
    monkeypatch.setattr(noxfile, "ENVIRONMENT", tmp_path / ".venv")
    monkeypatch.setattr(noxfile, "BUILD", tmp_path / "_build")
    monkeypatch.setattr(noxfile, "NOTEBOOKS", tmp_path / "_build" / "notebooks")
    monkeypatch.setattr(noxfile, "LAB", tmp_path / "_build" / "lab")
    monkeypatch.setenv("MODBP_DATA", str(tmp_path / "data"))
    (tmp_path / "requirements.txt").write_text("numpy\n", encoding="utf-8")
    return noxfile


def run(*arguments):
    command = [sys.executable, FILE, *arguments]
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=False)


@pytest.mark.parametrize("arguments", [[], ["nonsense"]])
def test_an_unknown_verb_gets_the_list(nox, arguments):
    result = run(*arguments)
    assert result.returncode == 2
    assert all(verb in result.stdout for verb in nox.VERBS)


def test_every_verb_is_a_session(nox):
    assert all(hasattr(getattr(nox, verb), "func") for verb in nox.VERBS)


def test_an_old_python_gets_as_far_as_being_told(nox, monkeypatch):
    ast.parse(FILE.read_text(encoding="utf-8"), feature_version=(3, 7))
    for version in ((3, 8, 10), (3, 15, 0)):  # no wheels for either
        monkeypatch.setattr(sys, "version_info", version)
        found = f"this is Python 3.{version[1]}; install Python 3.11"
        assert nox.missing().startswith(found)
        assert "\n" not in nox.missing()


@pytest.mark.parametrize("module", ["venv", "ensurepip"])
def test_a_python_without_venv_is_told(nox, monkeypatch, module):
    assert nox.missing() == ""
    monkeypatch.setitem(sys.modules, module, None)
    assert repr(module) in nox.missing()


@pytest.fixture
def install(nox, monkeypatch):
    """Instead of an install: what each one did, and how the next ones end."""

    class Install:
        def __init__(self):
            self.cleared, self.endings, self.commands = [], [], []

        def venv(self, path, *, clear, **options):
            path.mkdir(exist_ok=True)
            self.cleared.append(clear)

        def pip(self, command, cwd):
            self.commands.append(command)
            ending = self.endings.pop(0) if self.endings else 0
            if isinstance(ending, type):
                raise ending
            return ending

    found = Install()
    monkeypatch.setattr("venv.create", found.venv)
    monkeypatch.setattr(nox.subprocess, "call", found.pip)
    return found


def test_an_interrupted_install_begins_again_from_nothing(nox, install):
    install.endings = [KeyboardInterrupt]
    with pytest.raises(KeyboardInterrupt):
        nox.prepare()
    nox.prepare()
    nox.prepare()
    assert install.cleared == [True, True]
    (nox.ROOT / "requirements.txt").write_text("numpy==2\n", encoding="utf-8")
    nox.prepare()
    assert install.cleared == [True, True, False]


@pytest.mark.parametrize(
    "endings, told",
    [([1], "the install stopped"), ([0, 1], "pip installed elsewhere")],
)
def test_a_failed_install_is_one_sentence_and_is_done_again(
    nox, install, endings, told
):
    install.endings = endings
    with pytest.raises(SystemExit, match=rf"^noxfile.py: {told}[^.]*\. [^.]*\.$"):
        nox.prepare()
    nox.prepare()
    assert len(install.cleared) == 2


@pytest.mark.parametrize("error", [PermissionError(13, "not yours"), OSError(28, "f")])
def test_an_environment_that_cannot_be_made_is_one_sentence(nox, monkeypatch, error):
    def create(*arguments, **options):
        raise error

    monkeypatch.setattr("venv.create", create)
    with pytest.raises(SystemExit, match=r"^noxfile.py: no environment .*\.$") as told:
        nox.prepare()
    assert error.strerror in str(told.value)


ASTRAY = "USER TARGET PREFIX ROOT DRY_RUN NO_DEPS PYTHON".split()


@pytest.mark.parametrize("name", ["PYTHONPATH", *(f"PIP_{name}" for name in ASTRAY)])
def test_what_leads_an_install_astray_is_forgotten(nox, install, monkeypatch, name):
    monkeypatch.setenv(name, "elsewhere")
    nox.prepare()
    assert name not in nox.os.environ


ASTRAY_LINES = ["user = true", "target = elsewhere"]


@pytest.mark.parametrize("line", long_but("user = true".__eq__, ASTRAY_LINES))
def test_what_leads_an_install_astray_in_a_file_of_pips_is_outdone(
    nox, install, monkeypatch, tmp_path, line
):
    """Pip itself is asked, for a wheel of one file."""
    nox.prepare()
    command = install.commands[0]
    options = command[command.index("install") : command.index("-r")]
    monkeypatch.undo()

    home, info = tmp_path / "environment", "leaf-1.dist-info"
    venv.create(home, with_pip=True, symlinks=os.name != "nt")
    wheel = tmp_path / "leaf-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as packed:
        facts = "Metadata-Version: 2.1\nName: leaf\nVersion: 1"
        packed.writestr(f"{info}/METADATA", facts)
        packed.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any")
        packed.writestr(f"{info}/RECORD", "")
        packed.writestr("leaf.py", "")
    settings = tmp_path / "pip.conf"
    settings.write_text(f"[install]\n{line}\n", encoding="utf-8")
    python = home / nox.BIN.name / "python"
    command = [python, "-m", "pip", *options, "--no-index", "--quiet", wheel]
    environment = {**os.environ, "PIP_CONFIG_FILE": str(settings)}
    subprocess.run(command, env=environment, cwd=tmp_path, check=True)
    subprocess.run([python, "-c", "import leaf"], cwd=home, check=True)


def test_homes_of_programs_are_there_before_the_programs_are(nox):
    told = nox.own(MORE="x")
    assert told["MORE"] == "x" and told["PYTHONUTF8"] == "1"
    assert all(Path(told[name]).is_dir() for name in nox.HOMES)


def test_images_are_looked_for_where_the_module_does(nox, monkeypatch, tmp_path):
    from modbp.zoo.data import root

    (tmp_path / "data" / "cifar10" / "test").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    for place in (str(tmp_path / "data"), "~/data"):
        monkeypatch.setenv("MODBP_DATA", place)
        assert nox.images() == "cifar10/test"
    assert nox.data() == tmp_path / "data"
    monkeypatch.delenv("MODBP_DATA")
    assert nox.data() == root()


def test_chapters_run_side_by_side_as_far_as_memory_goes(tmp_path):
    pytest.importorskip("jupyter_cache")
    execute = loaded(ROOT / "book" / "_ext" / "execute.py")
    wanted = {(8, 64): 8, (8, 8): 4, (2, 64): 2, (8, 1): 1, (1, 64): 1, (4, -1): 1}
    for (cores, gigabytes), count in wanted.items():
        assert execute.at_a_time(cores, gigabytes * 1e9) == count
    assert 1 <= execute.cores() <= os.cpu_count()
    # No container, one without a limit, and one that holds copies of files.
    free = execute.memory(tmp_path)
    assert free > 0
    for name, text in (("current", "900"), ("stat", "anon 1\ninactive_file 300\n")):
        (tmp_path / f"memory.{name}").write_text(text, encoding="utf-8")
    (tmp_path / "memory.max").write_text("max\n", encoding="utf-8")
    assert execute.memory(tmp_path) > 1000
    (tmp_path / "memory.max").write_text("1000\n", encoding="utf-8")
    assert execute.memory(tmp_path) == 400


CHAPTER = """---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  name: python3
  display_name: Python 3
  language: python
---

```{{code-cell}}
{}
```
"""


def test_chapters_are_run_once_and_a_failure_does_not_stop_the_others(nox, tmp_path):
    pytest.importorskip("jupyter_cache")
    codes = {"a": "6 * 7", "b": "raise KeyError('no')", "c": "print('é', 2)"}
    for name, code in codes.items():
        text = CHAPTER.format(code)
        (tmp_path / f"{name}.md").write_text(text, encoding="utf-8")
    command = [sys.executable, ROOT / "book" / "_ext" / "execute.py", tmp_path / "kept"]
    command += [tmp_path / f"{name}.md" for name in codes]
    for again in (False, True):
        environment = {**os.environ, **nox.own()}
        done = subprocess.run(
            command, env=environment, capture_output=True, encoding="utf-8"
        )
        assert done.returncode == 0 and "Warning" not in done.stderr
        first, *lines = done.stdout.splitlines()
        assert first.startswith(("3", "1")[again] + " chapters to run, ")
        found = sorted(line.split("s  ")[1] for line in lines)
        assert found == (["b: stopped"] if again else ["a", "b: stopped", "c"])
        assert "KeyError" in done.stderr


@pytest.mark.parametrize(
    "changed",
    [
        "modbp/backprop/trace/layers.py",
        "modbp/zoo/weights/cifar10.safetensors",
        "modbp/study/results/csc/cifar10/lrp-z.json",
        "modbp/study/ledger/claims.json",
        "modbp/study/paper/deviations.json",
        "requirements.txt",
        "data/cifar10/.complete",
    ],
)
def test_outputs_are_forgotten_when_what_they_rest_on_changes(nox, changed):
    output = nox.BUILD / ".jupyter_cache" / "output"
    nox.drop_stale_results()
    output.parent.mkdir()
    output.touch()
    nox.drop_stale_results()
    assert output.exists()
    path = nox.ROOT / changed
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("changed", encoding="utf-8")
    nox.drop_stale_results()
    assert not output.exists()


def test_the_table_of_contents_names_the_pages(nox, monkeypatch):
    monkeypatch.setattr(nox, "ROOT", ROOT)
    pages = [page.stem for page in nox.pages()]
    assert pages[0] == "index"
    assert all((ROOT / "book" / f"{page}.md").exists() for page in pages)


@pytest.fixture
def copies(nox, monkeypatch):
    """A book of two chapters and two pages without cells, and its copies."""
    monkeypatch.setattr(nox, "pages", lambda: [Path(f"{n}.html") for n in "ibca"])
    nox.NOTEBOOKS.mkdir(parents=True)
    for name, text in {
        "start": "(a.ipynb) [](a.ipynb) [](b.ipynb#x)",
        "a": "A",
        "b": "B",
    }.items():
        (nox.NOTEBOOKS / f"{name}.ipynb").write_text(text, encoding="utf-8")
    nox.copy_notebooks()
    return nox.LAB


def contents(folder):
    return {p.name: p.read_text("utf-8") for p in sorted(folder.glob("*.ipynb"))}


def test_copies_are_in_reading_order_and_lead_to_each_other(copies):
    start = "(a.ipynb) [](02-a.ipynb) [](01-b.ipynb#x)"
    found = {"00-start.ipynb": start, "01-b.ipynb": "B", "02-a.ipynb": "A"}
    assert contents(copies) == found


def test_a_copy_follows_the_book_unless_the_user_changed_it(nox, copies):
    (copies / "01-b.ipynb").write_text("mine", encoding="utf-8")
    for name in "ab":
        (nox.NOTEBOOKS / f"{name}.ipynb").write_text("new", encoding="utf-8")
    for _ in range(2):
        assert [path.name for path in nox.copy_notebooks()] == ["01-b.ipynb"]
        assert contents(copies)["01-b.ipynb"] == "mine"
        assert contents(copies)["02-a.ipynb"] == "new"
    (copies / "01-b.ipynb").unlink()
    assert nox.copy_notebooks() == []
    assert contents(copies)["01-b.ipynb"] == "new"


def test_a_notebook_that_was_only_run_follows_the_book(nox, copies):
    def notebook(source, **more):
        cell = {"cell_type": "code", "source": source, "outputs": [], **more}
        return json.dumps({"cells": [cell]})

    (nox.NOTEBOOKS / "a.ipynb").write_text(notebook("1 + 1"), encoding="utf-8")
    nox.copy_notebooks()
    run = notebook(["1 + 1"], execution_count=3, outputs=["2"])
    (copies / "02-a.ipynb").write_text(run, encoding="utf-8")
    assert nox.mine() == nox.copy_notebooks() == []
    assert contents(copies)["02-a.ipynb"] == run
    (nox.NOTEBOOKS / "a.ipynb").write_text(notebook("3"), encoding="utf-8")
    nox.copy_notebooks()
    assert contents(copies)["02-a.ipynb"] == notebook("3")
    (copies / "02-a.ipynb").write_text(notebook("1 + 2"), encoding="utf-8")
    assert nox.mine() == [copies / "02-a.ipynb"]


def test_a_copy_whose_chapter_moves_goes_along_unless_it_is_the_users(
    nox, copies, monkeypatch
):
    (copies / "01-b.ipynb").write_text("mine", encoding="utf-8")
    monkeypatch.setattr(nox, "pages", lambda: [Path(f"{n}.html") for n in "iab"])
    nox.copy_notebooks()
    found = contents(copies)
    assert list(found) == ["00-start.ipynb", "01-a.ipynb", "01-b.ipynb", "02-b.ipynb"]
    assert found["01-b.ipynb"] == "mine" and found["02-b.ipynb"] == "B"


@pytest.mark.parametrize("written", ["01-b.ipynb", "notes.txt", "own/net.py", None])
def test_cleaning_keeps_what_the_user_wrote(nox, copies, written, capsys):
    (nox.BUILD / "html").mkdir()
    (nox.BUILD / "made-from").touch()
    (copies / ".ipynb_checkpoints").mkdir()
    (copies / ".ipynb_checkpoints" / "01-b-checkpoint.ipynb").touch()
    if written:
        (copies / written).parent.mkdir(exist_ok=True)
        (copies / written).write_text("mine", encoding="utf-8")
    nox.remove_made()
    left = {path.name for path in nox.BUILD.iterdir()}
    assert left == ({"lab"} if written else set())
    if written:
        assert (copies / written).read_text(encoding="utf-8") == "mine"
        assert Path(written).name in capsys.readouterr().out


def test_the_readme_names_the_two_commands():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "python3 noxfile.py book" in text
    assert "python3 noxfile.py tests" in text
