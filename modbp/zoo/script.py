"""A file of Python code, run as python would run it, with nothing left behind."""

import ast
import contextlib
import importlib
import inspect
import sys
import threading
from importlib.machinery import BuiltinImporter, FrozenImporter, PathFinder
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from torch import nn

from modbp.errors import InputError, ModbpError, in_a_line, unknown_name
from modbp.zoo.vision import load_torchvision

__all__ = ["call"]

# What is imported, and from where, belongs to the whole process.
_running = threading.RLock()


def call(path, function):
    """Return what a function in a file returns, and the files that were run for it."""
    name, path, files = f"{path}:{function}", Path(path).resolve(), set()
    if not path.is_file():
        raise InputError(f"{name}: there is no such file. Give FILE.py:FUNCTION.")
    load_torchvision()  # a file that imports it may be the first to
    places = [path.parent]
    if package := _package(path):
        places.append(path.parents[len(package) - 1])
    try:
        with _running, _imports_from(places, files):
            module = _run(path, package)
            known = [key for key, value in vars(module).items() if callable(value)]
            if function not in known:
                raise unknown_name(f"function of {path.name}", function, known)
            made = getattr(module, function)
            # A model can be called as well, but it is what was meant.
            if not isinstance(made, nn.Module):
                _check_takes_none(name, made)
                made = made()
    except ModbpError:
        raise
    except SystemExit as error:
        raise InputError(
            f"{name} ends the program. Keep what reads the command "
            'line below `if __name__ == "__main__":`.'
        ) from error
    except Exception as error:  # anything may happen in code of the user's
        told = in_a_line(error)
        raise InputError(
            f"{name} stopped with {type(error).__name__}: {told}. Repair the function."
        ) from error
    return made, tuple(sorted({path, *files}))


def _check_takes_none(name, function):
    """Refuse a function that cannot be called without arguments."""
    try:
        wanted = inspect.signature(function)
    except (TypeError, ValueError):  # of what is built in
        return
    try:
        wanted.bind()
    except TypeError:
        raise InputError(
            f"{name} wants arguments, {wanted}, and is called without. Give a function "
            "that takes none and returns what is meant."
        ) from None


def _package(path):
    """Return the names that lead to a file which imports relative to its package."""
    try:
        nodes = ast.walk(ast.parse(path.read_bytes()))
    except (SyntaxError, ValueError):  # said when it runs
        return []
    if not any(isinstance(node, ast.ImportFrom) and node.level for node in nodes):
        return []
    names, folder = [path.stem], path.parent
    while (folder / "__init__.py").is_file() and folder.name:
        names.insert(0, folder.name)
        folder = folder.parent
    return names if len(names) > 1 else []


def _run(path, package):
    if package:
        return importlib.import_module(".".join(package))
    # No name that another module could have; a dataclass looks for its module by name.
    name = f"modbp_runs_{path.stem}"
    module = module_from_spec(spec_from_file_location(name, path))
    sys.modules[name] = module
    # Always from the text: a file that was changed within a second, to the same length,
    # has bytecode that passes for new.
    code = compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
    exec(code, vars(module))
    return module


@contextlib.contextmanager
def _imports_from(places, files):
    """Import from folders first; afterwards take all back, and tell which files."""
    path, before = sys.path, list(sys.path)
    words, written = sys.argv, sys.dont_write_bytecode
    importlib.invalidate_caches()  # a neighbour may be as new as this second
    hidden = {top for top in _tops() if _shadowed(top, places)}
    kept = {name: sys.modules.pop(name) for name in _below(hidden)}
    known = _tops()
    sys.path[:0], sys.argv, sys.dont_write_bytecode = map(str, places), words[:1], True
    try:
        yield
    finally:
        entered = {Path(entry).resolve() for entry in sys.path if entry not in before}
        entered.update(places)
        new = {top for top in _tops() - known if _home(sys.modules[top]) in entered}
        for name in _below(new | hidden):
            if file := getattr(sys.modules.pop(name), "__file__", None):
                files.add(Path(file))
        sys.modules.update(kept)
        sys.path, sys.path[:] = path, before
        sys.argv, sys.dont_write_bytecode = words, written


def _tops():
    return {name for name in sys.modules if "." not in name}


def _below(tops):
    return [name for name in sys.modules if name.partition(".")[0] in tops]


def _shadowed(name, places):
    """Say whether a module of that name lies in the folders, but another was loaded."""
    # Python itself finds those that are built in before it looks into any folder.
    if name in ("modbp", "__main__") or any(
        finder.find_spec(name) for finder in (BuiltinImporter, FrozenImporter)
    ):
        return False
    found = PathFinder.find_spec(name, [str(place) for place in places])
    return bool(found and found.loader) and _home(sys.modules[name]) not in places


def _home(module):
    """Return the folder where python found a module, None for one without a file."""
    spec = getattr(module, "__spec__", None)
    inside = getattr(spec, "submodule_search_locations", None)
    if inside:
        return Path(next(iter(inside))).resolve().parent
    # Of what is built in, the origin is a word.
    located = getattr(spec, "has_location", False)
    file = spec.origin if located else getattr(module, "__file__", None)
    return Path(file).resolve().parent if file else None
