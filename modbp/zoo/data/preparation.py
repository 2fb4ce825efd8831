"""What becomes of a picture before a network sees it."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import torch
from PIL import Image

from modbp.errors import DataError, InputError, check_option, in_a_line

__all__ = ["Preparation", "stacked"]

_BLACK, _WHITE = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Preparation:
    """A picture made a square of numbers, which says in words how, when printed.

    Its shorter side is resized, the middle is cut out, and colours in [0, 1] are
    normalised, as torchvision does for its own networks.

    Examples
    --------
    >>> found = modbp.zoo.named.find_network("inception_v3", weights=None)
    >>> print(found.preparation)
    resized to 342 by bilinear, middle 299×299, minus (0.485, 0.456, 0.406), divided by
    (0.229, 0.224, 0.225)
    """

    # In pixels: of the square, and of the shorter side before, the same if left out.
    size: int = 224
    shorter: int | None = None
    interpolation: str = "bicubic"
    # What is subtracted from colours, and what then divides them.
    mean: tuple = _BLACK
    std: tuple = _WHITE
    # A function of the user's that does all of it.
    transform: Callable | None = field(default=None, repr=False)

    @classmethod
    def by(cls, transform, owner="transform"):
        """Return a user's function as a preparation, if it is one."""
        if isinstance(transform, cls):
            return transform
        shades = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
        before = _drawn()
        try:
            x, again = (transform(Image.fromarray(shades)) for _ in range(2))
        except Exception as error:  # anything may happen in code of the user's
            told = in_a_line(error)
            raise InputError(
                f"the transform of {owner} stopped with {type(error).__name__}: "
                f"{told}. It is given a PIL image; repair it."
            ) from error
        if not isinstance(x, torch.Tensor) or not x.is_floating_point():
            found = getattr(x, "dtype", type(x).__name__)
        elif x.ndim != 3:
            found = f"shape {list(x.shape)}"
        elif not x.isfinite().all():
            found = "values that are not finite"
        elif _drawn() != before or not torch.equal(x, again):
            raise InputError(
                f"the transform of {owner} is random: one picture comes out in several "
                "ways. Give the one for testing, without flips and random crops."
            )
        else:
            height, width = x.shape[1:]
            side = height if height == width else (height, width)
            return cls(side, transform=transform)
        raise InputError(
            f"the transform of {owner} gives {found}; it has to give a tensor of "
            "floats, [channels, height, width], as torchvision's ToTensor does."
        )

    def changed(self, size=None, mean=None, std=None):
        """Return the preparation with another size, or other colours."""
        given = {"size": size, "mean": mean, "std": std}
        given = {key: value for key, value in given.items() if value is not None}
        if self.transform is not None and given:
            raise InputError(
                f"{' and '.join(given)} cannot be chosen where a transform prepares "
                "pictures. Leave it out, or change the transform."
            )
        if size is not None:
            remedy = "give the side in pixels, from 1 to 4096."
            whole = isinstance(size, int)
            check_option("size", size, lambda size: whole and 0 < size <= 4096, remedy)
            if self.shorter is not None:
                given["shorter"] = round(self.shorter * size / self.size)
        for key, kind in (("mean", "numbers"), ("std", "numbers above 0")):
            if key in given:
                least = 0 if key == "std" else -math.inf
                fits = partial(_are_three, least=least)
                remedy = f"give three {kind}, one for each colour."
                check_option(key, given[key], fits, remedy)
                given[key] = tuple(map(float, given[key]))
        return replace(self, **given)

    @property
    def unnormalised(self):
        """The same, with colours left in [0, 1]; a transform stays what it is."""
        return replace(self, mean=_BLACK, std=_WHITE)

    def __call__(self, picture):
        """Return what a network is given of a picture, ``[3, S, S]`` float32."""
        if self.transform is not None:
            # A copy, since some functions write into what they are given.
            made = self.transform(picture.copy())
            return made.detach().cpu().as_subclass(torch.Tensor)
        colours = stacked([self.square(picture)])[0].float().div(255)
        mean, std = self._normal()
        return (colours - mean) / std

    def colours(self, x):
        """Return what a network was given, ``[N, 3, S, S]``, as colours in [0, 1]."""
        if self.transform is not None:
            raise InputError(
                "what a transform of its own does cannot be undone. Show the picture "
                "itself, by the preparation's shown(picture)."
            )
        mean, std = self._normal()
        return (x * std + mean).clamp(0, 1)

    def _normal(self):
        """Return what is subtracted from colours, and what divides them."""
        return (
            torch.tensor(v, device="cpu").reshape(3, 1, 1)
            for v in (self.mean, self.std)
        )

    def square(self, picture):
        """Return the middle of a picture, resized."""
        size, shorter = self.size, self.shorter or self.size
        width, height = picture.size
        longer = int(shorter * max(picture.size) / min(picture.size))
        millions = shorter * longer / 1e6
        if millions > (Image.MAX_IMAGE_PIXELS or math.inf) / 1e6:
            raise DataError(
                f"{width}×{height} pixels would be {millions:.0f} million when resized "
                f"to {shorter}. Cut the middle out, or choose a smaller size."
            )
        whole = (shorter, longer) if width <= height else (longer, shorter)
        if picture.size != whole:
            how = Image.Resampling[self.interpolation.upper()]
            picture = picture.resize(whole, how)
        left, top = (round((side - size) / 2) for side in whole)
        return picture.crop((left, top, left + size, top + size))

    def shown(self, picture):
        """Return a picture as a network sees it, ``[1, 3, S, S]`` in [0, 1]."""
        plain = self.unnormalised
        x = plain(picture)
        black, white = (
            plain(Image.new("RGB", (256, 256), name)).flatten(1).median(1).values
            for name in ("black", "white")
        )
        if not (white != black).all():  # each picture is scaled in its own way
            black, white = x.amin().reshape(1), x.amax().reshape(1)
        black, white = (values.reshape(-1, 1, 1) for values in (black, white))
        colours = ((x - black) / (white - black)).nan_to_num(0.5).clamp(0, 1)[None]
        if len(x) == 3:
            return colours
        return colours.mean(1, keepdim=True).expand(-1, 3, -1, -1)

    def __str__(self):
        if self.transform is not None:
            own = getattr(self.transform, "__name__", str(self.transform))
            return f"prepared by a transform of its own, {' '.join(own.split())}"
        words = f"resized to {self.shorter or self.size} by {self.interpolation}, "
        words += f"middle {self.size}×{self.size}, "
        if (self.mean, self.std) == (_BLACK, _WHITE):
            return words + "colours in [0, 1], not normalised"
        minus, divided = (
            ", ".join(f"{value:.6g}" for value in values)
            for values in (self.mean, self.std)
        )
        return words + f"minus ({minus}), divided by ({divided})"


def _are_three(values, least):
    # As float32, in which 1e300 is infinite and 1e-300 zero.
    seen = torch.tensor([*map(float, values)], device="cpu").tolist()
    return len(seen) == 3 and all(least < value < math.inf for value in seen)


def _drawn():
    """Return how far the generators of random numbers have come."""
    kind, key, *rest = np.random.get_state()  # noqa: NPY002  what others may draw from
    torchs = torch.random.get_rng_state().numpy().tobytes()
    return torchs, random.getstate(), key.tobytes(), rest


def stacked(pictures):
    """Return RGB pictures of one size as ``[N, 3, S, S]`` uint8."""
    together = np.stack([np.asarray(picture) for picture in pictures])
    return torch.from_numpy(together).permute(0, 3, 1, 2).contiguous()
