"""Runs that are stopped at any moment, and go on as if they had not been."""

import errno
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from nets import repeatable

import modbp
from modbp import models
from modbp.errors import ResultError
from modbp.study import experiments
from modbp.study.experiments.quantiles import describe
from modbp.study.runs import cost, provenance
from modbp.study.runs import run as runs
from modbp.study.runs.store import Store

ROOT = Path(__file__).parents[2]
LINE = "run csc --images photographs 4 --batch 1 --relevances 2"
LINE += " --methods gradient lrp-a1b0 --output csc.json"


class Toy:
    """An experiment without a network: unit `u` of part `p` is the number p·10 + u."""

    name, kind, count = "toy", "methods", 4

    def __init__(self, parts=("1", "2"), **changes):
        self.settings = {"experiment": "toy", "seed": 0, **changes}
        self.parts = {part: f"table of {part}" for part in parts}
        self.computed = []

    def compute(self, part, unit):
        self.computed.append((part, unit))
        return {"value": np.array([10.0 * int(part) + unit])}

    def summary(self, column, keys):
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
    assert not output.exists()


def finish(output, *arguments, **options):
    toy = Toy(*arguments, **options)
    return experiments.run(toy, output, command="toy"), toy.computed


def test_units_are_put_together_in_order(tmp_path):
    found, computed = finish(tmp_path / "a.json")
    assert found["results"] == {"1": [10, 11, 12, 13], "2": [20, 21, 22, 23]}
    assert found["config"]["methods"] == {"1": "table of 1", "2": "table of 2"}
    assert found["provenance"] == provenance.facts(command="toy")
    assert computed == [(part, unit) for part in "12" for unit in range(4)]
    assert finish(tmp_path / "a.json") == (found, [])


@pytest.mark.parametrize("after", range(8))
def test_a_stopped_run_goes_on_and_ends_with_the_same_bytes(tmp_path, after):
    finish(tmp_path / "whole.json")
    output = tmp_path / "a.json"
    stopped(output, after)
    _, computed = finish(output)
    assert len(computed) == 8 - after
    assert output.read_bytes() == (tmp_path / "whole.json").read_bytes()


def test_methods_can_be_added_and_the_others_stay(tmp_path):
    output = tmp_path / "a.json"
    finish(output, ["2"])
    found, computed = finish(output, ["1", "2"])
    assert {part for part, _ in computed} == {"1"}
    found, computed = finish(output, ["3"])
    assert list(found["results"]) == ["2", "1", "3"]
    assert {part for part, _ in computed} == {"3"}
    assert found["provenance"] == provenance.facts(command="toy")


def test_a_method_that_the_code_now_makes_otherwise_is_made_again(tmp_path):
    output = tmp_path / "a.json"
    finish(output)
    toy = Toy()
    toy.parts["2"] = "another table"
    found = experiments.run(toy, output, command="later")
    assert {part for part, _ in toy.computed} == {"2"}
    assert found["config"]["methods"]["2"] == "another table"
    # Part 1 was not made by the later command, and the file says so.
    assert found["provenance"]["command"] == "later"
    assert [maker["command"] for maker in found["provenance"]["earlier"]] == ["toy"]


def test_other_settings_are_refused_and_nothing_is_lost(tmp_path):
    output = tmp_path / "a.json"
    finish(output)
    before = output.read_bytes()
    with pytest.raises(ResultError, match="a.json was made with another seed"):
        finish(output, seed=1)
    assert output.read_bytes() == before
    stopped(tmp_path / "b.json", 3)
    with pytest.raises(ResultError, match="b.json.work was made with another seed"):
        finish(tmp_path / "b.json", seed=1)
    _, computed = finish(tmp_path / "b.json")
    assert len(computed) == 5


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "of another"])
def test_a_damaged_unit_is_named_and_computed_again(tmp_path, capsys, damage):
    output = tmp_path / "a.json"
    stopped(output, 3)
    first, *_ = sorted((tmp_path / "a.json.work").glob("1-*/*"))
    content = first.read_bytes()
    other = first.with_name("000001.safetensors")
    changed = {
        "truncated": content[:-3],
        "flipped": content[:-1] + bytes([content[-1] ^ 1]),
        "empty": b"",
        "of another": other.read_bytes().replace(b'made_for":"', b'made_for":"f'),
    }
    first.write_bytes(changed[damage])
    found, computed = finish(output)
    assert found["results"]["1"] == [10, 11, 12, 13]
    assert computed[0] == ("1", 0) and len(computed) == 6
    error = capsys.readouterr().err
    assert "unit 0 of 1" in error and "is damaged or of another run" in error


