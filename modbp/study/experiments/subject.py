"""What an experiment is done on: a network with its weights, and images."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from os import PathLike

import torch
from torch import nn

from modbp.backprop.chain import Chain
from modbp.errors import InputError, check_option
from modbp.measures import patterns
from modbp.zoo import data
from modbp.zoo.data.preparation import Preparation
from modbp.zoo.models.weights import weights_fingerprint
from modbp.zoo.named import find_network

__all__ = ["Subject", "subject"]

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

    @property
    def precision(self) -> str:
        """What is computed with, "float32" or "float64"."""
        return str(next(self.net.parameters()).dtype).removeprefix("torch.")

    @property
    def preparation(self) -> Preparation:
        """What becomes of a picture, in words when printed, but for `scale`."""
        return replace(self.images.preparation, mean=self.mean, std=self.std)

    def settings(self) -> dict:
        """Return what results depend on, as plain JSON values."""
        return {
            "network": self.network,
            "weights_sha256": weights_fingerprint(self.net),
            "images": self.images.source,
            "image_names": list(self.images.names),
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
        picked = [images.indices[place] for place in places]
        x, y = images.at(picked).read()
        x = self._coloured(x)
        if self.target == "predicted":
            y = self.chain(x, "gradient").logits.argmax(1)
        elif self.target != "true":
            y = torch.full_like(y, self.target)
        return x, y.to(x.device)

    def fitting(self, count: int) -> data.Listing:
        """Return the first images of the training set, in its own order."""
        if count < 1:
            raise InputError(f"patterns is {count!r}; fit them to at least one image.")
        return self.training.at(range(min(count, self.training.place.count)))

    def fit(self, listing: data.Listing, batch: int) -> dict[str, torch.Tensor]:
        """Return patterns of the network, fitted to images, so many at a time."""
        starts = range(0, len(listing), batch)
        batches = (self.prepared(listing[first : first + batch]) for first in starts)
        return patterns.fit(self.net, batches)

    def prepared(self, listing: data.Listing) -> torch.Tensor:
        """Read images, ``[N, 3, S, S]``, with their colours as the network wants."""
        return self._coloured(listing.read().x)

    def _coloured(self, x):
        x = x * self.scale
        if self.images.preparation.transform is None:
            mean, std = (
                torch.tensor(values).reshape(1, 3, 1, 1)
                for values in (self.mean, self.std)
            )
            x = (x - mean) / std
        return x.to(next(self.net.parameters()))


def subject(
    network: str = "cifar10",
    weights: str | PathLike | None = "trained",
    *,
    count: int | None = None,
    folder: str | PathLike | None = None,
    size: int | None = None,
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
    folder : As for :func:`modbp.data.images`.
    size : Side of the images in pixels, instead of the network's own.
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
    found = find_network(network, weights, seed)
    # Colours as the experiments scale and normalise them themselves.
    preparation = found.preparation.changed(size=size).unnormalised
    images = data.listed(count, folder=folder, transform=preparation)
    if target is None:
        ours = folder in (None, "photographs") and found.classes == data.CLASSES
        target = "true" if ours else "predicted"
    check_option("target", target, _is_target, "choose true, predicted or a class.")
    if target == "true" and not images.place.has_classes:
        raise InputError(
            f"target is 'true', but {images.source} have no classes. Choose predicted, "
            "or a number."
        )
    remedy = f"choose {' or '.join(_PRECISIONS)}."
    check_option("precision", precision, _PRECISIONS.__contains__, remedy)
    return Subject(
        network=network,
        net=found.net.to(device, getattr(torch, precision)),
        images=images if count else images[:_IMAGES],
        mean=tuple(found.mean),
        std=tuple(found.std),
        scale=scale,
        target=target,
        training=data.listed(split="train", folder=folder, transform=preparation),
        fold=fold,
    )


def _is_target(value):
    return value in ("true", "predicted") or isinstance(value, int)
