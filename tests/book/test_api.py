"""The API pages: what they show is told in full, typed, and tried."""

import inspect

import pytest
from book.shown import shown

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
