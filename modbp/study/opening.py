"""The picture that the book opens with: one image, explained for every class."""

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import nn

from modbp.backprop import methods
from modbp.backprop.chain import chain
from modbp.figures import heatmaps, reduce, widgets
from modbp.figures.drawing import Drawing
from modbp.measures.similarity import cosine
from modbp.zoo import data

__all__ = ["Answers", "every_class"]


class Answers:
    """What methods answer for each class about each image.

    Relevance starts from one, so that the size of a logit plays no part. A number above
    each map compares it with that of the class that the network takes the image for.

    Parameters
    ----------
    net : a network with the ten classes of CIFAR-10
    images : as :func:`modbp.data.images` gives them
    """

    def __init__(self, net: nn.Module, images: data.Images):
        self.net, self.images = net, images
        self.best = net(images.x).argmax(1).tolist()
        self.titles = [
            f"{name}, taken for: {data.CLASSES[best]}"
            for name, best in zip(images.names, self.best, strict=True)
        ]
        self.maps = lru_cache(maxsize=None)(self._maps)

    def _maps(self, name):
        """Return the maps ``[class, image, height, width]`` of a method."""
        method = methods.get(name, output="one")
        link = chain(self.net, self.images.x, method)
        answers = map(link.explain, range(link.logits.shape[1]))
        return torch.stack([reduce(r, method) for r in answers])

    def picture(
        self, names: Sequence[str], i: int, c: int, size: float = 2.1
    ) -> tuple[Drawing, str]:
        """Draw image `i` with the maps that explain class `c`, and say what it shows.

        Parameters
        ----------
        names : methods
        i, c : numbers of the image and of the class
        size : side of one picture in inches
        """
        best, columns, told = self.best[i], {}, []
        for name in names:
            found = self.maps(name)[:, i]
            likeness = f"{cosine(found[c].flatten(), found[best].flatten()):.4f}"
            columns[f"{name}\nlike {data.CLASSES[best]}: {likeness}"] = found[[c]]
            told.append(f"{name} {likeness}")
        one, source = self.images.x[[i]], self.images.source
        explained = data.CLASSES[c]
        return heatmaps(one, columns, size=size, source=source), (
            f"Image {self.images.names[i]} and two heatmaps that explain {explained}. "
            f"Likeness to the map of {data.CLASSES[best]}: {', '.join(told)}."
        )


def every_class(
    net: nn.Module, images: data.Images, names: Sequence[str], size: float = 2.1
) -> widgets.Frames:
    """Explain each image for each class, one class at a time; the reader chooses.

    Parameters
    ----------
    net, images : as for :class:`Answers`
    names, size : as for its pictures
    """
    answers, classes = Answers(net, images), range(len(data.CLASSES))
    pairs = [(i, c) for i in range(len(images.x)) for c in classes]
    pictures, alts = zip(
        *(answers.picture(names, *pair, size) for pair in pairs), strict=True
    )
    choices = {"Image": answers.titles, "Explained class": data.CLASSES}
    if len(answers.titles) == 1:
        choices.pop("Image")
    return widgets.frames(
        pictures,
        choices,
        alt=alts,
        control={"Image": "select", "Explained class": "range"},
        first=answers.best[0],
    )
