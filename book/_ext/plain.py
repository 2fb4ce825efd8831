"""Plain notebooks beside the pages: any program opens them, and they run anywhere.

They come from the pages as resolved for HTML and from the kept outputs, so that nothing
is read or run twice: `_build/notebooks/NAME.ipynb`, one for every page with cells, and
`start.ipynb`. Each page offers its own for download.
"""

import base64
import io
import re
import shutil
import tomllib
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

import nbformat
from docutils import nodes
from edition import is_students
from jupyter_cache import get_cache
from myst_nb.core.utils import coalesce_streams
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image
from prose import Prose, escape, is_cell
from sphinx import addnodes
from sphinx.util import logging
from sphinx_exercise.utils import get_node_number

LOG = logging.getLogger(__name__)
ROOT = Path(__file__).resolve().parents[2]
START = "start"
BRANCH = "notebooks"

# Who runs a notebook of a public repository: name, the theme's icon, address.
COLAB = "https://colab.research.google.com/github/{name}/blob/{branch}/{file}"
BINDER = "https://mybinder.org/v2/gh/{name}/{branch}?urlpath=lab/tree/{file}"
HOSTS = (("Colab", "logo_colab.png", COLAB), ("Binder", "logo_binder.svg", BINDER))

CHECK = """\
# Is everything here that this notebook needs? If not, one line says what to install.
from importlib import metadata

try:
    found = metadata.version("{project}")
except metadata.PackageNotFoundError:
    found = "no version"
if found == "{version}":
    print("Everything is here.")
else:
    print(
        "This notebook needs {project} {version} (found: " + found + "). Give",
        '`pip install "{source}"`',
        "{remedy}",
    )"""
HERE = "(`python3 noxfile.py notebooks` makes that file), then restart the kernel."
THERE = "and restart the kernel."
MOVES = "On its page this picture has controls; run the cell to have them here."

RESTORE = """\
## How to use the notebooks

* Run the cells from the top: **Run > Run All Cells**.
* Change what you like. These are copies; saving one changes nothing of the book.
* To have a notebook as it was, delete or rename yours and give
  `python3 noxfile.py lab` again. It brings back what is missing, and writes over
  nothing that you changed."""


def project():
    """Return the name and version under which pip knows the module."""
    facts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return facts["project"]["name"], facts["project"]["version"]


def wheel(name, version):
    """Return the name of the file that pip installs."""
    return f"{name.replace('-', '_')}-{version}-py3-none-any.whl"


def repository(config):
    """Return the address of the published repository, or nothing."""
    return (config.html_theme_options.get("repository_url") or "").rstrip("/")


def check(config):
    """Return the first cell: it runs on a bare Python and says what is missing."""
    name, version = project()
    place, source = repository(config), f"{wheel(name, version)}[live]"
    if place:
        source = f"{name}[live] @ {place}/raw/{BRANCH}/{wheel(name, version)}"
    facts = {"project": name, "version": version, "source": source}
    return new_code_cell(CHECK.format(**facts, remedy=THERE if place else HERE))


# Outputs.


class Frame:
    """One picture of `modbp.widgets.frames`: what it shows, and where from."""

    def __init__(self, facts):
        """Read the attributes of its place."""
        self.tells = "modbp-telling" in facts.get("class", "").split()
        self.alt, self.address = "", ""
        self.caption, self.said = "", False  # what was chosen for it


class Frames(HTMLParser):
    """The pictures of `modbp.widgets.frames`."""

    def __init__(self, text):
        """Read HTML."""
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        """Take a place, and the first description and picture in it."""
        facts = {key: value or "" for key, value in attrs}
        if "modbp-frame" in facts.get("class", "").split():
            self.found.append(Frame(facts))
        elif self.found:
            frame = self.found[-1]
            frame.alt = frame.alt or facts.get("alt") or facts.get("aria-label", "")
            frame.address = frame.address or facts.get("src", "") * (tag == "img")

    def handle_data(self, data):
        """Take what stands above a picture."""
        if self.found and not self.found[-1].said:
            self.found[-1].caption += data

    def handle_endtag(self, tag):
        """Stop at the end of the caption."""
        if self.found and tag == "p":
            self.found[-1].said = True


def png(address):
    """Return the picture of a data address as PNG, in base64."""
    head, _, body = address.partition(",")
    raw = base64.b64decode(body) if "base64" in head else unquote_to_bytes(body)
    if "image/png" not in head:
        buffer = io.BytesIO()
        # As many colours as the eye tells apart here, in a third of the bytes.
        picture = Image.open(io.BytesIO(raw)).convert("RGB").quantize(256, dither=0)
        picture.save(buffer, "PNG", optimize=True)
        raw = buffer.getvalue()
    return base64.b64encode(raw).decode("ascii")


def shown(data, facts):
    """Return an output as display data."""
    return new_output("display_data", data=data, metadata=facts)


