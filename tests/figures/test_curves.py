"""Curves, bars, boxes and tables: what is drawn is what was measured or stored."""

import numpy as np
import pytest

import modbp
from modbp import figures
from modbp.measures.csc import CSCResult
from modbp.measures.sanity import Sanity

# What a file stores, and what `modbp.csc` gives, with the same medians.
RESULTS, MEASURED = {}, {}
for name, value in (("gradient", 0.5), ("lrp-a1b0", 0.99999)):
    above = {"median": 0.2, "channels": 10, "histogram": [3, 1]}
    below = {"median": value, "channels": 3, "histogram": [1, 3]}
    RESULTS[name] = {"fc6": {"fc6": above, "input": below}}
    cosines = {"fc6": [0.1, 0.2, 0.3], "input": [value, np.nan, value]}
    cosines = {layer: np.array([[each]]) for layer, each in cosines.items()}
    MEASURED[name] = CSCResult(name, "fc6", cosines, {"fc6": 10, "input": 3})
either = pytest.mark.parametrize("results", [RESULTS, MEASURED], ids=["file", "live"])


def drawn(figure):
    """Return the heights of a figure's lines by their labels."""
    return {line.get_label(): line.get_ydata() for line in figure.axes[0].lines}


@either
def test_curves_show_the_medians_and_the_floor(results):
    figure = figures.csc_curves(results, "fc6", source="here")
    assert list(drawn(figure)["gradient"]) == [0.2, 0.5]
    assert drawn(figure)["random"][1] == pytest.approx(0.5)
    assert [text.get_text() for text in figure.texts] == ["here"]


@either
def test_logarithmic_curves_show_the_distance_to_one_upside_down(results):
    figure = figures.csc_curves(results, "fc6", log=True)
    assert drawn(figure)["lrp-a1b0"][1] == pytest.approx(1e-5, rel=1e-6)
    bottom, top = figure.axes[0].get_ylim()
    assert bottom > top


def test_histogram_bars_are_shares_that_sum_to_one():
    figure = figures.csc_histogram(RESULTS, "fc6", "input", (0, 0.9, 1))
    widths = np.array([bar.get_width() for bar in figure.axes[0].patches])
    assert widths.reshape(2, 2).sum(0) == pytest.approx([1, 1])
    assert widths.reshape(2, 2)[0] == pytest.approx([0.25, 0.25])
    live = figures.csc_histogram(MEASURED, "fc6", "input")
    widths = np.array([bar.get_width() for bar in live.axes[0].patches])
    # All of the gradient's below 0.9, all of the other's above 0.9999.
    assert widths.reshape(5, 2).tolist() == [[1, 0], [0, 0], [0, 0], [0, 0], [0, 1]]


@either
def test_the_table_has_enough_digits_to_see_the_distance_to_one(results):
    table = figures.csc_table(results, "fc6")
    assert "| gradient | 0.200 | 0.500 |" in table
    assert "| lrp-a1b0 | 0.200 | 0.999990 |" in table


# The same of the sanity checks: two stages, and the floor.
STORED, LIVE = {}, {}
for name, fc, conv, unrelated in (
    ("gradient", 0.8, 0.4, 0.3),
    ("deconv", 0.9, 0.7, 0.5),
):
    cells = {
        stage: {"median": v, "band": [v - 0.1, v + 0.1], "values": [v] * 19 + [None]}
        for stage, v in (("fc", fc), ("conv", conv))
    }
    STORED[name] = {
        "stages": {key: {"ssim": c, "corrected": c} for key, c in cells.items()},
        "floor": dict.fromkeys(("ssim", "corrected"), {"median": unrelated}),
    }
    table = np.array([[v] * 19 + [np.nan] for v in (fc, conv)])
    floors = np.full(20, unrelated)
    LIVE[name] = Sanity(name, ("fc", "conv"), table, table, floors, floors)
each = pytest.mark.parametrize("results", [STORED, LIVE], ids=["file", "live"])


@each
def test_curves_of_similarity_begin_at_one_and_show_bands_and_floors(results):
    figure = figures.similarity_curves(results, "ssim")
    (ax,) = figure.axes
    assert list(drawn(figure)["gradient"]) == [1, 0.8, 0.4]
    labels = [text.get_text() for text in ax.get_xticklabels()]
    assert labels == ["unrelated", "original", "fc", "conv"]
    if results is STORED:  # a measurement has no band
        band = ax.collections[0].get_paths()[0].vertices[:, 1]
        assert (band.min(), band.max()) == pytest.approx((0.3, 1))
    crosses = [each.get_offsets().tolist() for each in ax.collections[1::2]]
    assert crosses == [[[-1, 0.3]], [[-1, 0.5]]]


@each
def test_boxes_of_similarity_show_both_settings_and_leave_out_what_is_missing(results):
    (ax,) = figures.similarity_boxes(results, "conv").axes
    medians = [line.get_xdata()[0] for line in ax.lines if len(line.get_xdata()) == 2]
    assert {0.4, 0.7} <= set(medians)
    floors = ax.collections[0].get_offsets()[:, 0]
    assert floors.tolist() == [0.3, 0.5]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["gradient", "deconv"]


def test_every_named_method_has_a_style_of_its_own():
    styles = [figures.style(name) for name in modbp.methods.names()]
    assert len({(s["color"], s["linestyle"]) for s in styles}) == len(styles)
    assert all(s["color"] != "#949494" for s in styles)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: figures.csc_curves(RESULTS, "fc5"), "fc5"),
        (lambda: figures.csc_table(MEASURED, "fc5"), "fc5"),
        (lambda: figures.csc_histogram(RESULTS, "fc6", "input", names=["dtd"]), "dtd"),
        (lambda: figures.csc_curves({}, "fc6"), "no results"),
        (lambda: figures.similarity_curves({}), "no results"),
        (lambda: figures.similarity_curves({}, "size"), "size"),
        (lambda: figures.similarity_curves({}, names=["grad"]), "grad"),
        (lambda: figures.similarity_boxes(STORED, "fc9"), "fc9"),
    ],
)
def test_what_cannot_be_drawn_is_refused_by_name(call, message):
    with pytest.raises(modbp.ModbpError, match=message):
        call()


def test_maps_without_a_similarity_are_counted_and_no_box_is_made_of_the_rest():
    def entry(*values):
        cell = {"values": values, "median": 0.5, "band": None}
        return {
            "stages": {"random logit": dict.fromkeys(("ssim", "corrected"), cell)},
            "floor": dict.fromkeys(("ssim", "corrected"), {"median": 0.1}),
        }

    many, few = entry(*[None] * 2, *[0.5] * 18), entry(None, *[0.5] * 19)
    drawing = figures.similarity_boxes({"gradient": many, "lrp-z": few})
    (ax,) = drawing.axes
    told = [text.get_text() for text in ax.texts]
    assert told.count("2 of 20 maps have none") == 2
    assert told.count("1 of 20 maps have none") == 2
    # Boxes of the second method alone: the first stands at 0, the second at 1.
    drawn = [y for line in ax.lines for x, y in line.get_xydata() if np.isfinite(x)]
    assert min(drawn) > 0.5
