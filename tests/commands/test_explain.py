"""The verb ``explain``, from a picture in a file to a figure in another."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from commands.shell import shell
from matplotlib.text import Text
from PIL import Image

import modbp
from modbp import data, figures, methods
from modbp.__main__ import main
from modbp.zoo.data.picture import opened
from modbp.zoo.named import find_network

MODELS = """
import torch
from torch import nn

def build():
    layers = nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    return nn.Sequential(*layers, nn.Linear(4, 3))

def doubled():
    return build().double()

def normed():
    layers = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1)
    net = nn.Sequential(*layers, nn.Flatten(), nn.Linear(4, 3))
    torch.manual_seed(0)
    for entry in [*net.parameters(), net[1].running_mean]:
        nn.init.uniform_(entry.data, -1, 1)
    return net

def single():
    return nn.Sequential(nn.Flatten(), nn.Linear(1200, 1))

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
    assert Path(f"cat-{name}.png").is_file() and seen["rows"] is None
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
        assert Path(f"cat-mine-{function}.png").is_file()


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
    assert main("explain cat.png --network mine.py:whole --size 8 --force".split()) == 2
    assert "size cannot be chosen where a transform" in capsys.readouterr().err


def test_a_transparent_picture_is_laid_on_white_and_that_is_said(here, capsys):
    Image.new("RGBA", (40, 40), (9, 9, 9, 0)).save("clear.png")
    assert main("explain clear.png --network mine.py:build --size 20".split()) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith("clear.png: 40×40, transparent, laid on white, resized to")


def test_methods_with_options_averages_and_batch_norm_apart_can_be_asked_for(here):
    """The maps are those of `modbp.explain` with the same options."""
    names = {
        "lrp-gamma:gamma=0.5": methods.get("lrp-gamma", gamma=0.5),
        "smoothgrad:samples=2": methods.get("smoothgrad", samples=2),
        "lrp-a2b1": methods.get("lrp-a2b1"),
    }
    found = find_network("mine.py:normed")
    net, x = found.net, found.preparation.changed(20)(opened("cat.png"))[None]
    line = "explain cat.png --network mine.py:normed --size 20 --npz --force --target 1"
    found = {}
    for fold in (True, False):
        more = [] if fold else ["--no-fold"]
        assert main([*line.split(), *more, "--methods", *names]) == 0
        found[fold] = torch.from_numpy(arrays("cat-mine-normed.npz")["maps"][0])
        for map, method in zip(found[fold], names.values(), strict=True):
            r = figures.reduce(modbp.explain(net, x, method, 1, fold=fold), method)
            assert_alike(map[None], r)
    assert (found[True] - found[False])[2].abs().max() > found[True][
        2
    ].abs().max() / 100


def test_a_network_is_traced_once_for_all_pictures_methods_and_classes(
    here, monkeypatch
):
    import modbp.backprop.trace as home

    made = []
    trace = home.Trace
    monkeypatch.setattr(home, "Trace", lambda *given: made.append(0) or trace(*given))
    (here / "dog.png").write_bytes((here / "cat.png").read_bytes())
    line = "explain cat.png dog.png --network mine.py:build --size 20 --target 0 1"
    assert main(line.split()) == 0
    assert made == [0]


MINE = "cat.png --network mine.py:build"


def arrays(path):
    """What an .npz file holds, without running code out of it."""
    with np.load(path, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored}


def assert_alike(found, wanted):
    """Several classes at once are added up in another order than each alone."""
    assert (found - wanted).abs().max() < 1e-5 * wanted.abs().max()


def test_several_pictures_and_classes_are_explained_and_kept_as_arrays(here, capsys):
    (here / "other").mkdir()
    with Image.open("cat.png") as cat:
        cat.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save("other/Cat.jpg")
    line = "explain cat.png other/Cat.jpg --network cifar10 --weights none --npz"
    line += " --target 3 predicted 5"
    assert main(line.split()) == 0
    out = capsys.readouterr().out.splitlines()
    # Also where a disk does not tell A from a, no figure is written over another.
    names = {"cat-cifar10", "Cat-cifar10-2"}
    assert {path.stem for path in here.glob("*.npz")} == names
    assert {path.stem for path in here.glob("*-cifar10*.png")} == names
    assert out[3] == "wrote cat-cifar10.png and cat-cifar10.npz"
    assert out[7] == "wrote Cat-cifar10-2.png and Cat-cifar10-2.npz"

    found = find_network("cifar10", None)
    for stem, image in (("cat-cifar10", "cat.png"), ("Cat-cifar10-2", "other/Cat.jpg")):
        stored = arrays(f"{stem}.npz")
        x = found.preparation(opened(image))[None]
        logits = found.net(x)[0].detach()
        torch.testing.assert_close(torch.from_numpy(stored["logits"]), logits)
        wanted = dict.fromkeys([3, logits.argmax().item(), 5])
        assert stored["targets"].tolist() == [*wanted]
        assert stored["methods"].tolist() == ["gradient-x-input", "lrp-a1b0"]
        assert stored["classes"].tolist() == list(data.CLASSES)
        assert stored["image"] == image.rpartition("/")[2]
        assert stored["network"] == "cifar10, random weights, seed 0"
        assert stored["maps"].shape == (len(wanted), 2, 32, 32)
        for row, target in enumerate(wanted):
            for column, method in enumerate(stored["methods"].tolist()):
                r = figures.reduce(modbp.explain(found.net, x, method, target), method)
                kept = torch.from_numpy(stored["maps"][row, column][None])
                assert_alike(kept, r)


