"""A file of the user's code, run as python would run it, with nothing left behind."""

import subprocess
import sys

import pytest
import torch
from PIL import Image

from modbp.errors import InputError, ModbpError, TraceError
from modbp.zoo.named import find_network

NET = "from torch import nn\ndef net():\n    return nn.Linear(2, WIDTH)\n"


def write(folder, texts):
    """Write files of code, by their names."""
    for name, text in texts.items():
        path = folder / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("WIDTH", "3"), encoding="utf-8")


def state():
    return list(sys.path), list(sys.argv), sys.dont_write_bytecode, dict(sys.modules)


@pytest.fixture(autouse=True)
def nothing_is_left_behind(tmp_path):
    path, before = sys.path, state()
    yield
    assert sys.path is path and state()[:3] == before[:3]
    for name, module in before[3].items():
        assert sys.modules.get(name) is module, name
    for name in sys.modules.keys() - before[3].keys():
        file = getattr(sys.modules[name], "__file__", None) or ""
        assert not file.startswith(str(tmp_path)), name
    assert not list(tmp_path.rglob("__pycache__"))


FILES = {
    "a neighbour": {"mine": "from beside import net", "beside": NET},
    "a neighbour of a neighbour": {
        "mine": "from first import net",
        "first": "from second import net",
        "second": NET,
    },
    "a neighbour when it is called": {
        "mine": "def net():\n    from beside import net\n    return net()",
        "beside": NET,
    },
    "a package beside": {
        "mine": "import parts.body\nnet = parts.body.net",
        "parts/__init__": "",
        "parts/body": "from .deeper import net",
        "parts/deeper": NET,
    },
    "a folder beside": {"mine": "from parts.body import net", "parts/body": NET},
    "a dataclass": {
        "mine": "from __future__ import annotations\n"
        "from dataclasses import dataclass\n"
        f"@dataclass\nclass S:\n    a: int = 3\n{NET.replace('WIDTH', 'S().a')}"
    },
    "a neighbour called like the library's": {
        "mine": "from statistics import net",
        "statistics": NET,
    },
    "a neighbour called like a module of these tests": {
        "mine": "from nets import net",
        "nets": NET,
    },
    "a neighbour that no import can reach": {
        "mine": f"import time\ntime.time()\n{NET}",
        "time": "raise OSError",
    },
    "words for itself": {
        "mine": f"import argparse\nargparse.ArgumentParser().parse_args()\n{NET}"
    },
    "a path of its own": {
        "mine": "import pathlib, sys\n"
        "sys.path = [str(pathlib.Path(__file__).parent / 'lib'), *sys.path]\n"
        "from far import net",
        "lib/far": NET,
    },
    "no command line": {"mine": f"{NET}if __name__ == '__main__':\n    raise OSError"},
}


@pytest.mark.parametrize("texts", FILES.values(), ids=FILES)
def test_what_python_runs_runs(tmp_path, monkeypatch, texts):
    import nets  # noqa: F401  a module that is loaded under that name

    write(tmp_path / "code", texts)
    monkeypatch.chdir(tmp_path)
    for name in (f"{tmp_path}/code/mine.py:net", "code/mine.py:net"):
        found = find_network(name)
        assert found.net.out_features == 3 and found.title == name
    read = {path.relative_to(tmp_path.resolve()).as_posix() for path in found.files}
    assert read == {f"code/{name}.py" for name in texts if name != "time"}


@pytest.mark.long
@pytest.mark.parametrize("texts", FILES.values(), ids=FILES)
def test_python_itself_runs_these(tmp_path, texts):
    write(tmp_path, texts)
    command = [sys.executable, "-B", "-c", "import mine; mine.net()"]
    subprocess.run(command, cwd=tmp_path, check=True)


def test_a_file_of_a_package_imports_relative_to_it(tmp_path):
    texts = {"whole/__init__": "", "whole/part/__init__": "", "whole/blocks": NET}
    write(tmp_path, {**texts, "whole/part/mine": "from ..blocks import net"})
    found = find_network(f"{tmp_path}/whole/part/mine.py:net")
    assert found.net.out_features == 3 and len(found.files) == 4


def test_two_folders_with_files_of_the_same_names_do_not_mix(tmp_path):
    for width in "357":
        texts = {"mine": "from beside import net"}
        write(tmp_path / width, {**texts, "beside": NET.replace("WIDTH", width)})
    for width in "3573":
        found = find_network(f"{tmp_path}/{width}/mine.py:net")
        assert found.net.out_features == int(width)


def test_a_file_changed_at_once_to_the_same_length_is_read_again(tmp_path):
    for width in "34":
        write(tmp_path, {"mine": NET.replace("WIDTH", width)})
        found = find_network(f"{tmp_path}/mine.py:net")
        assert found.net.out_features == int(width)


