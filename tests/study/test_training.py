"""Training: a run that is killed and resumed ends like one that was left alone."""

import json
import re
import shutil
import signal
import time
from dataclasses import asdict

import numpy as np
import pytest
import safetensors.torch
import torch
from commands.shell import shell, start
from PIL import Image
from torch import nn

from modbp import data, files
from modbp.__main__ import main
from modbp.errors import DataError, InputError, WeightsError
from modbp.files import fingerprint
from modbp.study import training
from modbp.study.training import recipes
from modbp.zoo.data import photographs
from modbp.zoo.data.sources import imagenet

EPOCHS, BATCH, LIMIT = 2, 2, 16
OPTIONS = ["--epochs", str(EPOCHS), "--batch", str(BATCH), "--limit", str(LIMIT)]


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """On a busy machine several threads wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An image folder of photographs: 28 to train on, 14 to test with."""
    folder = tmp_path_factory.mktemp("photographs")
    for index in range(42):
        picture, name = photographs.crop(index)
        place = folder / ("train" if index < 28 else "test") / name
        place.mkdir(parents=True, exist_ok=True)
        picture.resize((32, 32)).save(place / f"{index}.png")
    return folder


def command(folder, output, *more):
    where = ["--folder", str(folder), "--output", str(output)]
    return ["train", "cifar10", *where, *OPTIONS, *more]


def read_until(stream, text):
    """Read what a process says up to some text; return what it said."""
    said = ""
    while text not in said:
        more = stream.read(1)
        assert more, f"the process ended: {said}"
        said += more
    return said


@pytest.fixture(scope="module")
def whole(folder, tmp_path_factory):
    """The output of a run that was left alone."""
    output = tmp_path_factory.mktemp("whole")
    status, said, errors = shell(output, *command(folder, output))
    assert status == 0, errors
    assert said.startswith(f"{output}: test accuracy 0.")
    return output


@pytest.fixture
def in_process(folder):
    """Run the same command here, in another folder or with other options."""
    return lambda output, *more: main(command(folder, output, *more))


def weights(output):
    return (output / "cifar10.safetensors").read_bytes()


# A run --------------------------------------------------------------------------------


def test_a_run_leaves_weights_with_their_history(whole, folder):
    names = {path.name for path in whole.iterdir()}
    assert names == {"checkpoint.pt", "cifar10.safetensors", "cifar10.json", "lock"}
    history = json.loads((whole / "cifar10.json").read_text(encoding="utf-8"))
    assert history["command"].startswith("python -m modbp train cifar10 --folder ")
    recipe = asdict(recipes.Recipe(epochs=EPOCHS, batch=BATCH)) | {"more": []}
    about = {"name": "cifar10", "seed": 0, "images": LIMIT}
    assert history["settings"] == about | recipe
    assert history["data"] == "images in train"
    x, _, _ = data.dataset("train", folder=folder)
    assert history["data_sha256"] == fingerprint(x[:LIMIT].numpy().tobytes())
    assert len(history["log"]) == EPOCHS
    for entry in history["log"]:
        assert 0 < entry["loss"] < 5 and 0 <= entry["accuracy"] <= 1
    assert (history["test_images"], history["threads"]) == (14, 1)


@pytest.mark.long
def test_a_run_killed_in_an_epoch_and_resumed_gives_the_same_weights_bit_for_bit(
    whole, folder, tmp_path
):
    killed = start(tmp_path, *command(folder, tmp_path))
    try:
        said = read_until(killed.stderr, "epoch 1/2")
        began = time.monotonic()
        said += read_until(killed.stderr, "epoch 1/2: 100%")
        epoch = time.monotonic() - began
        said += read_until(killed.stderr, "epoch 2/2")
        time.sleep(0.3 * epoch)
    finally:
        killed.send_signal(signal.SIGKILL)
        said += killed.communicate()[1]
    assert killed.returncode == -signal.SIGKILL
    # In the second epoch: the first is stored, the second began and did not end.
    stored = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert len(stored["log"]) == 1
    assert "epoch 2/2" in said and "epoch 2/2: 100%" not in said
    assert not (tmp_path / "cifar10.safetensors").exists()

    status, _, said = shell(tmp_path, *command(folder, tmp_path, "--resume"))
    assert status == 0, said
    assert "epoch 1/2" not in said and "epoch 2/2: 100%" in said

    assert weights(whole) == weights(tmp_path)
    assert lasting(whole) == lasting(tmp_path)


