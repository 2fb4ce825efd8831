"""The options that several verbs have, spelled and explained in one place."""

import argparse

from modbp.errors import InputError

__all__ = [
    "NETWORK",
    "add_colours",
    "add_fold",
    "add_images",
    "add_methods",
    "add_network",
    "add_weights",
    "new",
    "place",
    "target",
]

# What every verb that takes a network by name says of it.
NETWORK = "of the book or of torchvision, or FILE.py:FUNCTION"


def new(
    verbs: argparse._SubParsersAction, name: str, help: str
) -> argparse.ArgumentParser:
    """Return the parser of a verb, or of an experiment; options are spelled out."""
    return verbs.add_parser(name, help=help, description=help, allow_abbrev=False)


def add_images(parser: argparse.ArgumentParser, some: str, told: str) -> None:
    """Give a parser the choice of images, which :func:`place` reads."""
    parser.add_argument("--images", nargs="+", default=[], metavar=some, help=told)


def add_network(parser: argparse.ArgumentParser, default: str) -> None:
    """Give a parser the options that choose a network."""
    told = f"{NETWORK} [{default}]"
    parser.add_argument("--network", default=default, metavar="NAME", help=told)
    add_weights(parser)


def add_weights(parser: argparse.ArgumentParser) -> None:
    """Give a parser the choice of a network's weights."""
    parser.add_argument(
        "--weights",
        default="trained",
        type=lambda word: None if word == "none" else word,
        metavar="WORD",
        help="cifar10, ours; imagenet, torchvision's, or efficientnet_lite0's; none, "
        "random; or a .safetensors file [those there are, the book's first]",
    )


def add_colours(parser: argparse.ArgumentParser) -> None:
    """Give a parser what is done to the colours of images."""
    for option, does in {"--mean": "subtracted from", "--std": "divides"}.items():
        parser.add_argument(
            option,
            type=float,
            nargs=3,
            metavar=("R", "G", "B"),
            help=f"{does} colours in [0, 1] [the network's]",
        )


def add_methods(parser: argparse.ArgumentParser, default: str) -> None:
    """Give a parser the choice of methods, saying which there are without."""
    parser.add_argument(
        "--methods",
        action="extend",
        nargs="+",
        metavar="NAME",
        help=f"also with options, NAME:OPTION=VALUE,… [{default}]",
    )


def add_fold(parser: argparse.ArgumentParser) -> None:
    """Give a parser the choice to keep batch norm apart."""
    parser.add_argument(
        "--no-fold",
        action="store_false",
        dest="fold",
        help="keep batch norm a layer of its own, as in the 2020 code",
    )


def target(word: str) -> str | int:
    """Read a class: its number, or "true" or "predicted"."""
    return int(word) if word.lstrip("-").isdecimal() else word


def place(words: list[str]) -> tuple[int | None, str | None]:
    """Read how many images are asked for, and from which folder."""
    counts = [int(word) for word in words if word.isdecimal()]
    folders = [word for word in words if not word.isdecimal()]
    if len(counts) > 1 or len(folders) > 1:
        raise InputError("--images takes one count and one folder, as in: photos 50.")
    return counts[0] if counts else None, folders[0] if folders else None
