"""The order of the house: who imports whom, and what is told."""

import ast
import importlib
import inspect
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "modbp"

# From the ground up: a wing imports only from those on lower floors. Wings of one floor
# do not know each other.
WINGS = [
    {"errors"}, {"files"}, {"theory", "backprop", "zoo"}, {"measures"}, {"figures"},
    {"audits"}, {"study"}, {"commands"}, {"__main__"},
]  # fmt: skip
# Inside a wing, from the ground up.
ROOMS = {
    "backprop": [
        {"checks", "inference", "names"},
        {"trace"},
        {"operator"},
        {"rules"},
        {"deeplift"},
        {"methods"},
        {"chain"},
        {"explain"},
    ],
    "audits": [
        {"verdict", "likeness"},
        {"candidate"},
        {"summary", "words"},
        {"work", "curves"},
        {"page"},
        {"result"},
        {"audit"},
    ],
    "study": [
        {"runs"},
        {"experiments", "page", "training", "debate", "planted", "rollout", "scenes"},
        {"answers", "ledger"},
        {"paper"},
    ],
}
LIBRARY = {"errors", "files", "theory", "backprop", "zoo", "measures", "figures"}
LIBRARY |= {"audits"}
TOP = {"__init__.py", "__main__.py", "errors.py", "files.py", "py.typed"} | {
    "theory",
    "backprop",
    "zoo",
    "measures",
    "figures",
    "audits",
    "study",
    "commands",
}


def heights(floors):
    return {room: height for height, floor in enumerate(floors) for room in floor}


FILES = sorted(PACKAGE.rglob("*.py"))
INSIDE = [path for path in FILES if path != PACKAGE / "__init__.py"]


def name(path):
    return path.relative_to(ROOT).as_posix()


def place(path):
    """The wing of a file, and its room there; a folder is the room of its name."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[0], parts[1] if len(parts) > 1 else "__init__"


def imported(path):
    """Yield wing and room of every import of modbp, also of those inside functions."""
    package = ["modbp", *path.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
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
                yield (*rest, "__init__", "__init__")[:2]


def test_the_top_is_what_newcomers_are_told():
    found = {path.name for path in PACKAGE.iterdir()} - {"__pycache__"}
    assert found == TOP


@pytest.mark.parametrize("path", INSIDE, ids=name)
def test_imports_go_only_downwards(path):
    wings, (own, room) = heights(WINGS), place(path)
    assert own in wings, f"{name(path)} has no place in WINGS; give it one"
    rooms = heights(ROOMS.get(own, []))
    for wing, other in set(imported(path)):
        assert wing in wings, f"{name(path)} imports modbp.{wing}, which is no wing"
        if wing != own:
            assert wings[wing] < wings[own], f"{name(path)} imports upwards: {wing}"
        elif rooms and other not in (room, "__init__") and room != "__init__":
            assert rooms[other] < rooms[room], f"{name(path)} imports upwards: {other}"


@pytest.mark.parametrize("path", INSIDE, ids=name)
def test_no_library_wing_reaches_the_study(path):
    if place(path)[0] in LIBRARY:
        assert not {wing for wing, _ in imported(path)} & {"study", "commands"}


@pytest.mark.parametrize("path", INSIDE, ids=name)
def test_public_names_exist_and_are_described(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    if parts[-1] == "__main__":
        return
    module = importlib.import_module(".".join(p for p in parts if p != "__init__"))
    assert module.__doc__, f"{name(path)} says nothing about itself"
    for public in module.__all__:
        value = getattr(module, public)
        if inspect.isroutine(value) or inspect.isclass(value):
            first = (inspect.getdoc(value) or "").split("\n\n")[0]
            assert first.endswith((".", ":")), f"{public}: no first sentence"


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
