"""The picture that the book opens with: one image, explained for every class."""

from collections.abc import Sequence

import torch
from torch import nn

from modbp.backprop import methods
from modbp.backprop.chain import chain
from modbp.figures import heatmaps, reduce, widgets
from modbp.measures.similarity import cosine
from modbp.zoo import data

__all__ = ["every_class"]


def every_class(
    net: nn.Module, images: data.Images, names: Sequence[str], size: float = 2.1
) -> widgets.Frames:
    """Explain each image for each class, one class at a time; the reader chooses.

    Relevance starts from one, so that the size of a logit plays no part. A number above
    each map compares it with that of the class that the network takes the image for.

    Parameters
    ----------
    net : a network with the ten classes of CIFAR-10
    images : as :func:`modbp.data.images` gives them
    names : methods
    size : side of one picture in inches
    """
    classes, x = data.CLASSES, images.x
    predicted = net(x).argmax(1).tolist()
    maps = {name: _maps(net, x, name) for name in names}
    pictures, alts = [], []
    for i, best in enumerate(predicted):
        for c, explained in enumerate(classes):
            columns, told = {}, []
            for name, found in maps.items():
                likeness = cosine(found[c, i].flatten(), found[best, i].flatten())
                columns[f"{name}\nlike {classes[best]}: {likeness:.4f}"] = found[c, [i]]
                told.append(f"{name} {likeness:.4f}")
            one = x[i : i + 1]
            pictures.append(heatmaps(one, columns, size=size, source=images.source))
            alts.append(
                f"Image {images.names[i]} and two heatmaps that explain {explained}. "
                f"Likeness to the map of {classes[best]}: {', '.join(told)}."
            )
    titles = [
        f"{name}, taken for: {classes[best]}"
        for name, best in zip(images.names, predicted, strict=True)
    ]
    choices = {"Image": titles, "Explained class": classes}
    if len(titles) == 1:
        choices.pop("Image")
    return widgets.frames(
        pictures,
        choices,
        alt=alts,
        control={"Image": "select", "Explained class": "range"},
        first=predicted[0],
    )


def _maps(net, x, name):
    """Return maps ``[class, image, height, width]``."""
    method = methods.get(name, output="one")
    link = chain(net, x, method)
    answers = map(link.explain, range(link.logits.shape[1]))
    return torch.stack([reduce(r, method) for r in answers])
