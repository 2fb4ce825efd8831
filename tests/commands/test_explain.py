"""The verb ``explain``, from a picture in a file to a figure in another."""

from pathlib import Path

import numpy as np
import pytest
import torch
from commands.shell import shell
from PIL import Image

import modbp
from modbp import data, figures
from modbp.__main__ import main
from modbp.zoo.named import find_network

MODELS = """
from torch import nn

def build():
    layers = nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    return nn.Sequential(*layers, nn.Linear(4, 3))

def doubled():
    return build().double()

def broken():
    raise KeyError("oh")

def whole():
    import numpy as np, torch
    def prepare(picture):
        values = np.asarray(picture.resize((16, 16)), np.float32) / 255
        return (torch.from_numpy(values).permute(2, 0, 1) - 0.5) / 0.25
    return build(), prepare, ["ant", "bee", "cat"]
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with a photograph and a file of models, to be in."""
    images = data.images(1, folder="photographs", size=90)
    content = images.x[0].permute(1, 2, 0).mul(255).round().byte().numpy()
    # Wider than high, so that the middle has to be found.
    wide = np.concatenate([content[:, :20], content, content[:, -20:]], 1)
    Image.fromarray(wide).save(tmp_path / "cat.png")
    (tmp_path / "mine.py").write_text(MODELS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_shell_gets_a_figure_and_is_told_what_was_done(here):
    options = "--network resnet18 --weights none --size 64 --target 207"
    options += " --methods lrp-a1b0 gradient --output maps.png"
    status, out, error = shell(here, "explain", "cat.png", *options.split())
    assert (status, error) == (0, "")
    first, network, explained, wrote = out.splitlines()
    assert first == (
        "cat.png: 130×90, resized to 73 by bilinear, middle 64×64, "
        "minus (0.485, 0.456, 0.406), divided by (0.229, 0.224, 0.225)"
    )
    title = "resnet18, random weights, seed 0"
    assert network.startswith(f"{title}: 1000 classes, predicts class ")
    assert explained.startswith("explained class 207 (logit ")
    assert explained.endswith(") by lrp-a1b0, gradient")
    assert wrote == "wrote maps.png"
    with Image.open(here / "maps.png") as figure:
        width, height = figure.size
        assert 2.3 < width / height < 3  # the picture and two maps
        assert figure.info.get("Software") is None
        # Red and blue of the maps, not just white paper.
        assert len(figure.convert("RGB").getcolors(2**24)) > 1000
    assert {path.name for path in here.iterdir()} == {"cat.png", "mine.py", "maps.png"}


@pytest.mark.parametrize("name, size", [("cifar10", 32), ("squeezenet1_1", 224)])
def test_the_maps_drawn_are_those_of_explain(here, monkeypatch, capsys, name, size):
    seen = {}
    draw = figures.heatmaps

    def heatmaps(colours, maps, **options):
        seen.update(colours=colours, maps=maps, **options)
        return draw(colours, maps, **options)

    monkeypatch.setattr(figures, "heatmaps", heatmaps)
    line = f"explain cat.png --network {name} --weights none --seed 3 --target 2"
    assert main(line.split()) == 0
    assert capsys.readouterr().out.endswith(f"wrote cat-{name}.png\n")
    assert Path(f"cat-{name}.png").is_file()
    x = seen["colours"]
    assert x.shape == (1, 3, size, size)
    found = find_network(name, None, seed=3)
    scaled = x
    if name != "cifar10":  # the numbers in torchvision's documentation
        mean = torch.tensor([0.485, 0.456, 0.406]).reshape(3, 1, 1)
        std = torch.tensor([0.229, 0.224, 0.225]).reshape(3, 1, 1)
        scaled = (x - mean) / std
    for method in ("gradient-x-input", "lrp-a1b0"):
        r = modbp.explain(found.net, scaled, method, 2)
        wanted = figures.reduce(r, method)
        torch.testing.assert_close(seen["maps"][method], wanted, rtol=1e-4, atol=1e-9)
    title = f"{name}, random weights, seed 3"
    assert seen["source"].startswith(f"cat.png, {title}: class 2")


def test_a_function_in_a_file_gives_the_network(here, capsys):
    for function in ("build", "doubled"):
        line = f"explain cat.png --network mine.py:{function} --size 20"
        assert main([*line.split(), "--mean", *"101", "--std", *"222"]) == 0
        out = capsys.readouterr().out.splitlines()
        assert out[0].endswith(", minus (1, 0, 1), divided by (2, 2, 2)")
        assert out[1].startswith(f"mine.py:{function}: 3 classes, predicts class ")
        assert out[2].endswith(" by gradient-x-input, lrp-a1b0")
        assert Path(f"cat-{function}.png").is_file()


def test_a_network_that_says_nothing_of_colours_is_told_so_and_one_that_does_is_heard(
    here, capsys, monkeypatch
):
    assert main("explain cat.png --network mine.py:build".split()) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first.endswith("middle 224×224, colours in [0, 1], not normalised")

    seen = {}
    draw = figures.heatmaps
    monkeypatch.setattr(
        figures, "heatmaps", lambda x, *a, **k: seen.update(x=x) or draw(x, *a, **k)
    )
    assert main("explain cat.png --network mine.py:whole --target 1".split()) == 0
    out = capsys.readouterr().out
    assert out.startswith(
        "cat.png: 130×90, prepared by a transform of its own, prepare"
    )
    assert "explained class 1 bee (logit " in out
    with Image.open("cat.png") as picture:
        plain = np.asarray(picture.resize((16, 16))).transpose(2, 0, 1) / 255
    np.testing.assert_allclose(seen["x"][0], plain, atol=1e-6)
    assert main("explain cat.png --network mine.py:whole --size 8".split()) == 2
    assert "size cannot be chosen where a transform" in capsys.readouterr().err


def test_a_transparent_picture_is_laid_on_white_and_that_is_said(here, capsys):
    Image.new("RGBA", (40, 40), (9, 9, 9, 0)).save("clear.png")
    assert main("explain clear.png --network mine.py:build --size 20".split()) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith("clear.png: 40×40, transparent, laid on white, resized to")


def test_methods_with_options_averages_and_batch_norm_apart_can_be_asked_for(
    here, monkeypatch
):
    import modbp.backprop.explain as home

    seen = []

    def explain(net, x, method, target, *, fold):
        seen.append((method.name, target, fold))
        return x

    monkeypatch.setattr(home, "explain", explain)
    line = "explain cat.png --network mine.py:build --size 20 --methods"
    line += " smoothgrad:samples=2 lrp-gamma:gamma=0.5 --target"
    assert main([*line.split(), "predicted"]) == 0
    assert main([*line.split(), "1", "--no-fold"]) == 0
    assert [entry[1:] for entry in seen] == [(None, True)] * 2 + [(1, False)] * 2
    monkeypatch.undo()
    monkeypatch.chdir(here)
    assert main([*line.split(), "1"]) == 0


MINE = "cat.png --network mine.py:build"


@pytest.mark.parametrize(
    "line, message",
    [
        ("dog.png", "dog.png: no such file. Give the path of a picture."),
        ("mine.py", "mine.py: cannot be read as an image"),
        ("cat.png --methods lrp-a1b1", "'lrp-a1b1'. Did you mean 'lrp-a"),
        ("cat.png --weights none --target 10", "target 10 is out of range: the netw"),
        ("cat.png --weights none --target -1", "target -1 is out of range"),
        ("cat.png --weights none --target true", "a picture has no label"),
        ("cat.png --weights none --size 0", "size is 0; give the side"),
        ("cat.png --weights none --size 3", "'pool4'"),
        ("cat.png --weights none --std 1 0 1", "std is [1.0, 0.0, 1.0]; give three"),
        ("cat.png --weights none --output a.jpg", "a.jpg: the figure is a PNG"),
        ("cat.png --weights none --output no/a.png", "no: no such folder. Make it"),
        ("cat.png --weights none --seed -1", "seed is -1"),
        ("cat.png --network mine.py:biuld", "'biuld'. Did you mean 'build'"),
        ("cat.png --network mine.py:broken", "stopped with KeyError: 'oh'. Repair"),
        (f"{MINE} --mean 1 1 1 --methods excitation-bp", "images in [0, 1]"),
    ],
)
def test_bad_input_is_one_line_with_status_2_and_no_figure(here, capsys, line, message):
    before = set(here.iterdir())
    assert main(["explain", *line.split()]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("modbp: ") and err.count("\n") == 1
    assert message in err
    assert {path for path in here.iterdir() if path.suffix != ""} == before
