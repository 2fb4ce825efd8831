"""The verb ``status``: what there is of a run."""

import argparse

from modbp.commands import words

__all__ = ["add", "run"]


def add(verbs: argparse._SubParsersAction) -> None:
    """Describe the verb to a parser."""
    parser = words.new(verbs, "status", "tell what there is of a run")
    parser.add_argument("output", help="the folder that the run writes")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print the state of every part."""
    from modbp.study import experiments

    print(*experiments.status(options.output), sep="\n")
