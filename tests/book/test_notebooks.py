"""Plain notebooks: complete, readable by any program, and running on their own.

Small hostile documents go through Sphinx; then those of the built book are read.
"""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import alone
import nbformat
import pytest
import yaml
from alone import RAW
from conftest import SITE
from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
BUILT = SITE.parent / "notebooks"
PREFIX = "application/papermill.record/"
MARKDOWN = MarkdownIt("gfm-like", {"linkify": False})
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

HEAD = """---
jupytext: {text_representation: {extension: .md, format_name: myst}}
kernelspec: {display_name: Python 3, language: python, name: python3}
---

"""
SETTINGS = {
    "extensions": "myst_nb sphinx_proof sphinx_exercise sphinx_design "
    "sphinxcontrib.bibtex plain".split(),
    "bibtex_bibfiles": ["some.bib"],
    "bibtex_reference_style": "author_year",
    "html_theme": "sphinx_book_theme",
    "html_title": "Small",
    "numfig": True,
    "nb_execution_mode": "off",
    "nb_render_markdown_format": "myst",
    "myst_enable_extensions": "amsmath colon_fence deflist dollarmath".split(),
    "mathjax3_config": {
        "tex": {"macros": {"norm": [r"\lVert #1 \rVert", 1], "R": r"\mathbb{R}"}}
    },
}
BIBLIOGRAPHY = """
@book{one2001, author={Ada One}, title={First_things}, publisher={P}, year=2001}
@book{two2002, author={Bo Two and Cy Six}, title={Second}, publisher={P}, year=2002}
"""
PAGES = {
    "index": "# Start\n\n```{toctree}\n:caption: Part one\nboxes\ntables\nlists\n"
    "links\ncells\nsigns\npictures\nglued\nbare\n```\n\n```{bibliography}\n```\n",
    "bare": "# Without cells\n\n(bare-part)=\n## A part\n\nText.\n",
    "boxes": HEAD
    + r"""# Boxes

````{prf:theorem} Small < $\norm{x}$
:label: thm-small

Let $\norm{\norm{x}} \in \R^n$, so that $\Rightarrow$ stays. Then

```{math}
:label: eq-small
\norm{a + \norm{b}} \le
\R
```
````

`````{prf:proof}
First words.

````{admonition} Inside *of* it
* one
* two with

  $$
  a = b
  $$

```{note}
Deepest.
```
````
`````

:::{margin}
In the *margin*.
:::

```{exercise} Do it
:label: ex-small

By {prf:ref}`thm-small` and {eq}`eq-small`.
```

```{solution} ex-small
:class: dropdown
Done, $\norm{y}$.
```
""",
    "tables": HEAD
    + r"""# Tables

| left | right |
|---|--:|
| `a \| b` | $\|x\|$ |
| *x* \| y | [part](#bare-part) |

```{list-table} A caption
:name: tab-small
:header-rows: 1

* - one
  - two
* - * in $\|y\|$
    * list
  - ```python
    f(1) | g
    ```
```
""",
    "lists": HEAD
    + r"""# Lists

3. A formula

   $$
   \begin{aligned}
   a &= b \\
   c &= d
   \end{aligned}
   $$

   then text.
4. Code:

   ```python
   for i in range(3):

       print(i)
   ```

   * nested
     twice

term with `code`
: First meaning.

  Second paragraph.

other
: Short.

A note.[^1]

[^1]: Of the *foot*.

> Quoted
> twice.

(far)=
## A far part

- - deep
""",
    "links": HEAD
    + r"""# Links

(here)=
## A part, named

[This part](#here), {ref}`here`, [that page](tables.md), {prf:ref}`thm-small`,
[a part there](#far), {doc}`bare`, [outside](https://example.org/a_b),
{numref}`tab-small`, {eq}`eq-small`, <https://example.org>.

By {cite:t}`one2001` {cite:p}`one2001,two2002`.
""",
    "cells": HEAD
    + r"""# Cells

```{code-cell}
:tags: [remove-cell]
first = 1
```

Text.

```{code-cell}
:tags: [hide-input]
second = 2
```

```{code-cell}
:tags: [remove-input, remove-output]
third = 3
```

```{exercise} Gated
:label: ex-gated
Try.
```

```{solution-start} ex-gated
:class: dropdown
```
Before, $1 < 2$.

```{code-cell}
fourth = 4
```

After.

```{code-cell}
fifth = 5
```
```{solution-end}
```

Later.

```{code-cell}
:tags: [remove-cell]
last = 6
```
""",
    "signs": HEAD
    + r"""# Signs

2 \* 3 \* 4, snake_case, \_edge\_, 5 \$ and 6 \$, a < b, \<b>, \`tick\`, back\\slash,
{curly}, \[x](y), `` a`b ``, &amp;amp;.

\# no heading

1\. no list

<div onclick="x()">Go</div>

<div class="game" data-start="F3">To type here, go to the page.</div>

<b>kept</b>
""",
    "pictures": HEAD
    + r"""# Pictures

```{figure} dot.png
:alt: A [small] dot
:name: fig-dot

A *caption*.
```

::::{grid} 1
:::{grid-item-card} Card
:link: tables
:link-type: doc
Said on it.
:::
::::

```{dropdown} Shut
Hidden text.
```
""",
}


