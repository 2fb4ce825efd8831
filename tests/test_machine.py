"""Any machine: other code pages and devices than those of whoever wrote this."""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from commands.shell import shell
from conftest import long_but
from PIL import Image

from modbp.measures.precision import in_float64

ROOT = Path(__file__).parents[1]
CHAPTERS = sorted(ROOT.glob("book/*.md"))
MODULE = sorted(ROOT.glob("modbp/**/*.py"))
SOURCES = [*MODULE, ROOT / "noxfile.py", *sorted(ROOT.glob("book/_ext/*.py"))]
SOURCES += [*sorted(ROOT.glob("tests/**/*.py")), *CHAPTERS]

# What opens a file: where its mode stands among what is given, and what it is else.
MODES = {"open": (1, "r"), "fdopen": (1, "r"), "Path.open": (0, "r")}
MODES |= {f"{each}TemporaryFile": (0, "w+b") for each in ("", "Named", "Spooled")}
# What takes text: where its encoding stands, if not by name alone.
TEXTS = {"read_text": 0, "write_text": 1, "TextIOWrapper": 1, "FileHandler": 2}
TEXTS |= dict.fromkeys(["loadtxt", "genfromtxt", "savetxt", "popen"], 99)
TEXTS |= dict.fromkeys(["getoutput", "getstatusoutput"], 99)
PROCESSES = {"run", "Popen", "call", "check_call", "check_output"}
# Of these `open` is no file's, or none for text.
OTHERS = {"Image", "bz2", "gzip", "lzma", "os", "tarfile", "webbrowser", "wave"}


def constant(node):
    return node.value if isinstance(node, ast.Constant) else ...


def careless(code):
    """Yield the line of each call that reads or writes text as the machine likes."""
    for call in ast.walk(ast.parse(code)):
        if not isinstance(call, ast.Call):
            continue
        values = {word.arg: constant(word.value) for word in call.keywords}
        given = [*map(constant, call.args)]
        name = getattr(call.func, "attr", None) or getattr(call.func, "id", None)
        owner = getattr(getattr(call.func, "value", None), "id", None)
        if name == "open" and isinstance(call.func, ast.Attribute) and owner != "io":
            name = "Path.open"
        if owner in OTHERS and name == "Path.open":
            text = "t" in str(given[1] if given[1:] else values.get("mode", ""))
        elif name in MODES:
            place, usual = MODES[name]
            mode = given[place] if len(given) > place else values.get("mode")
            text = "b" not in str(mode or usual)
        elif name in TEXTS:
            text = len(given) <= TEXTS[name]
        else:
            words = ("text", "universal_newlines", "errors")
            text = name in PROCESSES and any(map(values.get, words))
        if text and values.get("encoding") is None:
            yield call.lineno


