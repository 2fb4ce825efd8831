"""The command line: ``python -m modbp VERB``; ``--help`` lists the verbs."""

import argparse
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
    options = parser().parse_args(arguments)
    options.command = "python -m modbp " + shlex.join(arguments)
    try:
        options.run(options)
    except ModbpError as error:
        print(f"modbp: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
