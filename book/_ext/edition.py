"""The students' edition of the pages: exercises without their solutions."""

import os

from sphinx_exercise.nodes import solution_node


def is_students():
    """Return whether it is this edition that is made."""
    return os.environ.get("MODBP_EDITION") == "student"


def keep_no_source(app, config):
    """Offer no text of a page: solutions are in it."""
    config.html_copy_source = False


def drop_solutions(app, doctree):
    """Take solutions and their cells out before anything is made of a page."""
    for solution in list(doctree.findall(solution_node)):
        solution.parent.remove(solution)


def offer_no_source(app, pagename, templatename, context, doctree):
    """Take the text of the page from the download menu."""
    for group in context.get("header_buttons", ()):
        if buttons := group.get("buttons"):
            offers = (b for b in buttons if b.get("label") != "download-source-button")
            group["buttons"] = [*offers]


def setup(app):
    """Connect the functions above to Sphinx, where this edition is made."""
    if is_students():
        app.connect("config-inited", keep_no_source, priority=900)
        app.connect("doctree-read", drop_solutions, priority=1)
        # After 501, where the theme makes the menu.
        app.connect("html-page-context", offer_no_source, priority=600)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
