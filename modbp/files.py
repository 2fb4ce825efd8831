"""Files, written whole or not at all, and their fingerprints."""

import hashlib
import json
import os
import re
import tempfile
from pathlib import Path

__all__ = ["fingerprint", "write_bytes", "write_json"]


def fingerprint(content):
    """Return the SHA-256 of bytes, or of a file, as hexadecimal digits.

    Parameters
    ----------
    content : bytes or path
        What to hash.

    Returns
    -------
    str
    """
    if not isinstance(content, (bytes, bytearray, memoryview)):
        content = Path(content).read_bytes()
    return hashlib.sha256(content).hexdigest()


def write_bytes(path, content):
    """Write a file in one step: a reader sees the old file or the new, never a part.

    Parameters
    ----------
    path : path
        Where to; folders on the way are made.
    content : bytes
        The whole content.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_json(path, value):
    """Write `value` as indented JSON, in one step; a list of numbers is one line.

    Parameters
    ----------
    path : path
        Where to.
    value : object
        Anything `json` can write.
    """
    text = json.dumps(value, indent=2)
    # No string holds a line break of its own, so this is the inside of a list.
    text = re.sub(r"\[\n\s*([^][{}]*?)\n\s*\]", _one_line, text)
    write_bytes(path, (text + "\n").encode())


def _one_line(found):
    return "[" + re.sub(r"\n\s*", " ", found[1]) + "]"
