"""Curves, histograms and tables of cosine similarity convergence."""

import math

import numpy as np
from matplotlib.ticker import FuncFormatter

from modbp.errors import InputError
from modbp.figures.maps import Drawing, note
from modbp.measures.similarity import random_floor

__all__ = ["csc_curves", "csc_histogram", "csc_table", "style"]

# The colour-blind palette of seaborn, and letters as markers, as in the paper.
_BLUE, _ORANGE, _GREEN, _RED, _PURPLE = (
    "#0173b2",
    "#de8f05",
    "#029e73",
    "#d55e00",
    "#cc78bc",
)
_STYLES = {
    "gradient": ("black", "$\\nabla$"),
    "gradient-x-input": ("#777777", "$\\times$"),
    "smoothgrad": ("black", "o"),
    "integrated-gradients": ("black", "D"),
    "guided-bp": (_BLUE, "$G$"),
    "deconv": (_BLUE, "$V$"),
    "rectgrad": (_BLUE, "$R$"),
    "lrp-z": (_GREEN, "$Z$"),
    "lrp-eps": (_GREEN, "$\\epsilon$"),
    "lrp-a1b0": (_RED, "$1$"),
    "lrp-a2b1": (_ORANGE, "$2$"),
    "lrp-a5b4": (_PURPLE, "$5$"),
    "excitation-bp": (_RED, "$E$"),
    "lrp-gamma": (_GREEN, "$\\gamma$"),
    "dtd": (_RED, "$T$"),
    "lrp-cmp-a1b0": (_RED, "^"),
    "lrp-cmp-a2b1": (_ORANGE, "P"),
    "lrp-eps-plus": (_RED, "$\\epsilon$"),
    "lrp-eps-gamma-box": (_GREEN, "s"),
    "contrastive-lrp": (_PURPLE, "$C$"),
    "patternnet": (_ORANGE, "$N$"),
    "patternattribution": (_ORANGE, "$P$"),
    "deeplift-rescale": (_PURPLE, "$D$"),
    "deeplift-revealcancel": ("#56b4e9", "$L$"),
    "deeplift-ablation": (_BLUE, "$A$"),
}


def style(method):
    """Return the line style of a method, the same in every figure.

    Parameters
    ----------
    method : str
        Its name; methods of your own are grey.

    Returns
    -------
    dict
        Keyword arguments of `matplotlib.axes.Axes.plot`.
    """
    colour, marker = _STYLES.get(method, ("#949494", "o"))
    return {"color": colour, "marker": marker, "label": method, "markersize": 7}


def csc_curves(results, start, *, log=False, names=None, least=1e-8, source=None):
    """Draw the median CSC of several methods against the layers below the start.

    Parameters
    ----------
    results : dict
        ``results[method][start][layer]`` with "median" and "channels", as stored by
        `modbp.experiments.CSC`.
    start : str
        Where random relevance entered.
    log : bool
        Show ``1 − median`` on a logarithmic axis, similar at the top.
    names : sequence of str, optional
        Methods to draw; all if left out.
    least : float
        The smallest distance to one that means something: rounding hides what is below,
        1e-8 where relevance was computed in float32.
    source : str, optional
        Where the pictures come from; written below.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        If a method or the start is not among the results.
    """
    names = list(names or results)
    for name in names:
        if start not in results.get(name, {}):
            raise InputError(f"no result for {name!r} from {start!r}; run it first.")
    layers = list(results[names[0]][start])
    figure = Drawing(figsize=(7, 3.8), layout="constrained")
    ax, ends = figure.subplots(), []
    for name in names:
        values = np.array([results[name][start][layer]["median"] for layer in layers])
        shown = np.maximum(1 - values, least) if log else values
        ends.append(shown.min())
        ax.plot(layers, shown, linewidth=1.2, **style(name))
    if not log:
        one = results[names[0]][start]
        floor = [random_floor(one[layer]["channels"]) for layer in layers]
        ax.plot(layers, floor, ":", color="#777777", label="random")
        ax.set(ylim=(-0.05, 1.05), ylabel="median |cos|")
    else:
        ax.set(yscale="log", ylim=(1.5, min(*ends, 0.1) / 2), ylabel="median |cos|")
        ax.yaxis.set_major_formatter(FuncFormatter(_nines))
    ax.set_xlabel(f"layer, from {start} down to the input")
    ax.tick_params(axis="x", rotation=45 if len(layers) < 13 else 90)
    ax.grid(alpha=0.3)
    figure.legend(loc="outside right center", fontsize=8, frameon=False)
    note(figure, source)
    return figure


def csc_histogram(results, start, layer, bins, *, names=None, source=None):
    """Draw, for each method, how the cosines at one layer are distributed.

    Parameters
    ----------
    results : dict
        As in :func:`csc_curves`, with "histogram".
    start, layer : str
        Where relevance entered, and where it is compared.
    bins : sequence of float
        The edges that the counts belong to.
    names : sequence of str, optional
        Methods to draw; all if left out.
    source : str, optional
        Where the pictures come from; written below.

    Returns
    -------
    matplotlib.figure.Figure
    """
    names = list(names or results)
    figure = Drawing(figsize=(7, 0.36 * len(names) + 1.2), layout="constrained")
    ax = figure.subplots()
    shades = np.linspace(0.15, 0.95, len(bins) - 1)
    left = np.zeros(len(names))
    counts = np.array([results[name][start][layer]["histogram"] for name in names])
    shares = counts / counts.sum(1, keepdims=True)
    for part, shade in enumerate(shades):
        label = f"{bins[part]:g} … {bins[part + 1]:g}"
        # Light to dark also reads in grey.
        colour = (1 - 0.9 * shade, 1 - 0.75 * shade, 1 - 0.4 * shade)
        ax.barh(names, shares[:, part], left=left, color=colour, label=label)
        left += shares[:, part]
    ax.invert_yaxis()
    ax.set(
        xlim=(0, 1), xlabel=f"share of |cos| at {layer}, random relevance at {start}"
    )
    figure.legend(loc="outside right center", fontsize=8, frameon=False, title="|cos|")
    note(figure, source)
    return figure


def csc_table(results, start, names=None):
    """Write the median CSC of every method and layer as a Markdown table.

    Parameters
    ----------
    results : dict
        As in :func:`csc_curves`.
    start : str
        Where random relevance entered.
    names : sequence of str, optional
        Methods to show; all if left out.

    Returns
    -------
    str
        Three digits, or as many as it takes to see the distance to one.
    """
    names = list(names or results)
    layers = list(results[names[0]][start])
    lines = ["| method | " + " | ".join(layers) + " |"]
    lines.append("|---|" + "--:|" * len(layers))
    for name in names:
        row = results[name][start]
        cells = [_cell(row[layer]["median"]) for layer in layers]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


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
