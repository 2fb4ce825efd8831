"""The picture that the book opens with: photographs, explained for several classes."""

from collections.abc import Sequence
from functools import lru_cache

from modbp.backprop import methods
from modbp.backprop.chain import chain
from modbp.figures import heatmaps, reduce, widgets
from modbp.figures.drawing import Drawing
from modbp.measures.similarity import cosine
from modbp.zoo import data
from modbp.zoo.named import Named

__all__ = ["Opening", "every_class"]


class Opening:
    """What methods answer about images for each class that is asked about.

    Relevance starts from one, so that the size of a logit plays no part. A number above
    each map compares it with that of the class that the network takes the image for.

    Parameters
    ----------
    named : a network as :func:`modbp.zoo.named.find_network` gives it, with classes
    images : as :func:`modbp.data.images` gives them, prepared for it
    classes : names of those that are asked about; those that it takes the images for
        are added
    """

    def __init__(self, named: Named, images: data.Images, classes: Sequence[str] = ()):
        self.named, self.images = named, images
        self.best = named.net(images.x).argmax(1).tolist()
        names = [*classes, *(named.classes[best] for best in self.best)]
        self.classes = {name: named.classes.index(name) for name in names}
        self.titles = [
            f"{name}, taken for: {named.classes[best]}"
            for name, best in zip(images.names, self.best, strict=True)
        ]
        self.maps = lru_cache(maxsize=None)(self._maps)

    def _maps(self, name):
        """Return the maps ``[image, height, width]`` of a method, by class."""
        method = methods.get(name, output="one")
        link, numbers = chain(self.named.net, self.images.x, method), self.classes
        return {c: reduce(link.explain(c), method) for c in numbers.values()}

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
        taken, explained = self.named.classes[best], self.named.classes[c]
        for name in names:
            one, other = self.maps(name)[c][[i]], self.maps(name)[best][[i]]
            likeness = f"{cosine(one.flatten(), other.flatten()):.4f}"
            columns[f"{name}\nlike {taken}: {likeness}"] = one
            told.append(f"{name} {likeness}")
        colours = self.named.preparation.colours(self.images.x[[i]])
        drawn = heatmaps(colours, columns, size=size, source=self.images.source)
        return drawn, (
            f"Image {self.images.names[i]} and two heatmaps that explain {explained}. "
            f"Likeness to the map of {taken}: {', '.join(told)}."
        )


def every_class(
    named: Named, images: data.Images, names: Sequence[str], classes: Sequence[str] = ()
) -> widgets.Frames:
    """Explain each image for each class, one class at a time; the reader chooses.

    Parameters
    ----------
    named, images, classes : as for :class:`Opening`
    names : methods
    """
    shown = Opening(named, images, classes)
    pairs = [(i, c) for i in range(len(images.x)) for c in shown.classes.values()]
    pictures, alts = zip(*(shown.picture(names, *pair) for pair in pairs), strict=True)
    choices = {"Image": shown.titles, "Explained class": [*shown.classes]}
    if len(shown.titles) == 1:
        choices.pop("Image")
    return widgets.frames(
        pictures,
        choices,
        alt=alts,
        control={"Image": "select", "Explained class": "range"},
        first=[*shown.classes.values()].index(shown.best[0]),
    )
