"""Pictures with controls: plain HTML in the static pages, live with a kernel."""

import base64
import itertools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from numbers import Integral
from pathlib import Path

import numpy as np

from modbp.errors import InputError, check_option, unknown_name
from modbp.figures.drawing import Drawing, in_book, pdf
from modbp.figures.pictures import element

__all__ = ["Frames", "explore", "frames"]

_HERE = Path(__file__).parent
# An inline handler needs no script element and no identifiers: it works wherever HTML
# is, also twice on a page. The picture's number is read off the controls as digits.
_ON_INPUT = " ".join((_HERE / "frames.js").read_text(encoding="utf-8").split())
_STYLE = (_HERE / "frames.css").read_text(encoding="utf-8")
_WITHOUT_SCRIPT = (_HERE / "frames-without-script.css").read_text(encoding="utf-8")

# JupyterLab would take the keys that move a control for itself and select another cell.
_ON_KEY = "if (/^(Arrow|Home|End|Page)/.test(event.key)) event.stopPropagation()"


class Frames:
    """Pictures of which a reader sees one at a time; ``html`` is all of it."""

    def __init__(self, html, summary, drawings=(), telling=()):
        self.html, self._summary = html, summary
        self._drawings, self._telling = drawings, telling

    def __repr__(self):
        return self._summary

    def _repr_html_(self):
        return self.html

    def _repr_mimebundle_(self, include=None, exclude=None):
        """Add still pictures, for formats of the book in which nothing moves."""
        still = [
            [base64.b64encode(self._drawings[n]._repr_png_()).decode(), text]
            for n, text in self._telling
        ]
        return {}, {"text/html": {"telling": still}} if still else {}

    def _repr_pdf_(self):
        return pdf(self._drawings) if self._drawings else None


def frames(
    pictures: Iterable, labels: Sequence | Mapping[str, Sequence], *,
    alt: str | Callable[..., str] | Sequence[str],
    control: str | Mapping[str, str] = "range", label: str = "Picture", first: int = 0,
    telling: Sequence[int] | None = None,
) -> Frames:  # fmt: skip
    """Show one of several pictures, chosen by the reader with plain HTML controls.

    Works in static pages, in JupyterLab, from a file, and from the keyboard. A reader
    without scripts sees two telling pictures below each other.

    Parameters
    ----------
    pictures
        Matplotlib figures (they are closed), Pillow images, arrays ``[H, W]`` or
        ``[H, W, 3]`` (uint8, or floats in [0, 1]), or the bytes of PNG files. With
        several controls the last one counts fastest.
    labels
        What each picture is called. A dict makes one control per entry, as in
        ``{"Method": [...], "Explained class": [...]}``.
    alt
        What is seen, for those who do not see it: one text per picture, or a function
        of the labels, or a text in which ``{}`` stands for a label.
    control, label
        "range", a slider, for what has an order, "select", a list, for what has none; a
        dict names one per control. And what a single control chooses.
    first, telling
        Numbers of the picture shown first, and of those for readers without scripts:
        the first and the last if left out.

    Returns
    -------
    Frames: displays itself; its ``html`` needs no library, kernel or network

    Raises
    ------
    InputError
        If pictures, labels and texts are not equally many, or `control`, `first` or
        `telling` name what does not exist.

    Examples
    --------
    >>> pictures = [torch.zeros(8, 8), torch.ones(8, 8)]
    >>> modbp.widgets.frames(pictures, ["off", "on"], alt="A lamp, {}", label="Lamp")
    2 pictures by Lamp
    """
    check_option("label", label, lambda t: isinstance(t, str), "give a text.")
    axes = labels if isinstance(labels, Mapping) else {label: labels}
    remedy = "give one per picture, as in ['off', 'on']."
    for name, entries in axes.items():
        check_option(f"labels of {name!r}", entries, _are_many, remedy)
    axes = {str(name): list(map(str, entries)) for name, entries in axes.items()}
    combinations = list(itertools.product(*axes.values()))
    if not axes or not combinations:
        raise InputError("frames has no labels; give one per picture.")
    texts = _texts(alt, combinations)
    kinds = control if isinstance(control, Mapping) else dict.fromkeys(axes, control)
    last, sizes = len(combinations) - 1, [len(axis) for axis in axes.values()]
    telling = (0, last) if telling is None else telling
    is_text = isinstance(telling, str)
    fits = _are_many(telling) and not is_text
    check_option("telling", telling, lambda _: fits, "give numbers, as in [0, 1].")
    for number in (first, *telling):
        if not isinstance(number, Integral) or number not in range(last + 1):
            raise InputError(
                f"picture {number!r} does not exist; `first` and `telling` go from 0 "
                f"to {last}."
            )
    digits = zip(axes, np.unravel_index(first, sizes), strict=True)
    controls = [_control(n, axes[n], kinds.get(n), int(digit)) for n, digit in digits]
    # Each in turn, so that a generator need not hold many open figures.
    check_option("pictures", pictures, _are_many, "give one per label.")
    elements, drawings = [], []
    for picture in pictures:
        text = texts[len(elements)] if len(elements) < len(texts) else ""
        elements.append(element(picture, text))
        drawings += [picture] * (in_book() and isinstance(picture, Drawing))
    if len(elements) != len(combinations):
        raise InputError(
            f"frames got {len(elements)} pictures for {' × '.join(map(str, sizes))} "
            "labels; give one picture per label, with several controls one per "
            "combination, the last fastest."
        )
    captions = [escape(_caption(axes, names)) for names in combinations]
    parts = [
        '<div class="modbp-frames" data-lm-suppress-shortcuts="true" '
        f'oninput="{escape(_ON_INPUT)}" onkeydown="{_ON_KEY}">',
        f"<style>{_STYLE}</style><noscript><style>{_WITHOUT_SCRIPT}</style></noscript>",
        '<div class="modbp-controls">',
        *controls,
        f'</div><output aria-live="polite">{captions[first]}</output>',
    ]
    for number, picture in enumerate(elements):
        telling_one = " modbp-telling" if number in telling else ""
        hidden = "" if number == first else " hidden"
        shown = f"<p>{captions[number]}</p>{picture}"
        parts.append(f'<div class="modbp-frame{telling_one}"{hidden}>{shown}</div>')
    summary = f"{len(elements)} pictures by {', '.join(axes)}"
    drawings = drawings if len(drawings) == len(elements) else []
    told = [(n, texts[n]) for n in dict.fromkeys(telling)] if drawings else []
    return Frames("\n".join([*parts, "</div>"]), summary, drawings, told)


