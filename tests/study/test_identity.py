"""What a result depends on: other pixels, labels or code are another run."""

import shutil
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

from modbp import data
from modbp.__main__ import main
from modbp.errors import InputError
from modbp.study import experiments
from modbp.study.experiments import identity

NET = """
import json
from pathlib import Path

import torch
from torch import nn

from beside import between


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.conv, self.fc = nn.Conv2d(3, 6, 3), nn.Linear(6, 3)
        self.pool = nn.MaxPool2d(3)
        stride = Path(__file__).with_name("stride.json").read_text(encoding="utf-8")
        self.conv.stride = json.loads(stride)

    def forward(self, x):
        x = self.pool(between(self.conv(x)))
        return self.fc(nn.functional.adaptive_avg_pool2d(x, 1).flatten(1))


def net():
    return Net().eval()
"""
BESIDE = """
from torch import nn

def between(x):
    return nn.functional.relu(x)
"""


class Subject:
    """A folder with a network, the code beside it, and images by class."""

    def __init__(self, place):
        self.place = place
        (place / "net.py").write_text(NET, encoding="utf-8")
        (place / "beside.py").write_text(BESIDE, encoding="utf-8")
        (place / "stride.json").write_text("[1, 1]", encoding="utf-8")
        generator = np.random.default_rng(0)
        for name in ("a/0", "a/1", "b/2", "b/3"):
            path = place / "images" / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = generator.integers(0, 255, (16, 16, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(path)

    def replace(self, name, old, new):
        path = self.place / name
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    def paint(self, name, index):
        """Change one value of one pixel."""
        path = self.place / "images" / name
        pixels = np.array(Image.open(path))
        pixels[index] ^= 1
        Image.fromarray(pixels).save(path)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return Subject(tmp_path)


def run(here, *more, experiment="random-logit", stop=None):
    """Run in this process; stop after so many units; return the exit status."""
    sys.modules.pop("beside", None)
    where = ["--network", f"{here.place}/net.py:net", "--output", f"{here.place}/out"]
    line = ["run", experiment, *where, "--images", str(here.place / "images")]
    line += ["--size", "16", "--batch", "1", "--methods", "gradient", "lrp-z"]
    compute, done = experiments.RandomLogit._compute, []

    def stopping(self, part, unit):
        if len(done) == stop:
            raise KeyboardInterrupt
        done.append(unit)
        return compute(self, part, unit)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(experiments.RandomLogit, "_compute", stopping)
        return main([*line, *more])


def is_refused(here, capsys, what, *more):
    """Run, see that it is refused, and do what the message says."""
    capsys.readouterr()
    before = {path: path.read_bytes() for path in here.place.glob("out*/**/*.*")}
    assert run(here, *more) == 2
    error = capsys.readouterr().err
    assert f"was made with different {what}. Move it away, or choose another" in error
    for path, content in before.items():
        assert path.read_bytes() == content
    for path in (here.place / "out", here.place / "out.work"):
        if path.exists():
            path.rename(path.with_name(f"old {path.name}"))
    assert run(here, *more) == 0


CODE = {
    "another pooling": ("net.py", "MaxPool2d(3)", "AvgPool2d(3)"),
    "another window": ("net.py", "MaxPool2d(3)", "MaxPool2d(2, 3)"),
    "an option": ("net.py", "MaxPool2d(3)", "MaxPool2d(3, ceil_mode=True)"),
    "a function beside": ("beside.py", "relu(x)", "relu6(x)"),
    "a file that is read": ("stride.json", "1, 1", "1, 2"),
    "one call less": ("net.py", "between(self.conv(x))", "self.conv(x)"),
}


@pytest.mark.parametrize("change", CODE.values(), ids=CODE)
def test_other_code_with_the_same_weights_is_another_run(here, capsys, change):
    assert run(here, stop=3) == 130
    here.replace(*change)
    is_refused(here, capsys, "code")


def test_a_finished_result_of_other_code_is_refused_too(here, capsys):
    assert run(here) == 0
    here.replace(*CODE["another pooling"])
    is_refused(here, capsys, "code")


def test_code_that_is_only_written_otherwise_goes_on(here):
    assert run(here, stop=3) == 130
    here.replace("beside.py", "def between(x):", "def between(x):  # as in the paper")
    here.replace("net.py", "x = self.pool(", "y = x\n        x = self.pool(")
    assert run(here) == 0


@pytest.mark.parametrize("stop", [3, None])
def test_one_other_pixel_is_another_run(here, capsys, stop):
    assert run(here, stop=stop) == (0 if stop is None else 130)
    here.paint("b/3.png", (0, 15, 2))
    is_refused(here, capsys, "pixels")


def test_images_that_change_their_names_are_another_run(here, capsys):
    assert run(here, stop=1) == 130
    one, two = (here.place / "images" / name for name in ("a/0.png", "a/1.png"))
    content = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(content)
    is_refused(here, capsys, "pixels")


def test_other_labels_are_another_run_where_they_are_explained(here, capsys):
    def move(old, new):
        (here.place / "images" / old).rename(here.place / "images" / new)

    assert run(here, "--target", "true", stop=1) == 130
    move("a/1.png", "b/1.png")
    is_refused(here, capsys, "labels", "--target", "true")
    move("b/1.png", "a/1.png")
    shutil.rmtree(here.place / "out")
    shutil.rmtree(here.place / "out.work")
    assert run(here, stop=1) == 130
    move("a/1.png", "b/1.png")
    assert run(here) == 0


@pytest.mark.parametrize("key", ["mean", "std"])
def test_other_preprocessing_is_another_run(here, capsys, key):
    assert run(here, stop=1) == 130
    what = ", ".join(sorted([key, "pixels"]))
    is_refused(here, capsys, what, f"--{key}", "1", "1", "0.5")


def test_other_images_to_fit_patterns_to_make_other_units(tmp_path):
    place, cifar10 = tmp_path / "cifar10", tuple(data.CLASSES)
    for number, name in enumerate(cifar10):
        for split in ("train", "test"):
            path = place / split / name / f"{number}.png"
            path.parent.mkdir(parents=True)
            Image.new("RGB", (32, 32), (25 * number, 90, 3)).save(path)
    about = {"folder": None, "count": 1}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MODBP_DATA", str(tmp_path))
        patch.setattr(data, "paper_indices", range)
        first = experiments.CSC(experiments.subject(**about), ["patternnet"])
        path = place / "train" / "ship" / "8.png"
        Image.new("RGB", (32, 32), (0, 0, 1)).save(path)
        second = experiments.CSC(experiments.subject(**about), ["patternnet"])
    assert first.settings == second.settings and first.parts != second.parts


def test_patterns_and_learned_depend_on_pixels_and_code(here):
    def settings(kind):
        sys.modules.pop("beside", None)
        about = experiments.subject(
            f"{here.place}/net.py:net", count=2, folder=here.place / "images", size=16
        )
        return getattr(experiments, kind)(about, patterns=2).settings

    for kind, keys in {
        "Patterns": {"pixels_sha256", "tested_pixels_sha256"},
        "Learned": {"pixels_sha256"},
    }.items():
        before = settings(kind)
        here.paint("a/0.png", (3, 3, 0))
        after = settings(kind)
        assert {key for key in after if after[key] != before[key]} == keys
        here.replace("beside.py", "relu(x)", "relu(x, inplace=True)")
        assert settings(kind)["code_sha256"] != after["code_sha256"]
        here.replace("beside.py", "relu(x, inplace=True)", "relu(x)")


# The code of a network ----------------------------------------------------------------


class Calls(nn.Module):
    """A convolution, and what is to be done to its output."""

    def __init__(self, does):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.does = nn.Conv2d(3, 4, 3), does
        self.eval()

    def forward(self, x):
        return self.does(self.conv(x))


class Held(nn.Module):
    """Adds what no file of weights holds."""

    def __init__(self, value):
        super().__init__()
        self.register_buffer("value", torch.tensor(value), persistent=False)

    def forward(self, x):
        return x + self.value


WAYS = [
    F.relu,
    torch.relu,
    nn.ReLU(inplace=True),
    nn.LeakyReLU(0.1),
    nn.LeakyReLU(0.2),
    nn.AvgPool2d(3, 1, 1, count_include_pad=True),
    nn.AvgPool2d(3, 1, 1, count_include_pad=False),
    lambda x: x[:, 1:],
    lambda x: x[:, :-1],
    lambda x: x * 2,
    lambda x: x * torch.tensor(2.0),
    lambda x: x * np.float64(3.0),
    Held(1.0),
    Held(2.0),
    lambda x: x + torch.linspace(0, 1, x.shape[-1], dtype=x.dtype, device=x.device),
    lambda x: x.flatten(1),
    lambda x: x.view(len(x), -1),
    lambda x: torch.cat([x, -x], 1),
    lambda x: torch.cat([-x, x], 1),
    lambda x: F.pad(x, (1, 1), value=1.0),
    lambda x: x.clamp(min=0, max=6),
    lambda x: torch.split(x, 2, dim=1)[0],
    lambda x: torch.split(x, 2, dim=1)[1],
]


def test_networks_that_compute_differently_have_other_code():
    x = torch.rand(1, 3, 8, 8)
    found = [identity.code(Calls(does), x) for does in WAYS]
    assert len(set(found)) == len(WAYS)
    assert found == [identity.code(Calls(does), torch.rand_like(x)) for does in WAYS]


@pytest.mark.parametrize("does", WAYS)
def test_precision_and_weights_are_no_code(does):
    x, one, other = torch.rand(1, 3, 8, 8), Calls(does), Calls(does).double()
    with torch.no_grad():
        other.conv.weight.mul_(2)
    assert identity.code(one, x) == identity.code(other, x.double())


def test_a_network_that_stops_is_refused_and_not_changed():
    net = Calls(lambda x: x.no_such_thing)
    with pytest.raises(InputError, match="Calls stopped with AttributeError"):
        identity.code(net, torch.rand(1, 3, 8, 8))
    with pytest.raises(InputError, match=r"it was made for, not \[2, 2\]"):
        identity.code(Calls(F.relu), torch.rand(1, 3, 2, 2))


def test_pixels_are_told_apart_by_value_place_and_shape():
    x = torch.rand(2, 3, 4, 4)
    others = [
        x,
        x.flip(0),
        x[:1],
        x.reshape(2, 3, 2, 8),
        x.clone().index_fill(0, torch.tensor([1]), 0),
    ]
    assert len({identity.pixels([each]) for each in others}) == len(others)
    assert identity.pixels([x]) == identity.pixels([x.double()])
