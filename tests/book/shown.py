"""What the API pages show, read from the pages themselves."""

import importlib
import inspect
import re
from pathlib import Path

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