def explore(
    function: Callable, *, alt: str | Callable[..., str] | None = None,
    control: str | Mapping[str, str] = "select",
    pages: Mapping[str, Sequence] | None = None, first: Mapping | None = None,
    **choices: Sequence | Mapping,
) -> object:  # fmt: skip
    """Call a function that draws, with values that the reader chooses.

    With a kernel each choice calls `function`. While the book is built, or without
    ipywidgets, every combination is drawn beforehand and shown by `frames`.

    Parameters
    ----------
    function
        Takes one value per choice by name; returns a picture for `frames`, or, without
        `alt`, a picture and its text.
    alt, control : as in `frames`; a dict uses the names of the choices
    pages
        Which labels of a choice are drawn beforehand, where these are not all.
    first
        The label of a choice that is shown first, where this is not its first.
    **choices : the values of each, as a sequence, or as a dict from label to value

    Returns
    -------
    Frames or ipywidgets.Widget: displays itself at the end of a cell

    Raises
    ------
    InputError: if there are no choices, no such labels, or no text.

    Examples
    --------
    >>> modbp.widgets.explore(torch.eye, alt="A diagonal of {}", n=[])
    Traceback (most recent call last):
    modbp.errors.InputError: explore has nothing to choose; give values...
    """
    check_option("function", function, callable, "give a function that draws.")
    for key, values in choices.items():
        remedy = "give its values, as in layer=['conv1', 'fc']."
        check_option(key, values, _are_many, remedy)
    tables = {
        key: values if isinstance(values, Mapping) else {str(v): v for v in values}
        for key, values in choices.items()
    }
    if not tables or not all(tables.values()):
        raise InputError("explore has nothing to choose; give values, as in layer=[…].")
    kinds = control if isinstance(control, Mapping) else dict.fromkeys(tables, control)
    kinds = {key: _known(kinds.get(key), _title(key)) for key in tables}
    few = {key: [*table] for key, table in tables.items()}
    few |= _labels("pages", pages, tables)
    shown = {key: [labels[0]] for key, labels in few.items()}
    shown |= _labels("first", first, few)
    shown = {key: labels[0] for key, labels in shown.items()}

    def draw(*names):
        return function(**{k: tables[k][n] for k, n in zip(tables, names, strict=True)})

    if in_book():
        return _beforehand(draw, alt, few, kinds, shown)
    try:
        import ipywidgets
    except ImportError:
        print("To choose live, install ipywidgets. This was drawn beforehand.")
        return _beforehand(draw, alt, few, kinds, shown)
    makers = {"range": ipywidgets.SelectionSlider, "select": ipywidgets.Dropdown}
    fields = {}
    for key, table in tables.items():
        options = {"options": [*table], "value": shown[key], "description": _title(key)}
        fields[key] = makers[kinds[key]](style=_WHOLE_NAME, **options)

    def show(_=None):
        names = tuple(field.value for field in fields.values())
        try:
            picture = draw(*names)
            told = _told(picture, names) if alt is None else None
            picture, text = told or (picture, *_texts(alt, [names]))
            live.value = element(picture, text)
        except Exception as error:
            live.value = f"<pre>{escape(f'{type(error).__name__}: {error}')}</pre>"
            raise

    # Not an Output: a browser sends what that holds back to the kernel, and with large
    # pictures the kernel's answer to the cell was lost now and then.
    live = ipywidgets.HTML()
    show()
    for field in fields.values():
        field.observe(show, "value")
    return ipywidgets.VBox([*fields.values(), live])


