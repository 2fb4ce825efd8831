"""Write a deck for every session: `slides.py PAGES TARGET`, from the built pages.

A deck is a list of slides, `book/teaching/slides/NAME.md`. What a slide shows is taken
from the chapters as they were built: figures, statements, outputs of tagged cells.
"""

import base64
import mimetypes
import sys
from functools import cache
from pathlib import Path

import yaml
from bs4 import BeautifulSoup
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).parents[2]
DECKS = ROOT / "book" / "teaching" / "slides"
FIGURES = ROOT / "book" / "static" / "figures.css"
# What is of use on a page only, and links that lead out of a deck.
WITHOUT = (
    ".headerlink, .eqno, .modbp-tip, .check, .cell_input, button, noscript, "
    ".modbp-files, svg.modbp-narrow"
)


@cache
def page(path):
    """Return a built page."""
    if not path.exists():
        raise ExtensionError(f"{path}: no such page. Build the book first.")
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


class Take(SphinxDirective):
    """The element of a page that a CSS selector finds first: `{take} csc #fig-csc`."""

    required_arguments = 2
    final_argument_whitespace = True
    option_spec = {"class": directives.class_option}

    def run(self):
        """Copy it, with its pictures."""
        name, selector = self.arguments
        path = Path(self.config.taken_from, f"{name}.html")
        found = page(path).select_one(f"article {selector}")
        if found is None:
            raise self.error(f"{name}.html has nothing for {selector!r}")
        part = BeautifulSoup(str(found), "html.parser")
        for element in part.select(WITHOUT):
            element.decompose()
        for link in part.select("a"):
            link.unwrap()
        define(part, page(path))
        for section in part.select("section"):
            section.name = "div"  # or it would be a slide in the slide
        for picture in part.select("img[src]"):
            if not picture["src"].startswith("data:"):
                picture["src"] = inlined(path.parent / picture["src"])
        box = f'<div class="{" ".join(["taken", *self.options.get("class", [])])}">'
        return [nodes.raw("", f"{box}{part}</div>", format="html")]


def define(part, whole):
    """Add what a drawing shows that is defined in another one of its page."""
    wanted = {use["href"] for use in part.select("use[href^='#']")}
    absent = [place for place in sorted(wanted) if not part.select_one(place)]
    if absent:
        shapes = "".join(str(whole.select_one(place)) for place in absent)
        hidden = '<svg width="0" height="0" style="position:absolute">'
        shared = f"{hidden}<defs>{shapes}</defs></svg>"
        part.append(BeautifulSoup(shared, "html.parser"))


def inlined(path):
    """Return a picture as an address that needs no file."""
    kind = mimetypes.guess_type(path.name)[0]
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


def setup(app):
    """Tell Sphinx of the directive."""
    app.add_config_value("taken_from", "", "env")
    app.add_directive("take", Take)
    # Formulas that are taken are not noticed otherwise.
    app.set_html_assets_policy("always")


def settings(pages):
    """Return the configuration of the decks."""
    book = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    return {
        "project": book["title"],
        "language": "en",
        "extensions": ["myst_parser", "sphinx_revealjs", "sphinx-mathjax-offline"]
        + [__name__],
        "suppress_warnings": ["toc.not_included", "myst.header"],
        "myst_enable_extensions": ["dollarmath"],
        "mathjax3_config": book["sphinx"]["config"]["mathjax3_config"],
        "taken_from": str(pages),
        "revealjs_static_path": [str(DECKS.parent / "static"), str(FIGURES)],
        "revealjs_css_files": [FIGURES.name, "slides.css"],
        "revealjs_style_theme": "white",
        "revealjs_script_conf": {
            **{"width": 1280, "height": 720, "margin": 0, "center": False},
            **{"hash": True, "slideNumber": "c/t", "transition": "none"},
        },
        "revealjs_script_plugins": [
            {"name": "RevealNotes", "src": "revealjs/plugin/notes/notes.js"}
        ],
    }


def main(pages, target):
    """Write all decks, in which a warning is an error."""
    sys.modules["slides"] = sys.modules[__name__]
    app = Sphinx(
        srcdir=str(DECKS),
        confdir=None,
        outdir=str(target),
        doctreedir=str(target.with_name("slides-doctrees")),
        buildername="revealjs",
        confoverrides=settings(pages),
        freshenv=True,
        warningiserror=True,
    )
    app.build(force_all=True)
    raise SystemExit(app.statuscode)


if __name__ == "__main__":
    main(*(Path(argument).resolve() for argument in sys.argv[1:]))
