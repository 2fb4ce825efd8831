"""Maps of relevance: one number per pixel, in one scale and one set of colours."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib import colormaps

from modbp.backprop.explain import reduce
from modbp.errors import (
    InputError,
    check_names,
    check_number,
    check_option,
    check_whole,
)
from modbp.figures.drawing import NARROW, WIDE, Drawing, drawn, note
from modbp.figures.labels import wrapped

__all__ = ["difference", "gallery", "heatmaps", "normalise", "reduce"]

# Of maps; pictures have colours of their own.
_LINE, _CHAR = 0.15, 0.07  # inches, a line of text and a letter
_COLOURS = {"cmap": "seismic", "vmin": -1, "vmax": 1}


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
        found = torch.as_tensor(value, device="cpu").detach()
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
    rows: Sequence[str] | None = None, source: str | None = None,
    size: float | None = None, overlay: bool = False,
) -> Drawing:  # fmt: skip
    """Draw pictures beside their maps.

    Parameters
    ----------
    pictures : ``[N, 3, H, W]`` in [0, 1], one row each
    columns : maps ``[N, H, W]`` by column title; they are normalised here
    rows, source : row titles; and where the pictures come from, written below
    size, overlay : side of one picture in inches, 1.3 or what fits a page; whether maps
        lie on the picture

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
    size = min(1.3, WIDE / len(cells)) if size is None else size
    check_number("size", size, lambda s: 0 < s < 100, "give inches, as in 1.3.")
    if rows is not None:
        rows = check_names("rows", rows, "give one title per picture.")
        remedy = f"give one title for each of the {len(pictures)} pictures."
        check_option("rows", rows, lambda _: len(rows) == len(pictures), remedy)
    if overlay:
        cells[1:] = [(title, _laid_on(cells[0][1], maps)) for title, maps in cells[1:]]
    plans = [_plan(cells, rows, source, size * len(cells), size, phone=False)]
    plans += [_plan(cells, rows, source, NARROW, size, phone=True)]

    def draw(figure):
        _draw_grid(figure, cells, rows, source, *plans[not figure.wide])

    (width, height), (_, narrow) = (plan[0] for plan in plans)
    return drawn(draw, width=width, height=(height, narrow))


def _plan(cells, rows, source, width, size, phone):
    """Return a grid's size, the columns of each of its parts, and a cell's side."""
    count, most = len(cells[0][1]), len(cells)
    longest = _CHAR * max(map(len, "\n".join(rows or [""]).split("\n")))
    left, parts, turned = _LINE * _lines(rows) if rows else 0, [range(most)], False
    if phone and width - left < 0.75 * most:
        if count <= 6:
            # Below each other, with the pictures first in each.
            each = -(-(most - 1) // -(-(most - 1) // 3))
            starts = range(1, most, each)
            parts = [[0, *range(n, min(n + each, most))] for n in starts]
        else:
            turned = True
    level = turned or longest > min(size, (width - left) / max(map(len, parts)))
    left = longest + 0.08 if level else left
    side = min(size, (width - left) / max(map(len, parts)))
    if turned:
        above = _CHAR * max(len(title) for title, _ in cells) + 0.08
    else:
        above = _LINE * _lines(wrapped(title, side) for title, _ in cells) + 0.06
    below = _LINE * _lines([wrapped(source, width)]) + 0.06 if source else 0.03
    height = (side * count + above) * len(parts) + below
    return (width, height), parts, side, left, above, turned, level


def _draw_grid(
    figure, cells, rows, source, size, parts, side, left, above, turned, level
):  # fmt: skip
    """Draw the parts of a grid below each other."""
    figure.set_layout_engine("none")
    (width, height), gap = size, 0.02
    # In the middle of what is there, if a cell may not be larger.
    left += max(0, (width - left - side * max(map(len, parts))) / 2)
    top = height - above
    for part in parts:
        for row in range(len(cells[0][1])):
            for column, number in enumerate(part):
                title, pictures = cells[number]
                place = (left + column * side + gap, top - (row + 1) * side + gap)
                box = [*place, side - 2 * gap, side - 2 * gap]
                ax = figure.add_axes(
                    [v / s for v, s in zip(box, 2 * size, strict=True)]
                )
                ax.imshow(pictures[row], **_COLOURS)
                ax.set_axis_off()
                if not row and turned:
                    text = title.replace("\n", " ")
                    ax.set_title(text, rotation=90, fontsize=8, pad=3)
                elif not row:
                    ax.set_title(wrapped(title, side), fontsize=8, pad=3)
                if not column and rows:
                    middle = (top - (row + 0.5) * side) / height
                    at, turn = ("right", 0) if level else ("center", 90)
                    x = left - 0.05 if level else left - _LINE * _lines(rows) / 2
                    options = {"ha": at, "va": "center", "rotation": turn}
                    figure.text(x / width, middle, rows[row], fontsize=8, **options)
        top -= side * len(cells[0][1]) + above
    note(figure, source)


def gallery(
    pictures: torch.Tensor, maps: dict[str, torch.Tensor], *, columns: int = 4,
    source: str | None = None, width: float = WIDE,
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
    check_number("width", width, lambda w: 0 < w < 100, "give inches, as in 7.2.")
    fewer = -(-columns * NARROW // width)
    plans = [
        _plan_cells(cells, source, c, w)
        for c, w in ((columns, width), (int(fewer), NARROW))
    ]

    def draw(figure):
        _draw_cells(figure, cells, source, *plans[not figure.wide])

    return drawn(draw, width=width, height=(plans[0][0], plans[1][0]))


def _plan_cells(cells, source, columns, width):
    """Return a gallery's height, its columns, and the room above and below."""
    above = _LINE * _lines(wrapped(title, width / columns) for title, _ in cells) + 0.08
    below = _LINE * _lines([wrapped(source, width)]) + 0.06 if source else 0.03
    # Pictures are square.
    side = width / columns / len(cells[0][1])
    return -(-len(cells) // columns) * (side + above) + below, columns, above, below


def _draw_cells(figure, cells, source, height, columns, above, below):
    """Draw the cells of a gallery in rows."""
    figure.set_layout_engine("none")
    rows, width = -(-len(cells) // columns), figure.get_figwidth()
    tall, wide = (height - below) / rows, width / columns
    for number, (title, each) in enumerate(cells):
        row, column = divmod(number, columns)
        box = [
            column * wide + 0.04,
            height - (row + 1) * tall,
            wide - 0.08,
            tall - above,
        ]
        size = (width, height)
        ax = figure.add_axes([v / s for v, s in zip(box, 2 * size, strict=True)])
        ax.set_axis_off()
        ax.set_title(wrapped(title, wide), fontsize=8, pad=3)
        # White, which is zero in a map and one in a picture.
        gap = np.full((each.shape[1], 1, *each.shape[3:]), float(each.ndim == 4))
        strip = [part for picture in each for part in (picture, gap)][:-1]
        ax.imshow(np.hstack(strip), **_COLOURS)
    note(figure, source)


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
