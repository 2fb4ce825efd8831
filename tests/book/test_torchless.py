"""Chapters on matrices run where there is no torch, up to their first network."""

import subprocess
import sys
from pathlib import Path

import chapters
import pytest
from conftest import long_but

# A network is first made in the cell that imports torch, or below it.
MARK = "import torch"
WHOLE = ("theorem", "speed")
THEORY = (*WHOLE, "chains", "repair", "gamma", "pattern")
WITHOUT_TORCH = f"""
import sys


class Missing:  # not None in sys.modules, where scipy looks for what is loaded
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "torchvision"):
            raise ModuleNotFoundError(f"no {{{{name}}}} here")


sys.meta_path.insert(0, Missing())
sys.path.insert(0, {str(Path(chapters.__file__).parent)!r})
import chapters
chapters.run({{name!r}}, before={MARK!r})
"""


@pytest.mark.parametrize("name", long_but("gamma".__eq__, THEORY))
def test_a_chapter_needs_no_torch_before_its_first_network(name):
    code = WITHOUT_TORCH.format(name=name)
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


@pytest.mark.parametrize("name", THEORY)
def test_some_cells_come_before_the_first_network(name):
    marked = [MARK in source for source in chapters.sources(name)]
    assert not marked[0]
    assert any(marked) == (name not in WHOLE)
