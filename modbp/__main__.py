"""The command line: ``python -m modbp VERB``; ``--help`` lists the verbs."""

import argparse
import shlex
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError

from modbp.commands import evaluate, explain, run, status, train
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
    for verb in (explain, run, status, train, evaluate):
        verb.add(verbs)
    return whole


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; return the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = parser().parse_args(arguments)
    options.command = "python -m modbp " + shlex.join(arguments)
    try:
        options.run(options)
    except ModbpError as error:
        print(f"modbp: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    # Names may be in a script that the terminal cannot show; stderr does this anyway.
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(main())