def test_without_a_network_it_is_the_one_that_knows_imagenet(here, capsys):
    assert (
        main("explain cat.png --methods gradient --target predicted 285".split()) == 0
    )
    out = capsys.readouterr().out
    assert "efficientnet_lite0: 1000 classes, predicts class" in out
    assert "class 285 Egyptian cat (logit" in out
    assert (here / "cat-efficientnet_lite0.png").is_file()


def test_classes_have_their_names_logits_and_probabilities(here, capsys):
    assert (
        main(
            "explain cat.png --network cifar10 --target 3 1 --methods gradient".split()
        )
        == 0
    )
    out = capsys.readouterr().out
    found = find_network("cifar10")
    logits = found.net(found.preparation(opened("cat.png"))[None])[0].detach()
    shares = (logits.double().exp() / logits.double().exp().sum()).tolist()
    for number in (3, 1, logits.argmax().item()):
        told = f"class {number} {data.CLASSES[number]} (logit {logits[number]:.4g}, "
        assert told + f"probability {shares[number]:.3g})" in out
    # Of one output a probability would be 1, whatever it means.
    line = "explain cat.png --network mine.py:single --size 20 --methods gradient"
    assert main(line.split()) == 0
    assert "probability" not in capsys.readouterr().out


def test_a_class_that_is_predicted_and_asked_for_is_drawn_once(here):
    line = "explain cat.png --network mine.py:build --size 20 --npz --target"
    assert main([*line.split(), "predicted", "0", "1", "2"]) == 0
    targets = arrays("cat-mine-build.npz")["targets"].tolist()
    assert sorted(targets) == [0, 1, 2]


def test_figures_go_into_a_folder_and_maps_onto_the_picture(here):
    (here / "maps").mkdir()
    line = f"explain {MINE} --size 20 --output maps --methods gradient"
    assert main(line.split()) == 0
    assert main([*line.split(), "--overlay", "--force"]) == 0
    assert [path.name for path in (here / "maps").iterdir()] == ["cat-mine-build.png"]


def test_a_home_that_the_shell_left_as_it_is_is_meant(here, monkeypatch):
    home = here / "home"
    home.mkdir()
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(home))
    (home / "cat.png").write_bytes((here / "cat.png").read_bytes())
    line = f"explain ~/{MINE} --size 20 --methods gradient --output=~/maps.png"
    assert main(line.split()) == 0
    assert (home / "maps.png").is_file() and not (here / "~").exists()


@pytest.mark.parametrize("options", ["--output a.png", "", "--output maps --npz"])
def test_no_file_is_written_over_unless_that_is_wished(here, capsys, options):
    (here / "maps").mkdir()
    line = f"explain {MINE} --size 20 {options}".split()
    assert main(line) == 0
    wrote = capsys.readouterr().out.splitlines()[-1].split()[1:]
    for name in wrote[::2]:  # each of them alone
        for other in wrote[::2]:
            Path(other).unlink(missing_ok=True)
        Path(name).write_text("mine", encoding="utf-8")
        assert main(line) == 2
        told = f"modbp: {name}: is there already. Give another name with --output, "
        assert capsys.readouterr().err == told + "or write over it with --force.\n"
        assert Path(name).read_text(encoding="utf-8") == "mine"
    assert main([*line, "--force"]) == 0
    assert Path(wrote[0]).read_bytes()[1:4] == b"PNG"


@pytest.mark.parametrize("way", ["same", "link", "hard"])
def test_a_picture_is_never_written_over(here, capsys, way):
    before = (here / "cat.png").read_bytes()
    output = {"same": "./cat.png", "link": "a.png", "hard": "b.png"}[way]
    try:
        (here / "a.png").symlink_to(here / "cat.png")
        (here / "b.png").hardlink_to(here / "cat.png")
    except OSError:
        pytest.skip("this disk has no links")
    assert main(f"explain {MINE} --output {output} --force".split()) == 2
    told = f"{Path(output)}: is a picture to be explained. Give another name"
    assert told in capsys.readouterr().err
    assert (here / "cat.png").read_bytes() == before


def test_progress_is_shown_on_a_terminal_alone(here, monkeypatch, capsys):
    line = f"explain {MINE} --size 20 --force".split()
    assert main(line) == 0
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(type(sys.stderr), "isatty", lambda self: True)
    assert main(line) == 0
    assert "/2 [" in capsys.readouterr().err


