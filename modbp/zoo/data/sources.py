"""Where images come from: a folder, CIFAR-10 in either layout, or photographs."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from modbp.errors import DataError, InputError
from modbp.zoo.data import photographs
from modbp.zoo.vision import load_torchvision

__all__ = ["CLASSES", "PHOTOGRAPHS", "as_path", "find", "opened", "root", "square"]

CLASSES = tuple("airplane automobile bird cat deer dog frog horse ship truck".split())

# The endings of files that count as images, as in torchvision.
_ENDINGS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")


def root():
    """Return the folder for data: ``$MODBP_DATA``, else ``~/.cache/modbp``."""
    return Path(os.environ.get("MODBP_DATA") or Path.home() / ".cache" / "modbp")


def as_path(folder):
    """Return a folder's name as a path, whether or not the folder exists."""
    if not isinstance(folder, (str, os.PathLike)):
        raise InputError(f"folder is {folder!r}; give a path.")
    return Path(folder)


@dataclass(frozen=True)
class Source:
    """A place with images; ``read(index)`` gives a picture and its label."""

    text: str
    count: int
    name: Callable[[int], str]
    read: Callable[[int], tuple]
    is_cifar10: bool = False


def find(split, folder, download):
    """Return the best source of images that this machine has, or the one asked for."""
    if not isinstance(split, str) or split not in ("train", "test"):
        raise InputError(f"split is {split!r}; choose 'test' or 'train'.")
    if isinstance(folder, str) and folder == "photographs":
        return PHOTOGRAPHS
    if folder is not None:
        place = as_path(folder)
        return _in_folder(place, f"images in {place.name}")
    place = root() / "cifar10" / split
    if place.is_dir():
        return _in_folder(place, f"CIFAR-10 {split} images (JPEG)", is_cifar10=True)
    if download or (root() / "cifar-10-batches-py").is_dir():
        return _of_torchvision(split, download)
    return PHOTOGRAPHS


def _in_folder(place, text, is_cifar10=False):
    """Return an image folder, one sub-folder per class, in order of name or number."""
    if not place.is_dir():
        raise DataError(f"{place}: no such folder. Give one with a folder per class.")
    # A hidden folder, such as a notebook's checkpoints, is no class.
    folders = (folder for folder in place.iterdir() if folder.is_dir())
    classes = sorted(f for f in folders if not f.name.startswith("."))
    files = [
        (path, label)
        for label, folder in enumerate(classes)
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in _ENDINGS
    ]
    if not files:
        raise DataError(
            f"{place}: no images in sub-folders. Lay them out as <class>/<name>.jpg."
        )
    if is_cifar10:
        files = _by_number(place, files, [folder.name for folder in classes])

    def read(index):
        path, label = files[index]
        return opened(path), label

    return Source(
        text, len(files), lambda index: files[index][0].stem, read, is_cifar10
    )


def _by_number(place, files, classes):
    """Sort CIFAR-10's files by index; a missing one would shift all others."""
    if tuple(classes) != CLASSES:
        raise DataError(
            f"{place}: has the classes {', '.join(classes)}, CIFAR-10 has "
            f"{', '.join(CLASSES)}. Restore the folder, or set MODBP_DATA to another."
        )
    numbered = {int(f.stem): (f, y) for f, y in files if f.stem.isdecimal()}
    if sorted(numbered) != list(range(len(files))):
        raise DataError(
            f"{place}: the {len(files)} files are not numbered 0…{len(files) - 1}, "
            "each once. Restore the folder, or set MODBP_DATA to another."
        )
    return [numbered[number] for number in range(len(files))]


def _of_torchvision(split, download):
    """Return CIFAR-10 as torchvision stores it."""
    cifar10 = load_torchvision().datasets.CIFAR10
    try:
        data = cifar10(root(), train=split == "train", download=download)
    except (OSError, RuntimeError, EOFError, ValueError) as error:
        raise DataError(
            f"CIFAR-10 in {root()} cannot be used ({error}). Fetch it again with "
            "download=True (--download), or set MODBP_DATA to another folder."
        ) from None
    text = f"CIFAR-10 {split} images"
    return Source(text, len(data), "{:05d}".format, data.__getitem__, is_cifar10=True)


def _photograph(index):
    picture, name = photographs.crop(index)
    return picture, CLASSES.index(name)


_TEXT = "photographs from scikit-image and scikit-learn"
PHOTOGRAPHS = Source(_TEXT, photographs.COUNT, photographs.title, _photograph)


def opened(path):
    """Return a picture from a file, as RGB."""
    try:
        with Image.open(path) as picture:
            return picture.convert("RGB")
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError(
            f"{path}: cannot be read as an image ({error}). Restore or remove it."
        ) from None


def square(picture, size, part=1.0):
    """Crop the middle square, `part` of the shorter side, and resize if need be."""
    if picture.size == (size, size) and part == 1:
        return picture
    side = round(min(picture.size) * part)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    box = (left, top, left + side, top + side)
    return picture.resize((size, size), Image.Resampling.BICUBIC, box=box)
