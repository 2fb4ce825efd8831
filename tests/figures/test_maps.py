"""Figures: scales by hand, and that what is drawn is what was given."""

import numpy as np
import pytest
import torch

import modbp
from modbp import figures

RESULTS = {
    name: {
        "fc6": {
            "fc6": {"median": 0.2, "channels": 10, "histogram": [3, 1]},
            "input": {"median": value, "channels": 3, "histogram": [1, 3]},
        }
    }
    for name, value in (("gradient", 0.5), ("lrp-a1b0", 0.99999))
}


def test_channels_are_summed_or_the_largest_counts():
    r = torch.tensor([1.0, -3.0, 1.0]).reshape(1, 3, 1, 1)
    # 1 − 3 + 1 = −1, and max(1, 3, 1) = 3.
    assert figures.reduce(r, "lrp-z").item() == -1
    assert figures.reduce(r, "gradient").item() == 3


def test_a_map_is_scaled_by_its_largest_entry_and_keeps_zero():
    maps = torch.tensor([[[2.0, 0.0], [-4.0, 1.0]]])
    expected = [[[0.5, 0], [-1, 0.25]]]
    assert figures.normalise(maps, percentile=100).tolist() == expected


def test_one_extreme_pixel_does_not_hide_the_rest():
    maps = torch.ones(1, 20, 20)
    maps[0, 0, 0] = 1000
    assert figures.normalise(maps)[0, 5, 5] == 1


def test_a_sparse_map_is_scaled_by_its_maximum_and_an_empty_one_stays_empty():
    sparse = torch.zeros(1, 40, 40)
    sparse[0, 0, 0] = 5
    assert figures.normalise(sparse)[0, 0, 0] == 1
    assert not figures.normalise(torch.zeros(1, 4, 4)).any()


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


def test_a_drawing_shows_itself_as_png():
    figure = figures.heatmaps(torch.rand(1, 3, 4, 4), {"m": torch.rand(1, 4, 4)})
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_curves_show_the_medians_and_the_floor():
    figure = figures.csc_curves(RESULTS, "fc6")
    lines = {line.get_label(): line.get_ydata() for line in figure.axes[0].lines}
    assert list(lines["gradient"]) == [0.2, 0.5]
    assert lines["random"][1] == pytest.approx(0.5)


def test_logarithmic_curves_show_the_distance_to_one_upside_down():
    figure = figures.csc_curves(RESULTS, "fc6", log=True)
    lines = {line.get_label(): line.get_ydata() for line in figure.axes[0].lines}
    assert lines["lrp-a1b0"][1] == pytest.approx(1e-5, rel=1e-6)
    bottom, top = figure.axes[0].get_ylim()
    assert bottom > top


def test_histogram_bars_are_shares_that_sum_to_one():
    figure = figures.csc_histogram(RESULTS, "fc6", "input", (0, 0.9, 1))
    widths = np.array([bar.get_width() for bar in figure.axes[0].patches])
    assert widths.reshape(2, 2).sum(0) == pytest.approx([1, 1])
    assert widths.reshape(2, 2)[0] == pytest.approx([0.25, 0.25])


def test_the_table_has_enough_digits_to_see_the_distance_to_one():
    table = figures.csc_table(RESULTS, "fc6")
    assert "| gradient | 0.200 | 0.500 |" in table
    assert "| lrp-a1b0 | 0.200 | 0.999990 |" in table


def stages(**values):
    """Return results of two methods, as an experiment stores them."""
    found = {}
    for name, (fc, conv, floor) in values.items():
        cells = {
            stage: {
                kind: {"median": v, "band": [v - 0.1, v + 0.1], "values": [v, None]}
            }
            for stage, v in (("fc", fc), ("conv", conv))
            for kind in ("ssim",)
        }
        for cell in (*cells.values(), floors := {"ssim": {"median": floor}}):
            cell["corrected"] = cell["ssim"]
        found[name] = {"stages": cells, "floor": floors}
    return found