def lasting(output):
    """Return a run's history without what differs from run to run."""
    history = json.loads((output / "cifar10.json").read_text(encoding="utf-8"))
    for entry in (history, *history["log"]):
        del entry["seconds"]
    return {key: value for key, value in history.items() if key != "command"}


def test_another_seed_gives_other_weights(folder, tmp_path):
    changes = {"epochs": 1, "limit": 2, "folder": folder, "device": "cpu"}
    one = training.train("cifar10", tmp_path / "1", seed=1, **changes)
    two = training.train("cifar10", tmp_path / "2", seed=2, **changes)
    assert one["data_sha256"] == two["data_sha256"]
    assert one["log"][0]["loss"] != two["log"][0]["loss"]
    assert weights(tmp_path / "1") != weights(tmp_path / "2")


OWN = """
import torch
from torchvision.ops import StochasticDepth


def net():
    layers = torch.nn.Flatten(), StochasticDepth(0.5, "row"), torch.nn.Linear(3072, 14)
    return torch.nn.Sequential(*layers)
"""


@pytest.mark.parametrize("asked", ["bfloat16", "float32"])
def test_products_are_of_the_precision_that_was_asked_for(
    asked, tmp_path, folder, monkeypatch
):
    seen, place = [], tmp_path / "out"

    def spied(self, x):
        found = torch.nn.functional.linear(x, self.weight, self.bias)
        seen.append(found.dtype) if self.training else None
        return found

    monkeypatch.setattr(torch.nn.Linear, "forward", spied)
    few = "--epochs", "1", "--limit", "4", "--batch", "4"
    main([*command(folder, place, *few, "--precision", asked)])
    assert {*seen} == {getattr(torch, asked)}
    history = json.loads((place / "cifar10.json").read_text(encoding="utf-8"))
    assert history["settings"]["bfloat16"] is (asked == "bfloat16")


