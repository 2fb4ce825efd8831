"""The network that a name means: one of the book, of torchvision, or of a file."""

from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

from torch import nn

from modbp.errors import InputError, TraceError, unknown_name
from modbp.zoo import data, models, script
from modbp.zoo.data.preparation import Preparation
from modbp.zoo.vision import classifier, load_torchvision

__all__ = ["Named", "find_network", "imagenet_classes"]


# Resized as EfficientNet was trained, and with the colours of torchvision.
_IMAGENET = Preparation(
    size=224,
    shorter=256,
    interpolation="bicubic",
    mean=(0.485, 0.456, 0.406),
    std=(0.229, 0.224, 0.225),
)


@dataclass(frozen=True)
class Named:
    """A network that was asked for by name; see :func:`find_network`."""

    net: nn.Module
    title: str
    # Where nothing is said, colours stay in [0, 1].
    preparation: Preparation = Preparation()
    classes: tuple = field(default=(), repr=False)
    # Of a network from a file: that file, and those that it imports from beside it.
    files: tuple = field(default=(), repr=False)

    @property
    def is_imagenet(self):
        """Whether its classes are those of ImageNet."""
        return len(self.classes) == 1000 and self.classes == imagenet_classes()

    @property
    def size(self):
        """The side of its images in pixels; height and width where they differ."""
        return self.preparation.size

    @property
    def mean(self):
        """What is subtracted from colours in [0, 1]."""
        return self.preparation.mean

    @property
    def std(self):
        """What then divides them."""
        return self.preparation.std


def find_network(
    name: str, weights: str | PathLike | None = "trained", seed: int = 0
) -> Named:
    """Return the network that a name means, and what its images have to be.

    Parameters
    ----------
    name
        A network of :func:`modbp.models.names`, a classifier of torchvision, or
        ``file.py:function``, where the function returns a model with its weights; or
        a tuple of the model, its transform, which makes a tensor ``[3, H, W]`` of a PIL
        image, and, if you like, the names of its classes.
    weights
        "cifar10" for ours, "imagenet" for those of ``efficientnet_lite0``, which are
        installed, or for torchvision's, which it may have to download,
        None for random ones, or a .safetensors file for a network of the book. If left
        out, those that there are: ours, where it has some, or else torchvision's.
    seed : of random weights

    Returns
    -------
    Named
        With ``net``, in evaluation mode; ``title``, its name, and which weights it has;
        ``preparation``, which makes an image for it of a PIL image, and says how, when
        printed; of that ``size``, the side in pixels, ``mean`` and ``std``, what is
        subtracted from colours in [0, 1], and what then divides them; ``classes``,
        their names, if known; and ``files``, where its code is, if it is from a file.

    Raises
    ------
    UnknownName: if there is no such network.
    InputError: if the weights do not fit, or the file does not give what it has to.
    WeightsError: if the weights cannot be had.

    Examples
    --------
    >>> found = modbp.zoo.named.find_network("squeezenet1_1", weights=None)
    >>> found.title, found.size
    ('squeezenet1_1, random weights, seed 0', 224)
    >>> print(found.preparation)
    resized to 256 by bilinear, middle 224×224, minus (0.485, 0.456, 0.406), divided by
    (0.229, 0.224, 0.225)
    """
    if ".py:" in name:
        if weights != "trained":
            raise InputError(
                f"weights is {weights!r}, but {name} comes with weights of its own. "
                "Leave it out, and let the function choose."
            )
        return _from_file(name)
    if name.endswith(".py"):
        raise InputError(
            f"{name} is a file; say which function of it returns the model, as in "
            f"{name}:build."
        )
    ours, file = name in models.names(), str(weights).endswith(".safetensors")
    own = models.TRAINED.get(name)
    if weights == "trained":
        weights = own or "imagenet"
    if weights not in ("cifar10", "imagenet", None) and not (ours and file):
        raise InputError(
            f"weights is {weights!r}; choose cifar10 for ours, imagenet for "
            "torchvision's, none for random ones, or for a network of the book a "
            ".safetensors file. Weights of yours for others go into a function: "
            "--network FILE.py:NAME."
        )
    title = f"{name}, random weights, seed {seed}" if weights is None else name
    if ours and weights in (own, None) or file:
        given = weights is not None
        net = getattr(models, name)(weights) if given else models.build(name, seed)
        title = f"{name}, {Path(weights).name}" if file else title
        if own == "cifar10":
            return Named(net, title, Preparation(32), data.CLASSES)
        return Named(net, title, _IMAGENET, imagenet_classes() if given else ())
    if weights == "cifar10":
        known = [name for name, on in models.TRAINED.items() if on == "cifar10"]
        raise unknown_name("network with weights for CIFAR-10", name, known)
    library = load_torchvision().models
    known = library.list_models(module=library)
    if not ours and name not in known:
        raise unknown_name(
            "network", name, [*models.names(), *known, "FILE.py:FUNCTION"]
        )
    if ours:
        net, title = getattr(models, name)(weights), f"{name}, ImageNet weights"
    best = library.get_model_weights(name).DEFAULT
    net = net if ours else classifier(name, best if weights else None, seed)
    wanted = best.transforms()
    preparation = Preparation(
        size=wanted.crop_size[0],
        shorter=wanted.resize_size[0],
        interpolation=wanted.interpolation.value,
        mean=tuple(wanted.mean),
        std=tuple(wanted.std),
    )
    # Random weights have no names for what they see.
    classes = tuple(best.meta["categories"]) if weights else ()
    return Named(net, title, preparation, classes)


def imagenet_classes():
    """Return the names of ImageNet's classes, which torchvision has."""
    weights = load_torchvision().models.get_model_weights("resnet50").DEFAULT
    return tuple(weights.meta["categories"])


def _from_file(name):
    path, _, function = name.rpartition(":")
    path = data.as_path(path)
    if not path.is_file():
        raise InputError(
            f"{path}: no such file. Give FILE.py:FUNCTION, where the function returns "
            "a model."
        )
    made, files = script.call(path, function)
    parts = list(made) if isinstance(made, (tuple, list)) else [made]
    net, transform, classes = [*parts, None, None, None][:3]
    if not isinstance(net, nn.Module):
        raise TraceError(
            f"{name} returns a {type(net).__name__}; return a torch.nn.Module, or a "
            "tuple of one, its transform, and the names of its classes."
        )
    if len(parts) > 3 or not (transform is None or callable(transform)):
        found = ", ".join(type(part).__name__ for part in parts)
        raise InputError(
            f"{name} returns ({found}); return a model, or a tuple of a model, its "
            "transform or None, and the names of its classes."
        )
    classes = () if classes is None else classes
    listed = isinstance(classes, (tuple, list))
    if not listed or not all(isinstance(entry, str) for entry in classes):
        raise InputError(
            f"{name} returns {str(classes)[:60]!r} as the names of its classes; return "
            "a list of strings, class 0 first."
        )
    prepared = Preparation() if transform is None else Preparation.by(transform, name)
    return Named(net.eval(), name, prepared, tuple(classes), files)
