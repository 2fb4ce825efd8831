"""The program as a process of its own, as a shell starts it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def _listen():
    """Let a process be stopped by Ctrl-C, also of tests that a shell has behind it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start(here, *words, launcher=(), **environment):
    """Start ``python -m modbp WORDS`` in a folder, which is made."""
    here.mkdir(exist_ok=True)
    # One thread: the sums of several are added in an order that depends on how many.
    environment = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **environment}
    return subprocess.Popen(
        [sys.executable, "-W", "error", *launcher, "-m", "modbp", *words],
        cwd=here,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",  # what was killed may end in half a letter
        start_new_session=True,
        preexec_fn=_listen if os.name == "posix" else None,
    )


def shell(here, *words, **options):
    """Return the exit status of a command, and what it printed to either side."""
    process = start(here, *words, **options)
    out, error = process.communicate()
    return process.returncode, out, error
