"""The whole book as one PDF: `paper.py PAGES PDF`.

The built pages are put behind each other, in the order of the table of contents, and a
Chromium prints them twice: only a printed book tells on which page something is.
"""

import json
import re
import shutil
import sys
from html import unescape
from pathlib import Path
from urllib.parse import unquote, urlsplit

import yaml
from bs4 import BeautifulSoup
from pypdf import PdfReader
from shrink import shrunk

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")
MARGINS = {"top": "20mm", "bottom": "20mm", "left": "20mm", "right": "20mm"}
WIDTH, HEIGHT = 643, 971  # CSS pixels between the margins of A4
SOLUTIONS = "solutions"  # the id of the appendix

# For what only a screen can do.
_SCREEN = ".headerlink, script, noscript, button, .modbp-files, .toctree-wrapper"
_SCREEN += ", .modbp-frame:not(.modbp-telling), .modbp-controls, .modbp-frames > output"


def order(toc):
    """Return parts of the book, each a caption (or none) and the names of its pages."""
    parts = [("", [toc["root"]])]
    for part in toc.get("parts", [toc]):
        names = [name for entry in part["chapters"] for name in _below(entry)]
        parts.append((part.get("caption", ""), names))
    return parts


def _below(entry):
    inner = [name for each in entry.get("sections", ()) for name in _below(each)]
    return [entry["file"], *inner] if "file" in entry else inner


