"""The text of a resolved page as plain Markdown, which any notebook program shows.

Each kind of node has a method here; one that has none is a warning, so that nothing
is lost without a word. Of the writers that there are, sphinx-markdown-builder and
sphinx-tojupyter, neither knows numbers of theorems, macros, or cells in solutions.
"""

import html
import re
from pathlib import Path
from types import SimpleNamespace

from docutils import nodes
from sphinx.locale import admonitionlabels
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

LOG = logging.getLogger(__name__)

# Nothing to read: what they do is done when a page is resolved.
SILENT = "comment target index toctree substitution_definition colspec sd_tab_input "
SILENT += "tabular_col_spec meta system_message pending label raw_title"
# Boxes with a name of their own.
BOXES = "note warning tip hint important attention caution danger error seealso"
# What makes raw HTML more than text: a notebook that is not trusted strips it.
SCRIPT = re.compile(r"<(script|style)\b.*?</\1>", re.I | re.S)
LIVE = re.compile(
    r"<(input|select|button|svg|canvas|form)\b|\s(on\w+|data-[\w-]+)=", re.I
)
ON_THE_PAGE = "*The page of the book has a part to play with here.*"


def escape(text):
    """Write text so that Markdown shows it as it is."""
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r"([\\`*$]|~(?=~)|<(?=[\w/!?])|&(?=#?\w+;))", r"\\\1", text)
    text = re.sub(r"(?<!\w)_|_(?!\w)", r"\\_", text)
    return re.sub(r"\](?=[(\[:])", r"\\]", text)


def fence(code, language=""):
    """Return a block of code, whatever is in it."""
    longest = max(map(len, re.findall(r"`{3,}", code)), default=2)
    mark = "`" * (longest + 1)
    return f"{mark}{language}\n{code.rstrip()}\n{mark}"


def indent(text, by):
    """Indent all lines but the first, and no empty one."""
    return re.sub(r"\n(?=[^\n])", "\n" + " " * by, text)


def quote(text):
    """Set a text off from what is around it."""
    return re.sub(r"^ $", "", re.sub(r"^", "> ", text, flags=re.M), flags=re.M)


def details(summary, text):
    """Return a text that opens on a click."""
    head = f"<summary><b>{html.escape(summary, quote=False)}</b></summary>"
    return f"<details>\n{head}\n\n{text}\n\n</details>"


def argument(text, start):
    """Return what follows a macro, a group or one sign, and where it ends."""
    start += len(text[start:]) - len(text[start:].lstrip())
    if text[start : start + 1] != "{":
        one = re.compile(r"\\[A-Za-z]+|\\?.", re.S).match(text, start)
        return (one[0], one.end()) if one else ("", start)
    depth = 0
    for place in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0) * (text[place - 1] != "\\")
        if depth == 0:
            return text[start + 1 : place], place + 1
    return text[start + 1 :], len(text)


def expand(formula, macros):
    """Replace the book's macros in a formula, which no other program knows."""
    for _ in range(9):  # a macro may use another
        for name, given in macros.items():
            body, count = (given, 0) if isinstance(given, str) else given[:2]
            found = re.search(rf"\\{name}(?![A-Za-z])", formula)
            while found:
                end, filled = found.end(), body
                for number in range(1, count + 1):
                    value, end = argument(formula, end)
                    filled = filled.replace(f"#{number}", value)
                # A command before a letter needs a gap; a group would change spacing.
                gap = " " if formula[end : end + 1].isalpha() else ""
                formula = formula[: found.start()] + filled + gap + formula[end:]
                found = re.search(rf"\\{name}(?![A-Za-z])", formula)
        if not any(re.search(rf"\\{m}(?![A-Za-z])", formula) for m in macros):
            break
    return formula


def is_cell(node):
    """Whether a node is a cell of code."""
    return isinstance(node, nodes.container) and node.get("nb_element") == "cell_code"


def has_cell(node):
    """Whether there is a cell of code in a node."""
    return any(map(is_cell, node.findall(nodes.container)))


