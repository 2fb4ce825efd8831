"""Curves, histograms and tables of cosine similarity convergence."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from matplotlib.ticker import FuncFormatter

from modbp.errors import (
    InputError,
    check_flag,
    check_names,
    check_number,
    check_option,
    unknown_name,
)
from modbp.figures.drawing import Drawing, drawn, legend, note
from modbp.figures.labels import name_ends, power, room
from modbp.measures.csc import BINS, CSCResult
from modbp.measures.similarity import random_floor

__all__ = ["csc_curves", "csc_histogram", "csc_table", "stored", "style"]

# From few to many, each as far from the next.
_SHADES = ("#d6dfea", "#a9c3dd", "#6fa3cc", "#2f7fb5", "#0b4f85")
# The colour-blind palette of seaborn, orange darker so that it is seen on white.
_BLUE, _ORANGE, _GREEN = "#0173b2", "#c57b00", "#029e73"
_RED, _PURPLE, _GREY = "#d55e00", "#cc78bc", "#777777"
# Colour, and which of the lines of that colour.
_STYLES = {
    "gradient": ("black", 0), "smoothgrad": ("black", 1),
    "integrated-gradients": ("black", 2), "gradient-x-input": (_GREY, 0),
    "guided-bp": (_BLUE, 0), "deconv": (_BLUE, 1), "rectgrad": (_BLUE, 2),
    "deeplift-ablation": (_BLUE, 3), "lrp-z": (_GREEN, 0), "lrp-eps": (_GREEN, 1),
    "lrp-gamma": (_GREEN, 2), "lrp-eps-gamma-box": (_GREEN, 3),
    "lrp-a1b0": (_RED, 0), "excitation-bp": (_RED, 1), "dtd": (_RED, 2),
    "lrp-cmp-a1b0": (_RED, 3), "lrp-eps-plus": (_RED, 4), "lrp-a2b1": (_ORANGE, 0),
    "lrp-cmp-a2b1": (_ORANGE, 1), "patternnet": (_ORANGE, 2),
    "patternattribution": (_ORANGE, 3), "lrp-a5b4": (_PURPLE, 0),
    "contrastive-lrp": (_PURPLE, 1), "deeplift-rescale": (_PURPLE, 2),
    "deeplift-revealcancel": (_PURPLE, 3),
}  # fmt: skip
_DASHES = ("-", "--", "-.", (0, (1, 1.2)), (0, (4, 1, 1, 1, 1, 1)))


def style(method):
    """Return how matplotlib draws a method's line, the same in every figure."""
    colour, dashes = _STYLES.get(method, ("#949494", 0))
    look = {"color": colour, "linestyle": _DASHES[dashes], "label": method}
    return {**look, "marker": "o", "markersize": 2.5}


def csc_curves(
    results: Mapping[str, dict | CSCResult], start: str, *, log: bool = False,
    names: Sequence[str] | None = None, least: float = 1e-8, source: str | None = None,
) -> Drawing:  # fmt: skip
    """Draw the median CSC of several methods against the layers below the start.

    Shaded is the 95 % interval of a median over images, where a file stores one.

    Parameters
    ----------
    results, names
        By method, what :func:`modbp.csc` found, or what a result file stores of it,
        :meth:`modbp.CSCResult.summary`; and the methods to draw, all if left out.
    start : where random relevance entered
    log, least
        Show ``1 − median`` on a logarithmic axis, similar at the top, down to the
        smallest distance to one that means something: rounding hides what is below,
        1e-8 where relevance was computed in float32.
    source : where the pictures come from; written below

    Returns
    -------
    Drawing

    Raises
    ------
    InputError: if a method or the start is not among the results.

    Examples
    --------
    >>> names = ("gradient", "lrp-z")
    >>> results = {name: modbp.csc(net, x, name, "fc2") for name in names}
    >>> figure = modbp.figures.csc_curves(results, "fc2")
    >>> [line.get_label() for line in figure.axes[0].lines]
    ['gradient', 'lrp-z', 'random']
    """
    results = _below(results, start, names)
    check_flag("log", log)
    remedy = "give a distance to one, as in 1e-8."
    check_number("least", least, lambda d: 0 < d < 1, remedy)
    one = next(iter(results.values()))
    layers = list(one)
    floor = [random_floor(one[layer]["channels"]) for layer in layers]

    def draw(figure):
        ax, ends = figure.subplots(), []
        for name, found in results.items():
            values = np.array([found[layer]["median"] for layer in layers], float)
            shown = np.maximum(1 - values, least) if log else values
            ends.append(shown.min())
            look = style(name)
            ax.plot(layers, shown, **look)
            # Distances to one, over images and their draws of relevance.
            band = np.array([found[k].get("interval", (np.nan,) * 2) for k in layers])
            band = np.maximum(band, least) if log else 1 - band.astype(float)
            shade = {"color": look["color"], "alpha": 0.2, "linewidth": 0}
            ax.fill_between(range(len(layers)), *band.T, **shade)
        if not log:
            ax.plot(layers, floor, ":", color=_GREY, label="random")
            ax.set_ylim(-0.05, 1.05)
        else:
            ax.set(yscale="log", ylim=(1.5, min(*ends, 0.1) / 2))
            ax.yaxis.set_major_formatter(FuncFormatter(_nines))
        ax.set(xlabel=f"layer, from {start} down to the input", ylabel="median |cos|")
        ax.grid()
        name_ends(ax)
        note(figure, source)

    return drawn(draw, height=room(len(results) + 1))


