"""Real images: CIFAR-10 where it is, and photographs that came with the libraries."""

import operator
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from os import PathLike

import numpy as np
import torch
from tqdm import tqdm

from modbp.errors import DataError, InputError, check_flag, check_option, check_whole
from modbp.zoo.data.picture import notes
from modbp.zoo.data.preparation import Preparation, stacked
from modbp.zoo.data.sources import CLASSES, PHOTOGRAPHS, as_path, find, root

__all__ = ["CLASSES", "Images", "Listing", "dataset", "images", "listed"]
__all__ += ["paper_indices", "root"]


@dataclass(frozen=True, eq=False)
class Images:
    """Images with their labels, which say where they come from.

    Unpacks as ``x, y = images(8)``.

    Attributes
    ----------
    x, y
        ``[N, 3, S, S]`` float32 in [0, 1], and ``[N]`` int64 class indices, which are
        −1 where a folder has no classes.
    names, source
        One short name per image, for captions and seeds; and where the images come
        from, as a figure's caption says it, with what had to be done to some of them,
        such as laying them on white.

    Examples
    --------
    >>> modbp.data.images(2, folder="photographs").names
    ('cat Chelsea', 'rocket')
    """

    x: torch.Tensor
    y: torch.Tensor
    names: tuple
    source: str

    def __iter__(self):
        return iter((self.x, self.y))

    def __repr__(self):
        size = "×".join(map(str, self.x.shape[-2:]))
        return f"{len(self.x)} images, {size} pixels: {self.source}"


@dataclass(frozen=True, eq=False)
class Listing:
    """Images of a place, by index, not read yet; ``listing[:8]`` is a listing again."""

    place: object
    indices: list
    preparation: Preparation

    def __len__(self):
        return len(self.indices)

    def __getitem__(self, part):
        return self.at(self.indices[part])

    def at(self, indices):
        """Return a listing of the same place and kind, of other images."""
        return replace(self, indices=list(indices))

    @property
    def size(self):
        """The side of the images in pixels; height and width where they differ."""
        return self.preparation.size

    @property
    def names(self):
        """One short name per image."""
        return tuple(self.place.name(index) for index in self.indices)

    @property
    def source(self):
        """Where the images come from."""
        return self.place.text

    def read(self):
        """Return the images."""
        x, y, said = [], [], Counter()
        for index in self.indices:
            picture, label = self.place.read(index)
            said.update(notes(picture))
            try:
                x.append(self.preparation(picture))
            except DataError as error:
                raise DataError(f"{self.place.name(index)}: {error}") from None
            y.append(label)
        if len(shapes := {tuple(each.shape) for each in x}) > 1:
            raise DataError(
                f"the transform gives images of {len(shapes)} shapes. Let it cut out "
                "squares of one size, as torchvision's CenterCrop does."
            )
        source = self.source
        if said:
            told = "; ".join(f"{count} {what}" for what, count in sorted(said.items()))
            source += f" ({told})"
        return Images(torch.stack(x), torch.tensor(y, device="cpu"), self.names, source)

    def __repr__(self):
        size = self.size if isinstance(self.size, tuple) else (self.size, self.size)
        return f"{len(self)} images, {'×'.join(map(str, size))} pixels: {self.source}"


def paper_indices(count: int = 200) -> list[int]:
    """Return the indices of the CIFAR-10 test images that the paper's code used.

    Index 30 comes first, then draws of numpy's legacy generator, seed 0, with
    replacement from the other 9,999.

    Parameters
    ----------
    count : how many, at least 1

    Returns
    -------
    list of int

    Raises
    ------
    InputError: if `count` is less than 1.

    Examples
    --------
    >>> modbp.data.paper_indices(3)
    [30, 2733, 9846]
    """
    check_whole("count", count, 1, 10**6)
    draws = np.random.RandomState(0).choice(9999, count - 1)
    return [30, *(int(draw + (draw >= 30)) for draw in draws)]


