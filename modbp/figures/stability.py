"""Boxes and curves of how similar maps stay when what they explain changes."""

from collections.abc import Mapping, Sequence

import numpy as np

from modbp.errors import check_option
from modbp.figures.convergence import stored, style
from modbp.figures.drawing import Drawing, drawn, legend, note
from modbp.figures.labels import name_ends, room
from modbp.measures.interval import enough
from modbp.measures.sanity import Sanity

__all__ = ["similarity_boxes", "similarity_curves"]

# The two settings of SSIM that an experiment stores, and how they are drawn.
_KINDS = {"ssim": ("2020 code", "#0173b2"), "corrected": ("corrected", "#d55e00")}
# What maps of two images score.
_CROSS = {
    "marker": "X", "s": 24, "zorder": 3, "edgecolor": "black", "linewidth": 0.5
}  # fmt: skip


def similarity_boxes(
    results: Mapping[str, dict | Sanity], stage: str = "random logit", *,
    names: Sequence[str] | None = None, source: str | None = None,
) -> Drawing:  # fmt: skip
    """Draw how similar changed maps are, as one box per method and setting of SSIM.

    Boxes reach from quartile to quartile, their line is the median, and whiskers reach
    to the last value within 1.5 times the box. A cross is the median of what maps of
    two different images score. Where maps have no similarity, a text counts them, and
    there is no box if they are more than one in twenty.

    Parameters
    ----------
    results
        By method, what :func:`modbp.sanity.random_logit` or
        :func:`modbp.sanity.cascade` found, or what a result file stores of it.
    stage : what was changed
    names, source : as in :func:`csc_curves`

    Returns
    -------
    Drawing

    Raises
    ------
    InputError: if a method or the stage is not among the results.

    Examples
    --------
    >>> net, (x, _) = modbp.models.cifar10(), modbp.data.images(2, folder="photographs")
    >>> results = {"gradient": modbp.sanity.random_logit(net, x, "gradient")}
    >>> figure = modbp.figures.similarity_boxes(results)
    >>> [text.get_text() for text in figure.axes[0].get_yticklabels()]
    ['gradient']
    """
    remedy = "name a stage that was measured, as in 'random logit'."
    check_option("stage", stage, lambda s: s and isinstance(s, str), remedy)
    results = _stored(results, names, stage)
    names, rows = list(results), np.arange(len(results))

    def draw(figure):
        ax = figure.subplots()
        for side, (kind, (title, colour)) in zip((-1, 1), _KINDS.items(), strict=True):
            values = [
                each["stages"][stage][kind]["values"] for each in results.values()
            ]
            # A map of one value has no SSIM: None in a file, NaN in a measurement.
            whole = [np.array(row, dtype=float) for row in values]
            values = [row[~np.isnan(row)] if enough(row) else [] for row in whole]
            boxes = ax.boxplot(
                values, orientation="horizontal", positions=rows + 0.19 * side,
                widths=0.32, patch_artist=True, manage_ticks=False,
                boxprops={"facecolor": f"{colour}66", "linewidth": 0.6},
                whiskerprops={"linewidth": 0.6}, capprops={"linewidth": 0.6},
                medianprops={"color": "black", "linewidth": 1.4}, sym="",
            )  # fmt: skip
            _outliers(ax, values, boxes["whiskers"], rows + 0.19 * side)
            for y, row in zip(rows + 0.19 * side, whole, strict=True):
                if missing := int(np.isnan(row).sum()):
                    told = f"{missing} of {len(row)} maps have none"
                    ax.text(0, y, told, fontsize=7, va="center")
            ax.scatter(
                _floors(results, kind), rows + 0.19 * side, color=colour, **_CROSS
            )
            ax.barh(0, 0, color=f"{colour}66", edgecolor="black", label=title)
        ax.scatter([], [], color="white", label="unrelated", **_CROSS)
        ax.set_yticks(rows, names)
        ax.tick_params(axis="y", length=0)
        ax.set(xlim=(-0.1, 1.02), ylim=(len(names) - 0.4, -0.6))
        ax.set_xlabel("SSIM with the original map")
        ax.grid(axis="x")
        legend(figure, source)

    tall = 0.3 * len(names) + 1
    return drawn(draw, height=(tall, tall + 0.2))


