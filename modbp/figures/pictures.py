"""Any kind of picture as an HTML element that holds its own pixels."""

import base64
import io
from html import escape

import numpy as np
from PIL import Image

from modbp.errors import InputError
from modbp.figures.drawing import Drawing, in_book

__all__ = ["element"]


def element(picture, text):
    """Return HTML that holds a picture for `frames` and tells it in words."""
    if in_book() and isinstance(picture, Drawing):
        return picture.page(text)
    content, width = _webp(picture)
    source = f"data:image/webp;base64,{base64.b64encode(content).decode()}"
    return f'<img alt="{escape(text)}" width="{width}" src="{source}">'


def _webp(picture):
    """Return a picture as lossless WebP, and its width on the page."""
    width, stream = None, io.BytesIO()
    if hasattr(picture, "savefig"):
        import matplotlib.pyplot as plt

        drawn, width = io.BytesIO(), round(96 * picture.get_figwidth())
        picture.savefig(drawn, format="png", dpi=144)
        plt.close(picture)  # or the notebook would show it once more
        picture = Image.open(drawn).convert("RGB")
    elif isinstance(picture, bytes):
        picture = Image.open(io.BytesIO(picture))
    elif not isinstance(picture, Image.Image):
        picture = Image.fromarray(_pixels(np.asarray(picture)))
    picture.info.clear()  # names of programs and times: same pixels, same bytes
    # Half the size of a PNG, which counts where a page holds tens of pictures.
    picture.save(stream, format="WEBP", lossless=True, method=4)
    return stream.getvalue(), width or picture.width


def _pixels(array):
    """Return an array of grey or colour values as uint8."""
    known = array.ndim == 2 or array.ndim == 3 and array.shape[2] in (3, 4)
    if known and array.dtype == np.uint8:
        return array
    if known and array.dtype.kind == "f" and np.all((array >= 0) & (array <= 1)):
        return np.rint(255 * array).astype(np.uint8)
    raise InputError(
        f"a picture is an array {array.shape} of {array.dtype}; give [height, width] "
        "or [height, width, 3], uint8 or floats in [0, 1]."
    )
