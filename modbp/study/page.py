"""What the cells of a chapter need of the page that they are shown in."""

import sys

__all__ = ["glue"]


def glue(name, value, display=False):
    """Hand a value to the text of the page; does nothing where there is no page.

    It is myst-nb that writes the pages. A notebook runs without it, and a script
    without IPython.
    """
    python = sys.modules.get("IPython")
    if python is None or python.get_ipython() is None:
        return
    try:
        from myst_nb import glue as keep
    except ImportError:
        return
    keep(name, value, display)
