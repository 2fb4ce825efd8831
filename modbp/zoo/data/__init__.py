"""Real images: CIFAR-10 where it is, and photographs that came with the libraries."""

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike

import numpy as np
import torch
from tqdm import tqdm

from modbp.errors import DataError, InputError, check_flag, check_option, check_whole
from modbp.zoo.data.sources import CLASSES, PHOTOGRAPHS, as_path, find, root, square

__all__ = ["CLASSES", "Images", "Listing", "dataset", "images", "listed"]
__all__ += ["paper_indices", "pixels", "root"]


@dataclass(frozen=True, eq=False)
class Images:
    """Images with their labels, which say where they come from.

    Unpacks as ``x, y = images(8)``.

    Attributes
    ----------
    x, y : ``[N, 3, S, S]`` float32 in [0, 1], and ``[N]`` int64 class indices
    names, source
        One short name per image, for captions and seeds; and where the images come
        from, as a figure's caption says it.

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
    size: int

    def __len__(self):
        return len(self.indices)

    def __getitem__(self, part):
        return Listing(self.place, self.indices[part], self.size)

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
        pictures, y = _read(self.place, self.indices, self.size)
        return Images(pixels(pictures), y, self.names, self.source)

    def __repr__(self):
        return f"{len(self)} images, {self.size}×{self.size} pixels: {self.source}"


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
    size: int = 32, folder: str | PathLike | None = None, download: bool = False,
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
    size : side of the images in pixels; others are cropped square and resized
    folder
        A folder of your own with one sub-folder per class, or "photographs" for the
        built-in ones even where CIFAR-10 is present.

    Returns
    -------
    Images: ``x, y``, and the source

    Raises
    ------
    DataError: if the folder holds no images, or an image cannot be read.
    InputError: if `n`, `indices` or `size` is out of range.

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
    found = listed(
        n, indices=indices, split=split, size=size, folder=folder, download=download
    )
    return (found[:8] if n is None and indices is None else found).read()


def listed(n=None, *, indices=None, split="test", size=32, folder=None, download=False):
    """Return what `images` would read, unread; all there are if none are asked for."""
    if indices is not None and n is not None:
        raise InputError("give `n` or `indices`, not both.")
    if n is not None and (not isinstance(n, int) or n < 1):
        raise InputError(f"n is {n!r}; ask for at least one image, as in images(8).")
    if not isinstance(size, int) or size < 1:
        raise InputError(f"size is {size!r}; give the side in pixels, as in size=32.")
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
    return Listing(source, indices, size)


def _stack(pictures):
    """Return RGB pictures of one size as ``[N, 3, S, S]`` uint8."""
    stacked = np.stack([np.asarray(picture) for picture in pictures])
    return torch.from_numpy(stacked).permute(0, 3, 1, 2).contiguous()


def pixels(pictures):
    """Return RGB pictures of one size as ``[N, 3, S, S]`` float32 in [0, 1]."""
    return _stack(pictures).float().div(255)


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
    progress = tqdm(range(source.count), desc=f"reading {split}", mininterval=1)
    pictures, y = _read(source, progress, size)
    return _stack(pictures), y, source.text


def _read(source, indices, size):
    """Return square pictures and their labels, ``[N]``."""
    read = ((square(each, size), label) for each, label in map(source.read, indices))
    pictures, labels = zip(*read, strict=True)
    return pictures, torch.tensor(labels)
