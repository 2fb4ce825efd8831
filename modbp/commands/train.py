"""The verb ``train``: weights for a network of the book, or of a file."""

import argparse

from modbp.commands import words

__all__ = ["add", "run"]


def add(verbs: argparse._SubParsersAction) -> None:
    """Describe the verb to a parser."""
    parser = words.new(verbs, "train", "train a network on CIFAR-10, or on a folder")
    parser.add_argument("network", help="one of the book's, or FILE.py:FUNCTION")
    parser.add_argument("--output", help="folder to write [runs/NETWORK]")
    parser.add_argument("--resume", action="store_true", help="from the checkpoint")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, help="[the recipe's]")
    parser.add_argument("--batch", type=int, help="images per step [the recipe's]")
    parser.add_argument(
        "--precision",
        choices=("bfloat16", "float32"),
        help="of the products [the recipe's]; try float32 where layers are depthwise",
    )
    parser.add_argument("--limit", type=int, help="use only the first LIMIT images")
    parser.add_argument("--device", help="cpu, cuda … [the GPU where there is one]")
    parser.add_argument("--folder", metavar="DIR", help="with train/ and test/ in it")
    parser.add_argument("--download", action="store_true", help="may fetch CIFAR-10")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Train, write the weights, and print the accuracy."""
    from modbp.study import training

    output = options.output
    if output is None:
        output = f"runs/{options.network.rpartition(':')[2]}"
    keys = "resume seed epochs batch limit device download command".split()
    given = {key: getattr(options, key) for key in keys}
    given = {key: value for key, value in given.items() if value is not None}
    if options.precision is not None:
        given["bfloat16"] = options.precision == "bfloat16"
    try:
        history = training.train(
            options.network, output, folder=options.folder, **given
        )
    except KeyboardInterrupt:
        told = "Give the same command with --resume to go on after the last epoch."
        raise KeyboardInterrupt(told) from None
    print(f"{output}: test accuracy {history['test_accuracy']:.4f}")