class Book:
    """The pages as one document, with contents, and solutions at its end."""

    def __init__(self, pages, title, author, parts):
        self.pages, self.title, self.author = Path(pages), title, author
        self.names = [name for _, names in parts for name in names]
        self.contents, self.articles, self.solutions = [], [], []
        self.head = {}
        for caption, names in parts:
            for name in names:
                first = caption if name == names[0] else ""
                if first:
                    self.contents.append(("part", "", first))
                self.add(name, first)
        self.add_solutions()

    def add(self, name, part):
        """Take a page in."""
        text = (self.pages / f"{name}.html").read_text(encoding="utf-8")
        soup = BeautifulSoup(text, "html.parser")
        for element in soup.head.find_all(["link", "style"]):
            if element.name == "style" or "stylesheet" in element.get("rel", []):
                self.head.setdefault(str(element), self.localise(element, name))
        for element in soup.find_all("script"):
            told = element.get("src", "") + (element.string or "")
            if "mathjax" in told.lower() and "MathJax.Hub" not in told:
                self.head.setdefault(str(element), self.localise(element, name))
        article = soup.find("article", class_="bd-article")
        article["id"] = name
        self.clean(article)
        for element in article.find_all(True):
            self.localise(element, name)
        self.list_headings(article, name)
        self.move_solutions(article)
        if part:
            label = soup.new_tag("p", attrs={"class": "part"})
            label.string = part
            article.insert(0, label)
        self.articles.append(article)

    def clean(self, article):
        """Leave out what paper has no use for, and open what is shut."""
        for element in article.select(_SCREEN):
            element.decompose()
        for element in article.select(".modbp-telling"):
            element.attrs.pop("hidden", None)
        for cell in article.select("div.cell"):
            folded = cell.select_one("details.hide.above-input")
            # Code that the page folds away stays away; that of a solution is wanted.
            if folded and not _in_solution(cell):
                folded.decompose()
        for details in article.find_all("details"):
            details.attrs["open"] = ""
            if "hide" in details.get("class", []):
                details.summary.decompose()
                details.unwrap()

    def localise(self, element, name):
        """Give an element's names and links their place in the whole."""
        if element.get("id") and element.name != "article":
            element["id"] = f"{name}--{element['id']}"
        for key, value in list(element.attrs.items()):
            if isinstance(value, str) and "url(#" in value:
                element[key] = value.replace("url(#", f"url(#{name}--")
            if key in ("src", "href", "xlink:href") and element.name != "a":
                if value.startswith("#"):
                    element[key] = f"#{name}--{value[1:]}"
                elif not re.match(r"[a-z]+:|/", value):
                    element[key] = self.pages.name + "/" + value
        if element.name == "a" and element.get("href"):
            self.lead(element, name)
        return element

    def lead(self, link, name):
        """Let a link lead inside the book, or to another host, or nowhere."""
        parts = urlsplit(link["href"])
        if parts.scheme:
            return
        target, anchor = (
            unquote(parts.path).removesuffix(".html"),
            unquote(parts.fragment),
        )
        target = target or name
        if target in self.names and (not parts.path or parts.path.endswith(".html")):
            link["href"] = f"#{target}--{anchor}" if anchor else f"#{target}"
        else:
            del link["href"]

    def list_headings(self, article, name):
        """Put a chapter and its sections into the contents."""
        for heading in article.find_all(["h1", "h2", "h3", "h4", "h5", "h6"]):
            section = heading.parent
            # A section may begin at the end of a page, and its heading on the next.
            if section.name == "section" and section.get("id"):
                heading["id"] = section["id"]
                del section["id"]
            kind = {"h1": "chapter", "h2": "section"}.get(heading.name)
            where = name if kind == "chapter" else heading.get("id")
            boxed = heading.find_parent(class_=["exercise", "solution"])
            if kind and where and not boxed:
                self.contents.append((kind, where, heading.decode_contents()))

    def move_solutions(self, article):
        """Take a chapter's solutions to the appendix; exercises say where they are."""
        found = []
        for solution in article.select(".solution"):
            exercise = solution.find_previous(class_="exercise")
            more = []
            # Cells that stand behind a solution, rather than in it.
            following = solution.find_next_sibling()
            while following and _is_folded_cell(following):
                more.append(following)
                following = following.find_next_sibling()
            identity = f"{exercise['id']}--solution"
            exercise.append(_see("to-solution", "Solution on page", identity))
            solution.name, title = "div", solution.select_one(".admonition-title")
            title.name, title["id"] = "p", identity
            solution.append(
                _see("to-exercise", "The exercise is on page", exercise["id"])
            )
            found += [solution.extract(), *(each.extract() for each in more)]
        if found:
            title = article.find("h1").decode_contents()
            self.solutions.append((f"{article['id']}--{SOLUTIONS}", title, found))

    def add_solutions(self):
        """End the book with them."""
        if not self.solutions:
            return
        soup = BeautifulSoup("", "html.parser")
        article = soup.new_tag("article", id=SOLUTIONS, attrs={"class": "bd-article"})
        article.append(_parsed("<h1>Solutions</h1>"))
        self.contents += [("part", "", "Appendix"), ("chapter", SOLUTIONS, "Solutions")]
        for identity, title, elements in self.solutions:
            article.append(_parsed(f'<h2 id="{identity}">{title}</h2>'))
            article.extend(elements)
            self.contents.append(("section", identity, title))
        self.articles.append(article)

    def html(self):
        """Return the document."""
        entries = "".join(
            f'<a class="{kind}" href="#{where}"><span>{title}</span><i></i>'
            f'<b data-page-of="{where}">000</b></a>'
            if where
            else f'<p class="part">{title}</p>'
            for kind, where, title in self.contents
        )
        cover = f'<p class="name">{self.title}</p><p>{self.author}</p><p>Pictures that '
        cover += "move in the pages stand here as two of their frames. Code that the "
        cover += (
            "pages fold away is left out, but for solutions, which are at the end.</p>"
        )
        style = (HERE / "paper.css").read_text(encoding="utf-8")
        return "".join(
            [
                '<!DOCTYPE html><html lang="en" data-theme="light" data-mode="light">',
                f'<head><meta charset="utf-8"><title>{self.title}</title>',
                *map(str, self.head.values()),
                f"<style>{style}</style></head><body>",
                f'<div class="cover">{cover}</div>',
                f'<div class="contents bd-article"><h1>Contents</h1>{entries}</div>',
                *map(str, self.articles),
                "</body></html>",
            ]
        )


