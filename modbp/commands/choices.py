"""The options of ``python -m modbp run``, and which experiment has a use for which."""

import argparse

from modbp.errors import InputError
from modbp.study.experiments.images import CHUNK

__all__ = ["add_arguments", "check", "weights"]

_NETWORK = {"network", "weights", "seed", "folder", "patterns"}
_IMAGES = _NETWORK | {"images", "size", "scale", "target", "device"}
_METHODS = _IMAGES | {"methods", "precision", "batch"}
# Which options an experiment has a use for.
_TAKES = {
    "csc": _METHODS | {"relevances"},
    "random-logit": _METHODS,
    "cascade": _METHODS | {"stages", "blocks_trained", "stale"},
    "simulation": {"repetitions", "seed"},
    "patterns": _NETWORK | {"images"},
    "learned": _NETWORK | {"repetitions"},
}


def weights(word):
    """Return what a word of the command line says of weights; none is None."""
    return None if word == "none" else word


def add_arguments(run):
    """Give a parser the options of all experiments.

    Parameters
    ----------
    run : argparse.ArgumentParser
        The parser.
    """
    run.add_argument("experiment", choices=_TAKES)
    run.add_argument(
        "--network",
        default="cifar10",
        metavar="NAME",
        help="a network of the book or of torchvision, or FILE.py:FUNCTION [cifar10]",
    )
    run.add_argument(
        "--weights",
        default="trained",
        type=weights,
        help="cifar10, ours; imagenet, torchvision's; none, random; or a .safetensors "
        "file [ours where there are, or else torchvision's]",
    )
    run.add_argument(
        "--methods",
        nargs="+",
        metavar="NAME",
        help="also with options, NAME:OPTION=VALUE,… [the plan's]",
    )
    run.add_argument(
        "--images",
        nargs="+",
        default=[],
        metavar="COUNT|DIR",
        help="how many, or a folder with one sub-folder per class, or both [200 of "
        "CIFAR-10's test images, or else photographs; patterns: 20]",
    )
    run.add_argument("--folder", help="image folder, or 'photographs'")
    run.add_argument("--size", type=int, help="side in pixels [the network's]")
    run.add_argument("--scale", type=float, default=1.0, help="pixel range [1]")
    run.add_argument(
        "--target",
        choices=("true", "predicted"),
        help="class to explain [true, if network and images have the same classes]",
    )
    run.add_argument("--relevances", type=int, default=5, help="csc: per image [5]")
    run.add_argument(
        "--stages", nargs="+", metavar="LAYER", help="cascade: top first [the plan's]"
    )
    run.add_argument(
        "--blocks-trained",
        action="store_true",
        help="cascade: a stage that is a block keeps its weights, as in the 2020 code",
    )
    run.add_argument(
        "--stale",
        action="store_true",
        help="cascade: patternattribution with the trained weights throughout",
    )
    run.add_argument(
        "--repetitions",
        type=int,
        default=20,
        help="simulation, learned: per variant [20]",
    )
    run.add_argument("--seed", type=int, default=0)
    run.add_argument(
        "--precision",
        choices=("float32", "float64"),
        default="float32",
        help="to compute with [%(default)s]",
    )
    run.add_argument(
        "--batch",
        type=int,
        default=CHUNK,
        help="images at a time; memory grows with it [%(default)s]",
    )
    run.add_argument(
        "--patterns",
        type=int,
        metavar="COUNT",
        help="training images that patterns are fitted to [500; 2000 for the "
        "experiments patterns and learned]",
    )
    run.add_argument("--device", help="cpu, cuda … [the GPU where there is one]")
    run.add_argument(
        "--output", help="JSON file to write [runs/EXPERIMENT/NETWORK.json]"
    )


def check(options):
    """Refuse options that the experiment would silently do without.

    Parameters
    ----------
    options : argparse.Namespace
        What `add_arguments` made of a command line.

    Raises
    ------
    InputError
        If an option has no use.
    """
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    plain = vars(parser.parse_args([options.experiment]))
    takes = _TAKES[options.experiment]
    for key in plain.keys() - {"experiment", "output"} - takes:
        if getattr(options, key) != plain[key]:
            known = ", ".join(sorted(_written(name) for name in takes))
            raise InputError(
                f"{_written(key)} does not apply to {options.experiment}. It takes "
                f"{known} and --output."
            )


def _written(key):
    return "--" + key.replace("_", "-")
