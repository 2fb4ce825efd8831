"""Ctrl-C, and a reader that has enough: one line, or none, and no traceback."""

import os
import shutil
import signal
import subprocess
import sys
import time
from importlib import import_module

import pytest
from commands.shell import ROOT, start

from modbp.__main__ import main
from modbp.study import experiments, training
from modbp.study.runs.store import RESULTS

LINES = {
    "audit": "audit",
    "explain": "explain a.png",
    "run": "run csc",
    "status": "status a",
    "train": "train cifar10",
    "evaluate": "evaluate cifar10",
}
AGAIN = "Give the same command again to go on."
RESUME = "Give the same command with --resume to go on after the last epoch."


def stop(*given, **options):
    raise KeyboardInterrupt


@pytest.mark.parametrize("verb", LINES)
def test_ctrl_c_is_one_line(monkeypatch, capsys, verb):
    monkeypatch.setattr(import_module(f"modbp.commands.{verb}"), "run", stop)
    assert main(LINES[verb].split()) == 130
    assert capsys.readouterr() == ("", "modbp: stopped.\n")


@pytest.mark.parametrize(
    ("room", "name", "line", "told"),
    [
        (experiments, "run", "run simulation", AGAIN),
        (experiments, "subject", "run csc", AGAIN),
        (training, "train", "train cifar10", RESUME),
    ],
)
def test_it_says_how_to_go_on(monkeypatch, capsys, room, name, line, told):
    monkeypatch.setattr(room, name, stop)
    assert main(line.split()) == 130
    assert capsys.readouterr() == ("", f"modbp: stopped. {told}\n")


def test_ctrl_c_while_a_run_computes_keeps_what_is_done(tmp_path):
    line = "run csc --images photographs 300 --batch 1 --methods lrp-z --output a"
    process = start(tmp_path, *line.split())
    units = tmp_path / "a.work" / "lrp-z"
    while process.poll() is None and len([*units.glob("*.safetensors")]) < 2:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    _, error = process.communicate()
    # Python may end by the signal itself, which a shell calls 130 too.
    assert process.returncode in (130, -signal.SIGINT)
    assert error.endswith(f"\nmodbp: stopped. {AGAIN}\n")
    assert error.count("modbp") == 1 and "Traceback" not in error
    kept = int(experiments.status(tmp_path / "a")[-1].split()[1])
    assert 2 <= kept < 300


@pytest.mark.parametrize("words", ["--help", "run csc --help", "status a", "run csc"])
def test_a_reader_that_has_enough_is_no_error(tmp_path, words):
    shutil.copytree(RESULTS / "simulation" / "vgg16", tmp_path / "a")
    if words == "run csc":
        words += " --images photographs 1 --methods gradient"
    reader, writer = os.pipe()
    os.close(reader)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "modbp", *words.split()],
        cwd=tmp_path,
        env=environment,
        stdout=writer,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    os.close(writer)
    assert done.returncode in (0, 141)  # argparse does not care
    assert "Traceback" not in done.stderr and "BrokenPipe" not in done.stderr
