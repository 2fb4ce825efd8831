"""Every example in a docstring runs and prints what it says."""

import doctest
import importlib
from pathlib import Path

import pytest
import torch

import modbp

PACKAGE = Path(modbp.__file__).parent
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def modules():
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        if parts[-1] != "__main__":
            yield ".".join(part for part in parts if part != "__init__")


def words():
    """What examples may use without a line of their own: two neurons above two."""
    net = modbp.models.dense([[1, -1], [2, 1]], [[1, -2], [3, 1]])
    x = torch.tensor([[1.0, 2.0]], dtype=torch.float64)
    return {"modbp": modbp, "torch": torch, "net": net, "x": x}


@pytest.mark.parametrize("name", list(modules()))
def test_examples_print_what_they_say(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    for example in doctest.DocTestFinder().find(module, name, globs=words()):
        runner.run(example)
    assert not runner.failures
