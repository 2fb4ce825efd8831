"""The network that a name means: one of the book, of torchvision, or of a file."""

import importlib.util
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn

from modbp.errors import (
    InputError,
    ModbpError,
    TraceError,
    WeightsError,
    unknown_name,
)
from modbp.zoo import data, models
from modbp.zoo.vision import load_torchvision

__all__ = ["Named", "default_weights", "find_network"]

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


def default_weights(network):
    """Return which weights a network gets if nobody says.

    Parameters
    ----------
    network : str
        As for :func:`modbp.commands.find_network`.

    Returns
    -------
    str
        "cifar10" for a network of `modbp.models`, and "DEFAULT" for others.
    """
    return "cifar10" if network in models.names() else "DEFAULT"
