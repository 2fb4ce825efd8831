"""Runs that are stopped at any moment, and go on as if they had not been."""

import errno
import json
import os
import random
import signal
import time
from functools import partial
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import safetensors.numpy
import torch
from commands.shell import shell, start
from safetensors import safe_open

import modbp
from modbp import files, models
from modbp.backprop.checks import out_of_range
from modbp.errors import InputError, ResultError
from modbp.study import experiments
from modbp.study.runs import provenance
from modbp.study.runs.run import forecast
from modbp.study.runs.store import Store

LINE = "run csc --images photographs 4 --batch 1 --relevances 2"
LINE = f"{LINE} --methods gradient lrp-a1b0 --output csc".split()


class Toy:
    """An experiment without a network: unit `u` of part `p` is the number p·10 + u."""

    name = "toy"

    def __init__(self, parts=("1", "2"), **changes):
        self.settings = {"experiment": "toy", "seed": 0, **changes}
        self.parts = {part: f"table of {part}" for part in parts}
        self.counts = dict.fromkeys(parts, 4)
        self.computed = []

    def compute(self, part, unit):
        self.computed.append((part, unit))
        return {"value": np.array([10.0 * int(part) + unit])}

    def summary(self, part, column, keys):
        assert keys == ["value"]
        return [value.item() for value in column("value")]


def stopped(output, after, parts=("1", "2")):
    """Run, and fail in the unit after so many."""
    toy = Toy(parts)
    compute = toy.compute

    def fail(part, unit):
        if len(toy.computed) == after:
            raise KeyboardInterrupt
        return compute(part, unit)

    toy.compute = fail
    with pytest.raises(KeyboardInterrupt):
        experiments.run(toy, output, command="toy")


def finish(output, *arguments, **options):
    toy = Toy(*arguments, **options)
    return experiments.run(toy, output, command="toy"), toy.computed


def about(network="cifar10", weights="trained", count=1, **options):
    folder = "photographs"
    return experiments.subject(network, weights, count=count, folder=folder, **options)


def log(output, rank=0):
    """The entries of the file that notes how long each unit took."""
    path = output.with_name(f"{output.name}.work") / f"times-{rank}.jsonl"
    return [*map(json.loads, path.read_text(encoding="utf-8").splitlines())]


