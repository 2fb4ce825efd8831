"""Words in a figure that do not overlap: names of lines, of ticks, and long ones."""

from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.category import StrCategoryLocator
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogFormatter, NullFormatter

__all__ = ["apart", "fit_words", "name_ends", "power", "room", "spread", "wrapped"]

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_LETTER = 4.9  # points, a letter of usual width
# Of the width of a panel, from its right side to the names of its lines.
_GAPS = {True: 0.035, False: 0.09}


def name_ends(ax: Axes, **words: str) -> None:
    """Name each labelled line of a panel beside its right end, instead of a legend.

    Where names would overlap :func:`drawn` moves them apart.

    Parameters
    ----------
    ax : the panel of a figure that :func:`drawn` makes
    words : texts that are written instead of labels

    Examples
    --------
    >>> def draw(figure):
    ...     panel = figure.subplots()
    ...     panel.plot([1, 3, 2], label="a")
    ...     modbp.figures.name_ends(panel)
    >>> [text.get_text() for text in modbp.figures.drawn(draw).axes[0].texts]
    ['a']
    """
    ax.ends = []
    for line in ax.lines:
        name, data = line.get_label(), np.asarray(line.get_xydata(), float)
        low, high = sorted(ax.get_ylim())
        # A name beside what is out of sight, as a zero in decades, would have no place.
        there = np.isfinite(data).all(1) & (low <= data[:, 1]) & (data[:, 1] <= high)
        seen = np.flatnonzero(there)
        if not name.startswith("_") and len(seen):
            y = data[seen[-1], 1]
            place = {"transform": ax.get_yaxis_transform(), "va": "center"}
            gap = _GAPS[getattr(ax.figure, "wide", True)]
            text = ax.text(1 + gap, y, words.get(name, name), fontsize=8, **place)
            ax.ends.append((text, line, seen[-1]))


def room(count):
    """Return heights, for a page and a phone, in which so many lines can be named."""
    return max(3.9, 0.17 * count + 1), max(4.2, 0.17 * count + 1.5)


def spread(figure):
    """Move names of lines apart, once it is known where all is, and lead to them."""
    for ax in figure.axes:
        if not getattr(ax, "ends", None):
            continue
        panel, gap = ax.get_window_extent(), _GAPS[figure.wide]
        boxes = [text.get_window_extent() for text, _, _ in ax.ends]
        heights = [box.height for box in boxes]
        wanted = [(box.y0 + box.y1) / 2 for box in boxes]
        for (text, line, last), y in zip(
            ax.ends, apart(wanted, heights, panel.y0, panel.y1), strict=True
        ):
            y = (y - panel.y0) / panel.height
            text.set(position=(1 + gap, y), transform=ax.transAxes)
            end = line.get_transform().transform(line.get_xydata()[last])
            end = ax.transAxes.inverted().transform(end)
            look = {"color": line.get_color(), "linewidth": 0.6, "clip_on": False}
            xs, ys = [end[0], 1 + 0.85 * gap], [end[1], y]
            figure.add_artist(Line2D(xs, ys, transform=ax.transAxes, **look))


def apart(wanted, heights, low, high):
    """Return places as near to those wanted as they can be without overlaps."""
    blocks = []  # of names that touch: where each begins, its height, its members
    for i in np.argsort(wanted, kind="stable"):
        start, height, members = wanted[i] - heights[i] / 2, heights[i], [i]
        while True:
            # Inside, if there is room for all.
            start = max(min(start, high - height), low)
            if not blocks or blocks[-1][0] + blocks[-1][1] <= start:
                break
            before, tall, others = blocks.pop()
            n, m = len(others), len(members)
            start = (n * before + m * (start - tall)) / (n + m)
            height, members = tall + height, others + members
        blocks.append((start, height, members))
    places = np.empty(len(wanted))
    for start, _, members in blocks:
        for i in members:
            places[i] = start + heights[i] / 2
            start += heights[i]
    return places


def power(value, position=None):
    """Write a power of ten in letters of one size."""
    return "10" + str(round(np.log10(value))).translate(_RAISED)


def fit_words(figure):
    """Turn or break the words at a panel that do not fit; say if there are any."""
    changed = False
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis):
            if isinstance(axis.get_major_formatter(), LogFormatter):
                axis.set(major_formatter=FuncFormatter(power))
                axis.set(minor_formatter=NullFormatter())
        room = ax.get_window_extent()
        for label in (ax.xaxis.label, ax.title):
            if label.get_text() and label.get_window_extent().width > room.width:
                label.set_text(wrapped(label.get_text(), room.width / figure.dpi))
                changed = True
        if isinstance(ax.xaxis.get_major_locator(), (FixedLocator, StrCategoryLocator)):
            changed |= _turn_ticks(ax, room.width)
    return changed


def _turn_ticks(ax, room):
    """Turn the names of ticks where they overlap, and leave some out if need be."""
    labels = [text for text in ax.get_xticklabels() if text.get_text()]
    boxes = [text.get_window_extent() for text in labels]
    if all(a.x1 + 3 < b.x0 for a, b in pairwise(boxes)):
        return False
    # Turned, each is as wide as it was tall.
    every = int(np.ceil(boxes[0].height / (room / len(boxes))))
    names = [text.get_text() for text in ax.get_xticklabels()]
    # The last is kept: in curves it is the input.
    kept = [n if (len(names) - 1 - i) % every == 0 else "" for i, n in enumerate(names)]
    ax.set_xticks(ax.get_xticks(), kept, rotation=90)
    return True


def wrapped(text, width):
    """Break a text where it does not fit into so many inches at eight points."""
    limit, lines = int(width * 72 / _LETTER), []
    for line in text.replace("nattribution", "n\u200battribution").split("\n"):
        while len(line) > limit:
            cuts = [i + 1 for i, c in enumerate(line[:limit]) if c in " -\u200b"]
            if not cuts:
                break
            lines.append(line[: cuts[-1]])
            line = line[cuts[-1] :]
        lines.append(line)
    return "\n".join(line.strip().replace("\u200b", "") for line in lines)