def _outliers(ax, values, whiskers, places):
    """Draw what lies beyond the whiskers, as one path: there may be thousands."""
    xs, ys = [], []
    for n, (row, y) in enumerate(zip(values, places, strict=True)):
        low, high = (whiskers[2 * n + end].get_xdata()[1] for end in (0, 1))
        for value in row:
            if not low <= value <= high:
                xs += [value, value, np.nan]
                ys += [y - 0.03, y + 0.03, np.nan]
    ax.plot(xs, ys, color="black", alpha=0.5, linewidth=0.7)


def similarity_curves(
    results: Mapping[str, dict | Sanity], kind: str = "corrected", *,
    names: Sequence[str] | None = None, source: str | None = None,
) -> Drawing:  # fmt: skip
    """Draw the median similarity of maps after each stage of a randomisation.

    Shaded is the bootstrap band of the median, 99 % wide, where a file stores one.
    Crosses at the left are what maps of two images score, by method: where a curve is
    no higher than its cross, nothing of the map is left.

    Parameters
    ----------
    results, names, source : as in :func:`similarity_boxes`
    kind : the 2020 code's settings of SSIM, "ssim", or the "corrected" ones

    Returns
    -------
    Drawing

    Examples
    --------
    >>> net, (x, _) = modbp.models.cifar10(), modbp.data.images(2, folder="photographs")
    >>> found = modbp.sanity.cascade(net, x, "gradient", stages=["fc6", "conv4"])
    >>> figure = modbp.figures.similarity_curves({"gradient": found})
    >>> [text.get_text() for text in figure.axes[0].get_xticklabels()]
    ['unrelated', 'original', 'fc6', 'conv4']
    """
    known = isinstance(kind, str) and kind in _KINDS
    check_option("kind", kind, lambda _: known, f"choose {' or '.join(_KINDS)}.")
    results = _stored(results, names)
    stages = list(next(iter(results.values()))["stages"])
    floors = _floors(results, kind)

    def draw(figure):
        ax = figure.subplots()
        for (name, found), floor in zip(results.items(), floors, strict=True):
            cells = [found["stages"][stage][kind] for stage in stages]
            rows = [[cell["median"], *(cell["band"] or [None] * 2)] for cell in cells]
            # The original map is as similar to itself as can be.
            median, low, high = np.array([[1] * 3, *rows], float).T
            look = style(name)
            ax.plot(median, **look)
            band = {"color": look["color"], "alpha": 0.2, "linewidth": 0}
            ax.fill_between(range(len(low)), low, high, **band)
            ax.scatter(-1, floor, color=look["color"], **_CROSS)
        ticks = ["unrelated", "original", *stages]
        ax.set_xticks(range(-1, len(stages) + 1), ticks)
        lowest = np.nanmin([0, *floors])
        ax.set(ylim=(lowest - 0.05, 1.05), xlabel="weights are random down to …")
        ax.set_ylabel(f"SSIM with the original map\n({_KINDS[kind][0]})")
        ax.grid()
        name_ends(ax)
        note(figure, source)

    return drawn(draw, height=room(len(results)))


def _stored(results, names, stage=None):
    def there(one):
        stages = one.get("stages")
        return stages and stage in (None, *stages)

    where = f" after {stage!r}" if stage else ""
    return stored(results, names, _summary, there, where)


def _summary(found):
    """Return a measurement as a file stores it, but without a band."""
    stages, floor = {stage: {} for stage in found.stages}, {}
    for kind in _KINDS:
        median, unrelated = (
            f(kind == "corrected") for f in (found.median, found.floor)
        )
        for stage, values in zip(found.stages, getattr(found, kind), strict=True):
            cell = {"values": values, "median": median[stage], "band": None}
            stages[stage][kind] = cell
        floor[kind] = {"median": unrelated[found.stages[0]]}
    return {"stages": stages, "floor": floor}


def _floors(results, kind):
    """Return what maps of two images score, by method; NaN where that is not known."""
    return np.array([each["floor"][kind]["median"] for each in results.values()], float)
