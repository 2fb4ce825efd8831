"""What cells of the book find with the networks whose weights the wheel leaves out.

``python -m study.page_values`` in the folder of the tests runs those chapters and keeps
it, for readers who have no such weights.
"""

from contextlib import contextmanager

import chapters
import matplotlib

from modbp import data
from modbp.files import write_json
from modbp.study import page
from modbp.study.runs.provenance import facts
from modbp.study.runs.store import RESULTS

ROOT = RESULTS.parents[2]
FILE = RESULTS / "pages.json"
COMMAND = "python -m study.page_values"  # in the folder of the tests


@contextmanager
def noted():
    """Note by its name all that cells measure meanwhile."""
    found, measured = {}, page.measured

    def note(name, *arguments):
        assert name not in found, f"two cells call what they measure {name!r}"
        found[name] = measured(name, *arguments)
        return found[name]

    page.measured = note
    try:
        yield found
    finally:
        page.measured = measured


if __name__ == "__main__":
    matplotlib.use("agg")
    with noted() as found:
        for name in chapters.names():
            if "page import glue, measured" in "".join(chapters.sources(name)):
                chapters.run(name)
    provenance = facts(command=COMMAND, images=data.images(1).source)
    config = {"experiment": "cells of the book's pages"}
    write_json(FILE, {"config": config, "provenance": provenance, "results": found})
