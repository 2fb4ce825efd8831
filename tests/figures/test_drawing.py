"""Figures for a page and a phone: nothing overlaps, and bytes repeat."""

import re
from itertools import combinations
from xml.etree import ElementTree

import numpy as np
import pytest
from conftest import long_but
from matplotlib.text import Text
from PIL import Image

import modbp
from modbp import figures
from modbp.errors import InputError
from modbp.figures.drawing import pdf
from modbp.figures.labels import apart, power, wrapped
from modbp.figures.svg import page_svg

NAMES = modbp.methods.names()
LAYERS = [f"conv{block}_{n}" for block in range(1, 6) for n in (1, 2, 3)] + ["input"]


def converged():
    """Results of all methods, of which many end at the same place."""
    rng = np.random.default_rng(0)
    cells = {}
    for name in NAMES:
        cells[name] = {
            "fc": {
                layer: {
                    "median": round(rng.uniform(0.9, 1), 2),
                    "channels": 9,
                    "histogram": [3, 1, 1, 1, 1],
                }
                for layer in LAYERS
            }
        }
    return cells


def randomised():
    cell = {"median": 0.5, "band": [0.4, 0.6], "values": [0.1, 0.5, 0.5, 0.5, 0.9]}
    stages = {stage: dict.fromkeys(("ssim", "corrected"), cell) for stage in LAYERS}
    floor = dict.fromkeys(("ssim", "corrected"), {"median": 0.2})
    return {name: {"stages": stages, "floor": floor} for name in NAMES}


def maps(count, names):
    maps = {name: np.random.default_rng(0).normal(size=(count, 4, 4)) for name in names}
    return np.ones((count, 3, 4, 4)), maps


FIGURES = {
    "curves": lambda: figures.csc_curves(converged(), "fc", source="ten images"),
    "logarithmic": lambda: figures.csc_curves(converged(), "fc", log=True),
    "bars": lambda: figures.csc_histogram(converged(), "fc", "input", source="ten"),
    "boxes": lambda: figures.similarity_boxes(randomised(), "input", source="ten"),
    "stages": lambda: figures.similarity_curves(randomised(), source="ten images"),
    "grid": lambda: figures.heatmaps(*maps(4, [f"{n}\ncat" for n in NAMES[:6]])),
    "tall grid": lambda: figures.heatmaps(
        *maps(14, LAYERS[:8]), rows=NAMES[:14], size=0.8, source="ten images"
    ),
    "gallery": lambda: figures.gallery(*maps(2, NAMES), source="ten images"),
    "cones": lambda: figures.cones([np.eye(2)] * 4, ["lrp-a1b0: first layer"] * 4),
    "space": lambda: figures.cone_in_space(np.eye(3), "n = 1, widest angle 90.0°"),
}


def words(drawing):
    """Return what is written, with its box in pixels."""
    silent = set()  # what is there, but not drawn
    for ax in drawing.axes:
        for axis, bounds in ((ax.xaxis, ax.get_xlim()), (ax.yaxis, ax.get_ylim())):
            ticks = zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=True)
            silent |= {t for at, t in ticks if not min(bounds) <= at <= max(bounds)}
            silent |= set() if ax.axison else {*axis.findobj(Text)}
    return [
        (text.get_text(), Text.get_window_extent(text), text.get_fontsize())
        for text in drawing.findobj(Text)
        if text.get_visible() and text.get_text().strip() and text not in silent
    ]


# On a phone there is less room.
@pytest.mark.parametrize("wide", long_but(lambda wide: not wide, [True, False]))
@pytest.mark.parametrize("name", FIGURES)
def test_words_are_large_enough_inside_and_do_not_overlap(name, wide):
    drawing = FIGURES[name]()
    drawing = drawing if wide else drawing.narrow()
    drawing.draw_without_rendering()
    whole, found = drawing.bbox, words(drawing)
    assert found and min(size for _, _, size in found) >= 8
    for said, box, _ in found:
        assert box.x0 > -3 and box.x1 < whole.x1 + 3, said
        assert box.y0 > -3 and box.y1 < whole.y1 + 3, said
    for (one, a, _), (other, b, _) in combinations(found, 2):
        across = min(a.x1, b.x1) - max(a.x0, b.x0)
        along = min(a.y1, b.y1) - max(a.y0, b.y0)
        assert min(across, along) < 2.5, (one, other)


@pytest.mark.parametrize("wide", [True, False])
def test_each_line_is_named_beside_its_end(wide):
    drawing = FIGURES["curves"]()
    (ax,) = (drawing if wide else drawing.narrow()).axes
    assert [text.get_text() for text, *_ in ax.ends] == [*NAMES, "random"]
    leaders = ax.figure.artists
    for (text, named, last), leader in zip(ax.ends, leaders, strict=True):
        assert leader.get_color() == named.get_color()
        # It leads from the end of the line to the middle of the name.
        end = named.get_transform().transform(named.get_xydata()[last])
        begins, ends = ax.transAxes.transform(leader.get_xydata())
        assert begins == pytest.approx(end, abs=0.1)
        box = text.get_window_extent()
        assert box.y0 < ends[1] < box.y1 and ends[0] < box.x0


