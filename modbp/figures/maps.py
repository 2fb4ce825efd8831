"""Maps of relevance: one number per pixel, in one scale and one set of colours."""

import io
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.figure import Figure

from modbp.errors import (
    InputError,
    check_names,
    check_number,
    check_option,
    check_whole,
)
from modbp.figures.letters import fit_letters

__all__ = ["Drawing", "difference", "gallery", "heatmaps", "legend", "normalise"]
__all__ += ["note"]

# Of maps; pictures have colours of their own.
_COLOURS = {"cmap": "seismic", "vmin": -1, "vmax": 1}


class Drawing(Figure):
    """A figure that a notebook shows at the end of a cell, whatever the backend.

    `lacking` are the letters that no font here has, once it is drawn.
    """

    lacking = ""

    def draw(self, renderer):
        """Draw it, with each letter in a font that has it."""
        self.lacking = "".join(sorted({*self.lacking, *fit_letters(self)}))
        super().draw(renderer)

    def _repr_png_(self):
        stream = io.BytesIO()
        self.savefig(stream, format="png", dpi=144, metadata={"Software": None})
        return stream.getvalue()


def normalise(maps, percentile=99.5):
    """Scale maps ``[N, H, W]`` to [-1, 1], each by a percentile of absolute values."""
    remedy = "choose one in (0, 100]."
    check_number("percentile", percentile, lambda p: 0 < p <= 100, remedy)
    maps = _array(maps, "a map", 3, "[N, H, W]")
    # Zero stays zero, and single extreme pixels do not hide the rest.
    scale = np.percentile(np.abs(maps), percentile, axis=(1, 2), keepdims=True)
    top = np.abs(maps).max(axis=(1, 2), keepdims=True)
    scale = np.where(scale > 0, scale, np.where(top > 0, top, 1))
    return np.clip(maps / scale, -1, 1)


def _array(value, name, rank, shape):
    """Return real numbers as an array of that many dimensions, or refuse them."""
    try:
        found = torch.as_tensor(value).detach().cpu()
        fits = found.ndim == rank and found.numel() and not found.is_complex()
        what = f"of shape {list(found.shape)} and {found.dtype}"
    except (RuntimeError, TypeError, ValueError):
        fits, what = False, f"a {type(value).__name__}"
    if not fits:
        raise InputError(f"{name} is {what}; give numbers {shape}.")
    return found.cpu().double().numpy()


def difference(
    first: torch.Tensor | np.ndarray, second: torch.Tensor | np.ndarray
) -> np.ndarray:
    """Return how much two maps differ, as displayed.

    Equation: the mean of ``|n(first) − n(second)|``, where `n` scales as all figures
    do, to [-1, 1] by the 99.5th percentile of absolute values.

    Parameters
    ----------
    first, second : ``[N, H, W]``

    Returns
    -------
    numpy.ndarray ``[N]`` in [0, 2]; 0 for maps that differ by a positive factor only.

    Examples
    --------
    >>> map = torch.ones(1, 2, 2)
    >>> modbp.figures.difference(map, -3 * map)
    array([2.])
    """
    first, second = normalise(first), normalise(second)
    if first.shape != second.shape:
        raise InputError(
            f"maps of shape {list(first.shape)} and {list(second.shape)} have no "
            "difference; give two of the same shape."
        )
    return np.abs(first - second).mean(axis=(1, 2))


def heatmaps(
    pictures: torch.Tensor, columns: dict[str, torch.Tensor], *,
    rows: Sequence[str] | None = None, source: str | None = None, size: float = 1.3,
    overlay: bool = False,
) -> Drawing:  # fmt: skip
    """Draw pictures beside their maps.

    Parameters
    ----------
    pictures : ``[N, 3, H, W]`` in [0, 1], one row each
    columns : maps ``[N, H, W]`` by column title; they are normalised here
    rows, source : row titles; and where the pictures come from, written below
    size, overlay : side of one picture in inches; whether maps lie on the picture

    Returns
    -------
    Drawing

    Raises
    ------
    InputError: if a column does not hold one map per picture.

    Examples
    --------
    >>> maps = {"gradient": torch.rand(2, 4, 4), "lrp-z": torch.rand(2, 4, 4)}
    >>> len(modbp.figures.heatmaps(torch.rand(2, 3, 4, 4), maps).axes)
    6
    """
    cells = _cells(pictures, columns)
    is_text = source is None or isinstance(source, str)
    check_option("source", source, lambda _: is_text, "give a text, or None.")
    check_number("size", size, lambda s: 0 < s < 100, "give inches, as in 1.3.")
    if rows is not None:
        rows = check_names("rows", rows, "give one title per picture.")
        remedy = f"give one title for each of the {len(pictures)} pictures."
        check_option("rows", rows, lambda _: len(rows) == len(pictures), remedy)
    if overlay:
        cells[1:] = [(title, _laid_on(cells[0][1], maps)) for title, maps in cells[1:]]
    count, width = len(pictures), len(cells)
    below = 0.13 + 0.12 * _lines([source]) if source else 0.05
    above = 0.15 + 0.16 * _lines(title for title, _ in cells)
    height = size * count + above + below
    figure = Drawing(figsize=(size * width, height), layout=None)
    axes = figure.subplots(count, width, squeeze=False)
    left = (0.05 + 0.15 * _lines(rows)) / (size * width) if rows else 0.01
    figure.subplots_adjust(
        left, below / height, 0.99, 1 - above / height, wspace=0.04, hspace=0.04
    )
    for column, (title, parts) in zip(axes.T, cells, strict=True):
        column[0].set_title(title, fontsize=9, pad=4)
        for ax, part in zip(column, parts, strict=True):
            ax.imshow(part, **_COLOURS)
            ax.set(xticks=[], yticks=[])
    for ax, title in zip(axes[:, 0], rows or [], strict=False):
        ax.set_ylabel(title, fontsize=8)
    return note(figure, source)