def unmoving(text, drawn):
    """Yield an interactive picture as still ones, and the line that says so.

    They are those that tell most: drawn for this, or as they are on the page.
    """
    tell = [picture for picture in Frames(text).found if picture.tells]
    still = [(png(each.address), each.alt) for each in tell if each.address]
    captions = {each.alt: " ".join(each.caption.split()) for each in tell}
    said = []
    for pixels, alt in drawn or still:
        pair = {"image/png": pixels, "text/plain": alt}
        yield shown(pair, {"image/png": {"alt": alt}})
        said += [captions.get(alt, alt)]
    line = f"{escape(' – then '.join(said))}. *{MOVES}*"
    yield shown({"text/markdown": line, "text/plain": MOVES}, {})


def plain_links(text, notebooks):
    """Let links in a printed text lead to notebooks, or nowhere."""

    def change(match):
        page = re.sub(r"\.(html|md)$", "", match[2].partition("#")[0])
        if "://" in match[2]:
            return match[0]
        return f"[{match[1]}]({notebooks[page]})" if page in notebooks else match[1]

    text = re.sub(r"(?<!!)\[([^\]\n]*)\]\(([^)\s]+)\)", change, text)
    return re.sub(r"(?m)\n+: +", ": ", text)  # a list of terms, which only MyST knows


def outputs(cell, notebooks):
    """Yield what a cell put out, as an untrusted notebook can show it."""
    alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
    for output in coalesce_streams(cell.outputs):
        data = output.get("data")
        if data is None:
            yield output
            continue
        if all(kind.startswith("application/papermill.record/") for kind in data):
            continue  # kept for the text, which has it
        page = data.get("text/html", "")
        if "modbp-frames" in page:
            facts = output.metadata.get("text/html", {})
            yield from unmoving(page, facts.get("telling"))
            continue
        data.pop("application/pdf", None)  # for paper
        if "text/markdown" in data or "image/png" in data:
            data.pop("text/html", None)  # for the page: links, themes, controls
        if "text/markdown" in data:
            data["text/markdown"] = plain_links(data["text/markdown"], notebooks)
        if alt and "image/png" in data:
            output.metadata["image/png"] = {
                **output.metadata.get("image/png", {}),
                "alt": re.sub(r"\s+", " ", alt).strip(),
            }
        yield output


# Cells.


def executed(app, name):
    """Return a page's notebook with the kept outputs.

    MyST-NB writes it without them wherever the cache has them.
    """
    path = Path(app.outdir).parent / "jupyter_execute" / f"{name}.ipynb"
    notebook = nbformat.read(path, 4)
    cache = app.env.mystnb_config.execution_cache_path
    if app.env.mystnb_config.execution_mode == "cache" and cache:
        try:
            notebook = get_cache(cache).merge_match_into_notebook(notebook)[1]
        except KeyError:
            LOG.warning("plain notebook: %s has no outputs", name)
    return notebook


def code(cell, shut, notebooks):
    """Return a cell of code; what its page hides is folded, not gone."""
    tags = set(cell.metadata.get("tags", ()))
    folded = {}
    if shut or tags & {"hide-input", "hide-cell", "remove-input", "remove-cell"}:
        folded["source_hidden"] = True
    if shut or tags & {"hide-output", "hide-cell", "remove-output", "remove-cell"}:
        folded["outputs_hidden"] = True
    facts = {key: v for key, v in cell.metadata.items() if key in ("tags", "check")}
    if folded:
        facts["jupyter"] = folded
    if isinstance(shut, str):
        facts["solution"] = shut
    count, found = cell.execution_count, list(outputs(cell, notebooks))
    return new_code_cell(
        cell.source, metadata=facts, execution_count=count, outputs=found
    )


def text(parts, prose):
    """Return a cell of text with its pictures."""
    cell = new_markdown_cell("\n\n".join(filter(None, parts)))
    if label := getattr(parts[0], "label", None):
        cell.metadata["solution"] = label
    for name, path in prose.files.items():
        kind = (
            f"image/{path.suffix[1:].replace('jpg', 'jpeg').replace('svg', 'svg+xml')}"
        )
        data = base64.b64encode(path.read_bytes()).decode("ascii")
        cell.setdefault("attachments", {})[name] = {kind: data}
    prose.files = {}
    return cell


def cells(app, doctree, name, notebooks):
    """Yield the cells of a page: texts as shown, all code in its order."""
    source = dict(enumerate(executed(app, name).cells))
    waiting = [n for n, cell in source.items() if cell.cell_type == "code"]
    on_page = {c["cell_index"] for c in doctree.findall(is_cell)}
    prose, parts = Prose(app, name, notebooks), []
    for piece in [*prose.flow(doctree.children), (len(source), False)]:
        if isinstance(piece, str):
            parts.append(piece)
            continue
        if any(parts):
            yield text(parts, prose)
        parts = []
        if piece is None:
            continue
        number, shut = piece
        while waiting and waiting[0] < number:
            yield code(source[waiting.pop(0)], True, notebooks)
        if waiting and waiting[0] == number:
            yield code(source[waiting.pop(0)], shut, notebooks)
        # What the page leaves out comes at once: below may be a solution, or the end.
        while waiting and waiting[0] not in on_page:
            yield code(source[waiting.pop(0)], True, notebooks)
    yield from sources(prose)


