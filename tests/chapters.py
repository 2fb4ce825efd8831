"""The cells of a chapter, run without a notebook around them."""

import ast
import contextlib
import io
from pathlib import Path

import jupytext
import matplotlib.pyplot as plt

BOOK = Path(__file__).parents[1] / "book"


def names():
    """Return the chapters that have cells."""
    texts = {path.stem: path.read_text("utf-8") for path in sorted(BOOK.glob("*.md"))}
    return [name for name, text in texts.items() if "format_name: myst" in text]


def sources(chapter):
    """Return the code of a chapter's cells."""
    cells = jupytext.read(BOOK / f"{chapter}.md").cells
    return [cell.source for cell in cells if cell.cell_type == "code"]


def run(chapter, until="", before=""):
    """Run cells, up to the first with some text; return what each printed and shows.

    Up to the one `until` includes that cell, up to the one `before` does not.
    """
    space, told = {"__name__": "__main__"}, []
    for source in sources(chapter):
        if before and before in source:
            break
        *body, last = ast.parse(source).body
        shows = isinstance(last, ast.Expr)
        printed, value = io.StringIO(), None
        with contextlib.redirect_stdout(printed):
            rest = ast.Module(body if shows else [*body, last], [])
            exec(compile(rest, chapter, "exec"), space)
            if shows:
                code = compile(ast.Expression(last.value), chapter, "eval")
                value = eval(code, space)
        plt.close("all")
        told.append((printed.getvalue(), value))
        if until and until in source:
            break
    return told
