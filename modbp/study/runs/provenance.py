"""Who made a result, and with what."""

import platform
import sys
from importlib import metadata

__all__ = ["facts"]

_PACKAGES = ("numpy", "torch", "torchvision")


def facts(**more: object) -> dict:
    """Return versions and machine as plain JSON values, plus entries of the caller."""
    versions = {name: metadata.version(name) for name in _PACKAGES}
    return {
        **more,
        "python": platform.python_version(),
        "platform": f"{sys.platform} {platform.machine()}",
        "versions": versions,
    }
