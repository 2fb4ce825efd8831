"""The command line: what it passes on, what it prints, and how it fails."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from modbp import data, models
from modbp.__main__ import _parser, main
from modbp.commands import line
from modbp.errors import InputError
from modbp.study import experiments, training
from modbp.zoo.models.weights import weights_fingerprint

ROOT = Path(__file__).parents[2]

SMALL = """
import torch
from torch import nn

def small():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.AvgPool2d(224))
    return net.extend([nn.Flatten(), nn.Linear(4, 3)])
"""


def test_help_names_every_verb(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith("usage: python -m modbp")
    for verb in ("explain", "train", "evaluate", "run", "status"):
        assert f"\n    {verb} " in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "required: VERB"),
        (["fly"], "invalid choice: 'fly'"),
        (["train", "alexnet"], "invalid choice: 'alexnet'"),
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
WRITTEN = {
    line
    for page in PAGES
    for line in re.findall(r"^python -m modbp (.*)$", page.read_text(), re.MULTILINE)
}


@pytest.mark.parametrize("line", sorted(WRITTEN))
def test_every_command_that_a_page_shows_is_understood(line):
    assert _parser().parse_args(shlex.split(line)).verb


def test_every_option_of_train_is_passed_on(monkeypatch, capsys):
    seen = {}

    def train(name, output, **options):
        seen.update(options, name=name, output=output)
        return {"test_accuracy": 0.5}

    monkeypatch.setattr(training, "train", train)
    line = "train cifar10 --output a --resume --seed 3 --epochs 4 --batch 5 --limit 6"
    line += " --device cpu --folder b --download"
    assert main(line.split()) == 0
    assert seen == {
        "name": "cifar10",
        "output": "a",
        "resume": True,
        "seed": 3,
        "epochs": 4,
        "batch": 5,
        "limit": 6,
        "device": "cpu",
        "folder": "b",
        "download": True,
        "command": f"python -m modbp {line}",
    }
    assert capsys.readouterr().out == "a: test accuracy 0.5000\n"


def test_what_is_left_out_is_left_to_the_recipe(monkeypatch):
    seen = {}

    def train(name, output, **options):
        seen.update(options, output=output)
        return {"test_accuracy": 0.5}

    monkeypatch.setattr(training, "train", train)
    assert main(["train", "cifar10"]) == 0
    assert seen["output"] == "runs/cifar10"
    assert "epochs" not in seen and "batch" not in seen
    assert (seen["seed"], seen["resume"], seen["download"]) == (0, False, False)


def test_every_option_of_run_is_passed_on(monkeypatch, capsys):
    seen = {}

    def run(experiment, output, *, command, worker):
        seen.update(experiment=experiment, output=output, command=command)

    monkeypatch.setattr(experiments, "run", run)
    line = "run csc --methods gradient lrp-z --images photographs 2 --relevances 3"
    line += " --seed 4 --scale 255 --size 32 --batch 7 --target predicted"
    line += " --precision float64 --network squeezenet1_1 --weights none"
    line += " --device cpu --output a.json"
    assert main(line.split()) == 0
    settings = seen["experiment"].settings
    wanted = {"relevances": 3, "seed": 4, "scale": 255.0, "size": 32, "batch": 7}
    wanted |= {"network": "squeezenet1_1", "image_names": ["cat Chelsea", "rocket"]}
    assert {key: settings[key] for key in wanted} == wanted
    assert list(seen["experiment"].parts) == ["gradient", "lrp-z"]
    assert seen["experiment"].subject.target == "predicted"
    assert seen["experiment"].subject.precision == "float64"
    assert (seen["output"], seen["command"]) == ("a.json", f"python -m modbp {line}")
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("2 images, 32×32 pixels") and out[1] == "wrote a.json"


def test_results_go_to_a_folder_of_their_own_if_none_is_named(monkeypatch, capsys):
    seen = []

    def run(experiment, output, **options):
        seen.append(output)

    monkeypatch.setattr(experiments, "run", run)
    assert main("run csc --images 1 --folder photographs --methods lrp-z".split()) == 0
    assert main("run simulation --repetitions 3".split()) == 0
    assert seen == ["runs/csc/cifar10.json", "runs/simulation/vgg16.json"]


@pytest.mark.parametrize("name", ["patterns", "learned"])
def test_every_option_of_an_experiment_in_one_piece_is_passed_on(
    monkeypatch, capsys, name
):
    seen = {}
    monkeypatch.setattr(line, f"run_{name}", lambda *args, **more: seen.update(more))
    words = f"run {name} --network cifar10 --weights none --seed 4 --patterns 3"
    words += " --folder photographs --output a.json"
    own = {"patterns": " --images 2", "learned": " --repetitions 5"}[name]
    assert main((words + own).split()) == 0
    assert seen["command"] == f"python -m modbp {words}{own}"
    assert len(seen["images"].x) == 3
    wanted = weights_fingerprint(models.build("cifar10", 4))
    assert weights_fingerprint(seen["net"]) == wanted
    if name == "patterns":
        assert len(seen["tested"].x) == 2
    else:
        assert (seen["repetitions"], seen["seed"]) == (5, 4)
    out = capsys.readouterr().out
    assert "patterns are fitted to 3 images, 32×32" in out
    assert out.endswith("wrote a.json\n")


def test_an_experiment_in_one_piece_is_written_and_its_status_told(tmp_path, capsys):
    (tmp_path / "net.py").write_text(SMALL)
    output = tmp_path / "learned.json"
    words = ["run", "learned", "--network", f"{tmp_path}/net.py:small", "--repetitions"]
    words += ["1", "--patterns", "4", "--folder", "photographs", "--output"]
    assert main([*words, str(output)]) == 0
    assert experiments.read(output)["config"]["count"] == 4
    capsys.readouterr()
    assert main(["status", str(output)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{output}: learned on ")
    assert lines[0].endswith("net.py:small, 4 images")
    assert lines[1] == "  finished: code, text"
    (tmp_path / "file").write_text("")
    assert main([*words, f"{tmp_path}/file/a.json"]) == 2
    assert "a.json: cannot be written" in capsys.readouterr().err


def test_the_status_of_patterns_names_the_layers_that_are_there(tmp_path, capsys):
    config = {"network": "vgg16", "kinds": ["W"], "count": 9, "image_names": ["0"]}
    results = {"layers": {"conv1": {}, "conv2": {}}}
    stored = {"config": config, "provenance": {}, "results": results}
    output = tmp_path / "patterns.json"
    output.write_text(json.dumps(stored))
    assert main(["status", str(output)]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith("patterns on vgg16, 9 images")
    assert second == "  not finished; layers so far: conv1, conv2"


def test_an_experiment_in_one_piece_is_not_shared():
    options = _parser().parse_args(["run", "patterns"])
    with pytest.raises(InputError, match=r"cannot be shared by 2 .* without torchrun"):
        line.run_whole(options, experiments.Worker(0, 2), "a.json")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("patterns --methods lrp-z", "--methods does not apply to patterns. It takes"),
        ("patterns --device cpu", "--device does not apply to patterns"),
        ("learned --images 3", "--images does not apply to learned"),
        ("simulation --network vgg16", "--network does not apply to simulation"),
        ("csc --blocks-trained", "--blocks-trained does not apply to csc"),
        ("random-logit --stages fc", "--stages does not apply to random-logit"),
        ("patterns --patterns 0", "indices is empty"),
        ("learned --weights no.safetensors", "no such weights file"),
    ],
)
def test_options_without_a_use_are_refused(words, message, capsys):
    assert main(["run", *words.split()]) == 2
    error = capsys.readouterr().err
    assert error.startswith("modbp: ") and error.count("\n") == 1
    assert message in error


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("run csc --images 2 3", "one count and one folder"),
        ("run csc --images a --folder b", "one count and one folder"),
        ("run csc --images no-folder", "no-folder: no such folder"),
        ("run csc --network resnet19", "'resnet19'. Did you mean 'resnet18'"),
        ("run csc --weights no.safetensors", "no.safetensors: no such weights file"),
        ("run csc --methods lrp-y", "unknown method 'lrp-y'"),
        ("run csc --methods lrp-gamma:0.5", "'0.5' is no option; write NAME:OPTION"),
        ("run csc --methods lrp-gamma:g=1", "no option 'g'"),
        ("run csc --batch 0", "batch is 0"),
        (
            "run csc --network squeezenet1_1 --weights none --size 8",
            "(MaxPool2d) cannot take",
        ),
        ("status no.json", "no.json: neither a result nor work on one"),
    ],
)
def test_what_a_run_cannot_do_is_one_line(line, message, capsys):
    if line.startswith("run") and "--images" not in line:
        line += " --images photographs 1"
    assert main(line.split()) == 2
    error = capsys.readouterr().err
    assert error.startswith("modbp: ") and error.count("\n") == 1
    assert message in error


def test_evaluate_prints_the_accuracy_and_that_of_every_class(
    monkeypatch, capsys, tmp_path
):
    """All images are equal, so that one class is always right, the others never."""
    for name in data.CLASSES:
        place = tmp_path / "cifar10" / "test" / name
        place.mkdir(parents=True)
        number = data.CLASSES.index(name)
        Image.fromarray(np.full((32, 32, 3), 99, np.uint8)).save(
            place / f"{number}.png"
        )
    net = models.build("cifar10")
    net.fc6.bias.data[3] = 1000.0
    models.save(net, tmp_path / "net.safetensors")
    monkeypatch.setenv("MODBP_DATA", str(tmp_path))
    weights = ["--weights", str(tmp_path / "net.safetensors")]

    assert main(["evaluate", "cifar10", *weights]) == 0
    lines = capsys.readouterr().out.splitlines()
    source = "CIFAR-10 test images (JPEG)"
    assert lines[0] == f"cifar10: accuracy 0.1000 on 10 {source}"
    found = dict(line.split() for line in lines[1:])
    assert found == {name: "0.000" for name in data.CLASSES} | {"cat": "1.000"}

    folder = tmp_path / "cifar10"
    assert main(["evaluate", "cifar10", *weights, "--folder", str(folder)]) == 0
    assert capsys.readouterr().out == "cifar10: accuracy 0.1000 on 10 images in test\n"


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
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "MODBP_DATA": str(tmp_path),
    }
    command = [sys.executable, "-W", "error", "-m", "modbp", "train", "cifar10"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"modbp: no CIFAR-10 found in {tmp_path}.")
    assert "MODBP_DATA" in done.stderr and "--download" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []
