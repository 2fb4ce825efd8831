"""How long a page takes to read, by a model: the role `{pace}` writes its minutes.

The model counts what a reader goes through on the finished page and gives each kind its
time. Nobody has been timed on this book; where a number has a source, it is named.
"""

import math
from collections import Counter

from docutils import nodes

# Words a minute. Brysbaert (2019), "How many words do we read per minute?": most adults
# read English non-fiction at 175 to 300, in the mean 238; this text is a hard one.
WORDS = 200
# Lines of code an hour. Cohen et al. (2006), "Best kept secrets of peer code review":
# who goes through more than 500 misses much of what there is to find.
LINES = 500
# Ours, without a source. Seconds for a formula on a line of its own, for a figure, and
# for one that the reader moves; words that a formula within a line stands for; and how
# often a proof is gone through.
FORMULA, FIGURE, MOVING, SYMBOLS, PROOF = 20, 30, 45, 3, 2

_SECONDS = {
    "words": 60 / WORDS,
    "symbols": 60 / WORDS * SYMBOLS,
    "lines": 3600 / LINES,
    "formulas": FORMULA,
    "figures": FIGURE,
    "moving": MOVING,
}
# What the role may be asked for: minutes of the page, or a constant of the model.
_WISHES = ("page", "page without proofs")
_CONSTANTS = {
    "words": WORDS,
    "lines": LINES,
    "formula": FORMULA,
    "figure": FIGURE,
    "moving": MOVING,
}


class Pace(nodes.inline):
    """Stands for a number of minutes until the page has been read whole."""


def count(node, proofs=PROOF):
    """Return how much of each kind a reader meets on a page, or in a part of it.

    Code that is folded away is not read, and exercises have minutes of their own. A
    proof counts as often as `proofs` says.
    """
    if isinstance(node, nodes.Text):
        return Counter(words=len(node.split()))
    if isinstance(node, (Pace, nodes.raw, nodes.comment, nodes.system_message)):
        return Counter()
    if isinstance(node, nodes.math):
        return Counter(symbols=1)
    if isinstance(node, nodes.math_block):
        return Counter(formulas=1)
    if isinstance(node, nodes.image):
        return Counter(figures=1)
    if isinstance(node, nodes.literal_block):
        if "output" in node["classes"]:
            return Counter(words=len(node.astext().split()))
        return Counter(lines=len([*filter(str.strip, node.astext().split("\n"))]))
    if isinstance(node, nodes.section) and node[0].astext() == "Exercises":
        return Counter()
    part = node.get("nb_element")
    if part == "cell_code_source" and "tag_hide-input" in node.parent["classes"]:
        return Counter()
    if part == "mime_bundle":
        return _count_output(node)
    found = sum((count(child, proofs) for child in node.children), Counter())
    if type(node).__name__ == "proof_node":
        return Counter({kind: proofs * number for kind, number in found.items()})
    return found


def _count_output(bundle):
    """Count one of the forms that an output comes in: the one that is shown."""
    forms = {form["mime_type"]: form for form in bundle.children}
    html = forms["text/html"].astext() if "text/html" in forms else ""
    if "modbp-frames" in html:
        return Counter(moving=1)
    if "modbp-figure" in html:
        return Counter(figures=1)
    for kind in ("image/svg+xml", "image/png", "text/markdown", "text/plain"):
        if kind in forms:
            return count(forms[kind])
    return Counter()


def minutes(node, proofs=PROOF):
    """Return the minutes of a page, or of a part of it, rounded up."""
    found = count(node, proofs)
    return math.ceil(sum(_SECONDS[kind] * n for kind, n in found.items()) / 60)


def ask(name, rawtext, text, lineno, inliner, options=None, content=None):
    """Read `{pace}` with what it is asked for."""
    if text not in (*_WISHES, *_CONSTANTS):
        said = f"no pace {text!r}; ask for one of {', '.join([*_WISHES, *_CONSTANTS])}."
        return [], [inliner.reporter.warning(said, line=lineno)]
    return [Pace(text, str(_CONSTANTS.get(text, text)), wish=text)], []


def answer(app, doctree):
    """Write minutes where a page asks for them, now that all of it is known."""
    for node in list(doctree.findall(Pace)):
        shown = node.astext()
        if node["wish"] not in _CONSTANTS:
            number = minutes(doctree, PROOF if node["wish"] == "page" else 0)
            shown = f"{number} minute" + "s" * (number != 1)
        node.replace_self(nodes.Text(shown))


def setup(app):
    """Connect role and answer."""
    app.add_role("pace", ask)
    app.add_node(Pace)
    app.connect("doctree-read", answer)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