def test_a_damaged_part_is_computed_again(tmp_path):
    output = tmp_path / "a.json"
    stopped(output, 6)
    (part,) = (tmp_path / "a.json.work").glob("1-*.json")
    part.write_text(part.read_text()[:-9])
    found, computed = finish(output)
    assert found["results"]["1"] == [10, 11, 12, 13] and len(computed) == 4 + 2


def test_a_damaged_result_is_refused_and_deleting_it_loses_nothing(tmp_path):
    output = tmp_path / "a.json"
    finish(output)
    before = output.read_bytes()
    output.write_bytes(before[:-20])
    with pytest.raises(ResultError, match="Delete it and run"):
        finish(output)
    output.unlink()
    _, computed = finish(output)
    assert computed == [] and output.read_bytes() == before


def test_a_full_disk_is_told_and_what_is_finished_is_kept(tmp_path, monkeypatch):
    output = tmp_path / "a.json"
    real, written = tempfile.mkstemp, []

    def mkstemp(**options):
        handle, name = real(**options)
        written.append(name)
        if len(written) == 4:  # the plan and two units fit
            os.close(handle)
            handle = os.open("/dev/full", os.O_WRONLY)  # no space left, says the kernel
        return handle, name

    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    monkeypatch.setattr(tempfile, "mkstemp", mkstemp)
    with pytest.raises(ResultError) as caught:
        finish(output)
    message = str(caught.value)
    assert "No space left on device" in message and "a.json.work" in message
    assert caught.value.__cause__.errno == errno.ENOSPC
    assert not Path(written[-1]).exists()  # nothing half is left
    monkeypatch.undo()
    _, computed = finish(output)
    assert len(computed) == 6