@pytest.mark.parametrize(
    "line, message",
    [
        ("dog.png", "dog.png: no such file. Give the path of a picture."),
        ("dog.png/cat.png", "dog.png/cat.png: no such file."),
        (
            "cat.png pictures",
            "pictures: is a folder. Give the pictures in it, as in pi",
        ),
        ("cat.png ./cat.png", "cat.png' twice; give each once."),
        ("mine.py", "mine.py: cannot be read as an image"),
        ("cat.png mine.py", "mine.py: cannot be read as an image"),
        ("cat.png --methods lrp-a1b1", "'lrp-a1b1'. Did you mean 'lrp-a"),
        ("cat.png --methods lrp-z dtd lrp-z", "methods has 'lrp-z' twice; give each"),
        ("cat.png --methods dtd --methods dtd", "methods has 'dtd' twice; give each"),
        (
            "cat.png --network cifar10 --weights none --target 10",
            "target 10 is out of range: the netw",
        ),
        ("cat.png --weights none --target 3 -1", "target -1 is out of range"),
        ("cat.png --weights none --target true", "a picture has no label"),
        ("cat.png --weights none --target 3 5 3", "target has 3 twice; give each once"),
        ("cat.png --target predicted predicted", "target has 'predicted' twice"),
        ("cat.png --weights none --size 0", "size is 0; give the side"),
        ("cat.png --network cifar10 --weights none --size 3", "'pool4'"),
        ("cat.png --weights none --std 1 0 1", "std is [1.0, 0.0, 1.0]; give three"),
        ("cat.png --weights none --std inf 1 1", "std is [inf, 1.0, 1.0]; give"),
        ("cat.png --weights none --std 1 nan 1", "std is [1.0, nan, 1.0]; give"),
        ("cat.png --weights none --mean 0 0 inf", "mean is [0.0, 0.0, inf]; give thr"),
        ("cat.png --weights none --mean 0 nan 0", "mean is [0.0, nan, 0.0]; give thr"),
        ("cat.png --weights none --std 1e300 1 1", "std is [1e+300, 1.0, 1.0]; give"),
        ("cat.png --weights none --std 1e-99 1 1", "std is [1e-99, 1.0, 1.0]; give"),
        ("cat.png --device cpu:3", "device 'cpu:3' is not there. Choose cpu"),
        ("cat.png --device gpu", "device 'gpu' is not there. Choose cpu"),
        ("cat.png --device meta", "device 'meta' is not there. Choose cpu"),
        ("cat.png --device cuda:99", "device 'cuda:99' is not there. Choose cpu"),
        ("cat.png --weights none --output a.jpg", "a.jpg: the figure is a PNG"),
        ("cat.png --weights none --output a", "a: the figure is a PNG; give a name"),
        ("cat.png --weights none --output no/a.png", "no: no such folder. Make it"),
        ("cat.png --weights none --output dir.png/b", "dir.png/b: the figure is a PNG"),
        ("cat.png dog.jpg --output a.png", "a.png: 2 pictures give a figure each."),
        (
            "cat.png --network mine.py:dir",
            "cat-mine-dir.png: is a folder. Give another na",
        ),
        ("cat.png --weights none --seed -1", "seed is -1"),
        ("cat.png --network mine.py:biuld", "'biuld'. Did you mean 'build'"),
        ("cat.png --network mine.py:broken", "stopped with KeyError: 'oh'. Repair"),
        (f"{MINE} --mean 1 1 1 --methods excitation-bp", "images in [0, 1]"),
    ],
)
def test_bad_input_is_one_line_with_status_2_and_no_figure(here, capsys, line, message):
    (here / "pictures").mkdir()
    (here / "cat-mine-dir.png").mkdir()
    Image.new("RGB", (9, 9)).save("dog.jpg")
    before = set(here.iterdir())
    assert main(["explain", *line.split()]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("modbp: ") and err.count("\n") == 1
    assert message in err
    assert {path for path in here.iterdir() if path.name != "__pycache__"} == before


NAMES = ["猫.png", "एक बिल्ली.png", "قطة.png", "$x$ _^{.png", "é.png"]


@pytest.mark.parametrize("name", NAMES)
def test_names_in_any_script_are_drawn_or_numbered(here, monkeypatch, name):
    """Warnings are errors here, such as one about a letter that a font has not."""
    (here / "cat.png").rename(here / name)
    names = ("犬", "$", "ж")
    named = replace(find_network("mine.py:build"), title="$ 网络", classes=names)
    monkeypatch.setattr("modbp.zoo.named.find_network", lambda *_: named)
    drawn = []
    draw = figures.heatmaps

    def heatmaps(*given, **options):
        drawn.append(draw(*given, **options))
        return drawn[-1]

    monkeypatch.setattr(figures, "heatmaps", heatmaps)
    line = "--network mine.py:build --size 20 --target 0 1 2 --methods gradient"
    assert main(["explain", name, *line.split()]) == 0
    texts = " ".join(text.get_text() for text in drawn[0].findobj(Text))
    for wanted in (f"{name}, $ 网络", "class 0 犬 (", "class 1 $ (", "class 2 ж ("):
        lacking = set(drawn[0].lacking)
        wanted = "".join(ascii(c)[1:-1] if c in lacking else c for c in wanted)
        # Spaces may be where a line was broken.
        assert "".join(wanted.split()) in "".join(texts.replace(r"\$", "$").split())
