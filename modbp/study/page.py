"""What the cells of a chapter need of the page and of the machine that they run on."""

import json
import sys

from modbp.study.runs.store import read

__all__ = ["FALLBACK", "glue", "live", "measured", "power"]

# What a cell prints first that shows a stored result in place of its own; one counts
# pages' cells by these words.
FALLBACK = "Stored result:"
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


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


def power(value, digits=1):
    """Write a small or large number as people do, 3e-10 as 3·10⁻¹⁰."""
    factor, exponent = f"{value:.{digits - 1}e}".split("e")
    return f"{factor}·10{str(int(exponent)).translate(_RAISED)}"


def live(network):
    """Return whether a cell can use a trained network; if not, say what is shown."""
    # Only here, for chapters without a network run without torch.
    from modbp.zoo import models

    if models.available(network):
        return True
    print(
        f"{FALLBACK} the weights of {network} are not on this machine. This was found "
        f"with them on CIFAR-10; modbp.models.{network}() says how to get them."
    )
    return False


def measured(name, network, function, *arguments):
    """Return what a function finds with a trained network, or what it found before.

    Both as plain JSON values; what it found before is in one file, by this name.
    """
    if live(network):
        return json.loads(json.dumps(function(*arguments), allow_nan=False))
    return read("pages")["results"][name]
