"""The two commands: what they say, and when they do their work again."""

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILE = ROOT / "noxfile.py"


@pytest.fixture(scope="module")
def noxfile():
    """The noxfile as a module; nox wants it to be loaded once."""
    pytest.importorskip("nox")
    spec = importlib.util.spec_from_file_location("noxfile_under_test", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def nox(noxfile, monkeypatch, tmp_path):
    """The noxfile in an empty project."""
    monkeypatch.setattr(noxfile, "ROOT", tmp_path)
    monkeypatch.setattr(noxfile, "ENVIRONMENT", tmp_path / ".venv")
    monkeypatch.setattr(noxfile, "BUILD", tmp_path / "_build")
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
    monkeypatch.setattr(sys, "version_info", (3, 8, 10))
    assert nox.missing().startswith("this is Python 3.8; install Python 3.11")
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
        cleared, endings = [], []

        def venv(self, path, *, clear, **options):
            path.mkdir(exist_ok=True)
            self.cleared.append(clear)

        def pip(self, command, cwd):
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


def test_a_failed_install_is_one_sentence_and_is_done_again(nox, install):
    install.endings = [1]
    with pytest.raises(SystemExit, match=r"^noxfile.py: the install stopped; .*\.$"):
        nox.prepare()
    nox.prepare()
    assert len(install.cleared) == 2


@pytest.mark.parametrize("name", ["PIP_USER", "PIP_TARGET", "PYTHONPATH"])
def test_what_leads_an_install_astray_is_forgotten(nox, install, monkeypatch, name):
    monkeypatch.setenv(name, "elsewhere")
    nox.prepare()
    assert name not in nox.os.environ


@pytest.mark.parametrize(
    "changed",
    [
        "modbp/backprop/trace/layers.py",
        "modbp/zoo/weights/cifar10.safetensors",
        "modbp/study/results/csc/cifar10/lrp-z.json",
        "modbp/study/ledger/claims.json",
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


def test_the_readme_names_the_two_commands():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "python3 noxfile.py book" in text
    assert "python3 noxfile.py tests" in text
