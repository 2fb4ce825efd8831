"""What ``python -m modbp explain`` does: a picture, a network by name, a figure."""

import importlib.util
import json
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn

from modbp import data, figures, methods, models
from modbp.checks import check_target
from modbp.data.sources import opened, square
from modbp.errors import (
    DataError,
    InputError,
    ModbpError,
    TraceError,
    WeightsError,
    unknown_name,
)
from modbp.explain import explain as explained
from modbp.vision import load_torchvision

__all__ = ["Named", "explain", "find_network"]

# Side of the images for a network that does not say it.
_SIZE = 224


@dataclass(frozen=True)
class Named:
    """A network that was asked for by name, and what its images have to be.

    Attributes
    ----------
    net : torch.nn.Module
        In evaluation mode.
    title : str
        Its name, and which weights it has.
    size : int
        Side of its images in pixels.
    part : float
        Which part of a picture's middle square it was trained on, by side.
    mean, std : sequence of float
        What is subtracted from the colours, which are in [0, 1], and what then divides
        them.
    classes : sequence of str
        Names of the classes, if known.
    """

    net: nn.Module
    title: str
    size: int = _SIZE
    part: float = 1.0
    mean: tuple = (0.0, 0.0, 0.0)
    std: tuple = (1.0, 1.0, 1.0)
    classes: tuple = field(default=(), repr=False)


def find_network(name, weights="DEFAULT", seed=0):
    """Return the network that a name means.

    Parameters
    ----------
    name : str
        A network of `modbp.models`, a classifier of torchvision, or
        ``file.py:function``, where the function returns a model.
    weights : str
        "DEFAULT" for trained ones, which torchvision may have to download, "cifar10"
        for those that come with modbp, "none" for random ones, or a .safetensors file
        for a network of `modbp.models`.
    seed : int
        Of random weights.

    Returns
    -------
    Named

    Raises
    ------
    UnknownName
        If there is no such network.
    InputError
        If the file does not give a model.
    WeightsError
        If the trained weights cannot be had.
    """
    ours = name in models.names()
    file = weights.endswith(".safetensors")
    if weights not in ("DEFAULT", "cifar10", "none") and not (ours and file):
        raise InputError(
            f"weights is {weights!r}; choose DEFAULT for trained ones, cifar10 for "
            "ours, none for random ones, or for a network of the book a .safetensors "
            "file. Weights of yours for others go into a function: --network "
            "FILE.py:NAME."
        )
    if ".py:" in name:
        return Named(_from_file(name), name)
    title = f"{name}, random weights, seed {seed}" if weights == "none" else name
    if weights == "cifar10" and not ours:
        raise unknown_name("network with weights for CIFAR-10", name, models.names())
    if name == "cifar10" or weights == "cifar10" or file:
        if weights == "none":
            net = models.build(name, seed)
        else:
            net = getattr(models, name)(weights if file else "cifar10")
        return Named(net, title, size=32, classes=data.CLASSES)
    library = load_torchvision().models
    known = library.list_models(module=library)
    if name not in known:
        raise unknown_name("network", name, ["cifar10", *known, "FILE.py:FUNCTION"])
    best = library.get_model_weights(name).DEFAULT
    wanted = best.transforms()
    side = wanted.crop_size[0]
    return Named(
        _from_torchvision(library, name, None if weights == "none" else best, seed),
        title,
        side,
        side / wanted.resize_size[0],
        tuple(wanted.mean),
        tuple(wanted.std),
        # Random weights have no names for what they see.
        () if weights == "none" else tuple(best.meta["categories"]),
    )


def _from_torchvision(library, name, weights, seed):
    builder = library.get_model_builder(name)
    # These two want to be told whether to draw their weights, and warn otherwise.
    draws = weights is None and name in ("googlenet", "inception_v3")
    options = {"init_weights": True} if draws else {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            return builder(weights=weights, **options).eval()
        except (OSError, RuntimeError) as error:
            if weights is None:
                raise
            folder = Path(torch.hub.get_dir()) / "checkpoints"
            raise WeightsError(
                f"the trained weights of {name} cannot be had ({error}). Put the file "
                f"from {weights.url} into {folder}, or ask for random ones with "
                "--weights none."
            ) from None


def _from_file(name):
    path, _, function = name.rpartition(":")
    if not Path(path).is_file():
        raise InputError(
            f"{path}: no such file. Give FILE.py:FUNCTION, where the function returns "
            "a model."
        )
    spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        known = [key for key, value in vars(module).items() if callable(value)]
        if function not in known:
            raise unknown_name(f"function of {path}", function, known)
        net = getattr(module, function)()
    except ModbpError:
        raise
    except Exception as error:  # anything may happen in code of the user's
        raise InputError(
            f"{name} stopped with {type(error).__name__}: {error}. Repair the function."
        ) from error
    if not isinstance(net, nn.Module):
        raise TraceError(
            f"{name} returns a {type(net).__name__}; return a torch.nn.Module."
        )
    return net.eval()


def explain(
    image,
    network,
    *,
    names=("gradient-x-input", "lrp-a1b0"),
    target=None,
    weights="DEFAULT",
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
        r = explained(found.net, x, target, name, fold)
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
