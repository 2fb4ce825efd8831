"""What ``python -m modbp explain`` does: a picture, a network by name, a figure."""

import json
from pathlib import Path

import torch

from modbp import figures
from modbp.backprop import methods
from modbp.backprop.checks import check_target
from modbp.backprop.explain import explain as explained
from modbp.errors import DataError, InputError
from modbp.zoo import data
from modbp.zoo.data.sources import opened, square
from modbp.zoo.named import find_network

__all__ = ["explain"]


def explain(
    image,
    network,
    *,
    names=("gradient-x-input", "lrp-a1b0"),
    target=None,
    weights="trained",
    seed=0,
    size=None,
    mean=None,
    std=None,
    output=None,
    fold=True,
):
    """Explain one picture by several methods, and draw the maps.

    Parameters
    ----------
    image : path
        The picture. Its middle square is resized to the network's size.
    network : str
        As for :func:`find_network`.
    names : sequence of str
        Methods.
    target : int, optional
        The class to explain; the predicted one if left out.
    weights, seed
        As for :func:`find_network`.
    size : int, optional
        Side of the network's images, instead of its own.
    mean, std : sequence of float, optional
        Instead of the network's own, three each.
    output : path, optional
        The PNG file to write; ``IMAGE-NETWORK.png`` here if left out.
    fold : bool
        As for :func:`modbp.chain`.

    Returns
    -------
    list of str
        What was done, in lines.

    Raises
    ------
    ModbpError
        If image, network, a method, the class or an option does not fit.
    """
    for name in names:
        methods.get(name)
    if not Path(image).is_file():
        raise DataError(f"{image}: no such file. Give the path of a picture.")
    picture = opened(image)
    found = find_network(network, weights, seed)
    stem = network.rpartition(":")[2] if ".py:" in network else network
    path = _checked_output(output or f"{Path(image).stem}-{stem}.png")
    size = found.size if size is None else size
    if not 1 <= size <= 4096:
        raise InputError(f"size is {size}; give the side in pixels, from 1 to 4096.")
    mean = found.mean if mean is None else mean
    std = found.std if std is None else std
    if min(std) <= 0:
        raise InputError(f"std is {json.dumps(list(std))}; give numbers above 0.")

    colours = data.pixels([square(picture, size, found.part)])
    x = (colours - _colour(mean)) / _colour(std)
    kind = next((entry.dtype for entry in found.net.parameters()), x.dtype)
    x, maps = x.to(kind), {}
    for name in names:
        r = explained(found.net, x, name, target, fold=fold)
        maps[name] = figures.reduce(r, name)
    with torch.no_grad():
        logits = found.net(x)
    guess = logits.argmax(1).item()
    chosen = check_target(target, logits).item()

    def described(number):
        known = f" {found.classes[number]}" if number < len(found.classes) else ""
        return f"class {number}{known} (logit {logits[0, number]:.4g})"

    source = f"{Path(image).name}, {found.title}: {described(chosen)}"
    drawing = figures.heatmaps(colours, maps, source=source, size=2.5)
    try:
        drawing.savefig(path, dpi=144, metadata={"Software": None})
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error}).") from None
    return [
        f"{image}: {picture.width}×{picture.height}, its middle resized to "
        f"{size}×{size} pixels",
        f"{found.title}: {logits.shape[1]} classes, predicts {described(guess)}",
        f"explained {described(chosen)} by {', '.join(names)}",
        f"wrote {path}",
    ]


def _checked_output(output):
    path = Path(output)
    if path.suffix.lower() != ".png":
        raise InputError(f"{path}: the figure is a PNG; give a name that ends in .png.")
    if not path.parent.is_dir():
        raise InputError(f"{path.parent}: no such folder. Make it, or choose another.")
    return path


def _colour(values):
    return torch.tensor(values, dtype=torch.float32).reshape(1, 3, 1, 1)
