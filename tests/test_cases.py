"""Small inputs that once came out wrong without a word, as they were reported."""

import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conftest import long_but

CASES = Path(__file__).parent / "cases"
ROOT = CASES.parents[1]
PATH = {"PYTHONPATH": str(ROOT)}


FORKING = "mixed_images"
ALONE = sorted(p.stem for p in CASES.glob("*.py") if p.stem not in ("told", FORKING))


# The slowest starts Python twice, and explains.
@pytest.mark.parametrize("case", long_but("own_network_file".__ne__, ALONE))
def test_a_case_is_right_or_refused(case, monkeypatch, capsys):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setattr(sys, "argv", [case])
    monkeypatch.syspath_prepend(CASES)
    threads = torch.get_num_threads()
    try:
        runpy.run_path(str(CASES / f"{case}.py"), run_name="__main__")
        code = 0
    except SystemExit as stop:
        code = stop.code
    finally:
        torch.set_num_threads(threads)
    assert not code, capsys.readouterr().out


@pytest.mark.skipif(not hasattr(os, "fork"), reason="stops a run by a fork")
@pytest.mark.long
@pytest.mark.parametrize("what", ["images", "code"])
def test_what_a_result_depends_on_is_not_mixed(what):
    command = [sys.executable, CASES / f"{FORKING}.py", what]
    found = subprocess.run(
        command, capture_output=True, encoding="utf-8", env={**os.environ, **PATH}
    )
    assert found.returncode == 0 and "refused" in found.stdout, found.stderr


def test_under_the_code_page_of_windows_files_are_still_utf_8():
    if os.name == "nt" or not shutil.which("localedef"):
        pytest.skip("needs localedef, to make a locale of that name")
    script = CASES / "windows_encoding.sh"
    command = ["sh", str(script), str(ROOT), sys.executable]
    found = subprocess.run(command, capture_output=True, encoding="utf-8")
    assert found.returncode == 0, found.stdout + found.stderr
