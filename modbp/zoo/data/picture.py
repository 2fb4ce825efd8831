"""A picture in a file: read upright, on white, as RGB with eight bits, or refused."""

import contextlib
import threading
import warnings

import numpy as np
from PIL import ExifTags, Image

from modbp.errors import DataError, in_a_line

__all__ = ["is_picture", "notes", "opened"]

# The endings of files that count as pictures: torchvision's, and what else phones and
# the web have. Pillow cannot read all; what it cannot read is refused, not left out.
_ENDINGS = ".jpg .jpeg .png .ppm .bmp .pgm .tif .tiff .webp .jpe .jfif .mpo .gif .apng"
_ENDINGS = tuple(f"{_ENDINGS} .pbm .pnm .jp2 .avif .heic .heif".split())

# What a file says in its EXIF about how it lies, and what turns it upright.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# TIFF's numbers for how values are stored.
_BITS, _MEANING, _PLANES, _KIND = 258, 262, 284, 339

_CLEAR, _FINE = "transparent, laid on white", "finer than 8 bits, rounded"
_FIRST = "of several frames, the first shown"

# Warnings are filtered for the whole process: by one reader at a time.
_reading = threading.Lock()


def is_picture(name):
    """Say whether a file of that name counts as a picture; hidden ones do not.

    A Mac leaves ``._cat.jpg`` beside ``cat.jpg`` wherever a disk is not its own.
    """
    return name.lower().endswith(_ENDINGS) and not name.startswith(".")


def opened(path):
    """Return a picture from a file; `notes` tells what else had to be done to it."""
    try:
        with _only_errors(), Image.open(path) as picture:
            return _as_seen(picture)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        most = Image.MAX_IMAGE_PIXELS / 1e6
        raise DataError(
            f"{path}: has more than {most:.0f} million pixels, too many to be read. "
            "Make it smaller."
        ) from None
    except Exception as error:  # anything may happen in a damaged file
        told = in_a_line(error)
        raise DataError(
            f"{path}: cannot be read as an image ({told}). Restore or remove it, or "
            "convert it to PNG."
        ) from None


def notes(picture):
    """Return what was done to a picture from a file beside turning it upright."""
    return picture.info.get("notes", ())


@contextlib.contextmanager
def _only_errors():
    with _reading, warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        # Of the rest of a file, such as a camera's settings; pixels are not concerned.
        warnings.simplefilter("ignore", UserWarning)
        yield


def _as_seen(picture):
    # A telephone's file may hold a second picture of the same, in other sizes.
    said = getattr(picture, "n_frames", 1) > 1 and picture.format != "MPO"
    said = [_FIRST] if said else []
    # First of all: Pillow turns a TIFF itself, but not before it is loaded.
    picture.load()
    turn = _TURNS.get(_orientation(picture))
    if _tag(picture, _KIND) == 2:
        raise DataError("has integers with a sign. Save it with 8 bits, from 0 to 255.")
    if picture.mode in ("F", "I") or picture.mode.startswith("I;16"):
        said.append(_FINE)
        picture = _in_bytes(picture)
    elif _tag(picture, _PLANES) == 2 and _tag(picture, _BITS) == 16:
        raise DataError(  # Pillow takes every second byte for a value
            "has 16 bits per colour in separate planes. Save it with 8 bits."
        )
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        if picture.getextrema()[3][0] < 255:
            said.insert(0, _CLEAR)
            white = Image.new("RGBA", picture.size, "white")
            picture = Image.alpha_composite(white, picture)
    picture = picture.convert("RGB")
    picture = picture if turn is None else picture.transpose(turn)
    picture.info = {"notes": tuple(said)}
    return picture


def _orientation(picture):
    try:
        return picture.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # what is damaged beside the pixels says nothing about them
        return None


def _tag(picture, number):
    """Return a value by which a TIFF says how it is stored, the first of several."""
    value = getattr(picture, "tag_v2", {}).get(number)
    return value[0] if isinstance(value, tuple) else value


def _in_bytes(picture):
    """Return a grey picture of integers or floats as one of bytes."""
    values = np.asarray(picture)
    if picture.mode == "F":
        top, kind = 1, "floats"
    elif picture.mode == "I" and picture.format != "PPM":
        raise DataError("has integers of 32 bits. Save it with 8 bits.")
    else:  # of 12 bits Pillow keeps the values as they are
        bits = _tag(picture, _BITS) or 16
        top, kind = 2**bits - 1, f"{bits} bits"
    low, high = values.min().item(), values.max().item()
    if not 0 <= low <= high <= top or high * 16 < top:
        raise DataError(
            f"has {kind} from {low:.6g} to {high:.6g}, where black is 0 and white is "
            f"{top}. Stretch them to that range, or save it with 8 bits."
        )
    clear = values == picture.info.get("transparency", -1)
    values = top - values if _tag(picture, _MEANING) == 0 else values
    grey = Image.fromarray(np.rint(values * (255 / top)).astype(np.uint8))
    if clear.any():
        grey.putalpha(Image.fromarray(np.where(clear, 0, 255).astype(np.uint8)))
    return grey
