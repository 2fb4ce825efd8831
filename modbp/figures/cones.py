"""Columns of a matrix as directions: cones in the plane and in space."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike

from modbp.errors import InputError, check_names, check_number, check_option
from modbp.figures.drawing import NARROW, Drawing, drawn
from modbp.figures.labels import wrapped
from modbp.theory.arrays import as_list, as_matrix

__all__ = ["cone_in_space", "cones"]

# The colour-blind palette of seaborn, as in the curves.
_COLOURS = ("#0173b2", "#d55e00", "#029e73", "#cc78bc")
_GREY = "#777777"


def cones(
    matrices: Sequence[ArrayLike], titles: Sequence[str], *, height: float = 2.7
) -> Drawing:
    """Draw the columns of matrices with two rows as arrows of length one.

    Equation: column ``v_j`` becomes the arrow ``v_j / |v_j|``; between the outermost of
    them the cone of all non-negative combinations is shaded.

    Parameters
    ----------
    matrices : ``[2, columns]`` each, no zero column; one panel for each
    titles, height : one per panel; and a panel's height in inches
    Returns
    -------
    Drawing

    Raises
    ------
    InputError: if a matrix has not two rows, or a zero column, or titles are missing.

    Examples
    --------
    >>> figure = modbp.figures.cones([[[3, 0], [4, 2]]], ["two columns"])
    >>> len(figure.axes)
    1
    """
    matrices = as_list(matrices, "matrices")
    matrices = [as_matrix(M, f"matrix {n}") for n, M in enumerate(matrices, 1)]
    titles = check_names("titles", titles, "give one title per matrix.")
    check_number("height", height, lambda h: 0 < h < 100, "give inches, as in 2.7.")
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
    signed = min(M.min() for M in matrices) < 0
    span = (-1.1 if signed else -0.08, 1.25)

    def draw(figure):
        panels = figure.subplots(down, across, squeeze=False).ravel()
        for panel in panels[len(matrices) :]:
            panel.set_axis_off()
        for panel, M, title in zip(panels, matrices, titles, strict=False):
            U = M / np.linalg.norm(M, axis=0)
            order = np.argsort(np.arctan2(U[1], U[0]))
            edges = np.c_[np.zeros(2), U[:, order]]
            panel.fill(*edges, color="#949494", alpha=0.18, linewidth=0)
            _arrows(panel, U)
            panel.axhline(0, color="0.7", linewidth=0.6)
            panel.axvline(0, color="0.7", linewidth=0.6)
            panel.spines[:].set_visible(False)
            title = wrapped(title, figure.get_figwidth() / across)
            panel.set(xlim=span, ylim=span, aspect="equal", title=title)
            panel.set(xlabel="input 1", ylabel="input 2", xticks=[], yticks=[])

    width = height * across * 1.05
    # On a phone a panel is as wide as there is room.
    narrow = min(height, 0.95 * NARROW / across) * down + 0.2
    return drawn(draw, width=width, height=(height * down, narrow))


def _arrows(panel, ends):
    """Draw a numbered arrow to each column of ``[2, columns]``."""
    for j, (x, y) in enumerate(ends.T):
        colour = _COLOURS[j % len(_COLOURS)]
        arrow = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.8}
        # Exactly from the origin to the tip, so that the picture can be measured.
        arrow |= {"shrinkA": 0, "shrinkB": 0}
        panel.annotate("", (x, y), (0, 0), arrowprops=arrow)
        length = np.hypot(x, y) or 1  # seen from its end it has none
        panel.annotate(
            f"{j + 1}", (x, y), (8 * x / length, 8 * y / length), color=colour,
            textcoords="offset points", ha="center", va="center",
        )  # fmt: skip


def cone_in_space(
    M: ArrayLike, title: str, *, turn: float = 45, lift: float = 25, height: float = 3.0
) -> Drawing:
    r"""Draw the columns of a matrix with three rows as arrows on the unit sphere.

    Equation: column ``v_j`` becomes the arrow ``u_j = v_j / |v_j|``, seen from far away
    along :math:`(\cos\theta\cos\varphi,\ \cos\theta\sin\varphi,\ \sin\theta)`, without
    perspective. Their cone is shaded where it cuts the sphere.

    Parameters
    ----------
    M : ``[3, columns]``, non-negative, no zero column
    title, height : above the picture; and its height in inches
    turn, lift : φ and θ in degrees; 0 and 0 look along the first axis, towards 0

    Returns
    -------
    Drawing

    Raises
    ------
    InputError: if M does not have three rows, has a negative entry, or a zero column.

    Examples
    --------
    >>> figure = modbp.figures.cone_in_space(torch.eye(3), "three axes", turn=20)
    >>> figure.axes[0].get_title()
    'three axes'
    """
    M = as_matrix(M, "M")
    check_option("title", title, lambda t: isinstance(t, str), "give a text.")
    for name, value in (("turn", turn), ("lift", lift)):
        check_number(name, value, lambda d: abs(d) <= 360, "give degrees.")
    check_number("height", height, lambda h: 0 < h < 100, "give inches, as in 3.0.")
    if M.ndim != 2 or len(M) != 3 or M.min() < 0 or not M.any(axis=0).all():
        raise InputError(
            f"a matrix has shape {list(M.shape)}; only columns with three entries, "
            "none of them negative and not all zero, are directions in this picture."
        )
    U = M / np.linalg.norm(M, axis=0)
    # The directions to the right and up in the picture, as rows.
    phi, theta = np.radians([turn, lift])
    up = [-np.sin(theta) * np.cos(phi), -np.sin(theta) * np.sin(phi), np.cos(theta)]
    seen = np.array([[-np.sin(phi), np.cos(phi), 0], up])

    def draw(figure):
        panel = figure.subplots()
        for k, axis in enumerate(np.eye(3), 1):
            x, y = seen @ axis
            panel.plot([0, 1.12 * x], [0, 1.12 * y], color=_GREY, linewidth=0.8)
            side, va = (-3, "top") if y < 0 else (3, "bottom")
            panel.annotate(
                f"input {k}", (1.25 * x, 1.25 * y), (0, side), color=_GREY, va=va,
                ha="center", textcoords="offset points",
            )  # fmt: skip
        for pair in combinations(np.eye(3), 2):
            panel.plot(*(seen @ _arc(*pair)), color=_GREY, linewidth=0.6, linestyle=":")
        # By Carathéodory a cone is the union of those that three of its columns span.
        for u, v, w in combinations(U.T, 3):
            edge = np.hstack([_arc(u, v), _arc(v, w), _arc(w, u)])
            panel.fill(*(seen @ edge), color="#dddddd", linewidth=0)
        for u, v in combinations(U.T, 2):
            panel.plot(*(seen @ _arc(u, v)), color=_GREY, linewidth=1)
        _arrows(panel, seen @ U)
        panel.set(xlim=(-1.25, 1.25), ylim=(-0.6, 1.3), aspect="equal", title=title)
        panel.set_axis_off()

    return drawn(draw, width=1.2 * height, height=height)


def _arc(u, v):
    """Return points of the great circle from u to v."""
    t = np.linspace(0, 1, 24)
    chord = np.outer(u, 1 - t) + np.outer(v, t)
    return chord / np.linalg.norm(chord, axis=0)
