"""What the generated pages lack otherwise: a few mends, and times."""

from numpy.typing import ArrayLike, DTypeLike
from sphinx.util import logging
from sphinx.util.typing import stringify_annotation

LOG = logging.getLogger(__name__)


def drop_repeated_scripts(app, pagename, templatename, context, doctree):
    """Emit each inline script once: declaring a constant twice is a page error."""
    unique = {}
    for script in context.get("script_files", []):
        body = script.attributes.get("body")
        unique.setdefault((script.filename or "", body), script)
    context["script_files"] = list(unique.values())


def report_times(app, error):
    """Say how long each chapter's cells took when they last ran."""
    for name, facts in sorted(app.env.nb_metadata.items()):
        run = facts.get("exec_data")
        if run and run["runtime"] is not None:
            LOG.info("%8.1f s  cells of %s", run["runtime"], name)


def say_array_like(app, what, name, value, options, signature, returns):
    """Write numpy's unions as the words they have; spelled out, they are many types."""
    told = [signature or "", returns or ""]
    for word, union in (("ArrayLike", ArrayLike), ("DTypeLike", DTypeLike)):
        spelled = stringify_annotation(union, "smart")
        told = [each.replace(spelled, word) for each in told]
    return told[0] or signature, told[1] or returns


def setup(app):
    """Connect the functions above to Sphinx."""
    app.connect("html-page-context", drop_repeated_scripts, priority=900)
    app.connect("build-finished", report_times)
    app.connect("autodoc-process-signature", say_array_like)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
