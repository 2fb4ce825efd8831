"""Figures of the pages: told in words, small, and to download as SVG and PDF."""

import re
from collections import Counter
from html import escape, unescape
from pathlib import Path

from docutils import nodes
from pypdf import PdfWriter
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging

LOG = logging.getLogger(__name__)

FOLDER = "_figures"
FIGURE = re.compile(r'<div class="modbp-figure"([^>]*)>(.*?</svg>)</div>', re.S)
SVG = re.compile(r'<svg class="modbp-.*?</svg>', re.S)
IMAGE = re.compile(r'<image([^>]*?) href="(data:[^"]+)"([^>]*)/>')
SIZE = re.compile(r' (?:width|height|style)="[^"]*"')
STANDALONE = 'xmlns="http://www.w3.org/2000/svg" fill="#000000" '
STANDALONE += 'font-family="DejaVu Sans, Arial, sans-serif"'


class Figures(SphinxPostTransform):
    """Give figures their texts and files, before a form is chosen for the page."""

    default_priority = 3  # myst-nb chooses at 4
    formats = ("html",)

    def run(self, **kwargs):
        """Go through the outputs of a chapter that are figures of ours."""
        found = []
        for bundle in self.document.findall(is_bundle):
            forms = {form["mime_type"]: form.children[0] for form in bundle.children}
            raw = forms.get("text/html")
            if raw is not None and 'class="modbp-figure"' in raw.astext():
                found.append((raw, self.finish(bundle, forms)))
        # Unlike those of other pages too: slides and paper put several together.
        page = f"c{sorted(self.env.found_docs).index(self.env.docname)}"
        texts = share(number_ids([text for _, text in found], page), page)
        for (raw, _), text in zip(found, texts, strict=True):
            raw.replace_self(nodes.raw("", text, **raw.attributes))

    def finish(self, bundle, forms):
        """Return an output's HTML with texts and links; write what they lead to."""
        text, paper = forms["text/html"].astext(), forms.get("application/pdf")
        folder = Path(self.app.outdir) / FOLDER
        folder.mkdir(exist_ok=True)
        cell = above(bundle, lambda node: node.get("nb_element") == "cell_code")
        own = cell["cell_metadata"].get("mystnb", {})
        alone = text.startswith('<div class="modbp-figure"')
        name = own.get("figure", {}).get("name")
        name = name or f"{self.env.docname}-{cell['cell_index']}"
        if alone:
            alt = " ".join(own.get("image", {}).get("alt", "").split())
            if not alt:
                LOG.warning("a figure has no `mystnb: image: alt`", location=bundle)
            told = f'<div class="modbp-figure" role="img" aria-label="{escape(alt)}">'
            text = text.replace('<div class="modbp-figure">', told)
        alts, up = [], "../" * self.env.docname.count("/")

        def offer(match):
            alts.append(unescape(re.search('aria-label="([^"]*)"', match[1])[1]))
            file = f"{name}.svg" if alone else f"{name}-{len(alts)}.svg"
            svg = standalone(SVG.search(match[2])[0], alts[-1])
            (folder / file).write_text(svg, encoding="utf-8")
            links = [f'<a href="{up}{FOLDER}/{file}" download>SVG</a>']
            if paper is not None:
                page = "" if alone else f"#page={len(alts)}"
                links += [f'<a href="{up}{FOLDER}/{name}.pdf{page}">PDF</a>']
            return f'{match[0]}<div class="modbp-files">{" ".join(links)}</div>'

        text = FIGURE.sub(offer, text)
        if paper is not None:
            source = Path(self.app.srcdir, paper["uri"].lstrip("/"))
            tell_pdf(source, folder / f"{name}.pdf", alts)
        return text


def is_bundle(node):
    """Whether a node holds the forms of one output."""
    return isinstance(node, nodes.container) and node.get("nb_element") == "mime_bundle"


def above(node, wanted):
    """Return the nearest node above that is wanted."""
    while not (isinstance(node, nodes.container) and wanted(node)):
        node = node.parent
    return node


def standalone(svg, alt):
    """Return an ``<svg>`` element of a page as a file that programs can edit."""
    svg = re.sub(r"var\(--[\w-]+,(#\w+)\)", r"\1", svg).replace("currentColor", "#000")
    svg = svg.replace(' fill="#000"', f" {STANDALONE}", 1)
    svg = re.sub(r' class="[\w-]+"| style="max-width:[^"]*"', "", svg)
    head, body = svg.split(">", 1)
    return f"{head}><title>{escape(alt)}</title>{body}\n"


def tell_pdf(source, target, alts):
    """Write a PDF with what each of its pages shows."""
    paper = PdfWriter(clone_from=source)
    paper.add_metadata({"/Title": alts[0], "/Subject": "\n".join(alts)})
    for page, alt in enumerate(alts * (len(alts) > 1)):
        paper.add_outline_item(alt, page)
    paper.write(target)


def number_ids(texts, page=""):
    """Give what drawings of a page have inside names of its own."""
    count = 0

    def rename(match):
        nonlocal count
        count += 1
        names = dict.fromkeys(re.findall(r' id="([^"]+)"', match[0]))
        names = {old: f"{page}d{count}-{n}" for n, old in enumerate(names)}

        def put(found):
            return found[1] + names[found[2]]

        return re.sub(r'( id="|url\(#|href="#)([^")]+)', put, match[0])

    return [SVG.sub(rename, text) for text in texts]


def share(texts, page=""):
    """Keep pixels that drawings of a page have in common only once."""
    count = Counter(href for text in texts for _, href, _ in IMAGE.findall(text))
    kept = {}

    def use(match):
        href = match[2]
        rest = re.sub(r' id="[^"]*"', "", match[1] + match[3])
        if count[href] == 1:
            return f'<image{rest} href="{href}"/>'
        size = "".join(SIZE.findall(rest))
        key = kept.setdefault((href, size), f"{page}pixels-{len(kept)}")
        return f'<use{SIZE.sub("", rest)} href="#{key}"/>'

    texts = [IMAGE.sub(use, text) for text in texts]
    if kept:
        images = [
            f'<image id="{key}"{size} href="{href}"/>'
            for (href, size), key in kept.items()
        ]
        store = (
            '<svg width="0" height="0" style="position:absolute" aria-hidden="true">'
        )
        texts[0] = f"{store}<defs>{''.join(images)}</defs></svg>{texts[0]}"
    return texts


def setup(app):
    """Connect the transform to Sphinx."""
    app.add_post_transform(Figures)
    app.add_css_file("figures.css")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
