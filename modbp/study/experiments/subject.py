"""What an experiment is done on: a network with its weights, and images."""

from dataclasses import dataclass, replace

import torch
from torch import nn

from modbp.backprop.chain import Chain
from modbp.errors import check_option
from modbp.measures import patterns
from modbp.zoo import data
from modbp.zoo.models.weights import weights_fingerprint
from modbp.zoo.named import find_network

__all__ = ["Subject", "subject"]

_IMAGES = 200
_TARGETS = ("true", "predicted")
_PRECISIONS = ("float32", "float64")


@dataclass(frozen=True, eq=False)
class Subject:
    """A network and images, which are read when they are needed.

    Attributes
    ----------
    network : str
        The name that it was asked for by.
    net : torch.nn.Module
        In evaluation mode.
    images : modbp.data.Listing
        The images.
    mean, std : tuple of float
        What is subtracted from the colours, and what then divides them.
    scale : float
        What colours in [0, 1] are multiplied by before that.
    target : {"true", "predicted"}
        The class that maps explain: the image's label, or the largest logit.
    training : modbp.data.Listing
        The images that patterns are fitted to: CIFAR-10's for training where `images`
        are CIFAR-10's for tests, otherwise those of the same place.
    """

    network: str
    net: nn.Module
    images: data.Listing
    mean: tuple = (0.0, 0.0, 0.0)
    std: tuple = (1.0, 1.0, 1.0)
    scale: float = 1.0
    target: str = "true"
    training: data.Listing | None = None

    @property
    def precision(self):
        """What is computed with, "float32" or "float64"."""
        return str(next(self.net.parameters()).dtype).removeprefix("torch.")

    def settings(self):
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
        }

    def read(self, places):
        """Return some images as the network takes them, with the classes to explain.

        Parameters
        ----------
        places : sequence of int
            Which of the images.

        Returns
        -------
        x : torch.Tensor
            ``[N, 3, S, S]``.
        y : torch.Tensor
            ``[N]``.
        """
        images = self.images
        picked = [images.indices[place] for place in places]
        x, y = data.Listing(images.place, picked, images.size).read()
        x = self._prepared(x)
        if self.target == "predicted":
            y = Chain(self.net, x, "gradient").logits.argmax(1)
        return x, y.to(x.device)

    def fit(self, listing, batch):
        """Return patterns of the network, fitted to images.

        Parameters
        ----------
        listing : modbp.data.Listing
            The images.
        batch : int
            How many at a time.

        Returns
        -------
        dict of str to torch.Tensor
            As :func:`modbp.patterns.fit` gives them.
        """
        starts = range(0, len(listing), batch)
        batches = (listing[first : first + batch].read().x for first in starts)
        return patterns.fit(self.net, map(self._prepared, batches))

    def prepared(self, listing):
        """Read images, and change their colours as the network wants them.

        Parameters
        ----------
        listing : modbp.data.Listing
            The images.

        Returns
        -------
        modbp.data.Images
        """
        images = listing.read()
        return replace(images, x=self._prepared(images.x))

    def _prepared(self, x):
        like = next(self.net.parameters())
        mean, std = (
            torch.tensor(values).reshape(1, 3, 1, 1) for values in (self.mean, self.std)
        )
        return ((x * self.scale - mean) / std).to(like)


def subject(
    network="cifar10",
    weights="trained",
    *,
    count=None,
    folder=None,
    size=None,
    seed=0,
    scale=1.0,
    target=None,
    device="cpu",
    precision="float32",
):
    """Return a network by name with images by place.

    Parameters
    ----------
    network : str
        As for :func:`modbp.zoo.named.find_network`.
    weights : str or None
        As there.
    count : int, optional
        How many images; 200, or as many as there are, if left out.
    folder : path or "photographs", optional
        As for :func:`modbp.data.images`.
    size : int, optional
        Side of the images, instead of the network's own.
    seed : int
        Of random weights.
    scale : float
        As in `Subject`. The 2020 code fed the CIFAR-10 network 0…255.
    target : {"true", "predicted"}, optional
        As in `Subject`; true labels where network and images have the same classes.
    device : str or torch.device
        Where to compute.
    precision : {"float32", "float64"}
        What to compute with. Rules that divide by small numbers enlarge the rounding of
        float32 until it shows in the fourth digit of a median.

    Returns
    -------
    Subject

    Raises
    ------
    ModbpError
        If network, weights, images or an option do not fit.
    """
    found = find_network(network, weights, seed)
    images = data.listed(count, folder=folder, size=size or found.size)
    if target is None:
        ours = folder in (None, "photographs") and found.classes == data.CLASSES
        target = "true" if ours else "predicted"
    check_option("target", target, _TARGETS.__contains__, "choose true or predicted.")
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
        training=data.listed(split="train", folder=folder, size=images.size),
    )