def anchor(heading):
    """Return JupyterLab's name for a heading, or nothing where it is unsure."""
    return "" if re.search(r"[$`*\\\[]", heading) else heading.replace(" ", "-")


class Gated(str):
    """A text that belongs to the solution of an exercise, by its label."""

    def __new__(cls, text, label):
        """Keep the label with the text."""
        made = super().__new__(cls, text)
        made.label = label
        return made


class Prose:
    """Markdown of the nodes of one page."""

    def __init__(self, app, name, notebooks):
        """Read numbers from the build; `notebooks` are the pages that have one."""
        self.env, self.config, self.builder = app.env, app.config, app.builder
        self.name, self.notebooks = name, notebooks
        tex = (getattr(app.config, "mathjax3_config", None) or {}).get("tex", {})
        self.macros = tex.get("macros", {})
        self.numbers = app.env.toc_fignumbers.get(name, {})
        self.level, self.in_table = 0, False
        self.files = {}  # pictures that the text shows
        self.cited = set()

    # The page as a flow of texts and cells.

    def flow(self, children, shut=False):
        """Yield texts, code cells as (number, shut), and None where a cell begins.

        What shuts a cell is the label of the exercise that it solves.
        """
        for child in children:
            if is_cell(child):
                yield child["cell_index"], shut
                yield from map(self.caption, child.findall(nodes.figure))
            elif isinstance(child, nodes.section):
                yield None
                self.level += 1
                yield from self.flow(child.children, shut)
                self.level -= 1
            elif type(child).__name__.startswith("solution") and has_cell(child):
                yield from self.gated(child)
            elif has_cell(child):
                yield from self.flow(child.children, shut)
            else:
                solves = type(child).__name__.startswith("solution")
                if solves or type(child).__name__.startswith("exercise"):
                    yield None
                text = self.block(child)
                yield Gated(text, child["target_label"]) if solves else text
                if solves:
                    yield None

    def gated(self, node):
        """Yield a solution around cells: its texts shut, the cells in between."""
        title, texts, label = self.plain_title(node), [], node["target_label"]
        inside = [c for c in node.children if not isinstance(c, nodes.title)]
        for piece in [*self.flow(inside, shut=label), None]:
            if isinstance(piece, str):
                texts.append(piece)
                continue
            if any(texts):
                folded = details(title, "\n\n".join(filter(None, texts)))
                yield from (None, Gated(folded, label), None)
                title = f"{self.plain_title(node)}, continued"
            texts = []
            yield piece

    # Dispatch.

    def call(self, kind, node):
        """Call the method for the class of a node, or for one that it derives from."""
        for base in type(node).__mro__:
            method = getattr(self, f"{kind}_{base.__name__}", None)
            if method:
                return method(node)
        LOG.warning("plain notebook: nothing shows %s", type(node).__name__)
        return ""

    def block(self, node):
        """Return the Markdown of a block."""
        name = type(node).__name__
        if name in SILENT.split():
            return ""
        inline = isinstance(node, nodes.Inline | nodes.Text)
        if inline and not hasattr(self, f"block_{name}"):
            return self.call("inline", node).strip()
        return self.call("block", node)

    def blocks(self, inside, skip=()):
        """Return the blocks inside a node, or of a list, each set apart."""
        inside = getattr(inside, "children", inside)
        inside = [child for child in inside if not isinstance(child, skip)]
        return "\n\n".join(filter(None, map(self.block, inside)))

    def inline(self, node):
        """Return the Markdown of what stands in a line."""
        said = (c for c in node.children if type(c).__name__ not in SILENT.split())
        return "".join(self.call("inline", child) for child in said)

    def line(self, node):
        """Return what stands in a node as one line."""
        return self.inline(node).strip()

    # Blocks that hold others.

    def block_Element(self, node):
        """Look inside what only groups: sections of a theorem, rows of a grid."""
        groups = "container compound section legend definition_list_item desc_content"
        groups += " glossary document figwrap HiddenCellNode HideCodeCellNode only"
        known = type(node).__name__ in groups.split()
        if not known and not isinstance(node, nodes.Structural | nodes.Invisible):
            LOG.warning("plain notebook: nothing shows %s", type(node).__name__)
        return self.blocks(node)

    def block_container(self, node):
        """Show a card as a line of a list, a grid as what is in it."""
        if node.get("design_component") == "card":
            return self.card(node)
        return self.blocks(node)

    def card(self, node):
        """Return a card as one entry of a list."""
        title, link, said = "", "", []
        for part in node.findall(nodes.Element):
            if part.get("design_component") == "card-title":
                title = self.line(part)
            elif isinstance(part, nodes.reference) and "sd-stretched-link" in part.get(
                "classes", ()
            ):
                link = self.target(part)
            elif isinstance(part, nodes.paragraph):
                said.append(self.line(part))
        head = f"[{title}]({link})" if link else f"**{title}**"
        return f"* {head}: {' '.join(said)}" if title else f"* {' '.join(said)}"

    def block_TextElement(self, node):
        """Show a paragraph, a term, or whatever else holds text."""
        if any(isinstance(c, nodes.Body) for c in node.children):
            if not all(isinstance(c, nodes.Inline | nodes.Text) for c in node.children):
                return self.blocks(node)
        text = self.line(node)
        # At its beginning these would make a list, a heading or a quotation.
        return re.sub(r"^(\d+)(?=[.)](\s|$))|^(?=[-+#>=])", r"\1\\", text)

    def block_title(self, node):
        """Show the heading of a section."""
        number = self.env.toc_secnumbers.get(self.name, {}).get("")
        number = ".".join(map(str, number)) + ". " if number else ""
        number *= self.level == 1  # as in the book's contents: chapters only
        return f"{'#' * min(max(self.level, 1), 6)} {number}{self.line(node)}"

    def block_rubric(self, node):
        """Show a heading that begins no section."""
        return f"**{self.line(node)}**"

    def block_block_quote(self, node):
        """Show a quotation."""
        return quote(self.blocks(node))

    def block_attribution(self, node):
        """Show whom a quotation is from."""
        return f"— {self.line(node)}"

    def block_transition(self, node):
        """Show a rule across."""
        return "---"

    def block_line_block(self, node):
        """Show lines that stay as they are."""
        return "<br>\n".join(self.block(child) for child in node.children)

    # Boxes, theorems, exercises.

    def number_of(self, node):
        """Return the number that the page gives to a node, with its name."""
        figtype = self.env.get_domain("std").get_enumerable_node_type(node)
        found = [self.numbers.get(figtype, {}).get(i) for i in node.get("ids", ())]
        number = next(filter(None, found), None)
        if number is None:
            return ""
        text = self.config.numfig_format.get(figtype, "%s")
        if "realtype" in node:
            text = f"{node['realtype'].title()} %s"
        return text % ".".join(map(str, number))

    def title_of(self, node):
        """Return a box's name: number and title."""
        title = next((c for c in node.children if isinstance(c, nodes.title)), None)
        said = self.line(title) if title is not None else ""
        number = self.number_of(node)
        if not number and "realtype" in node:
            number = node["realtype"].title()
        return said if said.startswith(number) else f"{number} {said}"

    def block_Admonition(self, node):
        """Show a box: quoted, under its name."""
        kind = type(node).__name__
        title = self.title_of(node) or str(admonitionlabels.get(kind, ""))
        text = self.blocks(node, nodes.title)
        if "dropdown" in node.get("classes", ()):
            return details(title, text)
        return quote(f"**{title}**\n\n{text}" if title else text)

    def block_dropdown_main(self, node):
        """Show what opens on a click."""
        title, *rest = node.children
        said = [
            t for t in title.findall(nodes.Text) if not isinstance(t.parent, nodes.raw)
        ]
        return details(" ".join("".join(said).split()), self.blocks(rest))

    block_topic = block_sidebar = block_Admonition

    def block_proof_node(self, node):
        """Show a proof: it begins with its name and ends with a sign."""
        text = self.blocks(node.children[0])
        text = re.sub(r"^Proof\. ?", "**Proof.** ", text)
        ends = re.search(r"(\\square|\\qed|\\blacksquare|□|∎|■)\W*$", text)
        return quote(text if ends else f"{text} ∎")

    def exercise(self, node):
        """Show an exercise under a heading."""
        mark = "#" * min(self.level + 1, 6)
        return f"{mark} {self.title_of(node)}\n\n{self.blocks(node, nodes.title)}"

    block_exercise_node = block_exercise_enumerable_node = exercise

    def block_solution_node(self, node):
        """Show a solution shut."""
        return details(self.plain_title(node), self.blocks(node, nodes.title))

    def plain_title(self, node):
        """Return a box's name without marks, for HTML."""
        title = next(c for c in node.children if isinstance(c, nodes.title))
        return re.sub(r"\s+", " ", title.astext()).strip()

    # Lists and tables.

    def items(self, node, marks):
        """Return a list; close together if all of its items are short."""
        texts = [self.blocks(item) for item in node.children]
        loose = any("\n\n" in text for text in texts)
        lines = [
            f"{m} {indent(t, len(m) + 1)}" for m, t in zip(marks, texts, strict=True)
        ]
        return ("\n\n" if loose else "\n").join(lines)

    def block_bullet_list(self, node):
        """Show a list."""
        mark = "•" if self.in_table else "*"  # there Markdown knows no list
        return self.items(node, [mark] * len(node.children))

    def block_enumerated_list(self, node):
        """Show a list with numbers."""
        start = node.get("start", 1)
        return self.items(node, [f"{start + n}." for n in range(len(node.children))])

    def block_definition_list(self, node):
        """Show what is defined as a list: plain Markdown has no other."""
        lines = []
        for item in node.children:
            terms, said = [], []
            for part in item.children:
                if isinstance(part, nodes.term):
                    terms.append(self.line(part))
                elif isinstance(part, nodes.classifier):
                    terms[-1] += f" ({self.line(part)})"
                else:
                    said.append(self.block(part))
            own = re.compile(r"`|.*\*\*")  # has a look of its own
            head = ", ".join(t if own.match(t) else f"**{t}**" for t in terms)
            lines.append(self.entry(head, "\n\n".join(filter(None, said))))
        return ("\n\n" if any("\n" in line for line in lines) else "\n").join(lines)

    def entry(self, head, said):
        """Return an entry of a list: what it is about, and what is said."""
        gap = "\n\n" if "\n" in said or said.startswith("* ") else " "
        return "* " + indent(f"{head}:{gap}{said}" if said else head, 2)

    def block_definition(self, node):
        """Show what a term means."""
        return self.blocks(node)

    def block_field_list(self, node):
        """Show fields, of a docstring say."""
        lines = []
        for field in node.children:
            name, body = field.children
            lines.append(self.entry(f"**{self.line(name)}**", self.blocks(body)))
        return "\n\n".join(lines)

    def block_option_list(self, node):
        """Show options of a command."""
        return fence(node.astext())

    def block_table(self, node):
        """Show a table; what a cell holds stands in one line."""
        was, self.in_table = self.in_table, True
        rows, sides = [], []
        for row in node.findall(nodes.row):
            line = []
            for entry in row.children:
                text = self.blocks(entry)
                line += [re.sub(r"\s*\n\s*", "<br>", text)]
                line += [""] * entry.get("morecols", 0)
            rows.append(line)
            sides = sides or [" ".join(e.get("classes", ())) for e in row.children]
        self.in_table = was
        width = max(map(len, rows), default=0)
        if not any(True for _ in node.findall(nodes.thead)):
            rows.insert(0, [""] * width)
        ends = {"right": "--:", "center": ":-:"}
        rule = [next((v for k, v in ends.items() if k in s), "---") for s in sides]
        rows.insert(1, rule)
        filled = [
            row + ["---" if row is rule else ""] * (width - len(row)) for row in rows
        ]
        text = "\n".join(f"| {' | '.join(row)} |" for row in filled)
        title = next((c for c in node.children if isinstance(c, nodes.title)), None)
        if title is None:
            return text
        return f"**{self.number_of(node)} {self.line(title)}**\n\n{text}"

    # Code, formulas, pictures.

    def block_literal_block(self, node):
        """Show code."""
        if self.in_table:
            return "<br>".join(map(self.code, node.astext().splitlines()))
        known = {"ipython3": "python", "ipython": "python", "none": "", "default": ""}
        language = node.get("language", "")
        return fence(node.astext(), known.get(language, language))

    block_doctest_block = block_literal_block

    def code(self, text):
        """Return code in a line."""
        text = re.sub(r"\s+", " ", text)
        mark = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
        pad = " " if text[:1] == "`" or text[-1:] == "`" else ""
        shown = f"{mark}{pad}{text}{pad}{mark}"
        return shown.replace("|", r"\|") if self.in_table else shown

    def formula(self, text):
        """Return a formula in one line: in a list or a box it must not break."""
        text = re.sub(r"(?<!\\)%.*", "", text)
        text = re.sub(r"\s+", " ", expand(text, self.macros)).strip()
        if self.in_table:
            text = text.replace(r"\|", r"\Vert ").replace("|", r"\vert ")
        return text

    def block_math_block(self, node):
        """Show a formula with its number."""
        text = self.formula(node.astext())
        text = re.sub(r"\\(begin|end)\{(equation|displaymath)\*?\}", "", text)
        text = re.sub(r"\\(begin|end)\{(align|gather)\*?\}", r"\\\1{\2ed}", text)
        if r"\\" in text and r"\begin{" not in text:
            text = rf"\begin{{aligned}} {text} \end{{aligned}}"
        if node.get("number") and r"\tag" not in text:
            place = SimpleNamespace(
                name="html", config=self.config, fignumbers=self.numbers
            )
            number = get_node_equation_number(SimpleNamespace(builder=place), node)
            text += rf" \tag{{{number}}}"
        return f"${text}$" if self.in_table else f"$$ {text.strip()} $$"

    def picture(self, node):
        """Return a picture that travels with its cell."""
        uri, alt = node["uri"], re.sub(r"\s+", " ", node.get("alt", ""))
        alt = re.sub(r"([\[\]])", r"\\\1", alt)
        if "://" in uri:
            return f"![{alt}]({uri})"
        path = Path(self.env.srcdir, uri)
        self.files[path.name] = path
        return f"![{alt}](attachment:{path.name})"

    block_image = inline_image = picture

    def block_figure(self, node):
        """Show a picture and what is said of it."""
        said = (nodes.caption, nodes.legend)
        parts = [self.blocks(node, said), self.caption(node)]
        parts += [self.blocks(c) for c in node.children if isinstance(c, nodes.legend)]
        return "\n\n".join(filter(None, parts))

    def caption(self, node):
        """Return a figure's number and caption."""
        found = [self.line(c) for c in node.children if isinstance(c, nodes.caption)]
        head = self.number_of(node)
        return " ".join(filter(None, [f"**{head}.**" if head else "", *found]))

    def block_raw(self, node):
        """Show HTML that is text; of what moves, say where it is."""
        if "html" not in node.get("format", "").split():
            return ""
        text = SCRIPT.sub("", node.astext()).strip()
        return ON_THE_PAGE if LIVE.search(text) else text

    def inline_raw(self, node):
        """Show HTML in a line."""
        return self.block_raw(node)

    # Descriptions of functions.

    def block_desc(self, node):
        """Show a function's signature and what is said of it."""
        return self.blocks(node)

    def block_desc_signature(self, node):
        """Show a signature as code."""
        said = ""
        for part in node.children:
            text = part.astext()
            if type(part).__name__ == "desc_parameterlist":
                text = f"({', '.join(each.astext() for each in part.children)})"
            elif type(part).__name__ == "desc_returns":
                text = f" -> {text}"
            said += text
        return self.code(said)

    def block_footnote(self, node):
        """Show a footnote behind its number."""
        label, *rest = node.children
        text = self.blocks(rest)
        return f"<sup>{label.astext()}</sup> {text}"

    block_citation = block_footnote

    # In a line.

    def inline_Text(self, node):
        """Show text as it is."""
        text = escape(node.astext())
        return text.replace("|", r"\|") if self.in_table else text

    def inline_Element(self, node):
        """Show what is inside of what has no look of its own."""
        return self.inline(node)

    def inline_inline(self, node):
        """Show a citation in round brackets, anything else as it is."""
        if "bibtex-citation" not in node.get("classes", ()):
            return self.inline(node)
        links = list(node.findall(nodes.reference))
        self.cited.update(link["reftitle"] for link in links if "reftitle" in link)
        # Without links: what they lead to stands at the end.
        said = (
            re.sub(r"\s+", " ", c).translate({91: "(", 93: ")"})
            if isinstance(c, nodes.Text)
            else self.inline(c)
            for c in node.children
        )
        return "".join(said)

    def around(self, node, mark):
        """Return what is in a node between marks, without its outer gaps."""
        text = self.inline(node)
        core = text.strip()
        if not core:
            return text
        before, _, after = text.partition(core)
        return f"{before}{mark}{core}{mark}{after}"

    def inline_emphasis(self, node):
        """Show emphasis."""
        return self.around(node, "*")

    inline_title_reference = inline_literal_emphasis = inline_emphasis

    def inline_strong(self, node):
        """Show what is bold."""
        return self.around(node, "**")

    inline_literal_strong = inline_strong

    def inline_literal(self, node):
        """Show code."""
        return self.code(node.astext())

    def inline_math(self, node):
        """Show a formula."""
        return f"${self.formula(node.astext())}$"

    def inline_subscript(self, node):
        """Show what is set lower."""
        return f"<sub>{self.inline(node)}</sub>"

    def inline_superscript(self, node):
        """Show what is set higher."""
        return f"<sup>{self.inline(node)}</sup>"

    def inline_footnote_reference(self, node):
        """Show the number of a footnote."""
        return f"<sup>{node.astext()}</sup>"

    def inline_problematic(self, node):
        """Show what was not understood; its own warning has been given."""
        return escape(node.astext())

    def inline_reference(self, node):
        """Show a link, if a notebook can follow it."""
        text, link = self.inline(node), self.target(node)
        core = text.strip()
        if not link or not core or core.startswith("!["):
            return text
        before, _, after = text.partition(core)
        return f"{before}[{core}]({link}){after}"

    inline_number_reference = inline_download_reference = inline_reference

    # Where a link leads.

    def target(self, node):
        """Return the address for a notebook: beside it, in it, elsewhere, or none."""
        if "refid" in node:
            return self.part(self.name, node["refid"])
        uri = node.get("refuri", "")
        if not node.get("internal"):
            return uri
        page, _, ident = uri.partition("#")
        name = re.sub(r"\.html$", "", page) or self.name
        if name == self.name:
            return self.part(name, ident)
        if name in self.notebooks:
            return f"{self.notebooks[name]}{self.part(name, ident)}"
        base = getattr(self.config, "html_baseurl", "")
        return f"{base.rstrip('/')}/{uri}" if base else ""

    def part(self, name, ident):
        """Return JupyterLab's address of a section, or nothing."""
        if not ident:
            return ""
        heading = self.headings(name).get(ident, "")
        return f"#{anchor(heading)}" if anchor(heading) else ""

    def headings(self, name):
        """Return the headings of a page by their names in links."""
        kept = self.env.temp_data.setdefault("plain headings", {})
        if name not in kept:
            kept[name] = {
                ident: " ".join(section[0].astext().split())
                for section in self.env.get_doctree(name).findall(nodes.section)
                for ident in section["ids"]
                if section.children and isinstance(section[0], nodes.title)
            }
        return kept[name]


for _name in BOXES.split():
    setattr(Prose, f"block_{_name}", Prose.block_Admonition)
