"""The verb ``run``: what it hands to the experiments, and what it refuses."""

import pytest

from modbp import models
from modbp.__main__ import main
from modbp.study import experiments
from modbp.zoo.models.weights import weights_fingerprint


@pytest.fixture
def asked(monkeypatch):
    """What would be run, instead of running it."""
    seen = {}

    def run(experiment, output, *, command, worker):
        seen.update(experiment=experiment, output=output, command=command)

    monkeypatch.setattr(experiments, "run", run)
    return seen


def test_every_option_is_passed_on(asked, capsys):
    line = "run csc --methods gradient lrp-z --images photographs 2 --relevances 3"
    line += " --seed 4 --scale 255 --size 32 --batch 7 --target 3 --no-fold"
    line += " --precision float64 --network squeezenet1_1 --weights none"
    line += " --device cpu --output a --mean 0.5 0.25 0 --std 1 2 4"
    assert main(line.split()) == 0
    experiment = asked["experiment"]
    wanted = {"relevances": 3, "seed": 4, "scale": 255.0, "size": 32, "batch": 7}
    wanted |= {"network": "squeezenet1_1", "image_names": ["cat Chelsea", "rocket"]}
    wanted |= {"fold": False, "mean": [0.5, 0.25, 0.0], "std": [1.0, 2.0, 4.0]}
    assert {key: experiment.settings[key] for key in wanted} == wanted
    assert list(experiment.parts) == ["gradient", "lrp-z"]
    assert experiment.subject.target == 3
    assert experiment.subject.read([0, 1])[1].tolist() == [3, 3]
    assert experiment.subject.precision == "float64"
    assert (asked["output"], asked["command"]) == ("a", f"python -m modbp {line}")
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("2 images, 32×32 pixels") and out[2] == "wrote a"
    assert out[1].startswith("preprocessing: ") and "middle 32×32, " in out[1]
    assert "colours times 255" in out[1]
    assert "minus (0.5, 0.25, 0), divided by (1, 2, 4)" in out[1]


def test_options_of_one_experiment_are_passed_on(asked):
    common = "--images photographs 1 --patterns 30"
    line = f"run cascade {common} --stages fc6 conv1 --blocks-trained --stale"
    assert main([*line.split(), "--methods", "patternattribution"]) == 0
    changes = {"stages": ["fc6", "conv1"], "own": False, "stale": True}
    settings = asked["experiment"].settings
    assert {key: settings[key] for key in changes} == changes
    (table,) = asked["experiment"].parts.values()
    assert "patterns fitted to 30 images" in table
    line = f"run random-logit {common} --target predicted --methods lrp-z"
    assert main(line.split()) == 0
    assert asked["experiment"].settings["target"] == "predicted"


def test_results_go_to_a_folder_of_their_own_if_none_is_named(asked):
    assert main("run csc --images 1 photographs --methods lrp-z".split()) == 0
    assert asked["output"] == "runs/csc/cifar10"
    assert main("run simulation --repetitions 3 --seed 2".split()) == 0
    assert asked["output"] == "runs/simulation/vgg16"
    settings = asked["experiment"].settings
    assert (settings["repetitions"], settings["seed"]) == (3, 2)


@pytest.mark.parametrize("name", ["patterns", "learned"])
def test_options_of_experiments_on_patterns_are_passed_on(asked, capsys, name):
    words = f"run {name} --network cifar10 --weights none --seed 4 --patterns 3"
    own = {"patterns": " --images 2 photographs"}.get(name, " --images photographs")
    own += " --repetitions 5" * (name == "learned")
    assert main((words + own).split()) == 0
    settings = asked["experiment"].settings
    assert settings["count"] == 3
    wanted = weights_fingerprint(models.build("cifar10", 4))
    assert settings["weights_sha256"] == wanted
    if name == "patterns":
        assert len(settings["tested_names"]) == 2
    else:
        assert (settings["repetitions"], settings["seed"]) == (5, 4)
    fitted, *explained, how, _ = capsys.readouterr().out.splitlines()
    assert how.startswith("preprocessing: ")
    assert how.endswith("colours in [0, 1], not normalised")
    assert fitted.startswith("patterns are fitted to 3 images, 32×32")
    # Which images are explained is said where any are.
    wanted = ["explained"] if name == "patterns" else []
    assert [line.partition(":")[0] for line in explained] == wanted