# Or a name that is longer than usual ends in dots.
_WHOLE_NAME = {"description_width": "initial"}


def _title(key):
    return key.replace("_", " ").capitalize()


def _labels(option, chosen, tables):
    """Return some labels by choice, each of them one that there is."""
    chosen = {} if chosen is None else chosen
    is_named = isinstance(chosen, Mapping) and chosen.keys() <= tables.keys()
    remedy = f"give labels by choice, of {', '.join(tables)}."
    check_option(option, chosen, lambda _: is_named, remedy)
    found = {}
    for key, labels in chosen.items():
        several = _are_many(labels) and not isinstance(labels, str)
        found[key] = [str(label) for label in (labels if several else [labels])]
        for label in found[key] or [None]:
            if label not in tables[key]:
                raise unknown_name(f"{option} of {key}", label, [*tables[key]])
    return found


def _told(found, names):
    """Return a picture and its text, as a function gave them."""
    pair = isinstance(found, tuple) and len(found) == 2
    if not pair or not isinstance(found[1], str) or not found[1].strip():
        raise InputError(
            f"explore has no text for {', '.join(names)!r}; give `alt`, or return a "
            "picture and what it shows."
        )
    return found


def _beforehand(draw, alt, few, kinds, first):
    """Draw every combination of a few labels, for frames."""
    combinations = list(itertools.product(*few.values()))
    pictures = itertools.starmap(draw, combinations)
    if alt is None:
        told = map(_told, pictures, combinations)
        pictures, alt = zip(*told, strict=True)
    places = [labels.index(first[key]) for key, labels in few.items()]
    return frames(
        pictures,
        {_title(key): labels for key, labels in few.items()},
        alt=alt,
        control={_title(key): kinds[key] for key in few},
        first=int(np.ravel_multi_index(places, [len(each) for each in few.values()])),
    )


def _are_many(value):
    """Whether one can go through a value: an array of no dimension cannot be."""
    is_many = isinstance(value, Iterable) and not isinstance(value, bytes)
    return is_many and getattr(value, "ndim", 1) > 0


def _caption(axes, names):
    if len(axes) == 1:
        return names[0]
    return ", ".join(f"{axis}: {name}" for axis, name in zip(axes, names, strict=True))


def _texts(alt, combinations):
    """Return one description per picture."""
    if callable(alt):
        texts = [alt(*names) for names in combinations]
    elif isinstance(alt, str):
        try:
            texts = [alt.format(*names) for names in combinations]
        except (LookupError, ValueError) as error:
            raise InputError(
                f"alt {alt!r} cannot be filled in ({error!r}); write {{}} for a label."
            ) from None
    else:
        remedy = "give a text, a function of the labels, or one text per picture."
        check_option("alt", alt, lambda _: alt is None or _are_many(alt), remedy)
        texts = [] if alt is None else list(alt)
    if len(texts) != len(combinations):
        raise InputError(
            f"alt has {len(texts)} texts for {len(combinations)} pictures; describe "
            "each in a few words."
        )
    for names, text in zip(combinations, texts, strict=True):
        if not isinstance(text, str) or not text.strip():
            raise InputError(
                f"alt has no text for {', '.join(names)!r} (found {text!r}); describe "
                "what this picture shows."
            )
    if len(texts) > 1 and len(set(texts)) == 1:
        raise InputError(
            f"alt says {texts[0]!r} of every picture; let it say what changes, with "
            "{} for the label or with a function of the labels."
        )
    return texts


def _known(kind, name):
    """Return the kind of a control if there is such a kind."""
    if not isinstance(kind, str) or kind not in ("range", "select"):
        raise InputError(
            f"control of {name!r} is {kind!r}; choose 'range' for a slider or 'select' "
            "for a list."
        )
    return kind


def _control(name, entries, kind, digit):
    """Return a native control with its name around it, so that a click on it counts."""
    # Browsers restore a control's old value on reload, but not the picture's.
    common = f'autocomplete="off" data-title="{escape(name)}" '
    common += f'data-labels="{escape(json.dumps(entries))}"'
    if _known(kind, name) == "range":
        field = f'<input type="range" min="0" max="{len(entries) - 1}" value="{digit}" '
        field += f'aria-valuetext="{escape(entries[digit])}" {common}>'
    else:
        options = "".join(
            f'<option value="{i}"{" selected" * (i == digit)}>{escape(entry)}</option>'
            for i, entry in enumerate(entries)
        )
        field = f"<select {common}>{options}</select>"
    alone = " hidden" * (len(entries) == 1)  # it leaves nothing to choose
    return f"<label{alone}><span>{escape(name)}</span>{field}</label>"
