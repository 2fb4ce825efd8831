"""Photographs that come inside the wheels of scikit-image and scikit-learn."""

import math
from functools import cache
from importlib import resources

from PIL import Image

__all__ = ["COUNT", "crop", "title"]

# Name, file, package, centre and side of the square (in pixels), explained class. The
# first three show a thing that resembles their class; the others show none of the ten,
# and their class only says which logit is explained.
_SKIMAGE, _SKLEARN = "skimage.data", "sklearn.datasets.images"
_PHOTOGRAPHS = (
    ("cat Chelsea", "chelsea.png", _SKIMAGE, (222, 150), 300, "cat"),
    ("rocket", "rocket.jpg", _SKIMAGE, (321, 272), 310, "airplane"),
    ("motorcycle", "motorcycle_left.png", _SKIMAGE, (452, 262), 476, "automobile"),
    ("astronaut", "astronaut.png", _SKIMAGE, (225, 150), 300, "airplane"),
    ("coffee", "coffee.png", _SKIMAGE, (280, 200), 400, "ship"),
    ("temple", "china.jpg", _SKLEARN, (208, 219), 390, "truck"),
    ("flower", "flower.jpg", _SKLEARN, (308, 221), 300, "bird"),
)
_ROUNDS = 100

# How many different squares there are.
COUNT = _ROUNDS * len(_PHOTOGRAPHS)


def title(index):
    """Return what a caption calls a photograph."""
    turn, which = divmod(index, len(_PHOTOGRAPHS))
    return _PHOTOGRAPHS[which][0] + (f" (crop {turn + 1})" if turn else "")


@cache  # seven pictures, read by every round
def _read(package, file):
    with (resources.files(package) / file).open("rb") as stream:
        return Image.open(stream).convert("RGB")


def crop(index):
    """Return a square out of one of the photographs, and its CIFAR-10 class."""
    turn, which = divmod(index, len(_PHOTOGRAPHS))
    _, file, package, (x, y), side, name = _PHOTOGRAPHS[which]
    picture = _read(package, file)
    # The first squares hold each subject as far as it fits. Later rounds are smaller
    # and lie off the centre; every second one is mirrored.
    if turn:
        # The golden angle never points the same way twice.
        angle = turn * math.pi * (3 - math.sqrt(5))
        side *= 0.9 - 0.4 * turn / _ROUNDS
        x, y = x + 0.12 * side * math.cos(angle), y + 0.12 * side * math.sin(angle)
    left = round(min(max(x - side / 2, 0), picture.width - side))
    top = round(min(max(y - side / 2, 0), picture.height - side))
    picture = picture.crop((left, top, left + round(side), top + round(side)))
    if turn % 2:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return picture, name
