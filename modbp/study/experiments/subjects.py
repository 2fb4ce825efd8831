"""What an experiment is done on: a network with its weights, and images."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from os import PathLike

import numpy as np
import torch
from torch import nn

from modbp.backprop.chain import Chain
from modbp.errors import (
    InputError,
    check_flag,
    check_option,
    check_seed,
    check_whole,
    is_number,
)
from modbp.measures import patterns
from modbp.study.experiments import identity
from modbp.study.runs.workers import check_device
from modbp.zoo import data
from modbp.zoo.data.preparation import Preparation
from modbp.zoo.data.sources import imagenet
from modbp.zoo.models.weights import weights_fingerprint
from modbp.zoo.named import find_network

__all__ = ["Subject", "check_subject", "subject"]

_IMAGES = 200
_PRECISIONS = ("float32", "float64")


@dataclass(frozen=True, eq=False)
class Subject:
    """A network and images, which are read when they are needed."""

    network: str  # the name that it was asked for by
    net: nn.Module
    images: data.Listing
    # What is subtracted from the colours, which are multiplied by `scale`, and what
    # then divides them.
    mean: tuple = (0.0, 0.0, 0.0)
    std: tuple = (1.0, 1.0, 1.0)
    scale: float = 1.0
    target: str | int = "true"
    # Where patterns are fitted: CIFAR-10's images for training where `images` are
    # CIFAR-10's for tests, otherwise those of the same place.
    training: data.Listing | None = None
    fold: bool = True
    classes: tuple = ()  # their names, where they are known

    @property
    def precision(self) -> str:
        """What is computed with, "float32" or "float64"."""
        return str(next(self.net.parameters()).dtype).removeprefix("torch.")

    @property
    def preparation(self) -> Preparation:
        """What becomes of a picture, in words when printed, but for `scale`."""
        return replace(self.images.preparation, mean=self.mean, std=self.std)

    @property
    def preprocessing(self) -> str:
        """What pictures become before the network gets them, in words."""
        times = "" if self.scale == 1 else f"colours times {self.scale:g}, "
        return f"{times}{self.preparation}"

    @cached_property
    def shown(self) -> tuple[str, list[int]]:
        """SHA-256 of the images' pixels, and their labels."""
        return self.look(self.images)

    def look(self, listing: data.Listing) -> tuple[str, list[int]]:
        """Read images; return SHA-256 of their pixels, and their labels."""
        labels = []

        def batches():
            for first in range(0, len(listing), 20):
                x, y = listing[first : first + 20].read()
                labels.extend(y.tolist())
                yield self._colours(x)

        return identity.pixels(batches()), labels

    def settings(self) -> dict:
        """Return what results depend on, as plain JSON values."""
        return {
            "network": self.network,
            "weights_sha256": weights_fingerprint(self.net),
            "code_sha256": identity.code(self.net, self.prepared(self.images[:1])),
            "images": self.images.source,
            "image_names": list(self.images.names),
            "pixels_sha256": self.shown[0],
            "size": self.images.size,
            "mean": list(self.mean),
            "std": list(self.std),
            "scale": self.scale,
            "fold": self.fold,
        }

    def chain(self, x: torch.Tensor, method: object) -> Chain:
        """Return a method bound to a forward pass of some images."""
        return Chain(self.net, x, method, fold=self.fold)

    def read(self, places: Iterable[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return images as the network takes them, and the classes to explain."""
        images = self.images
        fits, remedy = range(len(images)).__contains__, f"there are {len(images)}."
        check_option("places", places, lambda places: all(map(fits, places)), remedy)
        picked = [images.indices[place] for place in places]
        x, y = images.at(picked).read()
        x = self._coloured(x)
        if self.target == "predicted":
            y = self.chain(x, "gradient").logits.argmax(1)
        elif self.target != "true":
            y = torch.full_like(y, self.target)
        return x, y.to(x.device)

    def fitting(self, count: int, draw: Sequence[int] = ()) -> data.Listing:
        """Return the first images of the training set, or some that are drawn."""
        check_whole("patterns", count, 1)
        there = self.training.place.count
        chosen = range(min(count, there))
        if any(draw):
            chosen = np.random.default_rng(draw).choice(there, len(chosen), False)
        return self.training.at(sorted(map(int, chosen)))

    def fit(
        self, listing: data.Listing, batch: int, estimator: str = "code"
    ) -> dict[str, torch.Tensor]:
        """Return patterns of the network, fitted to images, so many at a time."""
        starts = range(0, len(listing), batch)
        batches = (self.prepared(listing[first : first + batch]) for first in starts)
        return patterns.fit(self.net, batches, estimator=estimator)

    def prepared(self, listing: data.Listing) -> torch.Tensor:
        """Read images, ``[N, 3, S, S]``, with their colours as the network wants."""
        return self._coloured(listing.read().x)

    def _coloured(self, x):
        return self._colours(x).to(next(self.net.parameters()))

    def _colours(self, x):
        x = x * self.scale
        if self.images.preparation.transform is not None:
            return x  # it has done all of it
        mean, std = (
            torch.tensor(values).reshape(1, 3, 1, 1) for values in (self.mean, self.std)
        )
        return (x - mean) / std


def check_subject(value: object) -> None:
    """Refuse what is no network with images."""
    remedy = "give what modbp.study.experiments.subject(…) returns."
    check_option("subject", value, lambda value: hasattr(value, "fitting"), remedy)


def subject(
    network: str = "cifar10",
    weights: str | PathLike | None = "trained",
    *,
    count: int | None = None,
    folder: str | PathLike | None = None,
    size: int | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    seed: int = 0,
    scale: float = 1.0,
    target: str | int | None = None,
    device: str | torch.device = "cpu",
    precision: str = "float32",
    fold: bool = True,
) -> Subject:
    """Return a network by name with images by place.

    Parameters
    ----------
    network
        A network of `modbp.models`, a classifier of torchvision, or
        ``file.py:function``.
    weights
        "cifar10", ours; "imagenet", torchvision's; None, random; or a .safetensors
        file. The trained ones there are if left out.
    count : How many images; 200, or as many as there are, if left out.
    folder
        As for :func:`modbp.data.images`. If left out, a network for ImageNet gets its
        pictures, a thousand in ``$MODBP_DATA/imagenet-1000``, or else photographs.
    size : Side of the images in pixels, instead of the network's own.
    mean, std
        What is subtracted from the colours of images, one number each for red, green
        and blue, and what then divides them, instead of the network's own.
    seed : Of random weights.
    scale
        What colours in [0, 1] are multiplied by. The 2020 code fed the CIFAR-10 network
        0…255.
    target
        The class that maps explain: "true", the image's label; "predicted", the largest
        logit; or a number. If left out true labels, where network and images have the
        same classes.
    device : Where to compute.
    precision
        "float32" or "float64". Rules that divide by small numbers enlarge the rounding
        of float32 until it shows in the fourth digit of a median.
    fold
        Whether batch norm becomes part of the layer before it; not so in the 2020 code.

    Returns
    -------
    Subject

    Raises
    ------
    ModbpError : If network, weights, images or an option do not fit.

    Examples
    --------
    >>> about = modbp.study.experiments.subject(count=2, folder="photographs")
    >>> about.images
    2 images, 32×32 pixels: photographs from scikit-image and scikit-learn
    """
    check_option("network", network, lambda name: name + "", "give its name.")
    check_seed(seed)
    remedy = f"choose {' or '.join(_PRECISIONS)}."
    check_option("precision", precision, _PRECISIONS.__contains__, remedy)
    check_flag("fold", fold)
    for name, value in {"count": count, "size": size}.items():
        if value is not None:
            check_whole(name, value, 1)
    check_option("scale", scale, _divides, "give a number above 0.")
    place = check_device(device)
    if place.type == "mps" and precision == "float64":
        raise InputError("precision is float64, which mps lacks; choose device cpu.")
    found = find_network(network, weights, seed)
    chosen = found.preparation.changed(size, mean, std)
    # Colours as the experiments scale and normalise them themselves.
    preparation = chosen.unnormalised
    if folder is None and found.is_imagenet:
        folder = "imagenet" if imagenet().is_dir() else "photographs"
    images = data.listed(count, folder=folder, transform=preparation)
    if target is None:
        ours = folder in (None, "photographs") and found.classes == data.CLASSES
        ours = ours or folder == "imagenet" and found.is_imagenet
        target = "true" if ours else "predicted"
    check_option("target", target, _is_target, "choose true, predicted or a class.")
    if target == "true" and not images.place.classes:
        raise InputError(
            f"target is 'true', but {images.source} have no classes. Choose predicted, "
            "or a number."
        )
    return Subject(
        network=network,
        net=found.net.to(place, getattr(torch, precision)),
        images=images if count else images[:_IMAGES],
        mean=chosen.mean,
        std=chosen.std,
        scale=scale,
        target=target,
        training=data.listed(split="train", folder=folder, transform=preparation),
        fold=fold,
        classes=tuple(found.classes),
    )


def _is_target(value):
    number = isinstance(value, int) and not isinstance(value, bool)
    return value in ("true", "predicted") or number


def _divides(value):
    return is_number(value) and value > 0