def content(folder):
    """The bytes of every file of a result."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_a_kill_left_in_the_middle_of_writing_is_deleted(tmp_path):
    left, own = tmp_path / "a" / ".1.json.0123abcd", tmp_path / "a" / ".DS_Store"
    left.parent.mkdir()
    for path in (left, own):
        path.write_bytes(b"{")
    finish(tmp_path / "a")
    assert own.exists() and not left.exists()


def test_units_are_put_together_in_order(tmp_path):
    found, computed = finish(tmp_path / "a")
    assert found["results"] == {"1": [10, 11, 12, 13], "2": [20, 21, 22, 23]}
    parts = {"1": "table of 1", "2": "table of 2"}
    assert found["config"] == {**Toy().settings, "parts": parts}
    assert found["provenance"] == dict.fromkeys("12", provenance.facts(command="toy"))
    assert computed == [(part, unit) for part in "12" for unit in range(4)]
    assert finish(tmp_path / "a") == (found, [])
    assert {path.name for path in (tmp_path / "a").iterdir()} == {"1.json", "2.json"}
    alone = experiments.read(tmp_path / "a" / "2.json")["results"]
    assert alone == {"2": [20, 21, 22, 23]}


@pytest.mark.parametrize("after", range(8))
def test_a_stopped_run_goes_on_and_ends_with_the_same_bytes(tmp_path, after):
    finish(tmp_path / "whole")
    output = tmp_path / "a"
    stopped(output, after)
    # What is finished is there at once, and its units are not kept.
    assert len([*output.glob("*")]) == after // 4
    assert len([*tmp_path.glob("a.work/*/*")]) == after % 4
    assert len(finish(output)[1]) == 8 - after
    assert content(output) == content(tmp_path / "whole")


def test_methods_can_be_added_and_the_others_stay(tmp_path):
    finish(tmp_path / "a", ["2"])
    before = content(tmp_path / "a")
    found, computed = finish(tmp_path / "a", ["1", "2"])
    assert {part for part, _ in computed} == {"1"}
    found, computed = finish(tmp_path / "a", ["3"])
    assert {part for part, _ in computed} == {"3"}
    assert list(found["results"]) == ["1", "2", "3"]
    assert content(tmp_path / "a")["2.json"] == before["2.json"]


def test_a_method_that_the_code_now_makes_otherwise_is_made_again(tmp_path):
    finish(tmp_path / "a")
    toy = Toy()
    toy.parts["2"] = "another table"
    found = experiments.run(toy, tmp_path / "a", command="later")
    assert {part for part, _ in toy.computed} == {"2"}
    assert found["config"]["parts"]["2"] == "another table"
    commands = {key: made["command"] for key, made in found["provenance"].items()}
    assert commands == {"1": "toy", "2": "later"}


def test_units_of_another_table_are_computed_again(tmp_path, capsys):
    stopped(tmp_path / "a", 3)
    toy = Toy()
    toy.parts["1"] = "another table"
    experiments.run(toy, tmp_path / "a")
    assert len(toy.computed) == 8
    assert "unit 2 of 1" in capsys.readouterr().err


def test_other_settings_are_refused_and_nothing_is_lost(tmp_path):
    finish(tmp_path / "a")
    before = content(tmp_path / "a")
    with pytest.raises(ResultError, match="1.json was made with different seed"):
        finish(tmp_path / "a", seed=1)
    # Also a setting that only one of both has.
    finish(tmp_path / "c", fold=False)
    for name, changes in {"a": {"fold": False}, "c": {}}.items():
        with pytest.raises(ResultError, match="1.json was made with different fold"):
            finish(tmp_path / name, **changes)
    assert content(tmp_path / "a") == before
    stopped(tmp_path / "b", 3)
    with pytest.raises(ResultError, match="b.work was made with different seed"):
        finish(tmp_path / "b", seed=1)
    assert len(finish(tmp_path / "b")[1]) == 5


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty"])
def test_a_damaged_unit_is_named_and_computed_again(tmp_path, capsys, damage):
    stopped(tmp_path / "a", 3)
    first = tmp_path / "a.work" / "1" / "000000.safetensors"
    *kept, last = first.read_bytes()
    changed = {"truncated": kept[:-2], "flipped": [*kept, last ^ 1], "empty": []}
    first.write_bytes(bytes(changed[damage]))
    found, computed = finish(tmp_path / "a")
    assert found["results"]["1"] == [10, 11, 12, 13]
    assert computed[0] == ("1", 0) and len(computed) == 6
    error = capsys.readouterr().err
    assert "unit 0 of 1" in error and "is damaged or of another run" in error


@pytest.mark.parametrize("to", ["1/000001", "2/000000", "1/000003"])
def test_a_unit_that_is_copied_over_another_is_computed_again(tmp_path, capsys, to):
    whole = finish(tmp_path / "whole")[0]["results"]
    stopped(tmp_path / "a", 3)
    work = tmp_path / "a.work"
    (work / "2").mkdir()
    (work / f"{to}.safetensors").write_bytes(
        (work / "1" / "000000.safetensors").read_bytes()
    )
    found, computed = finish(tmp_path / "a")
    part, unit = to.split("/")
    assert (part, int(unit)) in computed and found["results"] == whole
    error = capsys.readouterr().err
    assert f"unit {int(unit)} of {part}" in error and "another run or unit" in error


def changed_arrays(path, change):
    """Write a unit's file again, with its notes and another array."""
    with safe_open(path, "numpy") as file:
        about, value = file.metadata(), file.get_tensor("value")
    path.write_bytes(safetensors.numpy.save({"value": change(value)}, about))


@pytest.mark.parametrize(
    "change",
    [
        lambda value: value * np.nan,
        lambda value: value.reshape(1, 1),
        lambda value: np.repeat(value, 2),
        lambda value: value[:0],
        lambda value: value.astype(np.float32),
        lambda value: value.astype(int),
    ],
)
def test_a_unit_of_other_values_shapes_or_types_is_computed_again(tmp_path, change):
    stopped(tmp_path / "a", 3)
    changed_arrays(tmp_path / "a.work" / "1" / "000001.safetensors", change)
    found, computed = finish(tmp_path / "a")
    assert computed[0] == ("1", 1) and found["results"]["1"] == [10, 11, 12, 13]


