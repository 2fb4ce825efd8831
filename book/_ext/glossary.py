"""Words of the glossary in the chapters: linked at first use, explained on hover."""

import re
from html import escape

from docutils import nodes

PAGE = "glossary"
# Where a word means something else, or nothing is read in order.
ELSEWHERE = re.compile(r"glossary|index|references|quizzes|api.*")
OTHERWISE = {"cost": {"floor", "pattern"}, "theorem": {"pattern"}}


class Term(nodes.Inline, nodes.TextElement):
    """A word of a chapter, with the address and the text of its definition."""


def definitions(app):
    """Return the entry of each word, in lower case: its address and its text."""
    found = {}
    for item in app.env.get_doctree(PAGE).findall(nodes.definition_list_item):
        words = list(item.findall(nodes.term))
        # The first paragraph is the definition; links to chapters follow it.
        text = next(item.findall(nodes.paragraph)).astext().replace("\n", " ")
        entry = words[0]["ids"][0], text
        found |= {word.astext().lower(): entry for word in words}
    return found


def pattern(words):
    """Match one of these words or its plural, the longest first, and no part of one."""
    longest = sorted(words, key=len, reverse=True)
    either = "|".join(map(re.escape, longest)).replace(r"\ ", r"\s+")
    return re.compile(rf"(?<![\w-])({either})s?(?![\w-])", re.IGNORECASE)


def explain(app, doctree, docname):
    """Put an explained link where a chapter first uses a word of the glossary."""
    if app.builder.name != "html" or ELSEWHERE.fullmatch(docname):
        return
    known = definitions(app)
    for word in OTHERWISE.get(docname, ()):
        entry = known[word]
        known = {key: value for key, value in known.items() if value != entry}
    address = app.builder.get_relative_uri(docname, PAGE)
    used = set()

    def term(entry, text):
        used.add(entry)
        uri, tip = f"{address}#{entry[0]}", f"tip-{entry[0]}"
        return Term("", text, uri=uri, tip=tip, meaning=entry[1])

    for link in list(doctree.findall(nodes.reference)):
        word = " ".join(link.astext().lower().split())
        if link.get("refuri", "").startswith(f"{address}#term-") and word in known:
            link.replace_self(term(known[word], link.astext()))
    words = pattern(known)
    for text in list(doctree.findall(nodes.Text)):
        if inside(text):
            continue
        parts, end = [], 0
        for match in words.finditer(text):
            entry = known[" ".join(match[1].lower().split())]
            if entry not in used:
                before = nodes.Text(text[end : match.start()])
                parts += [before, term(entry, match[0])]
                end = match.end()
        if parts:
            text.parent.replace(text, [*parts, nodes.Text(text[end:])])


def inside(text):
    """Say whether words are no running text: in a link, a box, a table, an exercise."""
    place = text.parent
    running = (nodes.strong, nodes.emphasis, nodes.paragraph, nodes.list_item)
    while not isinstance(place, nodes.document):
        if not isinstance(place, (*running, nodes.bullet_list, nodes.section)):
            return True
        place = place.parent
    return False


def open_term(self, node):
    """Begin the link."""
    told = f'href="{escape(node["uri"])}" aria-describedby="{node["tip"]}"'
    self.body.append(f'<a class="modbp-term" {told}>')


def close_term(self, node):
    """End the link, and put behind it what a style sheet shows on hover and focus."""
    tip = f'<span class="modbp-tip" role="tooltip" id="{node["tip"]}">'
    self.body.append(f"</a>{tip}{escape(node['meaning'], quote=False)}</span>")


def setup(app):
    """Connect the functions above to Sphinx."""
    app.add_node(Term, html=(open_term, close_term))
    app.connect("doctree-resolved", explain)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
