"""Who made a result, and with what."""

import platform
import sys
from importlib import metadata

__all__ = ["facts"]

_PACKAGES = ("numpy", "torch", "torchvision")


def facts(**more):
    """Return who made a result, with what: versions and machine, plus `more`.

    Parameters
    ----------
    **more
        Entries of the caller's own: command, seed, fingerprint of the data.

    Returns
    -------
    dict
        Plain JSON values.
    """
    versions = {name: metadata.version(name) for name in _PACKAGES}
    return {
        **more,
        "python": platform.python_version(),
        "platform": f"{sys.platform} {platform.machine()}",
        "versions": versions,
    }
