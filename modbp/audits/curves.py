"""The figure of an audit: how far maps change, with the class and with the weights."""

from collections.abc import Mapping

import numpy as np

from modbp.audits.verdict import CHANGE
from modbp.audits.words import most
from modbp.figures import Drawing, drawn, name_ends, style
from modbp.figures.labels import room

__all__ = ["ALT", "figure"]

ALT = (
    "Two panels. One has a dot for each method, how far its maps change when another "
    "class is explained, with an interval; the other a line for each, how far they "
    "change when weights are random from the top down to a layer. One is as far as "
    "another picture's map; a dotted line marks the tenth below which no change counts."
)
# Letters of a label; those of all methods of modbp fit in.
_LONGEST = 36
_LOOKS = ("o", "s", "^", "v", "D", "P", "X")


def figure(content: Mapping) -> Drawing:
    """Draw the changes of all methods."""
    methods, stages = content["methods"], content["about"]["stages"]
    looks = [_look(label, n) for n, label in enumerate(methods)]

    def draw(figure):
        tall = 0.22 * len(methods) + 0.8
        ratios = {"height_ratios": [tall, height[not figure.wide]]}
        above, below = figure.subplots(2, 1, **ratios)
        _draw_classes(above, methods, looks)
        for each, look in zip(methods.values(), looks, strict=True):
            rows = [most(each["cascade"].get(stage, {})) for stage in stages]
            line = [np.nan if row is None else row["median"] for row in rows]
            below.plot(stages, line, **look)
        below.axhline(CHANGE, color="#777777", linestyle=":", linewidth=1)
        below.set(xlabel="random weights from the top down to", ylim=(-0.05, None))
        below.set_ylabel("change of maps, 1 is another picture's")
        below.grid()
        name_ends(below)

    height = room(len(methods))
    both = tuple(each + 0.22 * len(methods) + 0.8 for each in height)
    return drawn(draw, height=both)


def _draw_classes(ax, methods, looks):
    """Draw a dot and an interval for each method, the first on top."""
    for n, (each, look) in enumerate(zip(methods.values(), looks, strict=True)):
        found = most(each["class"])
        if found is None:
            continue
        ax.plot(found["interval"], [n, n], color=look["color"], linewidth=1.2)
        options = {"color": look["color"], "marker": look["marker"], "markersize": 4.5}
        ax.plot([found["median"]], [n], linestyle="", **options)
    ax.axvline(CHANGE, color="#777777", linestyle=":", linewidth=1)
    ax.set_yticks(range(len(methods)), [look["label"] for look in looks])
    ax.set(ylim=(len(methods) - 0.4, -0.6), xlabel="change when another class is meant")
    ax.set_xlim(-0.05, None)
    ax.yaxis.tick_right()  # where the names of the lines below are
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x")


def _short(label):
    """Return a label as it fits beside a panel, its ends kept, as those of a path."""
    half = _LONGEST // 2
    return label if len(label) <= _LONGEST else f"{label[:half]}…{label[-half:]}"


def _look(label, number):
    """Return how a method is drawn; one that the book does not know by a sign."""
    look = style(label.partition(":")[0]) | {"label": _short(label)}
    if look["color"] == "#949494":
        look["marker"], look["markersize"] = _LOOKS[number % len(_LOOKS)], 4
    return look