def test_random_damage_to_a_unit_is_always_seen(tmp_path):
    store = Store(tmp_path / "a", {}, {"1": ""})
    store.put("1", 0, {"value": np.arange(4.0)})
    path, generator = tmp_path / "a.work" / "1" / "000000.safetensors", random.Random(0)
    whole = path.read_bytes()
    for _ in range(300):
        damaged = bytearray(whole)
        for _ in range(generator.choice([1, 1, 8])):
            damaged[generator.randrange(len(whole))] ^= 1 << generator.randrange(8)
        path.write_bytes(damaged[: generator.choice([None, generator.randrange(400)])])
        found = store.get("1", 0)
        assert found is None or found["value"].tolist() == [0, 1, 2, 3]
    path.write_bytes(whole)
    assert store.get("1", 0) is not None


def edited(change):
    """Return what changes the entries of a file, and leaves it JSON."""

    def edit(path):
        stored = json.loads(path.read_text(encoding="utf-8"))
        change(stored)
        path.write_text(json.dumps(stored), encoding="utf-8")

    return edit


def folder_in_its_place(path):
    path.unlink()
    path.mkdir()


DAMAGE = {
    "empty": lambda path: path.write_bytes(b""),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:-20]),
    "no text": lambda path: path.write_bytes(b"\xff\xfe\x00"),
    "nested": lambda path: path.write_bytes(b"[" * 100_000),
    "a list": lambda path: path.write_bytes(b"[]"),
    "a number": lambda path: path.write_bytes(b"3"),
    "NaN": lambda path: path.write_bytes(b'{"sha256": NaN}'),
    "nothing in it": lambda path: path.write_bytes(b"{}"),
    "a folder": folder_in_its_place,
    "tables in a list": edited(lambda stored: part_of(stored).update(parts=["1"])),
    "tables of numbers": edited(lambda stored: part_of(stored).update(parts={"1": 1})),
    "another seed": edited(lambda stored: settings_of(stored).update(seed="0")),
    "a setting more": edited(lambda stored: settings_of(stored).update(starts=3)),
}
# Of one kind of file.
DAMAGED_PLAN = DAMAGE | {
    "counts in a list": edited(lambda stored: stored.update(counts=[4, 4])),
    "many counts": edited(lambda stored: stored["counts"].update({"1": 10**12})),
    "no counts": edited(lambda stored: stored.pop("counts")),
    "settings in a list": edited(lambda stored: stored.update(settings=[])),
}
DAMAGED_RESULT = DAMAGE | {
    "NaN as a value": lambda path: path.write_bytes(
        path.read_bytes().replace(b"12.0", b"NaN")
    ),
    "text as a value": edited(lambda stored: stored["results"]["1"].append("x")),
    "a shorter list": edited(lambda stored: stored["results"]["1"].pop()),
    "another value": edited(lambda stored: stored["results"].update({"1": [1, 2]})),
    "a list as results": edited(lambda stored: stored.update(results=[1])),
    "a text as settings": edited(lambda stored: stored.update(config="csc")),
    "no provenance": edited(lambda stored: stored.pop("provenance")),
    "another part": edited(lambda stored: stored["results"].update({"2": [1]})),
    "no checksum, another type": edited(
        lambda stored: (stored.pop("sha256"), stored["config"].update(starts=3))
    ),
}


def part_of(stored):
    return stored.get("config", stored)


def settings_of(stored):
    return stored.get("config") or stored["settings"]


def remedy(message, path):
    """Do what a message says about a file."""
    if "Delete it" in message:
        path.unlink()
    else:
        assert "Move it away" in message
        path.rename(path.parents[1] / "moved")


@pytest.mark.parametrize("damage", DAMAGED_PLAN.values(), ids=DAMAGED_PLAN)
def test_a_damaged_plan_is_refused_and_without_it_the_run_goes_on(tmp_path, damage):
    stopped(tmp_path / "a", 3)
    plan = tmp_path / "a.work" / "plan.json"
    damage(plan)
    for ask in (finish, experiments.status):
        with pytest.raises(ResultError, match="plan.json: ") as caught:
            ask(tmp_path / "a")
    remedy(str(caught.value), plan)
    assert len(finish(tmp_path / "a")[1]) == 5


