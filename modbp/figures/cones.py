"""Columns of a matrix with two rows, drawn as directions."""

import numpy as np

from modbp.errors import InputError
from modbp.figures.maps import Drawing

__all__ = ["cones"]

# The colour-blind palette of seaborn, as in the curves.
_COLOURS = ("#0173b2", "#d55e00", "#029e73", "#cc78bc")


def cones(matrices, titles, *, height=2.7):
    """Draw the columns of matrices with two rows as arrows of length one.

    Equation: column ``v_j`` becomes the arrow ``v_j / |v_j|``; between the outermost of
    them the cone of all non-negative combinations is shaded.

    Parameters
    ----------
    matrices : sequence of array_like
        ``[2, columns]`` each, no zero column; one panel for each.
    titles : sequence of str
        One per panel.
    height : float
        Of a panel, in inches.

    Returns
    -------
    Drawing

    Raises
    ------
    InputError
        If a matrix does not have two rows, or has a zero column, or titles are missing.
    """
    matrices = [np.asarray(M, dtype=np.float64) for M in matrices]
    if not matrices or len(matrices) != len(titles):
        raise InputError(
            f"{len(matrices)} matrices and {len(titles)} titles: give one title each."
        )
    for M in matrices:
        if M.ndim != 2 or len(M) != 2 or not M.any(axis=0).all():
            raise InputError(
                f"a matrix has shape {list(M.shape)}; only columns with two entries, "
                "not both zero, are directions of the plane."
            )
    # Two in a row at most, so that a phone shows them large enough.
    across = min(2, len(matrices))
    down = -(-len(matrices) // across)
    size = (height * (across + 0.15), height * down)
    figure = Drawing(figsize=size, layout="constrained")
    panels = figure.subplots(down, across, squeeze=False).ravel()
    for panel in panels[len(matrices) :]:
        panel.set_axis_off()
    signed = min(M.min() for M in matrices) < 0
    for panel, M, title in zip(panels, matrices, titles, strict=False):
        _draw(panel, M / np.linalg.norm(M, axis=0), title, -1.1 if signed else -0.08)
    return figure


def _draw(panel, U, title, low):
    order = np.argsort(np.arctan2(U[1], U[0]))
    edges = np.c_[np.zeros(2), U[:, order]]
    panel.fill(*edges, color="#949494", alpha=0.18, linewidth=0)
    for j, (x, y) in enumerate(U.T):
        colour = _COLOURS[j % len(_COLOURS)]
        arrow = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.8}
        panel.annotate("", (x, y), (0, 0), arrowprops=arrow)
        panel.annotate(f"{j + 1}", (1.08 * x, 1.08 * y), color=colour, ha="center")
    panel.axhline(0, color="0.7", linewidth=0.6)
    panel.axvline(0, color="0.7", linewidth=0.6)
    panel.set(xlim=(low, 1.25), ylim=(low, 1.25), aspect="equal", title=title)
    panel.set(xlabel="input 1", ylabel="input 2", xticks=[], yticks=[])