@pytest.mark.parametrize("name", ["sys", "time", "random", "torch", "my-net", "nets"])
def test_a_file_may_have_any_name(tmp_path, name):
    text = NET if name == "torch" else f"import sys, time\nsys.path, time.time()\n{NET}"
    if name == "torch":  # which then is not what it imports either
        text = text.replace("from torch", "from modbp.zoo.named")
    write(tmp_path, {name: text})
    assert find_network(f"{tmp_path}/{name}.py:net").net.out_features == 3


def test_a_model_may_stand_in_place_of_the_function(tmp_path):
    write(tmp_path, {"mine": f"{NET}model = net()\nclass Mine(nn.ReLU): pass"})
    assert find_network(f"{tmp_path}/mine.py:model").net.out_features == 3
    assert type(find_network(f"{tmp_path}/mine.py:Mine").net).__name__ == "Mine"


@pytest.mark.parametrize(
    "text, told",
    [
        ("def net(:", "stopped with SyntaxError: invalid syntax"),
        ("x = '\0'", "stopped with .* null bytes"),
        ("import nowhere_at_all", "stopped with ModuleNotFoundError: No module named"),
        ("import sys\nsys.exit(1)", "ends the program. Keep .* below `if __name__"),
        ("def net(a): pass", r"wants arguments, \(a\), and is called without"),
        (
            "def net():\n    raise ValueError('one\\ntwo')",
            "stopped with ValueError: one two. Repair",
        ),
        ("from .beside import net", "stopped with ImportError: attempted relative"),
    ],
)
def test_what_stops_is_told_in_one_line(tmp_path, text, told):
    write(tmp_path, {"mine": text})
    with pytest.raises(InputError, match=rf"mine.py:net {told}") as caught:
        find_network(f"{tmp_path}/mine.py:net")
    assert "\n" not in str(caught.value)


# What the function returns ------------------------------------------------------------

PARTS = f"""
{NET}
import numpy as np, torch
def prepare(picture):
    values = np.asarray(picture.resize((4, 4)), np.float32) / 255
    return torch.from_numpy(values).permute(2, 0, 1) * 2 - 1
def half(): return net(), prepare
def whole(): return net(), prepare, ["ant", "bee", "cat"]
def listed(): return [net(), None, ("ant", "bee", "cat")]
def four(): return net(), prepare, ["ant"], 1
def swapped(): return net(), ["ant", "bee", "cat"]
def word(): return net(), prepare, "ant"
def numbers(): return net(), prepare, [1, 2]
def mapping(): return {{"model": net()}}
def nothing(): return ()
def turns(): return net(), lambda picture: prepare(picture) * torch.rand(())
"""


def test_a_model_comes_with_its_transform_and_the_names_of_its_classes(tmp_path):
    write(tmp_path, {"mine": PARTS})
    picture = Image.new("RGB", (8, 8), (255, 0, 255))
    wanted = torch.tensor([1.0, -1, 1]).reshape(3, 1, 1).expand(3, 4, 4)
    for function in ("half", "whole"):
        found = find_network(f"{tmp_path}/mine.py:{function}")
        assert torch.equal(found.preparation(picture), wanted)
        assert str(found.preparation) == "prepared by a transform of its own, prepare"
        assert found.size == 4 and found.std == (1, 1, 1) and not found.net.training
        assert found.classes == (("ant", "bee", "cat") if function == "whole" else ())
    found = find_network(f"{tmp_path}/mine.py:listed")
    assert found.classes == ("ant", "bee", "cat")
    assert str(found.preparation).endswith("colours in [0, 1], not normalised")


@pytest.mark.parametrize(
    "function, error, told",
    [
        ("four", InputError, r"\(Linear, function, list, int\); return a model, or a"),
        ("swapped", InputError, r"\(Linear, list\); return a model, or a tuple"),
        ("word", InputError, "'ant' as the names of its classes; return a list"),
        ("numbers", InputError, r"'\[1, 2\]' as the names of its classes"),
        ("mapping", TraceError, "a dict; return a torch.nn.Module, or a tuple of one"),
        ("nothing", TraceError, "a NoneType; return a torch.nn.Module"),
    ],
)
def test_anything_else_that_a_function_returns_is_refused(
    tmp_path, function, error, told
):
    write(tmp_path, {"mine": PARTS})
    with pytest.raises(error, match=f"mine.py:{function} returns {told}"):
        find_network(f"{tmp_path}/mine.py:{function}")


def test_a_random_transform_is_refused_with_the_name_of_its_function(tmp_path):
    write(tmp_path, {"mine": PARTS})
    with pytest.raises(ModbpError, match="^the transform of .*mine.py:turns is random"):
        find_network(f"{tmp_path}/mine.py:turns")
