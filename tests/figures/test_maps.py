"""Maps: scales by hand, and that what is drawn is what was given."""

import numpy as np
import pytest
import torch

import modbp
from modbp import figures


def test_channels_are_summed_or_the_largest_counts():
    r = torch.tensor([1.0, -3.0, 1.0]).reshape(1, 3, 1, 1)
    # 1 − 3 + 1 = −1, and max(1, 3, 1) = 3.
    assert figures.reduce(r, "lrp-z").item() == -1
    assert figures.reduce(r, "gradient").item() == 3
    with pytest.raises(modbp.ModbpError, match="height"):
        figures.reduce(torch.zeros(2, 3), "lrp-z")


def test_a_map_is_scaled_by_its_largest_entry_and_keeps_zero():
    maps = torch.tensor([[[2.0, 0.0], [-4.0, 1.0]]])
    expected = [[[0.5, 0], [-1, 0.25]]]
    assert figures.normalise(maps, percentile=100).tolist() == expected
    with pytest.raises(modbp.ModbpError, match="percentile is 0"):
        figures.normalise(maps, 0)


def test_one_extreme_pixel_does_not_hide_the_rest_if_there_is_any():
    # All ones, but for one of 1000; all zeros, but for one of 0.5; all zeros.
    maps = torch.ones(3, 20, 20)
    maps[1:] = 0
    maps[:2, 0, 0] = torch.tensor([1000, 0.5])
    found = figures.normalise(maps)
    assert found[0, 5, 5] == found[1, 0, 0] == 1 and not found[2].any()


def test_maps_that_differ_by_a_positive_factor_look_the_same():
    maps = torch.randn(2, 8, 8, generator=torch.Generator().manual_seed(0)).double()
    assert figures.difference(maps, 3 * maps) == pytest.approx([0, 0], abs=1e-12)
    assert (figures.difference(maps, -maps) > 0.1).all()


def test_a_grid_has_a_column_per_map_and_says_its_source():
    pictures = modbp.data.images(2, folder="photographs").x
    maps = {"one": torch.rand(2, 32, 32), "two": torch.rand(2, 32, 32)}
    figure = figures.heatmaps(pictures, maps, rows=["a", "b"], source="here")
    assert [ax.get_title() for ax in figure.axes[:3]] == ["image", "one", "two"]
    assert [text.get_text() for text in figure.texts] == ["here"]
    shown = figure.axes[4].images[0]
    assert shown.get_clim() == (-1, 1) and shown.get_cmap().name == "seismic"
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_a_gallery_has_the_pictures_first_and_then_a_cell_per_method():
    pictures = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    maps = {"one": torch.eye(4).expand(2, 4, 4), "two": -torch.eye(4).expand(2, 4, 4)}
    figure = figures.gallery(pictures, maps, columns=2, source="here")
    titles = [ax.get_title() for ax in figure.axes]
    assert titles == ["image", "one", "two", ""]
    shown = [ax.images[0].get_array() for ax in figure.axes[:3]]
    # Two squares of four with a white line between them.
    line = torch.ones(4, 1, 3)
    wanted = torch.cat([pictures[0].movedim(0, 2), line, pictures[1].movedim(0, 2)], 1)
    assert np.allclose(shown[0], wanted)
    assert shown[1][0].tolist() == [1, 0, 0, 0, 0, 1, 0, 0, 0]
    assert (shown[2] == -shown[1]).all()
    assert [text.get_text() for text in figure.texts] == ["here"]


@pytest.mark.parametrize("draw", [figures.heatmaps, figures.gallery])
def test_a_column_needs_one_map_per_picture(draw):
    with pytest.raises(modbp.ModbpError, match="'m' has 1 maps for 2 pictures"):
        draw(torch.rand(2, 3, 4, 4), {"m": torch.rand(1, 4, 4)})
