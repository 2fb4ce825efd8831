"""Every link, anchor, file and picture text of the built pages is there."""

from functools import cache
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import pytest
from conftest import SITE

PATHS = [path for path in sorted(SITE.rglob("*.html")) if "_static" not in path.parts]
if not PATHS:
    pytest.skip("needs the built book: noxfile.py book", allow_module_level=True)


class Page(HTMLParser):
    def __init__(self, path):
        super().__init__()
        self.ids, self.links, self.pictures = set(), [], []
        self.feed(path.read_text(encoding="utf-8"))
        self.close()

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.ids.add(values.get("id"))
        url = values.get("href") or values.get("src")
        if url:
            self.links.append((tag, url))
        if tag == "img":
            self.pictures.append((url, values.get("alt")))


page = cache(Page)


def name(path):
    return path.relative_to(SITE).as_posix()


def is_file_name(text):
    return "/" in text and " " not in text or text.endswith((".png", ".svg", ".jpg"))


@pytest.mark.parametrize("path", PATHS, ids=name)
def test_links_lead_somewhere(path):
    problems = []
    for tag, url in page(path).links:
        parts = urlsplit(url)
        if parts.scheme or parts.netloc:
            if tag != "a" and parts.scheme != "data":
                problems.append(f"loaded from elsewhere: {url}")
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        if not target.exists():
            problems.append(f"missing: {url}")
        elif target in PATHS and parts.fragment:
            if unquote(parts.fragment) not in page(target).ids:
                problems.append(f"no such anchor: {url}")
    assert problems == []


@pytest.mark.parametrize("path", PATHS, ids=name)
def test_pictures_say_what_they_show(path):
    # Sphinx writes the file's path where a cell gives no text.
    assert [
        str(source)[:100]
        for source, alt in page(path).pictures
        if not alt or not alt.strip() or is_file_name(alt)
    ] == []
