"""Who made a result, and with what."""

import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path

__all__ = ["commit", "facts"]

_PACKAGES = ("numpy", "torch", "torchvision")


def facts(**more: object) -> dict:
    """Return versions, commit and machine as plain JSON values, plus the caller's."""
    versions = {name: metadata.version(name) for name in _PACKAGES}
    return {
        **more,
        "commit": commit(),
        "python": platform.python_version(),
        "platform": f"{sys.platform} {platform.machine()}",
        "versions": versions,
    }


def commit(folder: Path = Path(__file__).parents[2]) -> str | None:
    """Return the commit of a folder, with a plus where code was changed since then.

    None where it is not under git, as an installed package is not.
    """

    def git(*words):
        command = ["git", "-C", str(folder), *words]
        options = {"capture_output": True, "encoding": "utf-8", "check": True}
        return subprocess.run(command, **options).stdout

    try:
        # An installed package may lie in a repository that knows nothing of it.
        if not git("ls-files", "."):
            return None
        changed = git("status", "--porcelain", "--untracked-files=all", "*.py")
        return git("rev-parse", "HEAD").strip() + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None
