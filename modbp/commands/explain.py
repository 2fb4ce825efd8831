"""The verb ``explain``: pictures, a network by name, a figure of each."""

import argparse
import io
import os
import textwrap
from pathlib import Path

from modbp.commands import words
from modbp.errors import DataError, InputError, check_once

__all__ = ["add", "run"]

_METHODS = ["gradient-x-input", "lrp-a1b0"]
# Inches of a map's side, and how many letters of a small line fit into one.
_SIDE, _LETTERS = 2.5, 18


def add(verbs: argparse._SubParsersAction) -> None:
    """Describe the verb to a parser."""
    parser = words.new(verbs, "explain", "draw explanations of pictures")
    # Pictures first: behind an option that takes several words they would be of these.
    parser.usage = "%(prog)s IMAGE [IMAGE ...] [OPTION ...]"
    parser.add_argument(
        "images", nargs="+", metavar="IMAGE", help="a picture in any common format"
    )
    words.add_network(parser, "efficientnet_lite0")
    parser.add_argument("--seed", type=int, default=0, help="of random weights [0]")
    words.add_methods(parser, " and ".join(_METHODS))
    words.add_fold(parser)
    parser.add_argument(
        "--target",
        action="extend",
        nargs="+",
        type=words.target,
        metavar="predicted|NUMBER",
        help="classes to explain [predicted]",
    )
    parser.add_argument("--size", type=int, help="side in pixels [the network's]")
    words.add_colours(parser)
    parser.add_argument("--device", default="cpu", help="where to compute [cpu]")
    parser.add_argument(
        "--overlay", action="store_true", help="lay the maps on the picture"
    )
    parser.add_argument(
        "--output", help="PNG file to write, or a folder [IMAGE-NETWORK.png]"
    )
    parser.add_argument(
        "--npz",
        action="store_true",
        help="write maps, targets, logits and names as arrays too, beside the figure",
    )
    parser.add_argument(
        "--force", action="store_true", help="write over files that are there"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Explain each picture by each method, draw the maps, and say what was done."""
    from tqdm import tqdm

    from modbp.backprop.trace import Trace
    from modbp.study.experiments import labels
    from modbp.study.runs.workers import check_device
    from modbp.zoo.data.picture import notes, opened
    from modbp.zoo.named import find_network

    images, network = [Path(name) for name in options.images], options.network
    names = options.methods or _METHODS
    check_once("methods", names)
    chosen = {name: labels.method(name) for name in names}
    targets = _targets(options.target or ["predicted"])
    _check_images(images)
    for image in images:  # so that nothing is written if one of them is damaged
        opened(image)
    outputs = _outputs(images, network, options)
    device = check_device(options.device)
    found = find_network(network, options.weights, options.seed)
    preparation = found.preparation.changed(options.size, options.mean, options.std)
    try:
        net = found.net.to(device)
    except (RuntimeError, TypeError) as error:  # too small, or without such numbers
        raise InputError(
            f"the network cannot be on device {options.device} ({error}). Choose cpu."
        ) from None
    dtype = next((entry.dtype for entry in net.parameters()), None)
    trace = Trace(net, options.fold)

    # On a terminal alone; what is printed goes above it.
    count = len(images) * len(chosen)
    with tqdm(total=count, unit="map", leave=False, disable=None) as bar:
        for image, path in zip(images, outputs, strict=True):
            picture = opened(image)
            colours, x = preparation.shown(picture), preparation(picture)[None]
            x = x.to(device, dtype or x.dtype)
            maps, classes, logits = _explained(trace, x, chosen, targets, bar.update)
            told = _told(logits, found.classes)
            explained = [told(number) for number in classes]
            source = f"{image.name}, {found.title}"
            drawing = _drawn(colours, maps, source, explained, options.overlay)
            content = {path: drawing._repr_png_()}
            if options.npz:
                arrays = _arrays(maps, classes, logits, found, image)
                content[path.with_suffix(".npz")] = arrays
            _write(content)

            lines = [
                f"{image}: {picture.width}×{picture.height}, "
                + "".join(f"{note}, " for note in notes(picture))
                + str(preparation),
                f"{found.title}: {len(logits)} classes, predicts "
                + told(logits.argmax().item()),
                f"explained {', '.join(explained)} by {', '.join(chosen)}",
            ]
            if drawing.lacking:
                lines.append(
                    f"no font here has {' '.join(drawing.lacking)}, so the figure has "
                    "the numbers of these letters; install a font for them"
                )
            lines.append(f"wrote {' and '.join(map(str, content))}")
            tqdm.write("\n".join(lines))


def _explained(trace, x, methods, targets, update):
    """Return maps ``[classes, S, S]`` by each method, the classes, and the logits."""
    import torch

    from modbp.backprop.checks import check_target
    from modbp.backprop.explain import explain_each, reduce

    maps, seen = {}, []

    def choose(own):
        if not seen:  # what is predicted may have been asked for by its number too
            wanted = (check_target(target, own.logits).item() for target in targets)
            seen.extend([[*dict.fromkeys(wanted)], own.logits[0].detach().cpu()])
        return seen[0]

    for name, method in methods.items():
        r = explain_each(trace, x, method, choose)
        maps[name] = torch.cat([reduce(each, method) for each in r]).cpu()
        update()
    return maps, *seen


def _drawn(colours, maps, source, explained, overlay):
    """Draw one row for each class that is explained, of one class without a title."""
    from modbp import figures

    one = len(explained) == 1
    source = f"{source}: {explained[0]}" if one else source
    return figures.heatmaps(
        colours.expand(len(explained), -1, -1, -1),
        maps,
        rows=None if one else _lines(explained, _SIDE),
        source=_lines([source], _SIDE * (1 + len(maps)))[0],
        size=_SIDE,
        overlay=overlay,
    )


def _write(content):
    from modbp.files import write_bytes

    for path, each in content.items():
        try:
            write_bytes(path, each)
        except OSError as error:
            raise InputError(f"{path}: cannot be written ({error}).") from None


def _targets(words):
    """Return classes as `explain` takes them, None for the predicted one."""
    check_once("target", words)
    for word in words:
        if isinstance(word, str) and word != "predicted":
            raise InputError(
                f"target is {word!r}; a picture has no label. Choose predicted, or the "
                "number of a class."
            )
    return [None if word == "predicted" else word for word in words]


def _check_images(images):
    for image in images:
        if os.path.isdir(image):
            raise DataError(
                f"{image}: is a folder. Give the pictures in it, as in {image}/*.png."
            )
        if os.path.exists(image) and not os.path.isfile(image):
            raise DataError(f"{image}: is not a file. Give the path of a picture.")
        if not os.path.isfile(image):
            raise DataError(f"{image}: no such file. Give the path of a picture.")
    check_once("IMAGE", [os.path.realpath(image) for image in images])


def _outputs(images, network, options):
    """Return a figure's path for each picture, none of which writes over a file."""
    wanted = Path("" if options.output is None else options.output)
    if wanted.is_dir():
        folder = wanted
    elif wanted.suffix.lower() != ".png":
        raise InputError(
            f"{wanted}: the figure is a PNG; give a name that ends in .png, or a "
            "folder that is there."
        )
    elif len(images) > 1:
        raise InputError(
            f"{wanted}: {len(images)} pictures give a figure each. Give a folder, or "
            "leave it out."
        )
    else:
        folder = None
    if folder is None:
        paths = [wanted]
        if not wanted.parent.is_dir():
            raise InputError(
                f"{wanted.parent}: no such folder. Make it, or choose another."
            )
    else:
        stem = network
        if ".py:" in network:
            file, _, function = network.rpartition(":")
            stem = f"{Path(file).stem}-{function}"
        paths = _distinct(folder / f"{image.stem}-{stem}.png" for image in images)
    for path in paths:
        for place in [path, path.with_suffix(".npz")] if options.npz else [path]:
            _check_output(place, images, options.force)
    return paths


def _distinct(paths):
    """Number the paths of one name, also for disks that do not tell A from a."""
    found = {}
    for path in paths:
        distinct, number = path, 1
        while str(distinct).casefold() in found:
            number += 1
            distinct = path.with_stem(f"{path.stem}-{number}")
        found[str(distinct).casefold()] = distinct
    return [*found.values()]


def _check_output(path, images, force):
    if os.path.isdir(path):
        raise InputError(f"{path}: is a folder. Give another name with --output.")
    if not os.path.lexists(path):
        return
    if os.path.exists(path) and any(os.path.samefile(path, each) for each in images):
        raise InputError(
            f"{path}: is a picture to be explained. Give another name with --output."
        )
    if not force:
        raise InputError(
            f"{path}: is there already. Give another name with --output, or write over "
            "it with --force."
        )


def _told(logits, names):
    """Return what says a class in words, with its logit and its probability."""
    import torch

    shares = torch.softmax(logits, 0, dtype=torch.float64)

    def told(number):
        name = f" {names[number]}" if number < len(names) else ""
        # Of a network with one output the share is 1, whatever it means.
        share = f", probability {shares[number]:.3g}" if len(shares) > 1 else ""
        return f"class {number}{name} (logit {logits[number]:.4g}{share})"

    return told


def _lines(texts, width):
    """Break texts to a width in inches, and keep $ from beginning a formula."""
    letters = round(width * _LETTERS)
    return [textwrap.fill(text, letters).replace("$", r"\$") for text in texts]


def _arrays(maps, targets, logits, found, image):
    """Return an .npz file: ``maps`` is ``[targets, methods, height, width]``."""
    import numpy as np

    stream = io.BytesIO()
    np.savez(
        stream,
        maps=np.stack([each.numpy() for each in maps.values()], 1),
        targets=np.array(targets),
        logits=logits.numpy(),
        methods=np.array([*maps]),
        classes=np.array(found.classes, dtype=str),
        network=found.title,
        image=image.name,
    )
    return stream.getvalue()