def csc_histogram(
    results: Mapping[str, dict | CSCResult], start: str, layer: str,
    bins: Sequence[float] = BINS, *, names: Sequence[str] | None = None,
    source: str | None = None,
) -> Drawing:  # fmt: skip
    """Draw, for each method, how the cosines at one layer are distributed.

    Parameters
    ----------
    results, names, source : as in :func:`csc_curves`
    start, layer : where relevance entered, and where it is compared
    bins : the edges that the counts belong to

    Returns
    -------
    Drawing

    Examples
    --------
    >>> results = {"gradient": modbp.csc(net, x, "gradient", "fc2")}
    >>> figure = modbp.figures.csc_histogram(results, "fc2", "relu1")
    >>> len(figure.axes[0].patches)  # one per bin
    5
    """
    results = _below(results, start, names)
    names = list(results)
    for name, found in results.items():
        if not isinstance(layer, str) or layer not in found:
            raise unknown_name("layer", layer, found)
        count = len(found[layer]["histogram"])
        remedy = f"{name!r} was counted in {count} bins: give their {count + 1} edges."
        check_option("bins", bins, lambda b, n=count: len(b) == n + 1, remedy)
        check_option("bins", bins, lambda b: np.all(np.diff([*b]) > 0), remedy)
    counts = np.array([found[layer]["histogram"] for found in results.values()])
    shares = (counts / counts.sum(1, keepdims=True)).T
    shades = np.linspace(0, len(_SHADES) - 1, len(shares)).round().astype(int)

    def draw(figure):
        ax, left = figure.subplots(), np.zeros(len(results))
        for share, shade, (low, high) in zip(
            shares, shades, pairwise(bins), strict=True
        ):
            label = f"{low:g} … {high:g}"
            ax.barh(names, share, left=left, color=_SHADES[shade], label=label)
            left = left + share
        ax.invert_yaxis()
        ax.set_xlabel(f"share of |cos| at {layer}, random relevance at {start}")
        ax.set_xlim(0, 1)
        ax.tick_params(axis="y", length=0)
        legend(figure, source, columns=len(shares), title="|cos|")

    tall = 0.24 * len(names) + 1.1
    return drawn(draw, height=(tall, tall + 0.4))


def csc_table(results: Mapping[str, dict | CSCResult], start: str) -> str:
    """Write the median CSC of every method and layer as a Markdown table.

    Parameters
    ----------
    results, start : as in :func:`csc_curves`

    Returns
    -------
    str: three digits, or as many as it takes to see the distance to one

    Examples
    --------
    >>> results = {"lrp-z": modbp.csc(net, x, "lrp-z", "fc2", ["fc2", "relu1"])}
    >>> print(modbp.figures.csc_table(results, "fc2"))
    | method | fc2 | relu1 |
    |---|--:|--:|
    | lrp-z | 0.816 | 1.0 |
    """
    results = _below(results, start)
    layers = list(next(iter(results.values())))
    rows = [["method", *layers]]
    for name, row in results.items():
        rows.append([name, *(_cell(row[layer]["median"]) for layer in layers)])
    head, *lines = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([head, "|---|" + "--:|" * len(layers), *lines])


def stored(results, names, summary, there, where):
    """Return each method's results as a file stores them, if they are there."""
    is_table = isinstance(results, Mapping)
    remedy = "give what was found, or is stored, by the method's name."
    check_option("results", results, lambda _: is_table, remedy)
    if names is not None:
        names = check_names("names", names, "give names, as in ['gradient', 'lrp-z'].")
    found = {}
    for name in names or results:
        one = results.get(name, {})
        try:
            found[name] = one = one if isinstance(one, Mapping) else summary(one)
            fits = there(one)
        except (AttributeError, KeyError, TypeError) as error:
            raise InputError(
                f"the result for {name!r} is a {type(results[name]).__name__}; {remedy}"
            ) from error
        if not fits:
            raise InputError(f"no result for {name!r}{where}; run it first.")
    if not found:
        raise InputError("there are no results to draw; run a method first.")
    return found


def _below(results, start, names=None):
    """Return what is stored of each method, by the layers below the start."""
    remedy = "give the layer where relevance entered."
    check_option("start", start, lambda _: isinstance(start, str), remedy)
    there, where = (lambda one: start in one), f" from {start!r}"
    found = stored(results, names, CSCResult.summary, there, where)
    return {name: one[start] for name, one in found.items()}


def _cell(value):
    """Write a cosine so that its distance to one has two digits."""
    if not value < 1:
        return str(value)
    # A hair above, or 1 − 0.99999 counts as less than 1e-5.
    magnitude = math.floor(math.log10(1 - value) + 1e-9)
    return f"{value:.{max(3, 1 - magnitude)}f}"


def _nines(value, position):
    """Label ``10^-k`` of 1 − cos as the cosine that it is."""
    return "0" if value >= 1 else f"1 − {power(value)}"
