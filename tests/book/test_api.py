"""The API pages: what they show is told in full, typed, and tried."""

import importlib
import inspect
import re
from pathlib import Path

import pytest

BOOK = Path(__file__).parents[2] / "book"
_DIRECTIVE = re.compile(r"^\.\. (auto\w+|currentmodule):: *(\S+)", re.MULTILINE)


def shown():
    """Yield address and object of all functions and classes on the API pages."""
    for page in sorted(BOOK.glob("api*.md")):
        space = ""
        for what, name in _DIRECTIVE.findall(page.read_text(encoding="utf-8")):
            if what == "currentmodule":
                space = f"{name}."
            elif what == "automodule":
                module = at(name)
                for public in module.__all__:
                    yield from described(f"{name}.{public}", getattr(module, public))
            else:
                address = name if name.startswith("modbp.") else space + name
                yield from described(address, at(address))


def at(address):
    """Return what stands at a dotted address, in a module or behind the door."""
    first, *rest = address.split(".")
    found = importlib.import_module(first)
    for name in rest:
        if not hasattr(found, name):
            importlib.import_module(f"{found.__name__}.{name}")
        found = getattr(found, name)
    return found


def described(address, value):
    """Yield what a page describes of one name: a function, or a class and methods."""
    if inspect.isclass(value):
        yield address, value
        for name, member in vars(value).items():
            if not name.startswith("_") and inspect.isroutine(member):
                yield f"{address}.{name}", getattr(value, name)
    elif inspect.isfunction(value):
        yield address, value


SHOWN = dict(shown())
FUNCTIONS = {name: value for name, value in SHOWN.items() if inspect.isroutine(value)}
ERRORS = {name for name in SHOWN if name.startswith("modbp.errors.")}


def parameters(value):
    found = inspect.signature(value).parameters
    return {name: each for name, each in found.items() if name not in ("self", "cls")}


def section(text, title):
    _, found, after = text.partition(f"\n{title}\n{'-' * len(title)}\n")
    return after.split("\n---")[0] if found else ""


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_annotated(name):
    value = FUNCTIONS[name]
    for key, each in parameters(value).items():
        assert each.annotation is not each.empty, f"{name}: {key} has no annotation"
    returned = inspect.signature(value).return_annotation
    assert returned is not inspect.Signature.empty, f"{name}: returns what?"


@pytest.mark.parametrize("name", sorted(SHOWN.keys() - ERRORS))
def test_every_parameter_is_described(name):
    value = SHOWN[name]
    text = inspect.getdoc(value) or ""
    told = section(text, "Parameters") + section(text, "Attributes")
    for key in parameters(value):
        assert f"{key}" in told, f"{name}: {key} is not described"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_say_what_they_return(name):
    value = FUNCTIONS[name]
    text = inspect.getdoc(value) or ""
    if inspect.signature(value).return_annotation not in (None, "None"):
        assert section(text, "Returns") or section(text, "Yields"), name


# One example serves all errors: the base is what one catches.
@pytest.mark.parametrize(
    "name", sorted(SHOWN.keys() - ERRORS | {"modbp.errors.ModbpError"})
)
def test_everything_shown_has_an_example(name):
    text = inspect.getdoc(SHOWN[name]) or ""
    owner, _, method = name.rpartition(".")
    if owner in SHOWN:  # or the example of its class calls it
        lines = (inspect.getdoc(SHOWN[owner]) or "").split("\n")
        text += "".join(line for line in lines if f".{method}(" in line)
    assert ">>>" in text, f"{name} has no example"
