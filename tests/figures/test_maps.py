"""Maps: scales by hand, and that what is drawn is what was given."""

import numpy as np
import pytest
import torch
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.font_manager import fontManager

import modbp
from modbp import figures
from modbp.figures import letters
from modbp.figures.drawing import Drawing


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
    assert [text.get_text() for text in figure.texts] == ["a", "b", "here"]
    shown = figure.axes[4].images[0]
    assert shown.get_clim() == (-1, 1) and shown.get_cmap().name == "seismic"
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_a_gallery_has_the_pictures_first_and_then_a_cell_per_method():
    pictures = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    maps = {"one": torch.eye(4).expand(2, 4, 4), "two": -torch.eye(4).expand(2, 4, 4)}
    figure = figures.gallery(pictures, maps, columns=2, source="here")
    titles = [ax.get_title() for ax in figure.axes]
    assert titles == ["image", "one", "two"]
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


def test_maps_lie_on_the_picture_where_they_are_not_zero():
    pictures = torch.tensor([0.0, 1.0, 0.2]).reshape(1, 3, 1, 1).expand(1, 3, 1, 4)
    maps = {"m": torch.tensor([[[0.0, 2.0, -2.0, 1.0]]])}
    figure = figures.heatmaps(pictures, maps, overlay=True)
    image, laid = (ax.images[0].get_array()[0] for ax in figure.axes)
    assert np.allclose(image, [0, 1, 0.2])
    # A grey of the mean, 0.4, made pale; the ends of the colours; and half of each.
    pale = 0.7
    assert np.allclose(laid[0], pale)
    assert np.allclose(laid[1], [0.5, 0, 0]) and np.allclose(laid[2], [0, 0, 0.3])
    middle = np.array(colormaps["seismic"](0.75)[:3])
    assert np.allclose(laid[3], middle / 2 + pale / 2)


@pytest.fixture
def font(tmp_path):
    """A font with one letter, which no other one here has."""
    builder = pytest.importorskip("fontTools.fontBuilder")
    pens = pytest.importorskip("fontTools.pens.ttGlyphPen")
    pen = pens.TTGlyphPen(None)
    pen.moveTo((0, 0))
    for corner in ((500, 0), (500, 700), (0, 700)):
        pen.lineTo(corner)
    pen.closePath()
    glyphs = {".notdef": pens.TTGlyphPen(None).glyph(), "letter": pen.glyph()}
    font = builder.FontBuilder(1000, isTTF=True)
    font.setupGlyphOrder([*glyphs])
    font.setupCharacterMap({ord("𐕰"): "letter"})
    font.setupGlyf(glyphs)
    font.setupHorizontalMetrics({name: (600, 0) for name in glyphs})
    font.setupHorizontalHeader(ascent=800, descent=-200)
    font.setupNameTable({"familyName": "One letter", "styleName": "Regular"})
    font.setupOS2(sTypoAscender=800, sTypoDescender=-200)
    font.setupPost()
    font.save(tmp_path / "one.ttf")
    before = [*fontManager.ttflist]
    letters._family.cache_clear()
    fontManager.addfont(tmp_path / "one.ttf")
    yield
    fontManager.ttflist[:] = before
    letters._family.cache_clear()
    fontManager._findfont_cached.cache_clear()


def drawn(said, size=20):
    """A figure of one text, and its pixels."""
    figure = Drawing(figsize=(4, 1), dpi=50)
    figure.text(0.05, 0.3, said, fontsize=size)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return figure, np.asarray(canvas.buffer_rgba())


def test_a_letter_is_drawn_in_a_font_that_has_it(font):
    """Warnings are errors here."""
    figure, found = drawn("a𐕰b")
    assert figure.lacking == "" and figure.texts[0].get_text() == "a𐕰b"
    _, without = drawn("ab")
    assert (found < 128).sum() > (without < 128).sum() + 100  # the letter is a block


@pytest.mark.parametrize("letter", ["𐕱", "\x07", "\ud800", "\ue000", "\t"])
def test_a_letter_that_no_font_has_becomes_its_number(letter):
    for said in (f"ä{letter}b\nc", f"{letter}$x^2$"):
        figure, found = drawn(said)
        number = ascii(letter)[1:-1]
        assert figure.lacking == letter
        assert figure.texts[0].get_text() == said.replace(letter, number)
        assert (drawn(figure.texts[0].get_text())[1] == found).all()


@pytest.mark.parametrize("said", ["plain", "Größe, ε × γ", "$\\nabla$ é", "ы\nя"])
def test_what_the_usual_font_has_is_left_as_it_is(said):
    figure, _ = drawn(said)
    assert figure.lacking == "" and figure.texts[0].get_text() == said
