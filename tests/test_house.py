"""The order of the house: who imports whom, how long files are, what is told."""

import ast
import importlib
import inspect
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "modbp"

# From the ground up. A floor is a list of steps; a file may import from lower floors,
# and on its own floor from lower steps. A folder counts as the room of its name.
FLOORS = [
    [
        {"errors"},
        {"theory", "similarity", "checks", "provenance", "seeds", "vision"},
        {"surrogate"},
    ],
    [{"trace"}, {"rules", "models", "data"}],
    [{"deeplift", "operators"}, {"methods", "patterns"}, {"chain"}, {"explain"}],
    [{"csc", "eigen", "singular", "figures", "widgets"}, {"sanity"}],
    [
        {"training", "commands"},
        {"experiments", "audit"},
        {"ledger"},
        {"__main__"},
    ],
]
STEPS = [step for floor in FLOORS for step in floor]
HEIGHT = {room: height for height, step in enumerate(STEPS) for room in step}

FILES = sorted(PACKAGE.rglob("*.py"))
ROOMS = [path for path in FILES if path != PACKAGE / "__init__.py"]


def name(path):
    return path.relative_to(ROOT).as_posix()


def room(path):
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported_rooms(path):
    """Yield the room of every import of modbp, also of those inside functions."""
    package = ["modbp", *path.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            upwards = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*upwards, *filter(None, [node.module])])
            found = [f"{base}.{alias.name}" for alias in node.names]
        else:
            continue
        for target in found:
            first, *rest = target.split(".")
            if first == "modbp":
                yield rest[0] if rest else "__init__"


@pytest.mark.parametrize("path", ROOMS, ids=name)
def test_imports_go_only_downwards(path):
    own = room(path)
    assert own in HEIGHT, f"{name(path)} has no place in FLOORS; give it one"
    for other in set(imported_rooms(path)) - {own}:
        assert other in HEIGHT, f"{name(path)} imports modbp.{other}, which is no room"
        assert HEIGHT[other] < HEIGHT[own], f"{name(path)} imports upwards: {other}"


@pytest.mark.parametrize("path", FILES, ids=name)
def test_no_file_exceeds_300_lines(path):
    lines = len(path.read_text().splitlines())
    assert lines <= 300


@pytest.mark.parametrize("path", ROOMS, ids=name)
def test_public_names_exist_and_are_described(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    if parts[-1] == "__main__":
        return
    module = importlib.import_module(".".join(p for p in parts if p != "__init__"))
    assert module.__doc__, f"{name(path)} says nothing about itself"
    for public in module.__all__:
        value = getattr(module, public)
        if not inspect.isroutine(value) and not inspect.isclass(value):
            continue
        text = inspect.getdoc(value) or ""
        assert text.split("\n\n")[0].endswith((".", ":")), (
            f"{public}: no first sentence"
        )
        if inspect.isroutine(value) and inspect.signature(value).parameters:
            assert "\nParameters\n----------\n" in text, f"{public}: no parameters"


def listed():
    """Return the files that git knows or would add."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        out = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs git and a checkout")
    paths = [ROOT / entry for entry in out.decode().split("\0") if entry]
    return [path for path in paths if path.is_file()]


def test_only_the_ci_script_looks_outside():
    outside = "../" + "shared"
    text = [path for path in listed() if outside.encode() in path.read_bytes()]
    assert [name(path) for path in text] in ([], [".ci/run"])


def test_no_data_is_kept_in_the_repository():
    unwanted = {".npy", ".pt", ".pth", ".jpg", ".jpeg", ".pkl", ".ipynb"}
    assert [name(path) for path in listed() if path.suffix in unwanted] == []
