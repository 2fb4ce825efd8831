"""The command line: what it passes on, what it prints, and how it fails."""

import os
import re
import shlex
import subprocess
import sys
from importlib.metadata import PackageNotFoundError

import numpy as np
import pytest
from commands.shell import ROOT, shell
from PIL import Image

import modbp
from modbp import data, models
from modbp.__main__ import main, parser
from modbp.errors import InputError
from modbp.study import training


def test_help_names_every_verb(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith("usage: python -m modbp")
    for verb in ("explain", "train", "evaluate", "run", "status"):
        assert f"\n    {verb} " in text


def test_the_version_is_told_and_that_there_is_none_where_nothing_is_installed(
    monkeypatch, capsys
):
    def nothing(name):
        raise PackageNotFoundError(name)

    for told in (f"modbp {modbp.__version__}\n", "modbp, which is not installed here"):
        with pytest.raises(SystemExit) as caught:
            main(["--version"])
        assert caught.value.code == 0
        assert capsys.readouterr().out.startswith(told)
        monkeypatch.setattr("importlib.metadata.version", nothing)


@pytest.mark.parametrize("words", ["", "explain", "run csc", "status", "train"])
def test_help_does_not_load_torch(words):
    script = "import sys; from modbp.__main__ import main\ntry: main(sys.argv[1:])\n"
    script += "except SystemExit: print([*sys.modules].count('torch'), 'loaded')"
    command = [sys.executable, "-c", script, *words.split(), "--help"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, env=environment, capture_output=True, encoding="utf-8"
    )
    assert done.stdout.startswith("usage: ") and done.stdout.endswith("0 loaded\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "required: VERB"),
        (["fly"], "invalid choice: 'fly'"),
        # Options are spelled out, and experiments refuse those of others.
        (["run", "csc", "--method", "lrp-z"], "unrecognized arguments: --method"),
        (["run", "csc", "--stale"], "unrecognized arguments: --stale"),
        (["run", "patterns", "--methods", "lrp-z"], "unrecognized arguments: --met"),
        (["run", "learned", "--device", "cpu"], "unrecognized arguments: --device"),
        (["run", "simulation", "--network", "vgg16"], "unrecognized arguments: --net"),
        (["run", "random-logit", "--stages", "fc"], "unrecognized arguments: --sta"),
        (["train", "cifar10", "--epochs", "two"], "invalid int value: 'two'"),
        (["evaluate", "cifar10", "--speed", "1"], "unrecognized arguments: --speed 1"),
    ],
)
def test_what_is_no_command_is_refused_with_status_2(arguments, message, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


PAGES = [ROOT / "README.md", *sorted(ROOT.glob("book/*.md"))]
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
WRITTEN = set(re.findall(r"^python -m modbp (.*)$", TEXT, re.M))


@pytest.mark.parametrize("line", sorted(WRITTEN))
def test_every_command_that_a_page_shows_is_understood(line):
    assert parser().parse_args(shlex.split(line)).verb


@pytest.fixture
def asked(monkeypatch):
    """What would be trained, instead of training it."""
    seen = {}

    def train(name, output, **options):
        seen.update(options, name=name, output=output)
        return {"test_accuracy": 0.5}

    monkeypatch.setattr(training, "train", train)
    return seen


def test_every_option_of_train_is_passed_on(asked, capsys):
    line = "train cifar10 --output a --resume --seed 3 --epochs 4 --batch 5 --limit 6"
    line += " --device cpu --folder b --download"
    assert main(line.split()) == 0
    wanted = {"name": "cifar10", "output": "a", "resume": True, "seed": 3, "epochs": 4}
    wanted |= {"batch": 5, "limit": 6, "device": "cpu", "folder": "b", "download": True}
    assert asked == wanted | {"command": f"python -m modbp {line}"}
    assert capsys.readouterr().out == "a: test accuracy 0.5000\n"


def test_what_is_left_out_is_left_to_the_recipe(asked):
    assert main(["train", "cifar10"]) == 0
    assert asked["output"] == "runs/cifar10"
    assert "epochs" not in asked and "batch" not in asked
    assert (asked["seed"], asked["resume"], asked["download"]) == (0, False, False)


def test_evaluate_prints_the_accuracy_and_that_of_every_class(
    monkeypatch, capsys, tmp_path
):
    """All images are equal, so that one class is always right, the others never."""
    grey = Image.fromarray(np.full((32, 32, 3), 99, np.uint8))
    for number, name in enumerate(data.CLASSES):
        place = tmp_path / "cifar10" / "test" / name
        place.mkdir(parents=True)
        grey.save(place / f"{number}.png")
    net = models.build("cifar10")
    net.fc6.bias.data[3] = 1000.0
    models.save(net, tmp_path / "net.safetensors")
    monkeypatch.setenv("MODBP_DATA", str(tmp_path))
    command = ["evaluate", "cifar10", "--weights", str(tmp_path / "net.safetensors")]

    assert main(command) == 0
    lines = capsys.readouterr().out.splitlines()
    source = "CIFAR-10 test images (JPEG)"
    assert lines[0] == f"cifar10, net.safetensors: accuracy 0.1000 on 10 {source}"
    found = dict(line.split() for line in lines[1:])
    assert found == {name: "0.000" for name in data.CLASSES} | {"cat": "1.000"}

    assert main([*command, "--folder", str(tmp_path / "cifar10")]) == 0
    first, one, five = capsys.readouterr().out.splitlines()
    assert first.startswith("cifar10, net.safetensors on 10 images in test, resized")
    # Wilson, of 1 in 10: (0.1 + z²/20 ± z √(0.009 + z²/400)) / (1 + z²/10), z = 1.96.
    told = "0.1000, 95 % interval 0.0179 to 0.4042 over images"
    assert one == f"  top-1 accuracy {told}" and five.startswith("  top-5 accuracy 0.")


def test_evaluate_wants_pictures_for_other_classes_and_finds_a_home(
    monkeypatch, capsys, tmp_path
):
    assert main(["evaluate", "efficientnet_lite0"]) == 2
    assert "with --folder DIR." in capsys.readouterr().err
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in data.CLASSES:
        place = tmp_path / "mine" / "test" / name
        place.mkdir(parents=True)
        Image.new("RGB", (32, 32)).save(place / "a.png")
    assert main(["evaluate", "cifar10", "--folder", "~/mine"]) == 0
    assert "cifar10 on 10 images in test" in capsys.readouterr().out


@pytest.mark.parametrize("verb", ["train", "evaluate"])
def test_a_network_that_is_not_of_the_book_is_named(verb, capsys):
    assert main([verb, "vgg61"]) == 2
    told = capsys.readouterr().err
    assert "'vgg61'. Did you mean" in told and "'vgg16'" in told


def test_a_refusal_is_one_line_and_status_2_and_anything_else_a_traceback(
    monkeypatch, capsys
):
    def refuse(*args, **options):
        raise InputError("this is wrong. Do that.")

    def stumble(*args, **options):
        raise KeyError("a mistake of ours")

    monkeypatch.setattr(training, "train", refuse)
    assert main(["train", "cifar10"]) == 2
    assert capsys.readouterr() == ("", "modbp: this is wrong. Do that.\n")
    monkeypatch.setattr(training, "train", stumble)
    with pytest.raises(KeyError):
        main(["train", "cifar10"])


def test_without_cifar10_the_shell_gets_the_remedy_and_status_2(tmp_path):
    *done, error = shell(tmp_path, "train", "cifar10", MODBP_DATA=str(tmp_path))
    assert done == [2, ""]
    assert error.startswith(f"modbp: no CIFAR-10 found in {tmp_path}.")
    assert "MODBP_DATA" in error and "--download" in error
    assert "Traceback" not in error
    assert list(tmp_path.iterdir()) == []
