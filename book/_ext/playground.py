"""The playground: a place on a page where readers try matrices of their own."""

import json
from html import escape

import numpy as np
from docutils import nodes
from docutils.parsers.rst import Directive

from modbp.theory import COUNTEREXAMPLES, min_cosine

FILES = ("playground-theory.js", "playground.js")


def text(A):
    """Write a matrix, or rows, as one would type it."""
    return "\n".join(" ".join(f"{x:g}" for x in row) for row in np.asarray(A, float))


def _preset(key, name, *mats, again=True, n=4):
    return {"key": key, "name": name, "matrices": mats, "again": again, "n": n}


def _known(key, name):
    return _preset(key, name, text(COUNTEREXAMPLES[key].matrix()))


WIDE, TALL = text([[2, 1, 0], [0, 1, 2]]), text([[2, 1], [1, 1], [1, 2]])
PRESETS = [
    _preset("closing", "the cone that closes", text([[2, 1], [1, 2]])),
    _preset("turns", "2 × 3 and 3 × 2 in turn", WIDE, TALL),
    _preset("space", "the same in space", text([[2, 1, 0], [0, 2, 1], [1, 0, 2]])),
    _preset("diagonal", "excluded: orthogonal columns", text([[1, 0], [0, 2]])),
    _preset("zero", "excluded: a zero column", text([[1, 0], [1, 0]])),
    _preset("jumping", "no limit: two of one size", text([[2, 1], [1, 2]]), "1 2\n0 1"),
    _preset("once", "a product that ends", WIDE, TALL, "1 2\n3 4", again=False, n=3),
    _known("F3", "the counterexample: nine numbers"),
    _known("F1", "F1: rank one, and s stays below one"),
    _known("F2", "F2: slowly"),
    _known("F4", "F4: no column with a single entry"),
    _known("F5", "F5: rank two for ever"),
    _known("F9", "F9: excluded, and yet it converges"),
    _known("F12", "F12: takes turns for ever"),
    _preset("shares", "columns that sum to one", "2/3 0 0\n0 2/3 0\n1/3 1/3 1"),
    _preset("signed", "with signs, columns sum to one", "1.2 0.1\n-0.2 0.9"),
]


def html(start):
    """Return the playground with an example, which readers without scripts keep."""
    preset = next(each for each in PRESETS if each["key"] == start)
    rows = [row.split() for row in preset["matrices"][0].split("\n")]
    A = np.array(rows, float)
    values = [min_cosine(np.linalg.matrix_power(A, n)) for n in (1, 2, 3, 4)]
    cells = "".join(f"<tr>{''.join(f'<td>{x}</td>' for x in row)}</tr>" for row in rows)
    said = ", ".join(f"{s:.4f}" for s in values)
    return (
        f'<div class="modbp-playground" data-start="{start}" '
        f'data-presets="{escape(json.dumps(PRESETS))}">'
        "<p>To type matrices of your own, this place needs the page in a browser with "
        "scripts. One example, multiplied by itself:</p>"
        f"<table><tbody>{cells}</tbody></table>"
        f"<p>For n = 1, 2, 3, 4 the smallest cosine is s = {said}.</p></div>"
    )


class Playground(Directive):
    """``{playground} KEY``: the playground, beginning with the example of that key."""

    required_arguments = 1

    def run(self):
        """Return it as HTML, which every other builder leaves out."""
        key = self.arguments[0]
        keys = [each["key"] for each in PRESETS]
        if key not in keys:
            raise self.error(f"no example {key!r}: choose one of {', '.join(keys)}.")
        return [nodes.raw("", html(key), format="html", playground=key)]


def bring_files(app, pagename, templatename, context, doctree):
    """Load script and style where there is a playground, and nowhere else."""
    raws = doctree.findall(nodes.raw) if doctree else ()
    if any("playground" in raw for raw in raws):
        app.add_css_file("playground.css")
        for name in FILES:
            app.add_js_file(name)


def setup(app):
    """Add the directive."""
    app.add_directive("playground", Playground)
    app.connect("html-page-context", bring_files)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
