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
from modbp.figures.maps import Drawing, legend
from modbp.measures.csc import BINS, CSCResult
from modbp.measures.similarity import random_floor

__all__ = ["csc_curves", "csc_histogram", "csc_table", "stored", "style"]

# The colour-blind palette of seaborn, and letters as markers, as in the paper.
_BLUE, _ORANGE, _GREEN = "#0173b2", "#de8f05", "#029e73"
_RED, _PURPLE, _GREY = "#d55e00", "#cc78bc", "#777777"
_STYLES = {
    "gradient": ("black", "$\\nabla$"), "gradient-x-input": (_GREY, "$\\times$"),
    "smoothgrad": ("black", "o"), "integrated-gradients": ("black", "D"),
    "guided-bp": (_BLUE, "$G$"), "deconv": (_BLUE, "$V$"), "rectgrad": (_BLUE, "$R$"),
    "lrp-z": (_GREEN, "$Z$"), "lrp-eps": (_GREEN, "$\\epsilon$"),
    "lrp-a1b0": (_RED, "$1$"), "lrp-a2b1": (_ORANGE, "$2$"),
    "lrp-a5b4": (_PURPLE, "$5$"), "excitation-bp": (_RED, "$E$"),
    "lrp-gamma": (_GREEN, "$\\gamma$"), "dtd": (_RED, "$T$"),
    "lrp-cmp-a1b0": (_RED, "^"), "lrp-cmp-a2b1": (_ORANGE, "P"),
    "lrp-eps-plus": (_RED, "$\\epsilon$"), "lrp-eps-gamma-box": (_GREEN, "s"),
    "contrastive-lrp": (_PURPLE, "$C$"), "patternnet": (_ORANGE, "$N$"),
    "patternattribution": (_ORANGE, "$P$"), "deeplift-rescale": (_PURPLE, "$D$"),
    "deeplift-revealcancel": ("#56b4e9", "$L$"), "deeplift-ablation": (_BLUE, "$A$"),
}  # fmt: skip


def style(method):
    """Return how matplotlib draws a method's line, the same in every figure."""
    colour, marker = _STYLES.get(method, ("#949494", "o"))
    return {"color": colour, "marker": marker, "label": method, "markersize": 7}


def csc_curves(
    results: Mapping[str, dict | CSCResult], start: str, *, log: bool = False,
    names: Sequence[str] | None = None, least: float = 1e-8, source: str | None = None,
) -> Drawing:  # fmt: skip
    """Draw the median CSC of several methods against the layers below the start.

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
    figure = Drawing(figsize=(7, 3.8), layout="constrained")
    ax, ends = figure.subplots(), []
    for name, found in results.items():
        values = np.array([found[layer]["median"] for layer in layers], float)
        shown = np.maximum(1 - values, least) if log else values
        ends.append(shown.min())
        ax.plot(layers, shown, linewidth=1.2, **style(name))
    if not log:
        floor = [random_floor(one[layer]["channels"]) for layer in layers]
        ax.plot(layers, floor, ":", color=_GREY, label="random")
        ax.set_ylim(-0.05, 1.05)
    else:
        ax.set(yscale="log", ylim=(1.5, min(*ends, 0.1) / 2))
        ax.yaxis.set_major_formatter(FuncFormatter(_nines))
    ax.set(xlabel=f"layer, from {start} down to the input", ylabel="median |cos|")
    ax.tick_params(axis="x", rotation=45 if len(layers) < 13 else 90)
    ax.grid(alpha=0.3)
    return legend(figure, source)


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
    names, left = list(results), np.zeros(len(results))
    for name, found in results.items():
        if not isinstance(layer, str) or layer not in found:
            raise unknown_name("layer", layer, found)
        count = len(found[layer]["histogram"])
        remedy = f"{name!r} was counted in {count} bins: give their {count + 1} edges."
        check_option("bins", bins, lambda b, n=count: len(b) == n + 1, remedy)
        check_option("bins", bins, lambda b: np.all(np.diff([*b]) > 0), remedy)
    figure = Drawing(figsize=(7, 0.36 * len(names) + 1.2), layout="constrained")
    ax = figure.subplots()
    counts = np.array([found[layer]["histogram"] for found in results.values()])
    shares = (counts / counts.sum(1, keepdims=True)).T
    # Light to dark also reads in grey.
    shades = np.linspace(0.15, 0.95, len(bins) - 1)
    for share, shade, (low, high) in zip(shares, shades, pairwise(bins), strict=True):
        colour = (1 - 0.9 * shade, 1 - 0.75 * shade, 1 - 0.4 * shade)
        label = f"{low:g} … {high:g}"
        ax.barh(names, share, left=left, color=colour, label=label)
        left += share
    ax.invert_yaxis()
    ax.set_xlabel(f"share of |cos| at {layer}, random relevance at {start}")
    ax.set_xlim(0, 1)
    return legend(figure, source, title="|cos|")


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
    return "0" if value >= 1 else f"$1 - 10^{{{round(np.log10(value))}}}$"