def test_a_full_file_system_of_a_real_kernel(tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(small)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs the right to mount a file system")
    try:
        (small / "filler").write_bytes(bytes(44 * 1024))
        with pytest.raises(ResultError, match="No space left on device"):
            finish(small / "a.json")
        (small / "filler").unlink()
        found, computed = finish(small / "a.json")
        assert 0 < len(computed) < 8 and len(found["results"]["2"]) == 4
    finally:
        subprocess.run(["umount", str(small)], check=True)


@pytest.mark.parametrize("place", ["read-only", "a file", "proc"])
def test_a_folder_that_cannot_be_written_is_told_before_anything_is_computed(
    tmp_path, place
):
    folder = tmp_path / "here"
    if place == "a file":
        folder.write_text("")
    elif place == "read-only":
        folder.mkdir()
        folder.chmod(0o500)
        if os.access(folder, os.W_OK):
            pytest.skip("this user may write anywhere")
    else:
        folder = Path("/proc")
        if not folder.is_dir():
            pytest.skip("needs /proc")
    toy = Toy()
    with pytest.raises(ResultError, match="cannot be written"):
        experiments.run(toy, folder / "a.json")
    assert toy.computed == []


def test_status_tells_what_is_done(tmp_path):
    output = tmp_path / "a.json"
    with pytest.raises(ResultError, match="neither a result nor work"):
        runs.status(output)
    stopped(output, 5)
    first, *rest = runs.status(output)
    assert first == f"{output}: not there yet; toy"
    assert rest == ["  1: 4 of 4 units", "  2: 1 of 4 units"]
    finish(output)
    assert runs.status(output) == [f"{output}: toy", "  finished: 1, 2"]


def test_seconds_are_noted_beside_the_result_and_not_in_it(tmp_path):
    finish(tmp_path / "a.json")
    log = (tmp_path / "a.json.work" / "times-0.jsonl").read_text().splitlines()
    assert [json.loads(line)["unit"] for line in log] == [0, 1, 2, 3] * 2
    assert "seconds" not in (tmp_path / "a.json").read_text()


def test_other_weights_are_another_run(tmp_path):
    about = {"count": 1, "folder": "photographs"}
    first = experiments.CSC(experiments.subject(**about), ["gradient"])
    experiments.run(first, tmp_path / "a.json")
    net = models.build("cifar10", 3)
    models.save(net, tmp_path / "mine.safetensors")
    mine = experiments.subject(weights=str(tmp_path / "mine.safetensors"), **about)
    with pytest.raises(ResultError, match="another weights_sha256"):
        experiments.run(experiments.CSC(mine, ["gradient"]), tmp_path / "a.json")


# Percentiles --------------------------------------------------------------------------

AT = (0, 1, 5, 10, 20, 50, 80, 95, 99, 100)
NUMBERS = st.floats(0, 1, width=32) | st.just(float("nan"))


@repeatable
@given(st.lists(st.lists(NUMBERS, max_size=40), min_size=1, max_size=4))
def test_percentiles_in_parts_are_those_of_all_together(lists):
    parts = [np.array(entry, np.float32) for entry in lists]
    found = describe(lambda: iter(parts), AT, (0.0, 0.5, 1.0))
    every = np.concatenate(parts)
    kept = every[~np.isnan(every)].astype(float)
    dropped = every.size - kept.size
    assert found["dropped"] == pytest.approx(dropped / max(every.size, 1))
    assert sum(found["histogram"]) == kept.size
    if not kept.size:
        assert found["mean"] is None and found["percentiles"] == [None] * len(AT)
        return
    wanted = np.percentile(kept, AT)
    assert found["percentiles"] == pytest.approx(wanted.tolist(), abs=1e-12)
    assert found["mean"] == pytest.approx(kept.mean())


def test_percentiles_of_a_crowd_near_one_are_exact():
    generator = np.random.default_rng(0)
    values = (1 - generator.random((5, 7, 11)) * 1e-5).astype(np.float32)
    found = describe(lambda: iter(values), AT, (0.0, 1.0))
    assert found["percentiles"] == np.percentile(values.astype(float), AT).tolist()


# The real thing -----------------------------------------------------------------------


def environment():
    threads = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return {**os.environ, **threads}


def start(here, launcher=()):
    here.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, *launcher, "-m", "modbp", *LINE.split()],
        cwd=here,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def content(here):
    return (here / "csc.json").read_bytes()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The result of a run that nothing happened to."""
    here = tmp_path_factory.mktemp("whole")
    process = start(here)
    out, _ = process.communicate()
    assert process.returncode == 0, out
    return content(here)


def kill_when(process, here, enough):
    """Kill the process group as soon as there is something; return whether it lived."""
    while process.poll() is None and not enough(here):
        time.sleep(0.002)
    alive = process.poll() is None
    if alive:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    return alive


def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(tmp_path, whole):
    units = "csc.json.work/*/*.safetensors"
    process = start(tmp_path)
    assert kill_when(process, tmp_path, lambda here: len(list(here.glob(units))) > 1)
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.glob(units)}
    assert len(kept) >= 2 and not (tmp_path / "csc.json").exists()
    process = start(tmp_path)
    out, _ = process.communicate()
    assert process.returncode == 0, out
    assert content(tmp_path) == whole
    log = (tmp_path / "csc.json.work" / "times-0.jsonl").read_text().splitlines()
    # None was finished twice; one may have been kept but not noted when the end came.
    units = [json.loads(line).values() for line in log]
    assert 7 <= len({(part, unit) for part, unit, _ in units}) == len(log) <= 8


def after(moment, here):
    return time.monotonic() > moment


@pytest.mark.long
def test_five_kills_at_random_moments_change_no_byte(tmp_path, whole):
    generator, kills = np.random.default_rng(int(time.time())), 0
    while kills < 5 and not (tmp_path / "csc.json").exists():
        moment = time.monotonic() + generator.uniform(0.5, 6)
        process = start(tmp_path)
        kills += kill_when(process, tmp_path, partial(after, moment))
    process = start(tmp_path)
    out, _ = process.communicate()
    assert process.returncode == 0, out
    assert kills > 0 and content(tmp_path) == whole


def test_two_processes_give_the_same_file_as_one(tmp_path, whole):
    torchrun = ("-m", "torch.distributed.run", "--nproc-per-node", "2")
    port = ("--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0")
    process = start(tmp_path, (*torchrun, *port))
    out, _ = process.communicate()
    assert process.returncode == 0, out
    assert content(tmp_path) == whole
    logs = sorted((tmp_path / "csc.json.work").glob("times-*.jsonl"))
    assert [len(log.read_text().splitlines()) for log in logs] == [4, 4]


def test_the_batch_changes_nothing_beyond_rounding(tmp_path):
    about = experiments.subject(count=3, folder="photographs")
    small, large = (
        experiments.run(
            experiments.CSC(about, ["lrp-a1b0"], batch=batch, relevances=3),
            tmp_path / f"{batch}.json",
        )["results"]["lrp-a1b0"]
        for batch in (2, 3)
    )
    for begin, layers in large.items():
        for layer, cell in layers.items():
            wanted = pytest.approx(cell["median"], abs=1e-4)
            assert small[begin][layer]["median"] == wanted


def test_a_forecast_counts_what_is_left(monkeypatch):
    about = experiments.subject(count=8, folder="photographs")
    csc = experiments.CSC(about, ["gradient"], batch=2, relevances=2)
    first, second = cost.forecast(csc, {"gradient": [0, 1, 2, 3]}, 2)
    assert first == (
        "csc: 8 images by methods to do, in 4 units, in each of 2 processes"
    )
    assert "multiply-adds" in second and "per second measured on one image" in second
    # Forward 5.7e7; back from five starts, two relevances each, less than ten times it.
    products = float(second.split()[0]) / 8
    macs = sum(
        layer.weight.numel() * (size if layer.weight.ndim == 4 else 1)
        for layer, size in zip(
            [m for m in about.net if hasattr(m, "weight")],
            (1024, 1024, 256, 256, 1, 1),
            strict=True,
        )
    )
    assert macs * 2 < products < macs * 11
    assert cost.forecast(csc, {"gradient": [3]}) == []
    assert cost.forecast(csc, {"gradient": []}) == []


# Plans --------------------------------------------------------------------------------


def test_any_network_has_a_plan(tmp_path):
    (tmp_path / "mine.py").write_text(
        "from torch import nn\n"
        "def net():\n"
        "    c = lambda a, b: (nn.Conv2d(a, b, 3, padding=1), nn.ReLU())\n"
        "    return nn.Sequential(*c(3, 4), *c(4, 4), nn.AdaptiveAvgPool2d(1),\n"
        "                         nn.Flatten(), nn.Linear(4, 3))\n"
    )
    about = experiments.subject(
        f"{tmp_path}/mine.py:net", count=2, folder="photographs", size=16
    )
    csc = experiments.CSC(about, ["gradient", "lrp-a1b0"], relevances=2)
    assert csc.plan.starts == ("6", "2") and csc.plan.stages == ("6", "2", "0")
    assert csc.plan.layers == ("6", "4", "2", "0", "input")
    assert about.target == "predicted"
    found = experiments.run(csc, tmp_path / "a.json")["results"]["lrp-a1b0"]
    assert list(found["6"]) == ["6", "4", "2", "0", "input"]
    assert list(found["2"]) == ["2", "0", "input"]


def test_a_network_with_branches_has_a_plan_that_measures_what_feeds_a_start():
    about = experiments.subject(
        "googlenet", None, count=1, folder="photographs", size=64
    )
    csc = experiments.CSC(about, ["gradient"], relevances=2)
    assert len(csc.plan.starts) == 5 and len(csc.plan.layers) <= 26
    arrays = csc.compute("gradient", 0)
    fc = [key for key in arrays if key.startswith("fc\n") and key.count("\n") == 1]
    assert len(fc) == len(csc.plan.layers)


def test_a_network_of_the_same_name_with_other_layers_has_a_plan_of_its_own(
    monkeypatch,
):
    monkeypatch.setitem(
        experiments.PLANS, "squeezenet1_1", experiments.PLANS["cifar10"]
    )
    about = experiments.subject(
        "squeezenet1_1", None, count=1, folder="photographs", size=64
    )
    assert experiments.CSC(about, ["gradient"]).plan.layers[0] == "classifier.3"


@pytest.mark.parametrize("network", sorted(experiments.PLANS))
def test_written_plans_name_layers_that_there_are(network):
    if network not in models.names():
        pytest.skip(f"modbp.models has no {network}")
    net, plan = models.build(network), experiments.PLANS[network]
    chosen = experiments.automatic(net, torch.zeros(1, 3, 32, 32))
    assert len(chosen.starts) == 5
    chain = modbp.chain(net, torch.rand(1, 3, 32, 32), "gradient")
    for layer in (*plan.starts, *plan.layers):
        assert layer in chain.layers
    assert set(plan.starts) <= set(plan.layers)
    for name in (*plan.methods, *plan.maps):
        experiments.method(name)


@pytest.mark.parametrize("plan", experiments.PLANS.values(), ids=experiments.PLANS)
def test_tables_of_methods_are_the_same_in_every_process(plan):
    for label in {*plan.methods, *plan.maps}:
        assert " at 0x" not in str(experiments.method(label))


def test_a_store_keeps_names_that_no_file_may_have(tmp_path):
    store = Store(tmp_path / "a.json", {}, {"lrp:a=../b": "", "lrp:a=..?b": ""})
    for number, part in enumerate(store.parts):
        store.put(part, 0, {"value": np.array([number])})
    for number, part in enumerate(store.parts):
        assert store.get(part, 0)["value"] == number
    assert {path.name for path in tmp_path.iterdir()} == {"a.json.work"}