def sources(prose):
    """Yield the list of what is cited, if anything is."""
    if prose.cited:
        lines = sorted(f"* {escape(each)}" for each in prose.cited)
        yield new_markdown_cell("## References\n\n" + "\n".join(lines))


def exercises(app, name):
    """Return the numbers of a page's exercises by their labels."""
    registry = getattr(app.env, "sphinx_exercise_registry", {})
    return {
        label: get_node_number(app, facts["node"], "exercise")
        for label, facts in registry.items()
        if facts["docname"] == name and facts["type"] == "exercise"
    }


def save(app, name, made, **told):
    """Write a notebook of these cells, and what is told of it."""
    first = [check(app.config), *made]
    for number, cell in enumerate(first):
        cell.id = f"cell-{number}"  # a name by chance would differ in every build
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    facts = {"kernelspec": kernel, "language_info": {"name": "python"}, **told}
    folder = Path(app.outdir).parent / "notebooks"
    folder.mkdir(parents=True, exist_ok=True)
    notebook = new_notebook(cells=first, metadata=facts)
    nbformat.validate(notebook)
    nbformat.write(notebook, folder / f"{name}.ipynb")


def with_cells(env):
    """Return the pages that have cells."""
    return [name for name in env.found_docs if "kernelspec" in env.metadata[name]]


def names(env):
    """Return which page has which notebook."""
    found = {name: f"{name}.ipynb" for name in sorted(with_cells(env))}
    return {env.config.root_doc: f"{START}.ipynb", **found}


def write_notebook(app, doctree, name):
    """Write the notebook of a page, when it is resolved."""
    if app.builder.format == "html" and "kernelspec" in app.env.metadata[name]:
        made = cells(app, doctree, name, names(app.env))
        title, numbers = app.env.titles[name].astext(), exercises(app, name)
        save(app, name, made, title=title, exercises=numbers)


def parts(env):
    """Yield the parts of the book: name, and pages that have a notebook."""
    known = set(with_cells(env))
    for tree in env.get_doctree(env.config.root_doc).findall(addnodes.toctree):
        pages = [page for page in tree["includefiles"] if page in known]
        if pages:
            yield tree.get("caption") or "", pages


def entry(env, page, file):
    """Return a line about a chapter: its number, title, and the question it asks."""
    number = env.toc_secnumbers.get(page, {}).get("")
    number = f"{'.'.join(map(str, number))}. " if number else ""
    first = next(env.get_doctree(page).findall(nodes.paragraph), None)
    asked = first is not None and isinstance(first[0], nodes.emphasis)
    question = f"<br>*{' '.join(first[0].astext().split())}*" if asked else ""
    # In the link: at the beginning of a line it would make another list.
    return f"* [{number}{escape(env.titles[page].astext())}]({file}){question}"


def write_start(app, error):
    """Write the notebook that says what is where, and forget those of gone pages."""
    if error or app.builder.format != "html":
        return
    known = names(app.env)
    for path in (Path(app.outdir).parent / "notebooks").glob("*.ipynb"):
        if path.name not in known.values():
            path.unlink()
    lines = [f"# {app.config.html_title}", "Each chapter of the book is a notebook."]
    for caption, pages in parts(app.env):
        lines.append(f"## {caption}" if caption else "")
        lines.append("\n".join(entry(app.env, page, known[page]) for page in pages))
    made = [new_markdown_cell("\n\n".join(filter(None, lines)))]
    made.append(new_markdown_cell(RESTORE))
    save(app, START, made, title=app.config.html_title, exercises={})


# Buttons.


def offer_notebook(app, pagename, templatename, context, doctree):
    """Give every page with cells its plain notebook in the download menu."""
    if "kernelspec" in app.env.metadata.get(pagename, ()):
        name = f"{pagename}.ipynb"
        target = Path(app.outdir) / "_sources" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(Path(app.outdir).parent / "notebooks" / name, target)
        context["ipynb_source"] = name


def offer_launch(app, pagename, templatename, context, doctree):
    """Open the plain notebook by one click, where the repository has an address."""
    place = repository(app.config)
    if not place or "kernelspec" not in app.env.metadata.get(pagename, ()):
        return
    name, file = place.split("github.com/")[-1], quote(f"{pagename}.ipynb")
    buttons = [
        {"text": title, "url": url.format(name=name, branch=BRANCH, file=file)}
        | {
            "type": "link",
            "tooltip": f"Run on {title}",
            "icon": f"_static/images/{icon}",
        }
        for title, icon, url in HOSTS
    ]
    group = {"type": "group", "label": "launch-buttons", "icon": "fas fa-rocket"}
    group |= {"tooltip": "Run this chapter", "buttons": buttons}
    context["header_buttons"].append(group)


def setup(app):
    """Connect the functions above to Sphinx."""
    if not is_students():  # theirs are made of the others
        app.connect("doctree-resolved", write_notebook, priority=900)
        app.connect("build-finished", write_start)
    # Below 501, where the theme decides what its download menu offers.
    app.connect("html-page-context", offer_notebook, priority=400)
    # Above it, where the list of buttons is there.
    app.connect("html-page-context", offer_launch, priority=600)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