def picture(kind="PNG"):
    from io import BytesIO

    from PIL import Image

    buffer = BytesIO()
    Image.new("RGB", (3, 2), (200, 30, 30)).save(buffer, kind)
    return buffer.getvalue()


def glued():
    """A page that was run elsewhere: glue of a number and of a table, and frames."""
    import modbp

    def kept(name, data):
        named = {PREFIX + k: v for k, v in data.items()}
        return nbformat.v4.new_output(
            "display_data",
            named,
            metadata={"scrapbook": {"name": name, "mime_prefix": PREFIX}},
        )

    table = "| a | b |\n|---|---|\n| `x` | [go](#far) |"
    frames = modbp.widgets.frames(
        [picture()] * 3, ["p", "q", "r"], alt="Dot {}", telling=[0, 2]
    )
    outputs = [
        [
            kept("number", {"text/plain": "3.14159"}),
            kept("table", {"text/markdown": table}),
        ],
        [
            nbformat.v4.new_output(
                "execute_result",
                {"text/html": frames._repr_html_(), "text/plain": "3 pictures"},
            )
        ],
        [nbformat.v4.new_output("execute_result", {"text/markdown": table})],
    ]
    cells = [
        nbformat.v4.new_code_cell(f"cell({n})", outputs=o)
        for n, o in enumerate(outputs)
    ]
    text = "# Glued\n\nIt is {glue:text}`number:.2f`.\n\n"
    text += "```{glue:md} table\n:format: myst\n```"
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    cells.insert(1, nbformat.v4.new_markdown_cell(text))
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The small documents as notebooks, and as pages where one may look for buttons."""
    from sphinx.application import Sphinx
    from sphinx.util.docutils import docutils_namespace, patch_docutils

    base = tmp_path_factory.mktemp("small")
    (base / "book").mkdir()
    for name, text in PAGES.items():
        (base / "book" / f"{name}.md").write_text(text, encoding="utf-8")
    (base / "book" / "some.bib").write_text(BIBLIOGRAPHY, encoding="utf-8")
    (base / "book" / "dot.png").write_bytes(picture())
    nbformat.write(glued(), base / "book" / "glued.ipynb")

    def build(**more):
        with patch_docutils(), docutils_namespace():
            folders = (base / "book", None, base / "html", base / "trees", "html")
            settings = {**SETTINGS, **more}
            with (base / "warnings").open("w", encoding="utf-8") as warning:
                app = Sphinx(*folders, settings, status=None, warning=warning)
                app.build(force_all=True)
        return base

    return build


@pytest.fixture(scope="module")
def small(built):
    base = built()
    warnings = (base / "warnings").read_text(encoding="utf-8")
    assert not warnings
    found = (base / "notebooks").glob("*.ipynb")
    return {path.stem: nbformat.read(path, 4) for path in found}


def texts(notebook):
    return [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]


def text(notebook):
    return "\n\n".join(texts(notebook))


def shown(markdown):
    """What a reader sees: tags gone."""
    page = MARKDOWN.render(markdown)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", page))


def test_each_page_with_cells_has_a_notebook_and_the_start_names_them_in_order(small):
    assert set(small) == set(PAGES) - {"index", "bare"} | {"start", "glued"}
    links = re.findall(r"\((\w+)\.ipynb\)", text(small["start"]))
    assert links == "boxes tables lists links cells signs pictures glued".split()
    assert "Part one" in text(small["start"])


def test_nothing_that_only_myst_understands_survives(small):
    for name, notebook in small.items():
        for kind, pattern in RAW.items():
            assert not pattern.search(text(notebook)), (name, kind)


def test_a_theorem_has_its_name_its_number_and_macros_that_are_written_out(small):
    found = text(small["boxes"])
    assert r"> **Theorem 1 (Small < $\lVert x \rVert$)**" in found
    assert r"$\lVert \lVert x \rVert \rVert \in \mathbb{R}^n$" in found
    assert r"$\Rightarrow$" in found
    assert r"> $$ \lVert a + \lVert b \rVert \rVert \le \mathbb{R} \tag{1} $$" in found


def test_boxes_in_a_proof_stay_in_it(small):
    found = text(small["boxes"])
    proof = next(b for b in found.split("\n\n") if "**Proof.**" in b)
    assert proof.startswith("> **Proof.** First words.") and proof.endswith("∎")
    assert "> > **Inside *of* it**" in proof and "> > > Deepest." in proof
    assert "> >   $$ a = b $$" in proof
    tree = MARKDOWN.parse(proof)
    assert [t.type for t in tree].count("blockquote_open") == 3
    assert "> In the *margin*." in found


def test_an_exercise_has_a_heading_and_its_solution_is_shut(small):
    found = text(small["boxes"])
    assert "## Exercise 1 (Do it)\n\nBy Theorem 1" in found and "and (1)." in found
    solution = found[found.index("<details>") :]
    assert "<summary><b>Solution to Exercise 1 (Do it)</b></summary>" in solution
    assert solution.index(r"\lVert y \rVert") < solution.index("</details>")


def cells_of(table):
    """The rows of a table as a program reads them."""
    rows = []
    for token in MARKDOWN.parse(table):
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline" and rows:
            rows[-1].append("".join(child.content for child in token.children))
    return rows


def test_tables_keep_their_columns_around_pipes_code_and_formulas(small):
    first, second = (
        t for t in text(small["tables"]).split("\n\n") if t.startswith("| ")
    )
    assert cells_of(first) == [
        ["left", "right"],
        ["a | b", r"$\vert x\vert $"],
        ["x | y", "part"],
    ]
    assert "| --- | --: |" in first
    assert [len(row) for row in cells_of(second)] == [2, 2]
    assert cells_of(second)[1] == [r"• in $\Vert y\Vert $<br>• list", "f(1) | g"]
    assert "**Table 1 A caption**" in text(small["tables"])


def test_a_formula_and_code_stay_in_their_item(small):
    found = text(small["lists"])
    assert "3. A formula\n\n   $$ \\begin{aligned} a &= b \\\\ c &= d" in found
    tree = MARKDOWN.parse(found)
    (ordered,) = [t for t in tree if t.type == "ordered_list_open"]
    assert ordered.attrs["start"] == 3
    (code,) = [t for t in tree if t.type == "fence"]
    assert code.content == "for i in range(3):\n\n    print(i)\n" and code.level == 2
    for said in ("then text.", "nested twice", "Second paragraph.", "Quoted twice."):
        assert said in shown(found)
    assert "* **term with `code`**:" in found and "* **other**: Short." in found
    assert "note.<sup>1</sup>" in found and "<sup>1</sup> Of the *foot*." in found


def test_links_lead_to_notebooks_to_parts_of_them_or_outside_and_else_are_text(small):
    found = text(small["links"])
    assert found.count("[A part, named](#A-part,-named)") == 1
    assert "[This part](#A-part,-named)" in found
    assert "[that page](tables.ipynb)" in found
    assert "[a part there](lists.ipynb#A-far-part)" in found and "Theorem 1" in found
    assert "[outside](https://example.org/a_b)" in found
    assert "Without cells" in found and "bare" not in found
    for link in re.findall(r"\]\(([^)]*)\)", found):
        assert link.startswith(("#", "https://")) or link.partition("#")[0].endswith(
            ".ipynb"
        )


def test_who_is_cited_is_named_in_round_brackets_and_listed_at_the_end(small):
    *_, last = texts(small["links"])
    assert "By One (2001) (One, 2001, Two and Six, 2002)." in text(small["links"])
    one, two = last.removeprefix("## References\n\n").split("\n")
    assert one.startswith("* Ada One.") and "First_things" in one and "2002" in two
    assert "## References" not in text(small["lists"])


def test_all_cells_are_there_in_order_and_what_is_hidden_is_folded(small):
    cells = [c for c in small["cells"].cells if c.cell_type == "code"][1:]
    assert [c.source[-1] for c in cells] == list("123456")
    folded = [c.metadata.get("jupyter", {}) for c in cells]
    both = {"source_hidden": True, "outputs_hidden": True}
    assert folded == [both, {"source_hidden": True}, both, both, both, both]


def test_a_gated_solution_is_shut_around_its_cells(small):
    cells = small["cells"].cells
    order = [
        c.source.split("\n")[0] if c.cell_type == "code" else c.source for c in cells
    ]
    before, after = (
        next(n for n, source in enumerate(order) if word in source)
        for word in ("Before", "After")
    )
    assert order[before + 1] == "fourth = 4" and order[after + 1] == "fifth = 5"
    for number in (before, after):
        assert order[number].startswith("<details>\n<summary><b>Solution to Exercise 2")
        assert order[number].endswith("</details>")
    assert order[after + 2 :] == ["last = 6", "Later."]
    assert ", continued</b>" in order[after]


def test_signs_are_shown_as_they_are(small):
    said = shown(text(small["signs"]))
    for part in (
        "2 * 3 * 4, snake_case, _edge_, 5 $ and 6 $, a &lt; b, &lt;b&gt;",
        "`tick`, back\\slash, {curly}, [x](y), a`b",
        "# no heading",
        "1. no list",
    ):
        assert part in said
    found = text(small["signs"])
    assert r"5 \$ and 6 \$" in found
    assert "onclick" not in found and "data-start" not in found
    assert found.count("has a part to play with here") == 2
    assert "<b>kept</b>" in found


def test_pictures_travel_with_their_cell(small):
    (cell,) = [c for c in small["pictures"].cells if "attachments" in c]
    assert r"![A \[small\] dot](attachment:dot.png)" in cell.source
    assert base64.b64decode(cell.attachments["dot.png"]["image/png"]) == picture()
    assert "**Fig. 1.** A *caption*." in cell.source
    found = text(small["pictures"])
    assert "* [Card](tables.ipynb): Said on it." in found
    assert "<summary><b>Shut</b></summary>\n\nHidden text." in found


def test_glue_is_text_and_its_record_is_gone(small):
    assert "It is 3.14." in text(small["glued"])
    assert "`x`" in text(small["glued"])
    assert "papermill" not in json.dumps(small["glued"])


def test_an_interactive_picture_becomes_the_pictures_that_tell_most(small):
    (cell,) = [c for c in small["glued"].cells if c.source == "cell(1)"]
    *pictures, line = cell.outputs
    assert [p.metadata["image/png"]["alt"] for p in pictures] == ["Dot p", "Dot r"]
    for each in pictures:
        assert base64.b64decode(each.data["image/png"]).startswith(b"\x89PNG")
    assert line.data["text/markdown"].startswith("p – then r. *On its page")


def test_of_drawings_that_move_the_stills_are_pictures_and_paper_is_left_out(small):
    from plain import outputs

    page = '<div class="modbp-frames"><div class="modbp-frame modbp-telling" hidden>'
    page += '<p>Depth: 1</p><div role="img" aria-label="Dot &lt;p"><svg></svg></div>'
    page += '</div><div class="modbp-frame"><p>Depth: 2</p><svg></svg></div></div>'
    forms = {"text/html": page, "application/pdf": "PDF"}
    kept = {"text/html": {"telling": [["UE5H", "Dot <p"]]}}
    moves = nbformat.v4.new_output("display_data", forms, metadata=kept)
    forms = {"text/html": '<div class="modbp-figure"><svg></svg></div>'}
    forms |= {"image/png": "UE5H", "application/pdf": "PDF"}
    still = nbformat.v4.new_output("display_data", forms)
    cell = nbformat.v4.new_code_cell(outputs=[moves, still])
    cell.metadata["mystnb"] = {"image": {"alt": "One\n line."}}
    moving, line, drawing = outputs(cell, {})
    assert moving.data == {"image/png": "UE5H", "text/plain": "Dot <p"}
    assert line.data["text/markdown"].startswith("Depth: 1. *On its page")
    assert drawing.data == {"image/png": "UE5H"}
    assert drawing.metadata["image/png"]["alt"] == "One line."


def test_links_in_what_a_cell_printed_lead_nowhere_else(small):
    (cell,) = [c for c in small["glued"].cells if c.source == "cell(2)"]
    (output,) = cell.outputs
    assert output.data["text/markdown"].endswith("| `x` | go |")


def test_the_first_cell_runs_on_a_bare_python_and_says_what_to_install(small, tmp_path):
    source = small["boxes"].cells[0].source
    bare = [sys.executable, "-I", "-S", "-c", source]
    said = subprocess.run(
        bare, capture_output=True, encoding="utf-8", cwd=tmp_path, check=True
    )
    assert said.stdout.count("\n") == 1 and not said.stderr
    facts = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    name = re.search(r'^name = "(.*)"', facts, re.M)[1]
    assert f'pip install "{name.replace("-", "_")}-' in said.stdout
    assert ".whl" in said.stdout and "http" not in said.stdout


def test_a_build_made_twice_is_the_same(built, small):
    base = built()
    for path in (base / "notebooks").glob("*.ipynb"):
        assert nbformat.read(path, 4) == small[path.stem]


def test_one_click_opens_the_notebook_where_the_repository_has_an_address(built, small):
    base = built()
    assert "colab" not in (base / "html" / "boxes.html").read_text(encoding="utf-8")
    place = "https://github.com/someone/some-book"
    base = built(html_theme_options={"repository_url": place, "repository_branch": "x"})
    page = (base / "html" / "boxes.html").read_text(encoding="utf-8")
    for url in (
        "https://colab.research.google.com/github/someone/some-book/blob/notebooks/",
        "https://mybinder.org/v2/gh/someone/some-book/notebooks?urlpath=lab/tree/",
    ):
        assert f'href="{url}boxes.ipynb"' in page
    bare = (base / "html" / "bare.html").read_text(encoding="utf-8")
    assert "colab" not in bare and "binder" not in bare.lower()
    first = nbformat.read(base / "notebooks" / "boxes.ipynb", 4).cells[0].source
    assert f"{place}/raw/notebooks/" in first


# The built book.

NAMES = sorted(path.stem for path in BUILT.glob("*.ipynb"))
needs_book = pytest.mark.skipif(
    not NAMES, reason="needs the built book: noxfile.py book"
)


def book(name):
    return nbformat.read(BUILT / f"{name}.ipynb", 4)


def sources():
    """The pages of the book that have cells."""
    found = (ROOT / "book").glob("*.md")
    return [p for p in found if "format_name: myst" in p.read_text(encoding="utf-8")]


@needs_book
def test_every_chapter_has_its_notebook_with_all_its_code():
    assert set(NAMES) == {path.stem for path in sources()} | {"start"}
    for path in sources():
        fences = re.findall(r"^(`{3,})\{code-cell\}", path.read_text("utf-8"), re.M)
        code = [c for c in book(path.stem).cells if c.cell_type == "code"]
        assert len(code) == len(fences) + 1, path.stem


@needs_book
@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_valid_and_nothing_raw_is_in_it(name):
    notebook = book(name)
    nbformat.validate(notebook)
    printed = [
        output.data["text/markdown"]
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if "text/markdown" in output.get("data", {})
    ]
    for part in texts(notebook) + printed:
        for kind, pattern in RAW.items():
            found = pattern.search(part)
            assert not found, (kind, part[max(0, found.start() - 80) :][:200])
        for link in re.findall(r"(?<!!)\[[^\]]*\]\(([^)\s]*)\)", part):
            file = link.partition("#")[0]
            assert not file or "://" in file or (BUILT / file).exists(), link
    for cell in notebook.cells:
        for file in re.findall(r"\(attachment:([^)]*)\)", cell.source):
            assert file in cell.attachments


@needs_book
@pytest.mark.parametrize("name", [n for n in NAMES if n != "start"])
def test_outputs_are_there_for_each_cell_that_has_some_on_its_page(name):
    page = (SITE / f"{name}.html").read_text(encoding="utf-8")
    on_page = page.count('class="cell_output ')
    with_outputs = sum(bool(c.get("outputs")) for c in book(name).cells)
    assert with_outputs >= max(on_page, 1)
    kept = json.dumps(book(name))
    assert "papermill" not in kept and "modbp-frames" not in kept
    assert (SITE / "_sources" / f"{name}.ipynb").read_bytes() == (
        BUILT / f"{name}.ipynb"
    ).read_bytes()


class Titles(HTMLParser):
    """Titles of the boxes of a page, and its headings, as a reader sees them."""

    def __init__(self, text):
        super().__init__()
        self.found, self.open = [], 0
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        classes = (dict(attrs).get("class") or "").split()
        if tag in ("h1", "h2", "h3", "h4") or "admonition-title" in classes:
            self.found.append("")
            self.tag, self.open = tag, 1
        elif self.open and tag == self.tag:
            self.open += 1

    def handle_endtag(self, tag):
        if self.open and tag == self.tag:
            self.open -= 1

    def handle_data(self, data):
        if self.open:
            self.found[-1] += data


def words(text):
    """Letters and digits alone: marks and formulas are written differently."""
    text = re.sub(r"\\[()]|\$[^$]*\$|\\\(.*?\\\)|<[^>]*>|&\w+;", " ", text)
    return re.sub(r"[\W_]+", " ", text).strip()


@needs_book
@pytest.mark.parametrize("name", [n for n in NAMES if n != "start"])
def test_every_title_of_the_page_is_in_its_notebook(name):
    page = (SITE / f"{name}.html").read_text(encoding="utf-8")
    article = page[page.index("<article") : page.index("</article>")]
    found = words(shown(text(book(name))))
    titles = [re.sub(r"\\\(.*?\\\)|#", " ", t) for t in Titles(article).found]
    titles = [t for t in titles if "code cell" not in t]  # what a click opens
    assert titles
    for title in titles:
        assert words(title) in found, title


@pytest.mark.long
@needs_book
def test_all_run_in_an_empty_folder(tmp_path):
    command = [sys.executable, ROOT / "book" / "_ext" / "alone.py", tmp_path / "runs"]
    (tmp_path / "data").mkdir()
    told = {**os.environ, "MODBP_DATA": str(tmp_path / "data"), "OMP_NUM_THREADS": "1"}
    files = sorted(BUILT.glob("*.ipynb"))
    assert not subprocess.run([*command, *files], cwd=tmp_path, env=told).returncode


def test_what_runs_alone_is_counted(tmp_path):
    code, prose = nbformat.v4.new_code_cell, nbformat.v4.new_markdown_cell
    ready = code("print('Everything is here.')")
    known = {
        "fine": ([ready, code("1 + 1")], [2, 0, 0, 0]),
        "fails": ([ready, code("1 / 0"), code("1")], [3, 1, 0, 0]),
        "bare": ([code("print('Install it.')")], [1, 1, 0, 0]),
        "strays": ([ready, code("open('../fine.ipynb')")], [2, 1, 0, 0]),
        "rough": ([ready, prose("{eq}`a`")], [1, 0, 1, 0]),
        "theorem": ([ready, code("print('Stored result: x')")], [2, 0, 0, 1]),
        "resnet": ([ready, code("print('Stored result: x')")], [2, 0, 0, 1]),
    }
    for name, (cells, _) in known.items():
        notebook = nbformat.v4.new_notebook(cells=cells)
        nbformat.write(notebook, tmp_path / f"{name}.ipynb")
    command = [sys.executable, ROOT / "book" / "_ext" / "alone.py", tmp_path / "run"]
    command += [tmp_path / f"{name}.ipynb" for name in known]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    rows = dict(re.findall(r"^(\w+)((?: +\d+){4})", done.stdout, re.M))
    found = {name: list(map(int, row.split())) for name, row in rows.items()}
    total = [
        sum(column) for column in zip(*(n for _, n in known.values()), strict=True)
    ]
    assert found == {**{name: n for name, (_, n) in known.items()}, "together": total}
    assert "ZeroDivisionError" in done.stdout and "Install it." in done.stdout
    # All but `fine`, and `resnet`, whose weights no wheel brings.
    assert "5 of 7 notebooks do not run as they should." in done.stdout
    assert done.returncode == 1


def test_parts_together_are_all(capsys):
    for count in (1, 2, 3, 5):
        found = [
            name
            for number in range(1, count + 1)
            for name in alone.part_of(list("abcdefg"), f"{number}/{count}")
        ]
        assert sorted(found) == list("abcdefg")
    with pytest.raises(SystemExit, match="no part 4/3"):
        alone.part_of([], "4/3")


# Published, or not.


def config(text):
    return yaml.safe_load(text)


CONFIG = (ROOT / "_config.yml").read_text(encoding="utf-8")
WORKFLOW = config((ROOT / ".github/workflows/check.yml").read_text(encoding="utf-8"))


def commands(job):
    return "\n".join(step.get("run", "") for step in WORKFLOW["jobs"][job]["steps"])


def test_the_repository_is_named_in_one_place():
    assert set(config(CONFIG)["repository"]) == {"url"}
    assert "launch_buttons" not in config(CONFIG)


@needs_book
@pytest.mark.parametrize("name", [n for n in NAMES if n != "start"])
def test_a_page_has_buttons_if_and_only_if_the_repository_has_an_address(name):
    place = config(CONFIG)["repository"]["url"]
    page = (SITE / f"{name}.html").read_text(encoding="utf-8")
    hosts = [host for host in ("colab.research", "mybinder.org") if host in page]
    assert len(hosts) == (2 if place else 0)


@pytest.mark.skipif(not shutil.which("sed"), reason="needs sed")
def test_the_workflow_writes_its_own_address_there_and_nothing_else(tmp_path):
    (line,) = [c for c in commands("check").splitlines() if c.startswith("sed ")]
    (tmp_path / "_config.yml").write_text(CONFIG, encoding="utf-8")
    told = {"GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "a/b-c"}
    subprocess.run(
        line, shell=True, cwd=tmp_path, env={**os.environ, **told}, check=True
    )
    found = config((tmp_path / "_config.yml").read_text(encoding="utf-8"))
    assert found.pop("repository") == {"url": "https://github.com/a/b-c"}
    known = config(CONFIG)
    del known["repository"]
    assert found == known


def test_a_push_runs_a_third_of_the_notebooks_and_the_clock_all():
    (block,) = [
        step["run"]
        for step in WORKFLOW["jobs"]["check"]["steps"]
        if "noxfile.py notebooks" in step.get("run", "")
    ]
    choice = block[: block.index("python3")] + 'echo "$part"'
    found = []
    for number in range(3):
        for event in ("push", "schedule"):
            told = {"GITHUB_RUN_NUMBER": str(number), "GITHUB_EVENT_NAME": event}
            bash = ["bash", "-ec", choice]
            done = subprocess.run(bash, env={**os.environ, **told}, capture_output=True)
            found.append(done.stdout.decode().strip())
    assert found == ["1/3", "1/1", "2/3", "1/1", "3/3", "1/1"]
    assert "schedule" in WORKFLOW[True]  # YAML reads `on` so


@pytest.mark.skipif(os.name == "nt", reason="Binder is no Windows")
@pytest.mark.parametrize(
    ("wheels", "module"), [(["x-1.whl"], "./x-1.whl[live]"), ([], ".[live]")]
)
def test_binder_installs_the_wheel_beside_the_notebooks_or_else_the_source(
    tmp_path, wheels, module
):
    shutil.copytree(ROOT / ".binder", tmp_path / ".binder")
    for name in wheels:
        (tmp_path / name).touch()
    pip = tmp_path / "bin" / "pip"
    pip.parent.mkdir()
    pip.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n', encoding="utf-8")
    pip.chmod(0o755)
    told = {**os.environ, "PATH": f"{pip.parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        [tmp_path / ".binder" / "postBuild"],
        **{"cwd": tmp_path, "env": told, "capture_output": True, "text": True},
        check=True,
    )
    words = done.stdout.split()
    assert words[0] == "install" and words[-1] == module
    files = [words[n + 1] for n, w in enumerate(words) if w in ("-r", "-c")]
    assert files == [".binder/requirements.txt", "requirements.txt"]
    staged = commands("check").split("cp -r ")[1].split()
    assert {"_build/wheel/*.whl", ".binder", "requirements.txt"} < set(staged)