def test_a_run_is_written_and_its_status_told(tmp_path, capsys):
    output = str(tmp_path / "csc")
    words = ["run", "csc", "--images", "photographs", "2", "--relevances", "2"]
    words += ["--methods", "lrp-gamma:gamma=0.5", "--output", output]
    assert main(words) == 0
    assert capsys.readouterr().out.endswith(f"wrote {output}\n")
    assert list(experiments.read(output)["results"]) == ["lrp-gamma:gamma=0.5"]
    assert main(["status", output]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{output}: csc on cifar10: 2 photographs")
    assert lines[1] == "  finished: lrp-gamma:gamma=0.5"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("run csc --images 2 3", "one count and one folder"),
        ("run csc --images a b", "one count and one folder"),
        ("run csc --images no-folder", "no-folder: no such folder"),
        ("run csc --weights no.safetensors", "no.safetensors: no such weights file"),
        ("run csc --methods lrp-gamma:0.5", "'0.5' is no option; write NAME:OPTION"),
        ("run csc --methods lrp-gamma:g=1", "no option 'g'"),
        ("run csc --batch 0", "batch is 0"),
        ("run csc --target cat", "choose true, predicted or a class"),
        ("run patterns --patterns 0", "patterns is 0"),
        ("run csc --patterns -1", "patterns is -1"),
        ("run csc --relevances 1", "relevances is 1; give a whole number from 2"),
        ("run csc --seed -1", "seed is -1"),
        ("run simulation --seed 4294967296", "seed is 4294967296"),
        ("run simulation --repetitions 0", "repetitions is 0"),
        ("run learned --repetitions -3", "repetitions is -3"),
        ("run csc --methods lrp-z gradient lrp-z", "methods has 'lrp-z' twice"),
        ("run cascade --stages fc6 conv1 fc6", "stages has 'fc6' twice"),
        ("run csc --std 1 inf 1", "std is [1.0, inf, 1.0]; give three numbers above 0"),
        ("run csc --std nan 1 1", "std is [nan, 1.0, 1.0]"),
        ("run csc --std 1 1 0", "std is [1.0, 1.0, 0.0]"),
        ("run csc --std 1 1 -2", "std is [1.0, 1.0, -2.0]"),
        ("run learned --mean 0 nan 0", "mean is [0.0, nan, 0.0]; give three numbers"),
        ("run csc --mean inf 0 0", "mean is [inf, 0.0, 0.0]"),
        ("run csc --scale nan", "scale is nan"),
        ("run csc --scale 0", "scale is 0.0"),
        ("run random-logit --scale inf", "scale is inf"),
        ("run csc --size 0", "size is 0"),
        ("run csc --images photographs 0", "count is 0"),
        ("run patterns --images photographs 0", "count is 0"),
        ("run csc --device tpu9", "device 'tpu9' is not there. Choose cpu"),
        ("run csc --device meta", "device 'meta' is not there. Choose cpu"),
        ("run csc --output .", "output is '.'; give the name of a folder"),
        ("run csc --output ..", "output is '..'; give the name of a folder"),
        (
            "run csc --network squeezenet1_1 --weights none --size 8",
            "(MaxPool2d) cannot take",
        ),
    ],
)
def test_what_a_run_cannot_do_is_one_line(line, message, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    if "--images" not in line and "simulation" not in line:
        line += " --images photographs 1"
    assert main(line.split()) == 2
    error = capsys.readouterr().err
    assert error.startswith("modbp: ") and error.count("\n") == 1
    assert message in error
    assert not list(tmp_path.iterdir())
