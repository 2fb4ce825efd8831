"""Text of a figure in any script, drawn in the fonts that this machine has."""

from functools import cache

from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.text import Text

__all__ = ["fit_letters"]

# They have a box for every letter, or other letters in the place of some.
_NO_FONTS = ("Last Resort", "STIXNonUnicode", "Adobe Blank", "Adobe NotDef")


def fit_letters(figure: Figure) -> str:
    """Give texts the fonts that have their letters, and return those that none has.

    Of these a text then holds the numbers, as in ``\\u732b``.
    """
    lacking = set()
    for text in _texts(figure):
        said = text.get_text()
        if said.isascii() and said.replace("\n", "").isprintable():
            continue
        families = list(text.get_fontfamily())
        known = set().union(*map(_letters, map(_file, families)))
        for letter in sorted(set(said) - {"\n"}):
            if ord(letter) in known and letter.isprintable():
                continue
            other = _family(letter) if letter.isprintable() else None
            if other is None:
                lacking.add(letter)
                said = said.replace(letter, ascii(letter)[1:-1])
            elif other not in families:
                families.append(other)
        text.set(text=said, fontfamily=families)
    return "".join(sorted(lacking))


def _texts(artist):
    """Yield the texts in an artist, but for the ticks of axes that show none."""
    if isinstance(artist, Text):
        yield artist
    # Asking an axis for its ticks makes them, which for tens of maps takes seconds.
    hidden = isinstance(artist, Axes) and not artist.axison
    for child in artist.get_children():
        if not (hidden and isinstance(child, Axis)):
            yield from _texts(child)


def _file(family):
    return font_manager.findfont(font_manager.FontProperties(family=[family]))


@cache
def _letters(file):
    """Return the numbers of the letters that a file has outlines for."""
    try:
        font = font_manager.get_font(file)
        return frozenset(font.get_charmap() if font.scalable else ())
    except (OSError, RuntimeError):  # a damaged one, or of a kind that is not drawn
        return frozenset()


@cache
def _family(letter):
    """Return the first family that has a letter, upright and of usual weight if any."""
    fonts = font_manager.fontManager.ttflist
    plain = [f for f in fonts if f.style == "normal" and f.weight in (400, "normal")]
    for font in plain:
        # The file that its name finds has to be this one.
        if not font.name.startswith(_NO_FONTS) and ord(letter) in _letters(font.fname):
            if ord(letter) in _letters(_file(font.name)):
                return font.name
    return None
