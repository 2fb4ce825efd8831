"""Cones: directions in the plane and in space, measured in the pictures."""

import numpy as np
import pytest

import modbp
from modbp import figures


def tips(drawing):
    """Return where the arrows of a drawing end, ``[2, columns]``."""
    (panel,) = drawing.axes
    arrows = [text for text in panel.texts if text.arrow_patch is not None]
    assert all(arrow.xyann == (0, 0) for arrow in arrows)
    assert all(arrow.arrowprops["shrinkB"] == 0 for arrow in arrows)
    return np.array([arrow.xy for arrow in arrows]).T


def test_cones_show_directions_and_not_lengths():
    drawing = figures.cones([[[3, 0], [4, 2]]], ["two columns"])
    np.testing.assert_allclose(tips(drawing), [(0.6, 0), (0.8, 1)])
    assert drawing.axes[0].get_title() == "two columns"


def test_three_cones_stand_in_two_rows():
    drawing = figures.cones([np.eye(2)] * 3, ["a", "b", "c"], height=2)
    assert [panel.get_title() for panel in drawing.axes] == ["a", "b", "c", ""]
    assert drawing.get_figheight() == 4


@pytest.mark.parametrize("n", [1, 3])
def test_angles_in_space_can_be_measured_in_the_pictures(n):
    M = np.linalg.matrix_power(np.array([[3, 1, 0], [0, 3, 1], [1, 0, 3]]), n)
    # Two views are four equations for three coordinates: to the right, and up.
    views, seen = [], []
    for turn, lift in ((20, 25), (80, 40)):
        phi, theta = np.radians([turn, lift])
        views += [[-np.sin(phi), np.cos(phi), 0]]
        up = -np.sin(theta) * np.array([np.cos(phi), np.sin(phi)])
        views += [[*up, np.cos(theta)]]
        seen.append(tips(figures.cone_in_space(M, "", turn=turn, lift=lift)))
    U, rest, *_ = np.linalg.lstsq(np.array(views), np.vstack(seen), rcond=None)
    np.testing.assert_allclose(rest, 0, atol=1e-24)
    np.testing.assert_allclose(np.linalg.norm(U, axis=0), 1, atol=1e-12)
    np.testing.assert_allclose(U.T @ U, modbp.theory.cosines(M), atol=1e-12)


def test_the_axes_of_space_by_hand():
    # Along the first axis one sees the second to the right and the third upwards.
    found = tips(figures.cone_in_space(np.diag([1, 2, 3]), "", turn=0, lift=0))
    np.testing.assert_allclose(found, [[0, 1, 0], [0, 0, 1]], atol=1e-15)
    # From 30 degrees above, the first points down by sin 30°, and the third is
    # shortened to cos 30°.
    found = tips(figures.cone_in_space(np.eye(3), "", turn=0, lift=30))
    np.testing.assert_allclose(found, [[0, 1, 0], [-0.5, 0, 0.75**0.5]], atol=1e-15)


def test_what_has_no_direction_in_the_plane_or_in_space_is_refused():
    for matrices, titles in (([], []), ([[[1], [1]]], [])):
        with pytest.raises(modbp.ModbpError, match="give one title each"):
            figures.cones(matrices, titles)
    for M in ([[1]], [[0], [0]]):
        with pytest.raises(modbp.ModbpError, match="directions"):
            figures.cones([M], ["one"])
    for M in ([[1], [1]], [1, 2, 3], [[1], [1], [-1]], [[1, 0], [1, 0], [1, 0]]):
        with pytest.raises(modbp.ModbpError, match="directions|2 dimensions"):
            figures.cone_in_space(M, "")
