"""Boxes and curves of how similar maps stay when what they explain changes."""

from collections.abc import Mapping, Sequence

import numpy as np

from modbp.errors import check_option
from modbp.figures.convergence import stored, style
from modbp.figures.maps import Drawing, legend
from modbp.measures.sanity import Sanity

__all__ = ["similarity_boxes", "similarity_curves"]

# The two settings of SSIM that an experiment stores, and how they are drawn.
_KINDS = {"ssim": ("2020 code", "#9ecae1"), "corrected": ("corrected", "#fdae6b")}


def similarity_boxes(
    results: Mapping[str, dict | Sanity], stage: str = "random logit", *,
    names: Sequence[str] | None = None, source: str | None = None,
) -> Drawing:  # fmt: skip
    """Draw how similar changed maps are, as one box per method and setting of SSIM.

    Boxes reach from quartile to quartile, their line is the median, and whiskers reach
    to the last value within 1.5 times the box. A cross is the median of what maps of
    two different images score.

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
    figure = Drawing(figsize=(7, 0.42 * len(names) + 1), layout="constrained")
    ax = figure.subplots()
    for side, (kind, (title, colour)) in zip((-1, 1), _KINDS.items(), strict=True):
        values = [each["stages"][stage][kind]["values"] for each in results.values()]
        # A map of one value has no SSIM: None in a file, NaN in a measurement.
        values = [[v for v in row if v is not None and v == v] for row in values]
        ax.boxplot(
            values, orientation="horizontal", positions=rows + 0.19 * side, widths=0.32,
            patch_artist=True, manage_ticks=False, boxprops={"facecolor": colour},
            medianprops={"color": "black"},
            flierprops={"marker": ".", "markersize": 2, "alpha": 0.4},
        )  # fmt: skip
        options = {"marker": "X", "s": 26, "zorder": 3, "edgecolor": "black"}
        ax.scatter(_floors(results, kind), rows + 0.19 * side, color=colour, **options)
        ax.barh(0, 0, color=colour, label=title)
    ax.scatter([], [], color="white", edgecolor="black", marker="X", label="unrelated")
    ax.set_yticks(rows, names)
    ax.set(xlim=(-0.1, 1.02), ylim=(len(names) - 0.4, -0.6))
    # At the left, since the source is written at the right.
    ax.set_xlabel("SSIM with the original map", loc="left")
    ax.grid(axis="x", alpha=0.3)
    return legend(figure, source, "outside right upper")


def similarity_curves(
    results: Mapping[str, dict | Sanity], kind: str = "corrected", *,
    names: Sequence[str] | None = None, source: str | None = None,
) -> Drawing:  # fmt: skip
    """Draw the median similarity of maps after each stage of a randomisation.

    Shaded is the bootstrap band of the median, 99 % wide, where a file stores one.

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
    ['original', 'fc6', 'conv4']
    """
    known = isinstance(kind, str) and kind in _KINDS
    check_option("kind", kind, lambda _: known, f"choose {' or '.join(_KINDS)}.")
    results = _stored(results, names)
    stages = list(next(iter(results.values()))["stages"])
    figure = Drawing(figsize=(7, 4), layout="constrained")
    ax = figure.subplots()
    for name, found in results.items():
        cells = [found["stages"][stage][kind] for stage in stages]
        rows = [[cell["median"], *(cell["band"] or [None] * 2)] for cell in cells]
        # The original map is as similar to itself as can be.
        median, low, high = np.array([[1] * 3, *rows], float).T
        look = style(name)
        ax.plot(median, linewidth=1.2, **look)
        ax.fill_between(range(len(low)), low, high, color=look["color"], alpha=0.2)
    floors = _floors(results, kind)
    low, high = np.nanmin(floors), np.nanmax(floors)
    ax.axhspan(low, high, color="#777777", alpha=0.15, zorder=0, label="unrelated")
    ax.set_xticks(range(len(stages) + 1), ["original", *stages], rotation=45)
    ax.set(ylim=(min(0, low) - 0.05, 1.05), xlabel="weights are random down to …")
    ax.set_ylabel(f"SSIM with the original map\n({_KINDS[kind][0]})")
    ax.grid(alpha=0.3)
    return legend(figure, source)


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