@pytest.mark.parametrize("damage", DAMAGED_RESULT.values(), ids=DAMAGED_RESULT)
def test_a_damaged_result_is_refused_and_without_it_no_other_is_lost(tmp_path, damage):
    finish(tmp_path / "a")
    before = content(tmp_path / "a")
    path = tmp_path / "a" / "1.json"
    damage(path)
    for ask in (finish, experiments.status, experiments.read):
        with pytest.raises(ResultError, match="1.json") as caught:
            ask(tmp_path / "a")
    remedy(str(caught.value), path)
    _, computed = finish(tmp_path / "a")
    assert {part for part, _ in computed} == {"1"}
    assert content(tmp_path / "a") == before


def test_a_result_that_is_copied_over_another_is_refused(tmp_path):
    whole = finish(tmp_path / "a")[0]
    one, two = (tmp_path / "a" / f"{part}.json" for part in "12")
    two.write_bytes(one.read_bytes())
    with pytest.raises(ResultError, match="2.json: holds '1', whose file is called 1"):
        experiments.read(tmp_path / "a")
    two.rename(tmp_path / "elsewhere")
    assert finish(tmp_path / "a")[0] == whole


def test_hidden_files_beside_results_are_none(tmp_path):
    whole = finish(tmp_path / "a")[0]
    (tmp_path / "a" / "._1.json").write_bytes(b"\0\5\26\7Mac OS X")
    assert finish(tmp_path / "a") == (whole, [])


def test_a_result_of_an_earlier_version_is_read(tmp_path):
    whole = finish(tmp_path / "a")[0]
    for path in (tmp_path / "a").iterdir():
        edited(lambda stored: stored.pop("sha256"))(path)
    assert experiments.read(tmp_path / "a") == whole


def test_a_file_in_the_results_place_is_told_before_anything_is_computed(tmp_path):
    (tmp_path / "a").write_text("mine", encoding="utf-8")
    toy = Toy()
    with pytest.raises(ResultError, match="a: is a file, .* Move it away"):
        experiments.run(toy, tmp_path / "a")
    assert toy.computed == [] and (tmp_path / "a").read_text(encoding="utf-8") == "mine"


def test_a_mistyped_run_that_did_nothing_is_in_nobodys_way(tmp_path):
    stopped(tmp_path / "a", 0)
    assert len(finish(tmp_path / "a", seed=1)[1]) == 8


def test_two_runs_into_one_folder_do_not_mix(tmp_path):
    """The second is refused while the first computes, and goes on after it."""
    toy, told = Toy(), []
    compute = toy.compute

    def meanwhile(part, unit):
        for other in (["1", "2"], ["3"]):
            with pytest.raises(ResultError) as caught:
                finish(tmp_path / "a", other)
            told.append(str(caught.value))
        assert "of 4 units" in experiments.status(tmp_path / "a")[-1]
        return compute(part, unit)

    toy.compute = meanwhile
    whole = experiments.run(toy, tmp_path / "a", command="toy")
    assert set(told) == {
        f"{tmp_path / 'a.work' / 'lock'}: another run is writing here. Wait until that "
        "one ends, or choose another --output."
    }
    assert finish(tmp_path / "a") == (whole, [])
    assert len(finish(tmp_path / "a", ["3"])[1]) == 4


