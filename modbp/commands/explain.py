"""The verb ``explain``: a picture, a network by name, a figure."""

import argparse
from pathlib import Path

from modbp.commands import words
from modbp.errors import DataError, InputError

__all__ = ["add", "run"]

_METHODS = ["gradient-x-input", "lrp-a1b0"]


def add(verbs: argparse._SubParsersAction) -> None:
    """Describe the verb to a parser."""
    parser = words.new(verbs, "explain", "draw explanations of a picture")
    parser.add_argument("image", help="a picture in any common format")
    words.add_network(parser)
    parser.add_argument("--seed", type=int, default=0, help="of random weights [0]")
    words.add_methods(parser, " and ".join(_METHODS))
    words.add_fold(parser)
    parser.add_argument(
        "--target",
        type=words.target,
        default="predicted",
        metavar="predicted|NUMBER",
        help="class to explain [predicted]",
    )
    parser.add_argument("--size", type=int, help="side in pixels [the network's]")
    for option in ("--mean", "--std"):
        parser.add_argument(
            option,
            type=float,
            nargs=3,
            metavar=("R", "G", "B"),
            help="of colours in [0, 1] [the network's]",
        )
    parser.add_argument("--output", help="PNG file to write [IMAGE-NETWORK.png]")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Explain the picture by each method, draw the maps, and say what was done."""
    import torch

    from modbp import figures
    from modbp.backprop.checks import check_target
    from modbp.backprop.explain import explain, reduce
    from modbp.study.experiments import labels
    from modbp.zoo.data.picture import notes, opened
    from modbp.zoo.named import find_network

    image, network = Path(options.image), options.network
    chosen = {name: labels.method(name) for name in options.methods or _METHODS}
    if not image.is_file():
        raise DataError(f"{image}: no such file. Give the path of a picture.")
    picture = opened(image)
    found = find_network(network, options.weights, options.seed)
    stem = network.rpartition(":")[2] if ".py:" in network else network
    path = Path(options.output or f"{image.stem}-{stem}.png")
    _check_output(path)
    preparation = found.preparation.changed(options.size, options.mean, options.std)
    if isinstance(options.target, str) and options.target != "predicted":
        raise InputError(
            f"target is {options.target!r}; a picture has no label. Choose predicted, "
            "or the number of a class."
        )

    colours, x = preparation.shown(picture), preparation(picture)[None]
    x = x.to(next((entry.dtype for entry in found.net.parameters()), x.dtype))
    target = None if options.target == "predicted" else options.target
    maps = {}
    for name, method in chosen.items():
        r = explain(found.net, x, method, target, fold=options.fold)
        maps[name] = reduce(r, method)
    with torch.no_grad():
        logits = found.net(x)

    def described(number):
        known = f" {found.classes[number]}" if number < len(found.classes) else ""
        return f"class {number}{known} (logit {logits[0, number]:.4g})"

    explained = described(check_target(target, logits).item())
    source = f"{image.name}, {found.title}: {explained}"
    drawing = figures.heatmaps(colours, maps, source=source, size=2.5)
    try:
        drawing.savefig(path, dpi=144, metadata={"Software": None})
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error}).") from None
    print(
        f"{image}: {picture.width}×{picture.height}, "
        + "".join(f"{note}, " for note in notes(picture))
        + str(preparation)
    )
    guess = described(logits.argmax(1).item())
    print(f"{found.title}: {logits.shape[1]} classes, predicts {guess}")
    print(f"explained {explained} by {', '.join(chosen)}")
    print(f"wrote {path}")


def _check_output(path):
    if path.suffix.lower() != ".png":
        raise InputError(f"{path}: the figure is a PNG; give a name that ends in .png.")
    if not path.parent.is_dir():
        raise InputError(f"{path.parent}: no such folder. Make it, or choose another.")
