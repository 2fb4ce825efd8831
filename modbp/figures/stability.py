"""Boxes and curves of how similar maps stay when what they explain changes."""

import numpy as np

from modbp.errors import InputError
from modbp.figures.convergence import style
from modbp.figures.maps import Drawing, note

__all__ = ["similarity_boxes", "similarity_curves"]

# The two settings of SSIM that an experiment stores, and how they are drawn.
_KINDS = {"ssim": ("2020 code", "#9ecae1"), "corrected": ("corrected", "#fdae6b")}


def similarity_boxes(results, stage="random logit", *, names=None, source=None):
    """Draw how similar changed maps are, as one box per method and setting of SSIM.

    Boxes reach from quartile to quartile, their line is the median, and whiskers reach
    to the last value within 1.5 times the box. A cross is the median of what maps of
    two different images score.

    Parameters
    ----------
    results : dict
        ``results[method]`` with "stages" and "floor", as stored by
        `modbp.experiments.RandomLogit` and `modbp.experiments.Cascade`.
    stage : str
        What was changed.
    names : sequence of str, optional
        Methods to draw; all if left out.
    source : str, optional
        Where the pictures come from; written below.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        If a method or the stage is not among the results.
    """
    names = _checked(results, names, stage)
    figure = Drawing(figsize=(7, 0.42 * len(names) + 1), layout="constrained")
    ax = figure.subplots()
    rows = np.arange(len(names))
    for side, (kind, (title, colour)) in zip((-1, 1), _KINDS.items(), strict=True):
        values = [_kept(results[name]["stages"][stage][kind]) for name in names]
        floors = [results[name]["floor"][kind]["median"] for name in names]
        ax.boxplot(
            values,
            orientation="horizontal",
            positions=rows + 0.19 * side,
            widths=0.32,
            patch_artist=True,
            manage_ticks=False,
            boxprops={"facecolor": colour},
            medianprops={"color": "black"},
            flierprops={"marker": ".", "markersize": 2, "alpha": 0.4},
        )
        options = {"marker": "X", "s": 26, "zorder": 3, "edgecolor": "black"}
        ax.scatter(floors, rows + 0.19 * side, color=colour, **options)
        ax.barh(0, 0, color=colour, label=title)
    ax.scatter([], [], color="white", edgecolor="black", marker="X", label="unrelated")
    ax.set(
        yticks=rows, yticklabels=names, xlim=(-0.1, 1.02), ylim=(-0.6, len(names) - 0.4)
    )
    # At the left, since the source is written at the right.
    ax.set_xlabel("SSIM with the original map", loc="left")
    ax.invert_yaxis()
    ax.grid(axis="x", alpha=0.3)
    figure.legend(loc="outside right upper", fontsize=8, frameon=False)
    note(figure, source)
    return figure


def similarity_curves(results, kind="corrected", *, names=None, source=None):
    """Draw the median similarity of maps after each stage of a randomisation.

    Shaded is the bootstrap band of the median, 99 % wide.

    Parameters
    ----------
    results : dict
        As in :func:`similarity_boxes`.
    kind : {"ssim", "corrected"}
        The 2020 code's settings of SSIM, or the corrected ones.
    names : sequence of str, optional
        Methods to draw; all if left out.
    source : str, optional
        Where the pictures come from; written below.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        If a method is not among the results, or there are no such settings.
    """
    if kind not in _KINDS:
        raise InputError(f"kind is {kind!r}; choose {' or '.join(_KINDS)}.")
    names = _checked(results, names)
    stages = list(results[names[0]]["stages"])
    figure = Drawing(figsize=(7, 4), layout="constrained")
    ax = figure.subplots()
    for name in names:
        cells = [results[name]["stages"][stage][kind] for stage in stages]
        # The original map is as similar to itself as can be.
        median = [1.0, *(_number(cell["median"]) for cell in cells)]
        bands = [(1.0, 1.0), *(cell["band"] or (np.nan, np.nan) for cell in cells)]
        look = style(name)
        ax.plot(median, linewidth=1.2, **look)
        low, high = np.transpose(bands)
        ax.fill_between(range(len(bands)), low, high, color=look["color"], alpha=0.2)
    floor = [_number(results[name]["floor"][kind]["median"]) for name in names]
    low, high = np.nanmin(floor), np.nanmax(floor)
    ax.axhspan(low, high, color="#777777", alpha=0.15, zorder=0, label="unrelated")
    ax.set_xticks(range(len(stages) + 1), ["original", *stages], rotation=45)
    ax.set(ylim=(min(0, low) - 0.05, 1.05), xlabel="weights are random down to …")
    ax.set_ylabel(f"SSIM with the original map\n({_KINDS[kind][0]})")
    ax.grid(alpha=0.3)
    figure.legend(loc="outside right center", fontsize=8, frameon=False)
    note(figure, source)
    return figure


def _checked(results, names, stage=None):
    names = list(names or results)
    for name in names:
        stages = results.get(name, {}).get("stages", {})
        if not stages or stage not in (None, *stages):
            what = f" after {stage!r}" if stage else ""
            raise InputError(f"no result for {name!r}{what}; run it first.")
    return names


def _kept(cell):
    """Return the values that are there: a map of one value has no SSIM."""
    return [value for value in cell["values"] if value is not None]


def _number(value):
    return np.nan if value is None else value