def images(
    n: int | None = None, *, indices: Sequence[int] | None = None, split: str = "test",
    size: int = 32, transform: Callable | None = None,
    folder: str | PathLike | None = None, download: bool = False,
) -> Images:  # fmt: skip
    """Return real images, from the best source that this machine has.

    In this order: `folder`, CIFAR-10 as an image folder in ``$MODBP_DATA`` (or in
    ``~/.cache/modbp``), CIFAR-10 as torchvision stores it there, photographs that came
    with scikit-image and scikit-learn.

    Parameters
    ----------
    n, indices
        How many, or which ones; up to 8 if neither is given. CIFAR-10's test images
        come in the order of the paper, photographs repeat with other crops.
    split, download : "test" or "train"; and whether torchvision may fetch CIFAR-10
    size : side of the images in pixels; the middle of others is resized
    transform
        What makes a tensor of a PIL image, in place of `size`: torchvision's, or the
        ``preparation`` of :func:`modbp.zoo.named.find_network`.
    folder
        A folder of your own with one sub-folder per class, or with pictures alone, or
        "photographs" for the built-in ones even where CIFAR-10 is present, or
        "imagenet" for those in ``$MODBP_DATA/imagenet-1000``, in a random order.

    Returns
    -------
    Images: ``x, y``, and the source

    Raises
    ------
    DataError: if the folder holds no images, or an image cannot be read.
    InputError: if `n`, `indices` or `size` is out of range, or `transform` is random.

    Examples
    --------
    >>> modbp.data.images(2, folder="photographs")
    2 images, 32×32 pixels: photographs from scikit-image and scikit-learn
    """
    if n is not None:
        check_whole("n", n, 1, 10**6)
    is_text = isinstance(indices, bytes)
    remedy = "give a sequence of integers, as in [3, 5]."
    check_option("indices", indices, lambda _: not is_text, remedy)
    remedy = "give at most 10,000 pixels."
    check_option("size", size, lambda s: not isinstance(s, int) or s <= 10_000, remedy)
    check_flag("download", download)
    place = {"split": split, "folder": folder, "download": download}
    found = listed(n, indices=indices, size=size, transform=transform, **place)
    return (found[:8] if n is None and indices is None else found).read()


def listed(
    n=None, *, indices=None, split="test", size=32, transform=None, folder=None,
    download=False,
):  # fmt: skip
    """Return what `images` would read, unread; all there are if none are asked for."""
    if indices is not None and n is not None:
        raise InputError("give `n` or `indices`, not both.")
    if n is not None and (not isinstance(n, int) or n < 1):
        raise InputError(f"n is {n!r}; ask for at least one image, as in images(8).")
    preparation = _preparation(size, transform)
    source = find(split, folder, download)
    if indices is None:
        n = source.count if n is None else n
        indices = paper_indices(n) if source.is_cifar10 else range(n)
    try:
        indices = [operator.index(index) for index in indices]
    except TypeError:
        raise InputError(
            f"indices is {indices!r}; give a sequence of integers, as in [3, 5]."
        ) from None
    if not indices:
        raise InputError("indices is empty; ask for at least one image.")
    for index in indices:
        if not 0 <= index < source.count:
            raise InputError(
                f"image index {index} is out of range: {source.text} has indices "
                f"0…{source.count - 1}. Ask for fewer images, or for others."
            )
    return Listing(source, indices, preparation)


def _preparation(size, transform=None):
    if not isinstance(size, int) or size < 1:
        raise InputError(f"size is {size!r}; give the side in pixels, as in size=32.")
    if transform is None:
        return Preparation(size)
    if size != 32:
        raise InputError("give `size`, or `transform`, which decides it, but not both.")
    return Preparation.by(transform)


def dataset(split, *, size=32, folder=None, download=False):
    """Return a whole split: ``[N, 3, S, S]`` uint8, ``[N]`` labels, and the source."""
    # A folder of one's own holds train/<class>/ and test/<class>/.
    folder = None if folder is None else as_path(folder) / split
    source = find(split, folder, download)
    if source is PHOTOGRAPHS:
        raise DataError(
            f"no CIFAR-10 found in {root()}. Set MODBP_DATA to the folder that holds "
            f"cifar10/{split}/<class>/, or allow the download with --download."
        )
    if not source.classes:
        raise DataError(
            f"{folder}: pictures without classes. Lay them out as <class>/<name>.jpg."
        )
    progress = tqdm(range(source.count), desc=f"reading {split}", mininterval=1)
    square = _preparation(size).square
    read = ((square(each), label) for each, label in map(source.read, progress))
    pictures, labels = zip(*read, strict=True)
    return stacked(pictures), torch.tensor(labels, device="cpu"), source.text