def _in_solution(element):
    if element.find_parent(class_="solution"):
        return True
    before = element.find_previous_sibling()
    while before and _is_folded_cell(before):
        before = before.find_previous_sibling()
    folded = _is_folded_cell(element)
    return bool(folded and before and "solution" in before.get("class", []))


def _is_folded_cell(element):
    return {"cell", "tag_hide-input"} <= set(element.get("class", []))


def _see(kind, words, where):
    link = f'<a href="#{where}">{words} <span data-page-of="{where}">000</span></a>'
    return _parsed(f'<p class="{kind}">{link}.</p>')


def _parsed(text):
    return BeautifulSoup(text, "html.parser").contents[0]


def places(path):
    """Return on which page of a PDF each name is, counted from one."""
    reader = PdfReader(path)
    found = reader.named_destinations.items()
    return {
        unquote(name.lstrip("/")): reader.get_destination_page_number(where) + 1
        for name, where in found
    }


def print_book(html, document, target):
    """Print a document that says on which page it says what; return these pages."""
    from playwright.sync_api import sync_playwright

    footer = '<p style="width: 100%; text-align: center; font-size: 8px">'
    footer += '<span class="pageNumber"></span></p>'
    options = {"format": "A4", "margin": MARGINS, "print_background": True}
    options |= {"display_header_footer": True, "header_template": "<p></p>"}
    options |= {"footer_template": footer, "outline": True, "tagged": True}
    fit = (HERE / "paper.js").read_text(encoding="utf-8")
    known = {}
    with sync_playwright() as engine:
        browser = launch(engine)
        for _ in range(4):
            # Each time from the beginning: in a page that has been printed once, lines
            # may be broken into pages in another way.
            document.write_text(numbered(html, known), encoding="utf-8")
            page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
            page.set_default_timeout(600_000)
            page.emulate_media(media="print", color_scheme="light")
            page.goto(document.absolute().as_uri(), wait_until="load")
            wrong = page.evaluate(fit)
            if wrong:
                raise SystemExit("wider than a page:\n" + "\n".join(wrong[:20]))
            page.pdf(path=target, **options)
            page.close()
            found = places(target)
            if found == known:
                return known
            known = found
    raise SystemExit("page numbers do not settle: a number breaks a line. Shorten it.")


def launch(engine):
    """Start a Chromium, Playwright's own or another."""
    own = Path(engine.chromium.executable_path)
    path = own if own.exists() else next(filter(None, map(shutil.which, BROWSERS)), "")
    if not path:
        raise SystemExit(
            f"no browser to print with: none of {', '.join(BROWSERS)} is there. "
            "Install Chromium, or run `playwright install chromium`, and try again."
        )
    options = ["--allow-file-access-from-files", "--disable-gpu"]
    return engine.chromium.launch(executable_path=path, args=options)


def numbered(html, known):
    """Write into a document on which page something is, as far as that is known."""

    def write(match):
        return f"{match[1]}{known.get(unescape(match[2]), '000')}<"

    return re.sub(r'(data-page-of="([^"]*)">)\d+<', write, html)


def main(pages, target):
    """Write the PDF of the pages, and what it contains beside it."""
    pages, target = Path(pages), Path(target)
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    toc = yaml.safe_load((ROOT / "book" / "_toc.yml").read_text(encoding="utf-8"))
    book = Book(pages, config["title"], config["author"], order(toc))
    document = pages.parent / "paper.html"  # beside the pages, which it shows parts of
    target.parent.mkdir(parents=True, exist_ok=True)
    known = print_book(book.html(), document, target)
    target.write_bytes(shrunk(target.read_bytes()))
    entries = [
        {
            "kind": kind,
            "title": BeautifulSoup(title, "html.parser").get_text(),
            "page": known[where],
        }
        for kind, where, title in book.contents
        if where
    ]
    text = json.dumps(entries, indent=1, ensure_ascii=False)
    target.with_suffix(".json").write_text(text, encoding="utf-8")
    size = target.stat().st_size / 2**20
    print(f"{len(PdfReader(target).pages)} pages, {size:.1f} MB: {target}")


if __name__ == "__main__":
    main(*sys.argv[1:])