def test_files_of_two_runs_are_not_read_as_one(tmp_path):
    finish(tmp_path / "a", ["1"])
    finish(tmp_path / "b", ["2"], seed=1)
    (tmp_path / "b" / "2.json").rename(tmp_path / "a" / "2.json")
    with pytest.raises(ResultError, match="2.json was made with different seed"):
        experiments.read(tmp_path / "a")
    content = {"config": {}, "provenance": {}, "results": {}}
    (tmp_path / "b" / "x.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ResultError, match="x.json: is not one part of a run"):
        experiments.read(tmp_path / "b")


def test_a_name_is_the_books_and_a_path_is_the_users(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    finish("csc/cifar10")
    ours = experiments.read("csc/cifar10")
    assert ours["config"]["network"] == "cifar10"
    one = experiments.read("csc/cifar10/lrp-z")
    assert one["results"]["lrp-z"] == ours["results"]["lrp-z"]
    for mine in (Path("csc/cifar10"), "./csc/cifar10", str(tmp_path / "csc/cifar10")):
        assert list(experiments.read(mine)["results"]) == ["1", "2"]
    Path("empty").mkdir()
    for name in ("csc/cifar100", "empty"):
        with pytest.raises(ResultError, match=f"{name}: no such result"):
            experiments.read(name)


def test_a_full_disk_is_told_and_what_is_finished_is_kept(tmp_path, monkeypatch):
    output = tmp_path / "a"
    written = []

    def full(path, mode, opened=open):
        stream = opened(path, mode)  # in bytes
        written.append(path)
        if len(written) == 5:  # the lock, the plan and two units fit
            stream.close()
            stream = open("/dev/full", "wb")  # no space left, says the kernel
        return stream

    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    monkeypatch.setattr(files, "open", full, raising=False)
    with pytest.raises(ResultError) as caught:
        finish(output)
    message = str(caught.value)
    assert "No space left on device" in message and "a.work" in message
    assert caught.value.__cause__.errno == errno.ENOSPC
    assert not Path(written[-1]).exists()  # nothing half is left
    monkeypatch.undo()
    assert len(finish(output)[1]) == 6


@pytest.mark.parametrize("place", ["a file", "/proc"])
def test_a_folder_that_cannot_be_written_is_told_before_anything_is_computed(
    tmp_path, place
):
    (tmp_path / "a file").write_text("", encoding="utf-8")
    if not (tmp_path / place).exists():
        pytest.skip(f"needs {place}")
    toy = Toy()
    with pytest.raises(ResultError, match="cannot be written"):
        experiments.run(toy, tmp_path / place / "a")
    assert toy.computed == []


def test_settings_that_files_hold_otherwise_are_the_same(tmp_path):
    size = {"size": (3, 4), "named": {1: (2.5,)}}
    finish(tmp_path / "c", ["1"], **size)
    found, computed = finish(tmp_path / "c", ["1", "2"], **size)
    assert {part for part, _ in computed} == {"2"}
    assert found["config"]["size"] == [3, 4]


def test_status_tells_what_is_done(tmp_path):
    output = tmp_path / "a"
    with pytest.raises(ResultError, match="neither a result nor work"):
        experiments.status(output)
    stopped(output, 1)
    assert experiments.status(output)[1:] == ["  1: 1 of 4 units", "  2: 0 of 4 units"]
    stopped(output, 4)
    first, *rest = experiments.status(output)
    assert first == f"{output}: toy"
    assert rest == ["  finished: 1", "  2: 1 of 4 units"]
    finish(output)
    assert experiments.status(output) == [f"{output}: toy", "  finished: 1, 2"]


def test_seconds_are_noted_beside_the_result_and_not_in_it(tmp_path):
    finish(tmp_path / "a")
    assert [entry["unit"] for entry in log(tmp_path / "a")] == [0, 1, 2, 3] * 2
    assert not any(b"seconds" in text for text in content(tmp_path / "a").values())


def test_other_weights_are_another_run(tmp_path):
    mine = tmp_path / "mine.safetensors"
    models.save(models.build("cifar10", 3), mine)
    experiments.run(experiments.CSC(about(), ["gradient"]), tmp_path / "a")
    other = experiments.CSC(about(weights=mine), ["gradient"])
    with pytest.raises(ResultError, match="made with different weights. Move it"):
        experiments.run(other, tmp_path / "a")


# The real thing -----------------------------------------------------------------------


def finished(here, **options):
    """Return the result of a run that nothing happens to, from now on."""
    status, _, error = shell(here, *LINE, **options)
    assert status == 0, error
    return content(here / "csc")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return finished(tmp_path_factory.mktemp("whole"))


def kill_when(process, enough):
    """Kill the process group as soon as there is something; return whether it lived."""
    while process.poll() is None and not enough():
        time.sleep(0.002)
    alive = process.poll() is None
    if alive:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    return alive


def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(tmp_path, whole):
    units = "csc.work/*/*.safetensors"
    process = start(tmp_path, *LINE)
    assert kill_when(process, lambda: len(list(tmp_path.glob(units))) > 1)
    assert not (tmp_path / "csc" / "lrp-a1b0.json").exists()
    assert finished(tmp_path) == whole
    # None was finished twice; one may have been kept but not noted when the end came.
    units = [(entry["part"], entry["unit"]) for entry in log(tmp_path / "csc")]
    assert 7 <= len(set(units)) == len(units) <= 8


def time_is_over(moment):
    return time.monotonic() > moment


@pytest.mark.long
def test_five_kills_at_random_moments_change_no_byte(tmp_path, whole):
    generator, kills = np.random.default_rng(int(time.time())), 0
    while kills < 5 and not (tmp_path / "csc" / "lrp-a1b0.json").exists():
        # The first before it can be done, so that one kill at least is sure.
        moment = time.monotonic() + (generator.uniform(0.5, 6) if kills else 0.5)
        over = partial(time_is_over, moment)
        kills += kill_when(start(tmp_path, *LINE), over)
    assert finished(tmp_path) == whole and kills > 0


def test_of_two_processes_one_runs_and_the_other_is_refused_by_name(tmp_path, whole):
    both = [start(tmp_path, *LINE) for _ in range(2)]
    said = [process.communicate()[1] for process in both]
    refused = [each for each in said if "another run is writing here. Wait" in each]
    codes = sorted(process.returncode for process in both)
    # On a busy machine the second may begin when the first has ended.
    assert codes == [0, 2] and len(refused) == 1 or codes == [0, 0]
    assert not any("Traceback" in each for each in said)
    assert content(tmp_path / "csc") == whole
    units = [(entry["part"], entry["unit"]) for entry in log(tmp_path / "csc")]
    assert len(set(units)) == len(units) == 8


@pytest.mark.long
def test_two_processes_give_the_same_file_as_one(tmp_path, whole):
    torchrun = ("-m", "torch.distributed.run", "--nproc-per-node", "2")
    port = ("--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0")
    launcher = ("-W", "default", *torchrun, *port)
    assert finished(tmp_path, launcher=launcher) == whole
    assert [len(log(tmp_path / "csc", rank)) for rank in (0, 1)] == [4, 4]


@pytest.mark.long
def test_the_batch_changes_nothing_beyond_rounding(tmp_path):
    medians = []
    for batch in (2, 3):
        csc = experiments.CSC(about(count=3), ["lrp-a1b0"], batch=batch, relevances=3)
        found = experiments.run(csc, tmp_path / f"{batch}")["results"]["lrp-a1b0"]
        cells = (cell for layers in found.values() for cell in layers.values())
        medians.append([cell["median"] for cell in cells])
    assert medians[0] == pytest.approx(medians[1], abs=1e-4)


def test_a_forecast_counts_what_is_left():
    eight = about(count=8)
    csc = experiments.CSC(eight, ["gradient"], batch=2, relevances=2)
    first, second = forecast(csc, {"gradient": [0, 1, 2, 3]}, 2)
    assert first == (
        "csc: 8 images by methods to do, in 4 units, in each of 2 processes"
    )
    assert "multiply-adds" in second and "per second measured on one image" in second
    # Forward 5.7e7; back from five starts, two relevances each, less than ten times it.
    products = float(second.split()[0]) / 8
    layers, places = [m for m in eight.net if hasattr(m, "weight")], [1024, 256, 1]
    places = np.repeat(places, 2)
    macs = sum(
        layer.weight.numel() * n for layer, n in zip(layers, places, strict=True)
    )
    assert macs * 2 < products < macs * 11
    assert forecast(csc, {"gradient": [3]}) == forecast(csc, {"gradient": []}) == []


def test_what_one_method_stumbles_over_is_told_by_its_name(tmp_path):
    too_large = out_of_range(
        "layer 'fc6' (Linear): relevance is infinite", torch.ones(1)
    )
    toy = Toy(("1", "2"))
    one = {"1": lambda: None, "2": Mock(side_effect=too_large)}
    toy.trial, toy.places = one.get, range
    told = "^2: layer 'fc6'.*--precision float64 to the command run"
    with pytest.raises(InputError, match=told):  # before anything is computed
        experiments.run(toy, tmp_path / "toy")
    assert not toy.computed
    del toy.trial
    compute = toy.compute
    toy.compute = lambda part, unit: one[part]() or compute(part, unit)
    with pytest.raises(InputError, match=told):  # what another finished is kept
        experiments.run(toy, tmp_path / "toy")
    assert (tmp_path / "toy" / "1.json").exists()


# Plans --------------------------------------------------------------------------------


MINE = """
from torch import nn

def net():
    c = lambda a, b: (nn.Conv2d(a, b, 3, padding=1), nn.ReLU())
    end = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
    return nn.Sequential(*c(3, 4), *c(4, 4), *end)
"""


def test_any_network_has_a_plan(tmp_path):
    (tmp_path / "mine.py").write_text(MINE, encoding="utf-8")
    mine = about(f"{tmp_path}/mine.py:net", count=2, size=16)
    csc = experiments.CSC(mine, ["gradient", "lrp-a1b0"], relevances=2)
    assert csc.plan.starts == ("6", "2") and csc.plan.stages == ("6", "2", "0")
    assert csc.plan.layers == ("6", "4", "2", "0", "input")
    assert mine.target == "predicted"
    found = experiments.run(csc, tmp_path / "a")["results"]["lrp-a1b0"]
    assert list(found["6"]) == ["6", "4", "2", "0", "input"]
    assert list(found["2"]) == ["2", "0", "input"]


def test_a_network_with_branches_has_a_plan_that_measures_what_feeds_a_start():
    googlenet = about("googlenet", None, size=64)
    csc = experiments.CSC(googlenet, ["gradient"], relevances=2)
    assert len(csc.plan.starts) == 5 and len(csc.plan.layers) <= 26
    arrays = csc.compute("gradient", 0)
    fc = [key for key in arrays if key.startswith("fc\n") and key.count("\n") == 1]
    assert len(fc) == len(csc.plan.layers)


def test_a_network_of_the_same_name_with_other_layers_has_a_plan_of_its_own(
    monkeypatch,
):
    plans = experiments.PLANS
    monkeypatch.setitem(plans, "squeezenet1_1", plans["cifar10"])
    squeezenet = about("squeezenet1_1", None, size=64)
    assert experiments.CSC(squeezenet, ["gradient"]).plan.layers[0] == "classifier.3"


@pytest.mark.parametrize("network", sorted(experiments.PLANS))
def test_written_plans_name_layers_that_there_are(network):
    net, plan = models.build(network), experiments.PLANS[network]
    chosen = experiments.automatic(net, torch.zeros(1, 3, 32, 32))
    assert len(chosen.starts) == 5
    chain = modbp.chain(net, torch.rand(1, 3, 32, 32), "gradient")
    for layer in (*plan.starts, *plan.layers):
        assert layer in chain.layers
    assert set(plan.starts) <= set(plan.layers)
    for name in {*plan.methods, *plan.maps}:
        # Tables of methods are the same in every process: no place in memory.
        assert " at 0x" not in str(experiments.method(name))


def test_the_rule_of_additions_is_spelled_in_words():
    method = experiments.method("lrp-cmp-a2b1:addition=alphabeta,limit=9.0")
    assert method.rules["add"] == modbp.rules.AlphaBetaSplit(2, 1, 9.0)
    for label in ("lrp-z:addition=alphabeta", "smoothgrad:addition=alphabeta"):
        with pytest.raises(InputError, match="has no option 'addition'"):
            experiments.method(label)
    with pytest.raises(InputError, match="has no option 'limit'"):
        experiments.method("lrp-a1b0:limit=9.0")


def test_a_store_keeps_names_that_no_file_may_have(tmp_path):
    store = Store(tmp_path / "a", {}, {"lrp:a=../b": "", "lrp:a=..?b": ""})
    for number, part in enumerate(store.parts):
        store.put(part, 0, {"value": np.array([number])})
    for number, part in enumerate(store.parts):
        assert store.get(part, 0)["value"] == number
    assert {path.name for path in tmp_path.iterdir()} == {"a.work"}
