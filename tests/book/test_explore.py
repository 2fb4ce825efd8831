"""What readers with a kernel choose live: the chapters' widgets, and what they draw."""

import re

import chapters
import pytest
from conftest import long_but

ipywidgets = pytest.importorskip("ipywidgets")

# What each offers: at least image, method, class, a layer or γ.
OFFERED = {
    "csc": ["Image", "Method", "Relevance enters at"],
    "gamma": ["Gamma"],
    "phenomenon": ["Image", "Explained class", "Method"],
    "random-logit": ["Image", "Method", "Other class"],
    "repairs": ["Gamma"],
}


def test_no_chapter_is_left_out():
    using = [
        name
        for name in chapters.names()
        if "widgets.explore(" in "\n".join(chapters.sources(name))
    ]
    assert using == list(OFFERED)


@pytest.mark.parametrize("name", long_but("csc".__eq__, OFFERED))
def test_each_choice_draws_another_picture(name, monkeypatch):
    monkeypatch.delenv("JUPYTER_BOOK_BUILD", raising=False)
    told = chapters.run(name, until="widgets.explore(")
    *fields, picture = told[-1][1].children
    shown = [picture.value]
    assert [field.description for field in fields] == OFFERED[name]
    assert all(len(field.options) > 3 for field in fields)
    for field in fields:
        field.value = next(v for v in reversed(field.options) if v != field.value)
        shown.append(picture.value)
    assert len(set(shown)) == len(shown)
    texts = [re.search('alt="([^"]+)"', html)[1] for html in shown]
    assert len(set(texts)) == len(texts)
