"""How often a network is right, and within which interval."""

import torch
import torch.nn.functional as F
from tqdm import tqdm

from modbp.errors import DataError, InputError, check_option, check_whole
from modbp.measures.accuracy import places, shares
from modbp.zoo import data

__all__ = ["check_labels", "evaluate", "ranked"]


def check_labels(logits, y):
    """Refuse labels of classes that a network has no logit for."""
    if y.max() >= logits.shape[1]:
        raise DataError(
            f"the images have {y.max() + 1} classes, the network {logits.shape[1]}. "
            "Remove class folders, or choose another network."
        )


@torch.no_grad()
def evaluate(
    net: torch.nn.Module, x: torch.Tensor, y: torch.Tensor, batch: int = 500
) -> dict:
    """Return how often the largest logit is the right one.

    Parameters
    ----------
    net : The network, in evaluation mode.
    x : ``[N, 3, S, S]`` uint8 images.
    y : ``[N]`` labels.
    batch : Images at a time.

    Returns
    -------
    dict
        ``test_images``, ``test_accuracy`` in [0, 1], ``test_accuracy_per_class`` and
        ``test_loss``.

    Raises
    ------
    DataError : If the images have more classes than the network.
    InputError : If images, labels or network are of another kind.

    Examples
    --------
    >>> x = (255 * modbp.data.images(4, folder="photographs").x).to(torch.uint8)
    >>> net = modbp.models.cifar10()
    >>> y = net(x.float() / 255).argmax(1)
    >>> modbp.study.training.evaluate(net, x, y)["test_accuracy"]
    1.0
    """
    check_whole("batch", batch, 1)
    fits = isinstance(net, torch.nn.Module) and not net.training
    check_option(
        "net", type(net).__name__, lambda _: fits, "give a Module, after net.eval()."
    )
    pictures = isinstance(x, torch.Tensor) and x.dtype == torch.uint8 and x.ndim == 4
    if not pictures or not len(x):
        raise InputError("x is no batch of images; give [N, 3, S, S] uint8.")
    labels = isinstance(y, torch.Tensor) and y.dtype == torch.int64
    if not labels or y.shape != x.shape[:1] or y.min() < 0:
        raise InputError("y is no label for each image; give [N] int64, from 0.")
    logits = torch.cat(
        [
            net(chunk.float() / 255)
            for chunk in tqdm(x.split(batch), desc="evaluating", mininterval=1)
        ]
    )
    check_labels(logits, y)
    right = (logits.argmax(1) == y).float()
    classes = sorted(set(y.tolist()))
    return {
        "test_images": len(x),
        "test_accuracy": round(right.mean().item(), 4),
        "test_accuracy_per_class": [
            round(right[y == label].mean().item(), 4) for label in classes
        ],
        "test_loss": round(F.cross_entropy(logits, y).item(), 4),
    }


@torch.no_grad()
def ranked(
    net: torch.nn.Module, images: data.Listing, batch: int = 50, exact: bool = True
) -> dict:
    """Return how often the right class is the first, or one of the first five.

    Parameters
    ----------
    net : The network, in evaluation mode.
    images : As ``modbp.data.listed`` gives them, from a folder per class.
    batch : Images at a time.
    exact : Whether there has to be a folder for each class.

    Returns
    -------
    dict
        For 1 and 5, or 1 alone where there are fewer classes, the share in [0, 1], and
        the ends of Wilson's interval, 95 %, over images.

    Raises
    ------
    DataError : If there are not as many folders as the network has classes, or more.

    Examples
    --------
    >>> images = modbp.data.listed(7, folder="photographs")
    >>> modbp.study.training.ranked(modbp.models.cifar10(), images).keys()
    dict_keys([1, 5])
    """
    check_whole("batch", batch, 1)
    found = []
    starts = tqdm(range(0, len(images), batch), desc="evaluating", mininterval=1)
    for first in starts:
        x, y = images[first : first + batch].read()
        logits = net(x)
        count = len(images.place.classes)
        if count > logits.shape[1] or exact and count < logits.shape[1]:
            raise DataError(
                f"{images.source} are in {count} folders of classes, the network has "
                f"{logits.shape[1]}. Give a folder for each class, whose names in "
                "alphabetical order are the classes'."
            )
        found.append(places(logits, y))
    return shares(torch.cat(found), logits.shape[1])
