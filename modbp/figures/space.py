"""Columns of a matrix with three rows, drawn as directions in space."""

from itertools import combinations

import numpy as np

from modbp.errors import InputError
from modbp.figures.maps import Drawing

__all__ = ["cone_in_space"]

# The colour-blind palette of seaborn, as in the plane.
_COLOURS = ("#0173b2", "#d55e00", "#029e73", "#cc78bc")
_GREY, _SHADE = "#777777", "#dddddd"


def cone_in_space(M, title, *, turn=45, lift=25, height=3.0):
    r"""Draw the columns of a matrix with three rows as arrows on the unit sphere.

    Equation: column ``v_j`` becomes the arrow ``u_j = v_j / |v_j|``, seen from far away
    along :math:`(\cos\theta\cos\varphi,\ \cos\theta\sin\varphi,\ \sin\theta)`, without
    perspective. Their cone is shaded where it cuts the sphere.

    Parameters
    ----------
    M : array_like
        ``[3, columns]``, non-negative, no zero column.
    title : str
        Above the picture.
    turn, lift : float
        The angles φ and θ in degrees: 0 and 0 look along the first axis, towards 0.
    height : float
        Of the figure, in inches.

    Returns
    -------
    Drawing

    Raises
    ------
    InputError
        If M does not have three rows, has a negative entry, or a zero column.
    """
    M = np.asarray(M, dtype=np.float64)
    if M.ndim != 2 or len(M) != 3 or M.min() < 0 or not M.any(axis=0).all():
        raise InputError(
            f"a matrix has shape {list(M.shape)}; only columns with three entries, "
            "none of them negative and not all zero, are directions in this picture."
        )
    U = M / np.linalg.norm(M, axis=0)
    seen = _projection(turn, lift)
    figure = Drawing(figsize=(1.3 * height, height), layout="constrained")
    panel = figure.subplots()
    for k, axis in enumerate(np.eye(3), 1):
        x, y = seen @ axis
        panel.plot([0, 1.12 * x], [0, 1.12 * y], color=_GREY, linewidth=0.8)
        panel.annotate(f"input {k}", (1.2 * x, 1.2 * y), ha="center", color=_GREY)
    for pair in combinations(np.eye(3), 2):
        panel.plot(*(seen @ _arc(*pair)), color=_GREY, linewidth=0.6, linestyle=":")
    # By Carathéodory a cone is the union of those that three of its columns span.
    for u, v, w in combinations(U.T, 3):
        edge = np.hstack([_arc(u, v), _arc(v, w), _arc(w, u)])
        panel.fill(*(seen @ edge), color=_SHADE, linewidth=0)
    for u, v in combinations(U.T, 2):
        panel.plot(*(seen @ _arc(u, v)), color=_GREY, linewidth=1)
    for j, (x, y) in enumerate((seen @ U).T):
        colour = _COLOURS[j % len(_COLOURS)]
        arrow = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.8}
        # Exactly from the origin to the tip, so that the picture can be measured.
        arrow |= {"shrinkA": 0, "shrinkB": 0}
        panel.annotate("", (x, y), (0, 0), arrowprops=arrow)
        panel.annotate(f"{j + 1}", (1.1 * x, 1.1 * y), color=colour, ha="center")
    panel.set(xlim=(-1.25, 1.25), ylim=(-0.6, 1.3), aspect="equal", title=title)
    panel.set_axis_off()
    return figure


def _projection(turn, lift):
    """Return the plane of the picture: the directions to the right and up, as rows."""
    phi, theta = np.radians([turn, lift])
    right = [-np.sin(phi), np.cos(phi), 0]
    up = [-np.sin(theta) * np.cos(phi), -np.sin(theta) * np.sin(phi), np.cos(theta)]
    return np.array([right, up])


def _arc(u, v, points=24):
    """Return points of the great circle from u to v."""
    t = np.linspace(0, 1, points)
    chord = np.outer(u, 1 - t) + np.outer(v, t)
    return chord / np.linalg.norm(chord, axis=0)