def test_a_network_of_a_file_is_trained_and_its_weights_fit(
    folder, tmp_path, capsys, monkeypatch
):
    (tmp_path / "own.py").write_text(OWN, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    small = ["--epochs", "1", "--limit", "4", "--batch", "4", "--folder", str(folder)]
    for seed in ("0", "0", "1"):
        output = ["--output", f"runs/{seed}", "--seed", seed]
        resume = ["--resume"] * (tmp_path / "runs" / seed).exists()
        main(["train", "own.py:net", *small, *output, *resume])
    assert "runs/1: test accuracy" in capsys.readouterr().out
    found = [safetensors.torch.load_file(f"runs/{k}/net.safetensors") for k in "01"]
    assert {key: value.shape for key, value in found[0].items()} == {
        "2.weight": (14, 3072),
        "2.bias": (14,),
    }
    assert not found[0]["2.weight"].equal(found[1]["2.weight"])


def test_a_network_of_a_file_with_a_transform_is_refused(folder, tmp_path):
    # It would be trained on other colours than it is explained with.
    file, changes = tmp_path / "own.py", {"epochs": 1, "limit": 4, "folder": folder}
    more = "from torchvision.transforms import ToTensor\n"
    pair = OWN.replace("return torch.nn.Sequential(*layers)", "return PAIR")
    pair = pair.replace("PAIR", "torch.nn.Sequential(*layers), ToTensor()")
    file.write_text(more + pair, encoding="utf-8")
    with pytest.raises(InputError, match="Return the model alone"):
        training.train(f"{file}:net", tmp_path / "out", **changes)
    assert not (tmp_path / "out").exists()


# Refusals -----------------------------------------------------------------------------


@pytest.fixture
def refused(in_process, capsys):
    """Give a command that is refused and changes no file; return the message."""

    def contents(output):
        files = (path for path in output.iterdir() if path.name != "lock")
        return {path.name: fingerprint(path) for path in files}

    def run(output, *more):
        before = contents(output)
        assert in_process(output, *more) == 2
        assert contents(output) == before
        return capsys.readouterr().err

    return run


def test_a_run_is_not_overwritten_by_mistake(whole, refused):
    message = refused(whole)
    assert f"{whole / 'checkpoint.pt'} exists" in message and "--resume" in message


def test_a_finished_run_is_resumed_without_training(whole, in_process, capsys):
    before = weights(whole)
    assert in_process(whole, "--resume") == 0
    assert "epoch" not in capsys.readouterr().err
    assert weights(whole) == before


def test_a_run_is_not_resumed_with_other_settings(whole, refused):
    message = refused(whole, "--resume", "--epochs", "5", "--seed", "1")
    assert "was made with epochs 2 instead of 5, seed 0 instead of 1." in message
    assert "Use the same options, or another --output." in message


def test_two_runs_into_one_folder_do_not_mix(whole, refused):
    with files.hold(whole / "lock"):
        message = refused(whole, "--resume")
    assert "lock: another run is writing here. Wait until that one ends" in message


def test_other_labels_are_another_run(folder, tmp_path):
    changes = {"epochs": 1, "limit": 2, "batch": 2, "device": "cpu", "folder": tmp_path}
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    training.train("cifar10", tmp_path / "out", **changes)
    # An empty class before the others: all pictures stay, all labels change.
    (tmp_path / "train" / "aaa").mkdir()
    with pytest.raises(WeightsError, match="labels_sha256 .* another --output"):
        training.train("cifar10", tmp_path / "out", resume=True, **changes)


def test_training_that_diverges_is_told_and_leaves_no_weights(folder, tmp_path):
    changes = {"epochs": 3, "limit": 16, "batch": 2, "device": "cpu", "folder": folder}
    with pytest.raises(InputError, match="training diverged. Choose a smaller learn"):
        training.train("cifar10", tmp_path, learning_rate=1e30, **changes)
    assert not (tmp_path / "cifar10.safetensors").exists()


def test_an_output_that_cannot_be_written_is_told(folder, tmp_path, in_process, capsys):
    (tmp_path / "a file").write_text("", encoding="utf-8")
    assert in_process(tmp_path / "a file") == 2
    assert in_process(tmp_path / "a file" / "out") == 2
    error = capsys.readouterr().err.splitlines()
    assert all(line.startswith("modbp: ") for line in error[-1:])
    assert error[-1].count("cannot be written") == 1


@pytest.mark.parametrize("content", [b"", b"no checkpoint", "cut off", "another's"])
def test_a_damaged_checkpoint_is_refused(content, whole, refused, tmp_path):
    path = tmp_path / "checkpoint.pt"
    if content == "another's":
        torch.save({"weights": torch.zeros(3)}, path)
    elif content == "cut off":
        path.write_bytes((whole / "checkpoint.pt").read_bytes()[:1_000_000])
    else:
        path.write_bytes(content)
    message = refused(tmp_path, "--resume")
    assert f"{path} cannot be read" in message
    assert "Delete it to start again." in message


def test_more_classes_than_the_network_has_are_refused(folder, capsys, tmp_path):
    picture = next(folder.glob("train/*/*.png")).read_bytes()
    for split in ("train", "test"):
        for number in range(11 if split == "test" else 10):
            place = tmp_path / split / f"class{number:02d}"
            place.mkdir(parents=True)
            (place / "one.png").write_bytes(picture)
    output = tmp_path / "run"
    where = ["--folder", str(tmp_path), "--output", str(output)]
    assert main(["train", "cifar10", *where]) == 2
    message = capsys.readouterr().err
    assert "the images have 11 classes, the network 10. Remove class" in message
    assert not output.exists()


# Evaluation and augmentation ----------------------------------------------------------


class ByColour(nn.Module):
    """Seven logits that fall from the class that the first pixel's red says."""

    def forward(self, x):
        first = (255 * x[:, 0, 0, 0]).round()[:, None]
        return -(torch.arange(7.0) - first).abs()


def test_ranks_are_counted_and_their_intervals_are_of_wilson(tmp_path):
    for label, red in enumerate((0, 1, 3, 4, 4, 5, 0)):
        (tmp_path / str(label)).mkdir()
        picture = Image.new("RGB", (4, 4), (red, 0, 0))
        picture.save(tmp_path / str(label) / "one.png")
    images = data.listed(folder=tmp_path, size=4)
    found = training.ranked(ByColour().eval(), images, batch=3)
    # Classes 0, 1, 4 and 5 are right at once; 2 and 3 are next to what is said, and 6
    # is the last of seven where 0 is said.
    assert found[1][0] == 4 / 7 and found[5][0] == 6 / 7
    z, n = 1.959964, 7
    for share, *ends in found.values():
        middle = (share + z * z / 2 / n) / (1 + z * z / n)
        half = z * (share * (1 - share) / n + (z / 2 / n) ** 2) ** 0.5 / (1 + z * z / n)
        assert ends == pytest.approx([middle - half, middle + half], rel=1e-6)
    (tmp_path / "6" / "one.png").unlink()
    (tmp_path / "6").rmdir()
    fewer = data.listed(folder=tmp_path, size=4)
    with pytest.raises(DataError, match="in 6 folders of classes, the network has 7"):
        training.ranked(ByColour().eval(), fewer)
    assert training.ranked(ByColour().eval(), fewer, exact=False)[1][0] == 4 / 6


@pytest.mark.long
def test_efficientnet_is_right_three_times_in_four(capsys):
    if not imagenet().is_dir():
        pytest.skip(f"needs pictures of ImageNet in {imagenet()}")
    line = f"evaluate efficientnet_lite0 --folder {imagenet()}"
    assert main(line.split()) == 0
    one, five = re.findall(r"accuracy (\S+),", capsys.readouterr().out)
    assert float(one) >= 0.755 and float(five) >= 0.92


def test_evaluate_finds_the_recorded_accuracy_again(whole, folder, capsys):
    where = ["--weights", f"{whole}/cifar10.safetensors", "--folder", str(folder)]
    assert main(["evaluate", "cifar10", *where]) == 0
    recorded = lasting(whole)["test_accuracy"]
    first, told, _ = capsys.readouterr().out.splitlines()
    expected = "cifar10, cifar10.safetensors on 14 images in test, resized to 32 by "
    assert first.startswith(expected)
    assert told.startswith(f"  top-1 accuracy {recorded:.4f}, 95 % interval 0.")


class FirstPixel(nn.Module):
    """Three logits; the largest is that of the first pixel's red, times 255."""

    def forward(self, x):
        assert x.max() <= 1
        return nn.functional.one_hot((255 * x[:, 0, 0, 0]).long(), 3).float()


def test_accuracy_is_the_share_of_images_whose_largest_logit_is_right():
    x = torch.zeros(5, 3, 2, 2, dtype=torch.uint8)
    x[:, 0, 0, 0] = torch.tensor([0, 1, 2, 0, 1])
    y = torch.tensor([0, 1, 0, 0, 1])
    result = training.evaluate(FirstPixel().eval(), x, y, batch=2)
    # Right: all but the third. Of class 0 two of three are, of class 1 both.
    assert (result["test_images"], result["test_accuracy"]) == (5, 0.8)
    assert result["test_accuracy_per_class"] == [0.6667, 1.0]
    # −log softmax: log(e + 2) − 1 = 0.5514 where right, log(e + 2) = 1.5514 else.
    assert result["test_loss"] == pytest.approx(0.5514 + 1 / 5, abs=1e-4)


def test_a_second_cycle_is_gentler_and_both_end_near_zero():
    recipe = recipes.Recipe(
        epochs=3, more=((2, 0.02, 0),), optimizer="sgd", learning_rate=0.1
    )
    descent = recipes.optimizer(nn.Linear(1, 1), recipe)
    rates = []
    for epoch in range(5):
        if epoch in (0, 3):
            cycle = recipes.schedule(descent, recipe, steps=10, epoch=epoch)
        for _ in range(10):
            rates.append(descent.param_groups[0]["lr"])
            descent.step()
            cycle.step()
    first, second = np.split(np.array(rates), [30])
    assert first.max() == pytest.approx(0.1, rel=0.05) and first[-1] < 1e-3
    assert second.max() == pytest.approx(0.02, rel=0.05) and second[-1] < 2e-4


@pytest.mark.parametrize("done", [1, pytest.param(2, marks=pytest.mark.long)])
def test_a_run_resumed_before_or_in_its_second_cycle_ends_alike(
    folder, tmp_path, monkeypatch, done
):
    settings = {"folder": folder, "limit": 8, "batch": 4, "epochs": 1}
    settings["more"] = ((2, 0.01, 4),)
    whole = training.train("cifar10", tmp_path / "whole", **settings)
    go_on = training._epoch

    def stop(*arguments):
        if arguments[-1] == done:
            raise KeyboardInterrupt
        return go_on(*arguments)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(training, "_epoch", stop)
        training.train("cifar10", tmp_path / "cut", **settings)
    cut = training.train("cifar10", tmp_path / "cut", resume=True, **settings)
    assert [e["loss"] for e in cut["log"]] == [e["loss"] for e in whole["log"]]
    assert weights(tmp_path / "whole") == weights(tmp_path / "cut")


def test_epochs_that_are_asked_for_are_all_there_are():
    assert recipes.chosen("vgg16", {}).more
    assert recipes.chosen("vgg16", {"epochs": 3}).more == ()


def test_what_is_erased_is_a_square_of_the_mean_that_may_reach_over_the_edge():
    x = torch.rand(300, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    found = training._erase(x, 4, torch.Generator().manual_seed(1))
    changed = (found != x).all(1)
    mean = x.mean((2, 3))[:, :, None, None].expand_as(x)
    assert torch.equal(found, torch.where(changed[:, None], mean, x))
    rows, columns = changed.any(2).sum(1), changed.any(1).sum(1)
    assert (changed.sum((1, 2)) == rows * columns).all()
    assert rows.max() == columns.max() == 4
    for edge in (0, -1):  # at some images only one row, or column, is inside
        assert rows[changed[:, edge].any(1)].min() == 1
        assert columns[changed[:, :, edge].any(1)].min() == 1


def test_without_shifts_an_augmented_image_is_itself_or_its_mirror_image():
    x, _ = data.images(2, folder="photographs")
    x = x.repeat(100, 1, 1, 1)
    generator = torch.Generator().manual_seed(0)
    found = training._augment(x, 0.0, generator)
    same = (found - x).abs().amax((1, 2, 3)) < 1e-5
    mirrored = (found - x.flip(3)).abs().amax((1, 2, 3)) < 1e-5
    assert (same ^ mirrored).all()
    # 200 fair coins: 100 heads, with a standard deviation of 7.
    assert 70 < same.sum() < 130


def test_a_shift_by_whole_pixels_blurs_nothing():
    ramp = torch.arange(32.0).expand(400, 1, 32, 32) / 32
    found = training._augment(ramp, 4, torch.Generator().manual_seed(0))
    shift = found[:, 0, 16, 15:17].mean(1) * 32 - 15.5
    assert (shift - shift.round()).abs().max() < 1e-4
    # All nine, each about as often as the others.
    assert 20 < shift.round().int().unique(return_counts=True)[1].min() < 45
    assert shift.abs().max() == pytest.approx(4, abs=1e-4)


def test_shifts_are_continuous_reach_a_tenth_and_repeat_the_edge():
    """The image is a ramp, so that each pixel says where it was."""
    ramp = torch.arange(32.0).expand(400, 1, 32, 32) / 32
    found = training._augment(ramp, 0.1, torch.Generator().manual_seed(0))
    middle = found[:, 0, 16, 15:17].mean(1) * 32
    mirrored = found[:, 0, 16, 10] > found[:, 0, 16, 20]
    shift = middle - 15.5
    assert 3.0 < shift.abs().max() <= 3.2 + 1e-3
    assert shift.abs().min() < 0.1 and shift.mean().abs() < 0.4
    assert (shift % 1 > 1e-3).float().mean() > 0.95  # not whole pixels
    assert 0.4 < mirrored.float().mean() < 0.6
    assert (found.amin((1, 2, 3)) >= 0).all() and found.max() <= 31 / 32
    left = found[:, 0, 16, 0] * 32
    beyond = (shift < -1) & ~mirrored  # the ramp moved right: its first value stays
    assert beyond.any() and (left[beyond] == 0).all()
