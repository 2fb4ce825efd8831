"""The pictures with controls: their HTML, their texts, and what bad input gets."""

import io
import sys
from html.parser import HTMLParser

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from modbp.errors import InputError, UnknownName
from modbp.figures.widgets import explore, frames

VOID = {"img", "input", "br"}


class Parsed(HTMLParser):
    """Elements in order, with the check that every one is closed."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.open = [], []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        names = [name for name, _ in attributes]
        assert len(names) == len(set(names)), f"{tag} repeats an attribute"
        self.elements.append((tag, dict(attributes), list(self.open)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def find(self, tag):
        return [attributes for name, attributes, _ in self.elements if name == tag]


def grey(value):
    return np.full((4, 6), value, dtype=np.uint8)


def three(**options):
    options = {"alt": "A square, {}", **options}
    return frames([grey(0), grey(100), grey(200)], ["a", "b", "c"], **options)


def shown(parsed):
    frames = [(div, div.get("class", "").split()) for div in parsed.find("div")]
    return [div for div, classes in frames if "modbp-frame" in classes]


def test_one_picture_is_shown_and_each_has_its_text():
    parsed = Parsed(three(first=1)._repr_html_())
    assert ["hidden" in frame for frame in shown(parsed)] == [True, False, True]
    alts = [image["alt"] for image in parsed.find("img")]
    assert alts == ["A square, a", "A square, b", "A square, c"]
    (control,) = parsed.find("input")
    assert (control["max"], control["value"]) == ("2", "1")
    assert control["aria-valuetext"] == "b"


def test_every_control_stands_inside_its_label_and_the_last_counts_fastest():
    names = {"Method": ["m", "n"], "Class": ["cat", "dog"]}
    options = {"control": {"Method": "select", "Class": "range"}, "first": 3}
    parsed = Parsed(frames(map(grey, range(4)), names, alt="{} {}", **options).html)
    fields = [e for e in parsed.elements if e[0] in ("select", "input")]
    assert [tag for tag, _, _ in fields] == ["select", "input"]
    assert all("label" in parents for _, _, parents in fields)
    assert ["selected" in option for option in parsed.find("option")] == [False, True]
    alts = [image["alt"] for image in parsed.find("img")]
    assert alts == ["m cat", "m dog", "n cat", "n dog"]
    assert [control["aria-valuetext"] for control in parsed.find("input")] == ["dog"]


def test_a_control_that_leaves_nothing_to_choose_is_hidden():
    pictures, choices = [np.eye(2), np.ones((2, 2))], {"Network": ["A"], "Axis": [1, 2]}
    html = frames(pictures, choices, alt="A square, {} {}", control="select").html
    assert html.count("<label hidden><span>Network</span>") == 1
    assert html.count("<label><span>Axis</span>") == 1


def test_labels_and_texts_are_escaped():
    evil = ['<b>"&', "</select><script>"]
    for control in ("range", "select"):
        options = {"alt": '"><img {}', "control": control, "label": '"><i>'}
        parsed = Parsed(frames([grey(0), grey(1)], evil, **options).html)
        assert not parsed.find("b") + parsed.find("i") + parsed.find("script")
        assert parsed.find("img")[0]["alt"] == '"><img <b>"&'


def test_the_same_pictures_give_the_same_bytes_which_load_nothing():
    def draw():
        figure, axes = plt.subplots(figsize=(2, 1))
        axes.plot([0, 1])
        return figure

    first, second = (frames([draw()], ["a"], alt="A line").html for _ in range(2))
    assert first == second and plt.get_fignums() == []
    assert "http" not in first and " id=" not in first
    (picture,) = Parsed(first).find("img")
    assert picture["width"] == "192" and picture["src"].startswith("data:image/webp;")


def test_all_kinds_of_pictures_are_taken():
    stream = io.BytesIO()
    Image.new("L", (6, 4)).save(stream, format="PNG")
    kinds = [stream.getvalue(), Image.new("RGB", (6, 4)), np.zeros((4, 6)), grey(3)]
    kinds += [np.ones((4, 6, 3), dtype=np.float32)]
    parsed = Parsed(frames(kinds, "abcde", alt="{}").html)
    assert [image["width"] for image in parsed.find("img")] == ["6"] * 5


def test_readers_without_scripts_get_two_telling_pictures():
    for options, told in (({}, "101"), ({"telling": (1, 2)}, "011")):
        found = shown(Parsed(three(**options).html))
        telling = ["modbp-telling" in frame["class"].split() for frame in found]
        assert telling == [mark == "1" for mark in told]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": ["a", "b"]}, "3 pictures for 2 labels"),
        ({"labels": []}, "no labels"),
        ({"labels": {}}, "no labels"),
        ({"alt": ["one", "two"]}, "2 texts for 3 pictures"),
        ({"alt": ["one", " ", "three"]}, "no text for 'b'"),
        ({"alt": None}, "0 texts"),
        ({"alt": lambda name: None}, "no text for 'a'"),
        ({"alt": "A square"}, "of every picture"),
        ({"alt": "{} {}"}, "cannot be filled in"),
        ({"control": "dial"}, "control of 'Picture' is 'dial'"),
        ({"first": 3}, "picture 3 does not exist"),
        ({"telling": (0, -1)}, "picture -1 does not exist"),
        ({"pictures": [np.zeros(3)] * 3}, r"array \(3,\)"),
        ({"pictures": [np.full((2, 2), 7.0)] * 3}, "floats in"),
        ({"pictures": [np.full((2, 2), np.nan)] * 3}, "floats in"),
    ],
)
def test_bad_input_is_named_with_the_remedy(change, message):
    options = {"labels": ["a", "b", "c"], "alt": "A square, {}", **change}
    options.setdefault("pictures", [grey(0)] * 3)
    with pytest.raises(InputError, match=message):
        frames(options.pop("pictures"), options.pop("labels"), **options)


def shade(depth, colour):
    return np.full((2, 2), depth / 4 if colour == "x" else 0.0)


def test_explore_draws_every_combination_while_the_book_is_built(monkeypatch):
    monkeypatch.setenv("JUPYTER_BOOK_BUILD", "1")
    choices = {"depth": [1, 2], "colour": {"red": "x", "blue": "y"}}
    written = explore(
        shade, alt=lambda depth, colour: depth + colour.upper(), **choices
    )
    parsed = Parsed(written.html)
    texts = [image["alt"] for image in parsed.find("img")]
    assert texts == ["1RED", "1BLUE", "2RED", "2BLUE"]
    assert len(parsed.find("select")) == 2


def test_explore_has_live_controls_with_a_kernel(monkeypatch):
    monkeypatch.delenv("JUPYTER_BOOK_BUILD", raising=False)
    ipywidgets = pytest.importorskip("ipywidgets")
    box = explore(shade, alt="{} {}", control="range", depth=[1, 2], colour=["x", "y"])
    *fields, picture = box.children
    assert [field.description for field in fields] == ["Depth", "Colour"]
    assert isinstance(picture, ipywidgets.HTML) and 'alt="1 x"' in picture.value
    fields[1].value = "y"
    assert 'alt="1 y"' in picture.value


def test_what_goes_wrong_later_is_said_in_the_place_of_the_picture(monkeypatch):
    monkeypatch.delenv("JUPYTER_BOOK_BUILD", raising=False)
    pytest.importorskip("ipywidgets")

    def divide(by):
        return shade(1 / by, "x")

    by, picture = explore(divide, alt="{}", by=[1, 0]).children
    with pytest.raises(ZeroDivisionError):
        by.value = "0"
    assert picture.value == "<pre>ZeroDivisionError: division by zero</pre>"
    with pytest.raises(ZeroDivisionError):
        explore(divide, alt="{}", by=[0])


def told(depth, colour):
    return shade(depth, colour), f"A square of depth {depth} in {colour}"


FEW = {"pages": {"depth": [2, 3]}, "first": {"depth": 3, "colour": "blue"}}
CHOICES = {"depth": range(1, 5), "colour": {"red": "x", "blue": "y"}}


def test_explore_draws_a_few_of_many_beforehand(monkeypatch):
    monkeypatch.setenv("JUPYTER_BOOK_BUILD", "1")
    parsed = Parsed(explore(told, **FEW, **CHOICES).html)
    texts = [image["alt"] for image in parsed.find("img")]
    assert texts == [f"A square of depth {n} in {c}" for n in "23" for c in "xy"]
    assert ["hidden" in frame for frame in shown(parsed)] == [True, True, True, False]


def test_explore_offers_all_with_a_kernel(monkeypatch):
    monkeypatch.delenv("JUPYTER_BOOK_BUILD", raising=False)
    pytest.importorskip("ipywidgets")
    drawn = []

    def note(**names):
        drawn.append(names)
        return told(**names)

    depth, colour, _ = explore(note, **FEW, **CHOICES).children
    assert depth.options == ("1", "2", "3", "4") and colour.options == ("red", "blue")
    assert (depth.value, colour.value) == ("3", "blue")
    depth.value = "4"
    assert drawn == [{"depth": 3, "colour": "y"}, {"depth": 4, "colour": "y"}]


def test_explore_says_what_it_misses_without_ipywidgets(monkeypatch, capsys):
    monkeypatch.delenv("JUPYTER_BOOK_BUILD", raising=False)
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    written = explore(told, **FEW, **CHOICES)
    assert len(shown(Parsed(written.html))) == 4
    assert "install ipywidgets" in capsys.readouterr().out


@pytest.mark.parametrize("built", ["", "1"])
def test_explore_wants_a_text_and_labels_that_there_are(monkeypatch, built):
    monkeypatch.setenv("JUPYTER_BOOK_BUILD", built)
    for option in ("pages", "first"):
        for wrong in ({"depth": [9]}, {"depth": []}):
            with pytest.raises(UnknownName, match=f"{option} of depth"):
                explore(told, depth=[1], colour=["x"], **{option: wrong})
        with pytest.raises(InputError, match=f"{option} is .* of depth, colour"):
            explore(told, depth=[1], colour=["x"], **{option: {"size": [1]}})


@pytest.mark.parametrize("found", [shade(1, "x"), (shade(1, "x"), " "), (1, 2, 3)])
def test_explore_without_a_text_is_refused(monkeypatch, found):
    monkeypatch.setenv("JUPYTER_BOOK_BUILD", "1")
    with pytest.raises(InputError, match="explore has no text for '1'"):
        explore(lambda depth: found, depth=[1])


@pytest.mark.parametrize("built", ["", "1"])
def test_explore_needs_something_to_choose(monkeypatch, built):
    monkeypatch.setenv("JUPYTER_BOOK_BUILD", built)
    with pytest.raises(InputError, match="nothing to choose"):
        explore(shade, alt="{}", depth=[])
    with pytest.raises(InputError, match="control of 'Depth'"):
        explore(shade, alt="{}", control={"colour": "select"}, depth=[1])