def test_names_are_moved_as_little_as_possible():
    # Two of height 2 that want the same place share the way; a third is far enough.
    assert apart([5, 5, 9], [2, 2, 2], 0, 10).tolist() == [4, 6, 9]
    # At the edge there is no way up.
    assert apart([10, 10], [2, 2], 0, 10).tolist() == [7, 9]
    assert apart([-3], [2], 0, 10).tolist() == [1]
    for seed in range(50):
        rng = np.random.default_rng(seed)
        heights = rng.uniform(0.2, 0.9, 10)
        found = apart(rng.uniform(-1, 11, 10), heights, 0, 10)
        low, high = np.sort(found - heights / 2), np.sort(found + heights / 2)
        assert low[0] >= 0 and high[-1] <= 10 + 1e-9
        order = np.argsort(found)
        gaps = np.diff(found[order]) - (heights[order][1:] + heights[order][:-1]) / 2
        assert gaps.min() > -1e-9


def test_ticks_that_do_not_fit_are_turned_and_left_out_but_for_the_last():
    for drawing in (FIGURES["curves"](), FIGURES["curves"]().narrow()):
        ticks = drawing.axes[0].get_xticklabels()
        named = [text.get_text() for text in ticks if text.get_text()]
        assert named[-1] == "input" and {text.get_rotation() for text in ticks} == {90}
        assert len(named) == (len(LAYERS) if drawing.wide else len(LAYERS) // 2)


def test_long_texts_are_broken_where_words_end():
    assert wrapped("gradient-x-input", 0.8) == "gradient-x-\ninput"
    assert wrapped("patternattribution", 0.9) == "pattern\nattribution"
    assert wrapped("patternattribution", 2) == "patternattribution"
    assert wrapped("one\ntwo three", 0.5) == "one\ntwo\nthree"


def test_powers_of_ten_are_plain_letters():
    assert [power(10.0**n) for n in (-14, 0, 3)] == ["10⁻¹⁴", "10⁰", "10³"]
    drawing = figures.drawn(lambda figure: figure.subplots().semilogy([1e-5, 1]))
    ticks = [text.get_text() for text in drawing.axes[0].get_yticklabels()]
    assert "10⁻³" in ticks and not [text for text in ticks if "$" in text]


def lines(figure):
    ax = figure.subplots()
    ax.plot([1, 3, 2], color="black", label="ink")
    ax.plot([2, 1, 3], "o", color="#0173b2", markerfacecolor="white", label="blue")
    figures.name_ends(ax)


def test_a_drawing_takes_letters_and_colours_from_its_page():
    svg = page_svg(figures.drawn(lines))
    ElementTree.fromstring(svg)
    assert ">ink</text>" in svg and "font-family" not in svg and "#000000" not in svg
    assert "stroke:currentColor" in svg and "var(--modbp-blue,#0173b2)" in svg
    assert "fill:var(--modbp-paper,#ffffff)" in svg
    assert "<style" not in svg and "metadata" not in svg and "http" not in svg
    ids = set(re.findall(r' id="([^"]+)"', svg))
    assert ids == set(re.findall(r'(?:url\(#|href="#)([^")]+)', svg))


def test_only_maps_are_turned_on_a_dark_page():
    svg = page_svg(FIGURES["grid"]())
    assert svg.count("<image") == 4 * 7
    assert svg.count('class="modbp-map"') == 4 * 6


def test_the_same_figure_gives_the_same_bytes():
    first, second = (figures.drawn(lines) for _ in range(2))
    assert first.page("two lines") == second.page("two lines")
    assert pdf([first]) == pdf([second])
    assert first._repr_png_() == second._repr_png_()


def test_both_widths_are_in_the_book_and_a_picture_elsewhere(monkeypatch):
    monkeypatch.delenv("JUPYTER_BOOK_BUILD", raising=False)
    drawing = figures.drawn(lines, height=(3, 4))
    assert drawing._repr_html_() is None and drawing._repr_pdf_() is None
    monkeypatch.setenv("JUPYTER_BOOK_BUILD", "1")
    html = drawing._repr_html_()
    assert html.count("<svg") == 2 and 'viewBox="0 0 259.2 288"' in html
    assert drawing._repr_pdf_().startswith(b"%PDF")
    # What fits a phone is drawn once.
    assert figures.drawn(lines, width=3.5)._repr_html_().count("<svg") == 1


def test_moving_pictures_are_drawings_in_the_book(monkeypatch):
    monkeypatch.setenv("JUPYTER_BOOK_BUILD", "1")
    drawings = [figures.drawn(lines) for _ in range(3)]
    frames = modbp.widgets.frames(drawings, "abc", alt="Lines, {}", telling=[1])
    assert frames.html.count('role="img" aria-label="Lines, b"') == 1
    assert "<img" not in frames.html and frames._repr_pdf_().startswith(b"%PDF")
    _, facts = frames._repr_mimebundle_()
    ((_, told),) = facts["text/html"]["telling"]
    assert told == "Lines, b"
    plain = modbp.widgets.frames([Image.new("L", (2, 2))], "a", alt="{} square")
    assert plain._repr_pdf_() is None and plain._repr_mimebundle_() == ({}, {})


@pytest.mark.parametrize(
    "wrong", [{"height": 0}, {"height": (3, 4, 5)}, {"width": -1}, {"height": "3"}]
)
def test_sizes_that_are_none_are_refused(wrong):
    with pytest.raises(InputError, match="inches"):
        figures.drawn(lines, **wrong)


def test_what_is_out_of_sight_is_named_beside_what_is_seen_of_it():
    def draw(figure):
        ax = figure.subplots()
        ax.plot([1, 1e-5, 0], label="ends in nothing")
        ax.plot([1e-20, 1e-20, 1e-20], label="never seen")
        ax.set(yscale="log", ylim=(1e-13, 2))
        figures.name_ends(ax)

    (text,) = figures.drawn(draw).narrow().axes[0].texts
    assert text.get_text() == "ends in nothing"
