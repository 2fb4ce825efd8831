"""The command line: ``python -m modbp VERB``; ``--help`` lists the verbs."""

import argparse
import errno
import os
import shlex
import sys
from collections.abc import Sequence

from modbp.commands import evaluate, explain, run, status, train
from modbp.errors import ModbpError


def parser() -> argparse.ArgumentParser:
    """Return what reads a command; each verb's file adds its own part."""
    whole = argparse.ArgumentParser(prog="python -m modbp", description=__doc__)
    verbs = whole.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb in (explain, run, status, train, evaluate):
        verb.add(verbs)
    return whole


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; return the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        try:
            status, told = _done(arguments)
        finally:  # argparse exits when it has printed its help
            for stream in filter(None, (sys.stdout, sys.stderr)):
                stream.flush()
        if told:
            print(told, file=sys.stderr)
    except OSError as error:
        if not _is_closed_pipe(error):
            raise
        _drop_the_rest()
        return 141
    return status


def _done(arguments):
    """Run a verb; return the exit status and what is left to say, after its bars."""
    try:
        options = parser().parse_args(arguments)
        options.command = "python -m modbp " + shlex.join(arguments)
        options.run(options)
    except ModbpError as error:
        return 2, f"modbp: {error}"
    except KeyboardInterrupt as stop:
        return 130, f"modbp: stopped. {stop}".rstrip()
    return 0, ""


def _is_closed_pipe(error):
    windows = sys.platform == "win32" and error.errno == errno.EINVAL
    return windows or isinstance(error, BrokenPipeError)


def _drop_the_rest():
    """Nobody reads on, as behind ``| head -1``: what is left goes nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            os.dup2(nowhere, stream.fileno())


if __name__ == "__main__":
    sys.exit(main())