def test_curves_of_similarity_begin_at_one_and_show_band_and_floor():
    results = stages(gradient=(0.8, 0.4, 0.3), deconv=(0.9, 0.7, 0.5))
    figure = figures.similarity_curves(results, "ssim")
    (ax,) = figure.axes
    lines = {line.get_label(): line.get_ydata() for line in ax.lines}
    assert list(lines["gradient"]) == [1, 0.8, 0.4]
    assert [text.get_text() for text in ax.get_xticklabels()] == [
        "original",
        "fc",
        "conv",
    ]
    band = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == pytest.approx((0.3, 1))
    (floor,) = ax.patches
    box = floor.get_window_extent().transformed(ax.transData.inverted())
    assert (box.y0, box.y1) == pytest.approx((0.3, 0.5))


def test_boxes_of_similarity_show_both_settings_and_leave_out_what_is_not_there():
    results = stages(gradient=(0.8, 0.4, 0.3), deconv=(0.9, 0.7, 0.5))
    (ax,) = figures.similarity_boxes(results, "conv").axes
    medians = [line.get_xdata()[0] for line in ax.lines if len(line.get_xdata()) == 2]
    assert {0.4, 0.7} <= set(medians)
    floors = ax.collections[0].get_offsets()[:, 0]
    assert floors.tolist() == [0.3, 0.5]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["gradient", "deconv"]


def test_every_named_method_has_a_style_of_its_own():
    styles = [figures.style(name) for name in modbp.methods.names()]
    assert len({(s["color"], s["marker"]) for s in styles}) == len(styles)
    assert all(s["color"] != "#949494" for s in styles)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: figures.reduce(torch.zeros(2, 3), "lrp-z"), "height"),
        (lambda: figures.normalise(torch.zeros(1, 2, 2), 0), "percentile"),
        (lambda: figures.heatmaps(torch.zeros(2, 3, 4, 4), {"m": [0]}), "'m'"),
        (lambda: figures.csc_curves(RESULTS, "fc5"), "fc5"),
        (lambda: figures.similarity_curves({}, "size"), "size"),
        (lambda: figures.similarity_curves({}, names=["grad"]), "grad"),
        (lambda: figures.similarity_boxes(stages(a=(1, 1, 0)), "fc9"), "fc9"),
    ],
)
def test_what_cannot_be_drawn_is_refused_by_name(call, message):
    with pytest.raises(modbp.ModbpError, match=message):
        call()


def test_cones_show_directions_and_not_lengths():
    drawing = figures.cones([[[3, 0], [4, 2]]], ["two columns"])
    (panel,) = drawing.axes
    tips = [text.xy for text in panel.texts if text.arrow_patch is not None]
    np.testing.assert_allclose(tips, [(0.6, 0.8), (0, 1)])
    assert panel.get_title() == "two columns"


def test_three_cones_stand_in_two_rows():
    drawing = figures.cones([np.eye(2)] * 3, ["a", "b", "c"], height=2)
    assert [panel.get_title() for panel in drawing.axes] == ["a", "b", "c", ""]
    assert drawing.get_figheight() == 4


@pytest.mark.parametrize(
    ("matrices", "titles"),
    [([], []), ([[[1], [1]]], []), ([[[1]]], ["one row"]), ([[[0], [0]]], ["zero"])],
)
def test_cones_refuse_what_has_no_direction_in_the_plane(matrices, titles):
    with pytest.raises(modbp.ModbpError):
        figures.cones(matrices, titles)


def tips(drawing):
    """Return where the arrows of a drawing end, ``[2, columns]``."""
    (panel,) = drawing.axes
    arrows = [text for text in panel.texts if text.arrow_patch is not None]
    assert all(arrow.xyann == (0, 0) for arrow in arrows)
    return np.array([arrow.xy for arrow in arrows]).T


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


@pytest.mark.parametrize(
    "M", [[[1], [1]], [1, 2, 3], [[1], [1], [-1]], [[1, 0], [1, 0], [1, 0]]]
)
def test_what_has_no_direction_in_space_is_refused(M):
    with pytest.raises(modbp.ModbpError, match="directions"):
        figures.cone_in_space(M, "")
