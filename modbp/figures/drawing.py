"""A figure that knows how it is drawn: for a page or a phone, in either theme."""

import io
import os
from collections.abc import Callable
from html import escape

import matplotlib
from matplotlib.figure import Figure
from matplotlib.layout_engine import PlaceHolderLayoutEngine

from modbp.errors import check_number, check_option
from modbp.figures.labels import fit_words, spread, wrapped
from modbp.figures.letters import fit_letters
from modbp.figures.svg import page_svg

__all__ = ["NARROW", "WIDE", "Drawing", "drawn", "in_book", "legend", "note", "pdf"]

# Inches: a column of the book, and that of a phone of 390 pixels.
WIDE, NARROW = 7.2, 3.6
# Eight points are eleven pixels, of which a narrow column may take some away.
_STYLE = {
    "font.size": 8.5, "axes.titlesize": 8.5, "axes.labelsize": 8.5,
    "xtick.labelsize": 8, "ytick.labelsize": 8, "legend.fontsize": 8,
    "legend.frameon": False, "legend.handlelength": 1.4, "axes.linewidth": 0.6,
    "axes.spines.top": False, "axes.spines.right": False, "lines.linewidth": 1.3,
    "lines.markersize": 4.5, "xtick.major.width": 0.6, "ytick.major.width": 0.6,
    "xtick.major.size": 2.5, "ytick.major.size": 2.5, "ytick.minor.size": 0,
    "xtick.minor.size": 0, "grid.linewidth": 0.5, "grid.alpha": 0.4,
    "axes.prop_cycle": matplotlib.cycler(
        color=["#0173b2", "#d55e00", "#029e73", "#cc78bc", "#c57b00"]
    ),
    "axes.axisbelow": True, "patch.linewidth": 0.6, "image.interpolation": "none",
}  # fmt: skip


class Drawing(Figure):
    """A figure that a notebook shows at the end of a cell, whatever the backend.

    `lacking` are the letters that no font here has, once it is drawn; `wide` says
    whether it is drawn for a page or for a phone.
    """

    lacking, wide, _narrow = "", True, None

    def draw(self, renderer):
        """Draw it, with each letter in a font that has it."""
        self.lacking = "".join(sorted({*self.lacking, *fit_letters(self)}))
        super().draw(renderer)

    def narrow(self) -> "Drawing":
        """Return the same figure as it is drawn for a phone."""
        return self if self._narrow is None else self._narrow()

    def _repr_png_(self):
        stream = io.BytesIO()
        self.savefig(stream, format="png", dpi=144, metadata={"Software": None})
        return stream.getvalue()

    def _repr_html_(self):
        return self.page() if in_book() else None

    def _repr_pdf_(self):
        return pdf([self]) if in_book() else None

    def page(self, text: str | None = None) -> str:
        """Return it as HTML for both widths; the book adds its text and files."""
        svg = page_svg(self)
        if self._narrow is not None:
            svg += page_svg(self.narrow())
        told = f' role="img" aria-label="{escape(text)}"' if text else ""
        return f'<div class="modbp-figure"{told}>{svg}</div>'


def drawn(
    draw: Callable[[Drawing], object], *,
    height: float | tuple[float, float] = 3.4, width: float = WIDE,
) -> Drawing:  # fmt: skip
    """Let a function draw a figure, wide for a page and once more for a phone.

    Parameters
    ----------
    draw
        Fills the empty figure that it is given; the figure's `wide` says for which of
        the two it is.
    height, width
        In inches; two heights are for the page and the phone. What is no wider than a
        phone is drawn only once.

    Returns
    -------
    Drawing: the wide one, which knows the other

    Examples
    --------
    >>> figure = modbp.figures.drawn(lambda figure: figure.subplots().plot([1, 3, 2]))
    >>> print(figure.get_figwidth(), figure.narrow().get_figwidth())
    7.2 3.6
    """
    check_option("draw", draw, callable, "give a function that draws into a figure.")
    check_number("width", width, lambda w: 0 < w < 100, "give inches, as in 7.2.")
    heights = height if isinstance(height, tuple) else (height, height)
    remedy = "give inches, as in 3.4, or two, as in (3.4, 4)."
    check_option("height", heights, lambda h: len(h) == 2, remedy)
    for each in heights:
        check_number("height", each, lambda h: 0 < h < 100, remedy)

    def make(wide):
        size = (width, heights[0]) if wide else (NARROW, heights[1])
        with matplotlib.rc_context(_STYLE):
            figure = Drawing(figsize=size, layout="constrained")
            figure.wide = wide
            draw(figure)
            by_hand = isinstance(figure.get_layout_engine(), PlaceHolderLayoutEngine)
            if not by_hand:
                # Once for all formats: what is drawn later stays where it is.
                figure.draw_without_rendering()
                if fit_words(figure):
                    figure.draw_without_rendering()
            # Each format would be drawn twice for an engine that does nothing.
            figure.set_layout_engine(None)
            if not by_hand:
                spread(figure)
        return figure

    figure = make(True)
    if width > NARROW:
        figure._narrow = lambda: make(False)
    return figure


def in_book() -> bool:
    """Whether the pages of the book are being made."""
    return bool(os.environ.get("JUPYTER_BOOK_BUILD"))


def pdf(figures) -> bytes:
    """Return figures as the pages of a PDF, the same bytes every time."""
    from matplotlib.backends.backend_pdf import PdfPages

    stream = io.BytesIO()
    facts = dict.fromkeys(("CreationDate", "Creator", "Producer"))
    with PdfPages(stream, metadata=facts) as pages:
        for figure in figures:
            pages.savefig(figure)
    return stream.getvalue()


def note(figure, source):
    """Write below a figure where its pictures come from, if that is given."""
    if source is not None:
        check_option("source", source, lambda s: isinstance(s, str), "give a text.")
        source = wrapped(source, figure.get_figwidth())
        figure.supxlabel(source, x=0.99, ha="right", fontsize=8)
    return figure


def legend(figure, source=None, *, columns=4, **options):
    """Write above a figure what is what, and below where the pictures come from."""
    columns = columns if figure.wide else min(columns, 2)
    figure.legend(loc="outside upper center", ncols=columns, **options)
    return note(figure, source)
