"""The command line: ``python -m modbp VERB``; ``--help`` lists the verbs."""

import argparse
import errno
import os
import shlex
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError

from modbp.commands import audit, evaluate, explain, run, status, train
from modbp.errors import ModbpError


class _Version(argparse.Action):
    """Prints the version, which takes a while to find, only when it is asked for."""

    def __call__(self, parser, *_):
        try:
            print("modbp", sys.modules["modbp"].__version__)
        except PackageNotFoundError:
            print("modbp, which is not installed here; CHANGELOG.md names its version")
        parser.exit()


def parser() -> argparse.ArgumentParser:
    """Return what reads a command; each verb's file adds its own part."""
    whole = argparse.ArgumentParser(prog="python -m modbp", description=__doc__)
    whole.add_argument("--version", action=_Version, nargs=0, help="say it and stop")
    verbs = whole.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb in (explain, audit, run, status, train, evaluate):
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
        options = parser().parse_args([*map(_at_home, arguments)])
        options.command = "python -m modbp " + shlex.join(arguments)
        options.run(options)
    except ModbpError as error:
        return 2, f"modbp: {error}"
    except KeyboardInterrupt as stop:
        return 130, f"modbp: stopped. {stop}".rstrip()
    return 0, ""


def _at_home(word):
    """Write out ``~``, which shells leave as it is in ``--output=~/maps``."""
    option, equals, value = word.partition("=") if word[:2] == "--" else ("", "", word)
    return option + equals + os.path.expanduser(value)


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
    # Names may be in a script that the terminal cannot show; stderr does this anyway.
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(main())