def gallery(
    pictures: torch.Tensor, maps: dict[str, torch.Tensor], *, columns: int = 3,
    source: str | None = None, width: float = 4.6,
) -> Drawing:  # fmt: skip
    """Draw many methods at once: one cell each, with a small map per picture.

    Parameters
    ----------
    pictures, maps, source : as in :func:`heatmaps`; the pictures fill the first cell
    columns, width : cells side by side; and the width of the figure in inches

    Returns
    -------
    Drawing

    Raises
    ------
    InputError: if a cell does not hold one map per picture.

    Examples
    --------
    >>> maps = {name: torch.rand(2, 4, 4) for name in ("gradient", "lrp-z", "dtd")}
    >>> len(modbp.figures.gallery(torch.rand(2, 3, 4, 4), maps, columns=2).axes)
    4
    """
    cells = _cells(pictures, maps)
    check_whole("columns", columns, 1, 100)
    check_number("width", width, lambda w: 0 < w < 100, "give inches, as in 4.6.")
    rows, below = -(-len(cells) // columns), 0.05 if source is None else 0.25
    # Pictures are square, and a line of text stands above each cell.
    height = rows * (width / columns / len(pictures) + 0.24)
    figure = Drawing(figsize=(width, height + below), layout=None)
    axes = figure.subplots(rows, columns, squeeze=False)
    figure.subplots_adjust(
        0.01, below / (height + below), 0.99, 1 - 0.22 / height, wspace=0.06
    )
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, (title, each) in zip(axes.flat, cells, strict=False):
        ax.set_title(title, fontsize=8, pad=3)
        # White, which is zero in a map and one in a picture.
        gap = np.full((each.shape[1], 1, *each.shape[3:]), float(each.ndim == 4))
        strip = [part for picture in each for part in (picture, gap)][:-1]
        ax.imshow(np.hstack(strip), **_COLOURS)
    return note(figure, source)


def _cells(pictures, maps):
    """Return titles with pictures ``[N, H, W, 3]``, or maps ``[N, H, W]`` as drawn."""
    shown = _array(pictures, "the pictures", 4, "[N, 3, H, W]")
    remedy = "give maps by title, as in {'gradient': r}."
    check_option("maps", maps, lambda m: isinstance(m, Mapping), remedy)
    check_option(
        "titles", [*maps], lambda t: all(isinstance(e, str) for e in t), remedy
    )
    for title, each in maps.items():
        if len(_array(each, f"column {title!r}", 3, "[N, H, W]")) != len(pictures):
            raise InputError(
                f"column {title!r} has {len(each)} maps for {len(pictures)} pictures; "
                "give one for each."
            )
    drawn = [(title, normalise(each)) for title, each in maps.items()]
    return [("image", shown.transpose(0, 2, 3, 1)), *drawn]


def _laid_on(pictures, maps):
    """Colour pictures ``[N, H, W, 3]``, made pale and grey, where maps are not zero."""
    grey = 0.5 + 0.5 * pictures.mean(-1, keepdims=True)
    colours = colormaps[_COLOURS["cmap"]](maps / 2 + 0.5)[..., :3]
    share = np.abs(maps)[..., None]
    return share * colours + (1 - share) * grey


def _lines(titles):
    return max(title.count("\n") + 1 for title in titles)


def note(figure, source):
    """Write below a figure where its pictures come from, if that is given."""
    if source is not None:
        check_option("source", source, lambda s: isinstance(s, str), "give a text.")
        figure.text(0.99, 0.005, source, ha="right", va="bottom", fontsize=7)
    return figure


def legend(figure, source, loc="outside right center", **options):
    """Write beside a figure what is what, and below it where the pictures come from."""
    figure.legend(loc=loc, fontsize=8, frameon=False, **options)
    return note(figure, source)
