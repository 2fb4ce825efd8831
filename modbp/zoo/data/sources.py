"""Where images come from: a folder, CIFAR-10 in either layout, or photographs."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from modbp.errors import DataError, InputError
from modbp.zoo.data import photographs
from modbp.zoo.data.picture import is_picture, opened
from modbp.zoo.vision import load_torchvision

__all__ = ["CLASSES", "NO_CLASS", "PHOTOGRAPHS", "as_path", "find"]
__all__ += ["imagenet", "root"]

CLASSES = tuple("airplane automobile bird cat deer dog frog horse ship truck".split())

# The label of a picture that has none. No logit has that number, so that whoever asks
# for the explanation of that class is refused.
NO_CLASS = -1


def root():
    """Return the folder for data: ``$MODBP_DATA``, else ``~/.cache/modbp``."""
    named = os.environ.get("MODBP_DATA")
    if not named:
        return as_path("~/.cache/modbp")
    place = as_path(named)
    if not place.is_dir():
        raise DataError(
            f"MODBP_DATA is {named}, where there is no folder. Correct it, make the "
            "folder, or unset it."
        )
    return place


def as_path(folder):
    """Return a folder's name as a path, whether or not the folder exists."""
    if not isinstance(folder, (str, os.PathLike)) or not os.fspath(folder):
        raise InputError(f"folder is {folder!r}; give a path, as in '.' for this one.")
    return Path(os.path.expanduser(folder))


def imagenet():
    """Return the folder for a thousand pictures of ImageNet."""
    return root() / "imagenet-1000"


@dataclass(frozen=True)
class Source:
    """A place with images; ``read(index)`` gives a picture and its label."""

    text: str
    count: int
    name: Callable[[int], str]
    read: Callable[[int], tuple]
    is_cifar10: bool = False
    # Their names, label 0 first; none where pictures have no classes.
    classes: tuple = CLASSES


def find(split, folder, download):
    """Return the best source of images that this machine has, or the one asked for."""
    if not isinstance(split, str) or split not in ("train", "test"):
        raise InputError(f"split is {split!r}; choose 'test' or 'train'.")
    if isinstance(folder, str) and folder == "photographs":
        return PHOTOGRAPHS
    if isinstance(folder, str) and folder == "imagenet":
        return _drawn(_in_folder(imagenet(), "pictures of ImageNet"))
    if folder is not None:
        place = as_path(folder)
        return _in_folder(place, f"images in {Path(os.path.abspath(place)).name}")
    place = root() / "cifar10" / split
    if place.is_dir():
        return _in_folder(place, f"CIFAR-10 {split} images (JPEG)", is_cifar10=True)
    if download or (root() / "cifar-10-batches-py").is_dir():
        return _of_torchvision(split, download)
    return PHOTOGRAPHS


def _in_folder(place, text, is_cifar10=False):
    """Return an image folder, one sub-folder per class, or with pictures alone."""
    if not place.is_dir():
        found = "is a file" if place.exists() else "no such folder"
        raise DataError(
            f"{place}: {found}. Give a folder of pictures, or one with a folder per "
            "class."
        )
    try:
        _, folders, names = next(_walk(place))
        files = [
            (Path(within, name), label)
            for label, folder in enumerate(folders)
            for within, _, inside in _walk(place / folder)
            for name in inside
        ]
    except OSError as error:
        raise DataError(
            f"{place}: cannot be read ({error}). Allow that, or give another folder."
        ) from None
    classes = tuple(folders) if files else ()
    if classes and names:
        text += f" ({len(names)} beside its sub-folders left out)"
    files = files or [(place / name, NO_CLASS) for name in names]
    if not files:
        raise DataError(
            f"{place}: no images, neither in it nor in sub-folders. Lay them out as "
            "<name>.jpg, or as <class>/<name>.jpg."
        )
    if is_cifar10:
        files = _by_number(place, files, folders)

    def read(index):
        path, label = files[index]
        return opened(path), label

    def name(index):
        return files[index][0].stem

    return Source(text, len(files), name, read, is_cifar10, classes)


def _drawn(source):
    """Return a source in another order, so that the first so many are a sample."""
    order = np.random.RandomState(0).permutation(source.count).tolist()
    text = f"{source.text}, drawn by chance"
    return replace(
        source, text=text,
        name=lambda place: source.name(order[place]),
        read=lambda place: source.read(order[place]),
    )  # fmt: skip


def _walk(place):
    """Yield folders with the names of those in them, and of pictures, in order."""

    def stop(error):
        raise error

    for within, folders, names in os.walk(place, onerror=stop, followlinks=True):
        # A hidden folder, such as a notebook's checkpoints, is no class; nor is what
        # a Mac adds to an archive.
        hidden = {name for name in folders if name.startswith(".")} | {"__MACOSX"}
        folders[:] = sorted(set(folders) - hidden)
        yield within, folders, sorted(filter(is_picture, names))


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
