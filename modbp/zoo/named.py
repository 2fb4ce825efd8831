"""The network that a name means: one of the book, of torchvision, or of a file."""

import importlib.util
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

from torch import nn

from modbp.errors import InputError, ModbpError, TraceError, unknown_name
from modbp.zoo import data, models
from modbp.zoo.vision import classifier, load_torchvision

__all__ = ["Named", "find_network"]


@dataclass(frozen=True)
class Named:
    """A network that was asked for by name; see :func:`find_network`."""

    net: nn.Module
    title: str
    # Of a network that does not say it.
    size: int = 224
    part: float = 1.0
    mean: tuple = (0.0, 0.0, 0.0)
    std: tuple = (1.0, 1.0, 1.0)
    classes: tuple = field(default=(), repr=False)


def find_network(
    name: str, weights: str | PathLike | None = "trained", seed: int = 0
) -> Named:
    """Return the network that a name means, and what its images have to be.

    Parameters
    ----------
    name
        A network of :func:`modbp.models.names`, a classifier of torchvision, or
        ``file.py:function``, where the function returns a model with its weights.
    weights
        "cifar10" for ours, "imagenet" for torchvision's, which it may have to download,
        None for random ones, or a .safetensors file for a network of the book. If left
        out, those that there are: ours, where it has some, or else torchvision's.
    seed : of random weights

    Returns
    -------
    Named
        With ``net``, in evaluation mode; ``title``, its name, and which weights it has;
        ``size``, the side of its images in pixels; ``part``, which part of a picture's
        middle square it was trained on, by side; ``mean`` and ``std``, what is
        subtracted from colours in [0, 1], and what then divides them; and ``classes``,
        their names, if known.

    Raises
    ------
    UnknownName: if there is no such network.
    InputError: if the weights do not fit, or the file does not give a model.
    WeightsError: if the weights cannot be had.

    Examples
    --------
    >>> found = modbp.zoo.named.find_network("squeezenet1_1", weights=None)
    >>> found.title, found.size
    ('squeezenet1_1, random weights, seed 0', 224)
    """
    if ".py:" in name:
        if weights != "trained":
            raise InputError(
                f"weights is {weights!r}, but {name} comes with weights of its own. "
                "Leave it out, and let the function choose."
            )
        return Named(_from_file(name), name)
    ours, file = name in models.names(), str(weights).endswith(".safetensors")
    if weights == "trained":
        weights = "cifar10" if ours else "imagenet"
    if weights not in ("cifar10", "imagenet", None) and not (ours and file):
        raise InputError(
            f"weights is {weights!r}; choose cifar10 for ours, imagenet for "
            "torchvision's, none for random ones, or for a network of the book a "
            ".safetensors file. Weights of yours for others go into a function: "
            "--network FILE.py:NAME."
        )
    title = f"{name}, random weights, seed {seed}" if weights is None else name
    if ours and weights != "imagenet":
        given = weights is not None
        net = getattr(models, name)(weights) if given else models.build(name, seed)
        title = f"{name}, {Path(weights).name}" if file else title
        return Named(net, title, size=32, classes=data.CLASSES)
    if weights == "cifar10":
        raise unknown_name("network with weights for CIFAR-10", name, models.names())
    library = load_torchvision().models
    known = library.list_models(module=library)
    if not ours and name not in known:
        raise unknown_name("network", name, ["cifar10", *known, "FILE.py:FUNCTION"])
    if ours:
        net, title = getattr(models, name)(weights), f"{name}, ImageNet weights"
    best = library.get_model_weights(name).DEFAULT
    net = net if ours else classifier(name, best if weights else None, seed)
    wanted = best.transforms()
    side, colours = wanted.crop_size[0], map(tuple, (wanted.mean, wanted.std))
    # Random weights have no names for what they see.
    classes = tuple(best.meta["categories"]) if weights else ()
    return Named(net, title, side, side / wanted.resize_size[0], *colours, classes)


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