def code(path):
    """Return the Python of a file, of a chapter that of its cells."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return text
    cells = re.findall(r"^```\{code-cell\}.*?\n(.*?)^```", text, re.M | re.S)
    # A cell may begin with options.
    cells = [re.sub(r"\A(---\n.*?\n---\n|(:.*\n)+)", "", c, flags=re.S) for c in cells]
    return "\n".join(cells)


def test_text_is_read_and_written_in_an_encoding_of_ours():
    lines = ((path, line) for path in SOURCES for line in careless(code(path)))
    assert [f"{path.relative_to(ROOT)}:{line}" for path, line in lines] == []


@pytest.mark.parametrize(
    "line",
    [
        "open(p)", "open(p, 'w')", "open(p, mode='a')", "open(p, mode)", "io.open(p)",
        "open(p, encoding=None)", "p.open()", "p.open('w')", "Path(p).open()",
        "os.fdopen(3, 'w')", "gzip.open(p, 'rt')", "p.read_text()", "p.write_text(t)",
        "NamedTemporaryFile('w')", "tempfile.TemporaryFile(mode='w+')",
        "run(c, text=True)", "subprocess.run(c, universal_newlines=True)",
        "subprocess.Popen(c, errors='replace')", "subprocess.check_output(c, text=1)",
        "os.popen(c)", "subprocess.getoutput(c)", "np.loadtxt(p)",
        "io.TextIOWrapper(b)",
    ],
)  # fmt: skip
def test_careless_code_is_found(line):
    assert list(careless(f"\n{line}")) == [2]


@pytest.mark.parametrize(
    "line",
    [
        "open(p, 'rb')", "open(p, mode='wb')", "open(p, encoding='utf-8')",
        "os.open(p)", "p.open('rb')", "p.open('w', encoding='utf-8')", "Image.open(p)",
        "os.fdopen(3, 'wb')", "gzip.open(p)", "p.read_text('utf-8')",
        "p.write_text(t, 'utf-8')", "p.read_text(encoding=e)", "TemporaryFile()",
        "subprocess.run(c, capture_output=True)", "subprocess.run(c, text=False)",
        "subprocess.run(c, encoding='utf-8', errors='replace')", "session.run(c)",
    ],
)  # fmt: skip
def test_careful_code_is_left_alone(line):
    assert list(careless(f"\n{line}")) == []


@pytest.fixture(scope="module")
def windows(tmp_path_factory):
    """What makes Python write and read as on Windows in western Europe."""
    place = tmp_path_factory.mktemp("locales")
    name = "en_US.CP1252"
    if not shutil.which("localedef"):
        pytest.skip("no localedef here, so that no code page can be simulated")
    command = ["localedef", "-i", "en_US", "-f", "CP1252", place / name]
    subprocess.run(command, capture_output=True, check=False)
    told = {"LOCPATH": str(place), "LC_ALL": name, "PYTHONUTF8": "0"}
    if not (place / name).is_dir():
        pytest.skip("localedef has no CP1252 here, so that it cannot be simulated")
    return told | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": ""}


def python(windows, script, here=ROOT):
    command = [sys.executable, "-W", "error", "-c", script]
    environment = {**os.environ, **windows}
    done = subprocess.run(command, env=environment, capture_output=True, cwd=here)
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout.decode("cp1252").splitlines()


def test_the_code_page_is_not_ours(windows):
    script = "import locale, sys; print(locale.getencoding(), sys.stdout.encoding)"
    assert python(windows, script)[0].lower() == "cp1252 cp1252"


def test_chapters_pages_and_claims_are_read_in_any_code_page(windows):
    pytest.importorskip("nox")
    script = "import noxfile; print(len(noxfile.chapters()), len(noxfile.pages()))"
    chapters, pages = map(int, python(windows, script)[0].split())
    assert 0 < chapters < pages <= len(CHAPTERS)
    script = "from modbp.study import ledger; print(len(ledger.read()))"
    assert int(python(windows, script)[0]) >= 47


def test_no_device_is_asked_for_float64_that_may_not_have_it():
    """Apple's has none: what is cast has to be on the CPU before, in the same line."""
    own = ROOT / "modbp" / "measures" / "precision.py"
    # The ledger computes with networks of ours, on the CPU.
    places = [p for p in MODULE if p != own and "ledger" not in p.parts]
    found = []
    for path in places:
        for call in ast.walk(ast.parse(code(path))):
            if not isinstance(call, ast.Call):
                continue
            words = [*call.args, *(word.value for word in call.keywords)]
            casts = getattr(call.func, "attr", "") in ("double", "to")
            wide = "double" in ast.unparse(call.func)[-6:]
            wide = wide or any("float64" in ast.unparse(word) for word in words)
            if casts and wide and not ast.unparse(call.func.value).endswith(".cpu()"):
                found.append(f"{path.relative_to(ROOT)}:{call.lineno}")
    assert found == []


class OnApple:
    """A tensor on a device without float64."""

    device = torch.device("mps")

    def __init__(self, values):
        self.values = values

    def cpu(self):
        return self.values


def test_float64_is_had_on_the_cpu_where_a_device_has_none():
    values = torch.tensor([1 / 3])
    for given in (values, OnApple(values)):
        found = in_float64(given)
        assert found.dtype == torch.float64 and torch.equal(found.float(), values)


@pytest.mark.parametrize("name", long_but("猫.png".__eq__, ["café × ε.png", "猫.png"]))
def test_explain_writes_a_figure_in_any_code_page(windows, tmp_path, name):
    code = "def net():\n    from torch import nn\n    # Größe, ε, 猫\n"
    code += "    parts = nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1)\n"
    code += "    return nn.Sequential(*parts, nn.Flatten(), nn.Linear(4, 3))\n"
    (tmp_path / "mine.py").write_text(code, encoding="utf-8")
    Image.new("RGB", (40, 30), "orange").save(tmp_path / name)
    words = ["--network", "mine.py:net", "--size", "20", "--npz"]
    status, out, error = shell(tmp_path, "explain", name, *words, **windows)
    assert (status, error) == (0, "")
    assert {path.suffix for path in tmp_path.glob("*-net.*")} == {".png", ".npz"}
    assert out.splitlines()[-1].startswith("wrote ")


def test_what_a_code_page_has_not_is_printed_as_a_number(windows):
    script = "import runpy, sys; from modbp.commands import explain\n"
    script += "explain.run = lambda options: print('\\u72ac \\xd7 \\u03b5')\n"
    script += "sys.argv = ['modbp', 'explain', 'a.png']\n"
    script += "runpy.run_module('modbp', run_name='__main__')"
    assert python(windows, script) == ["\\u72ac × \\u03b5"]
