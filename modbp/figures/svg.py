"""A figure as SVG inside a page: its text is text, its colours are the page's."""

import io
import re

import matplotlib

__all__ = ["page_svg"]

# Colours that a dark page has otherwise: see figures.css.
_THEME = {
    "#ffffff": "paper", "#0173b2": "blue", "#d55e00": "red", "#777777": "grey",
    "#dddddd": "cone", "#d6dfea": "shade-1", "#a9c3dd": "shade-2",
    "#6fa3cc": "shade-3", "#2f7fb5": "shade-4", "#0b4f85": "shade-5",
}  # fmt: skip
_INK, _MAP = "currentColor", ' class="modbp-map"'
_USES = re.compile(r'<g([^>]*)>((?:<use href="#\w+" [^>]*/>){3,})</g>')
_NUMBER = re.compile(r"-?\d+\.\d{3,}")


def page_svg(figure):
    """Return an ``<svg>`` element that takes letters and colours from around it."""
    stream = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "modbp"}):
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    # The style would hold for every drawing of the page.
    text = re.sub(
        r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", text, flags=re.S
    )
    text = re.sub(r"<defs>\s*</defs>", "", text).replace("xlink:href", "href")
    # Those that are coloured here; the page turns their white to black in the dark.
    kinds = iter([i.get_array().ndim for ax in figure.axes for i in ax.images])
    text = re.sub("<image", lambda m: m[0] + _MAP * (next(kinds) == 2), text)
    used = set(re.findall(r'(?:url\(#|href="#)([^")]+)', text))
    text = re.sub(r' id="([^"]+)"', lambda m: m[0] if m[1] in used else "", text)
    text = re.sub(r'\b(?:d|x|y|points)="[^"]+"', _rounded, text)
    text = re.sub(r"font-family:[^;\"]*;?", "", text)
    text = re.sub(r'style="([^"]*)"', _styled, text)
    text = re.sub(r' transform="rotate\(-?0 [^"]*"', "", text)
    text = re.sub(r">\s+<", "><", text)
    text = re.sub(r"<g>(<path [^>]*?style=\"fill:none\"/>)?</g>", "", text)
    text = _USES.sub(_styled_once, text)
    width, height = (f"{72 * inches:g}" for inches in figure.get_size_inches())
    kind = "wide" if figure.wide else "narrow"
    root = f'<svg class="modbp-{kind}" viewBox="0 0 {width} {height}" '
    root += f'style="max-width:{width}pt" fill="{_INK}" stroke-linejoin="round">'
    return re.sub(r"<svg[^>]*>", root, text, count=1).strip()


def _rounded(match):
    return _NUMBER.sub(lambda m: f"{float(m[0]):.2f}".rstrip("0").rstrip("."), match[0])


def _styled(match):
    """Write a style short, with the page's colours in it."""
    style = re.sub(r"([:;])\s+", r"\1", match[1]).strip("; ")
    style = style.replace("#000000", _INK)
    for colour, name in _THEME.items():
        style = style.replace(colour, f"var(--modbp-{name},{colour})")
    return f'style="{style}"'


def _styled_once(match):
    """Write the style of many signs of one kind at their group."""
    styles = set(re.findall(r' style="([^"]*)"', match[2]))
    if len(styles) != 1 or "style=" in match[1]:
        return match[0]
    (style,) = styles
    uses = match[2].replace(f' style="{style}"', "")
    return f'<g{match[1]} style="{style}">{uses}</g>'
