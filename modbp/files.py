"""Files: written whole or not at all, held by one process, and their fingerprints."""

import hashlib
import json
import math
import os
import re
import secrets
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    import msvcrt

    fcntl = None

__all__ = ["fingerprint", "hold", "read_json", "rounded", "sweep", "write_bytes"]
__all__ += ["write_json"]


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
    # Made by `open`, so that the user's umask says who may read it.
    part = path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}")
    try:
        with open(part, "xb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def sweep(folder):
    """Delete what writers left in a folder that were killed; none may be at work."""
    for path in Path(folder).glob(".*"):
        if re.fullmatch(r"\..+\.[0-9a-f]{8}", path.name):
            path.unlink(missing_ok=True)


def write_json(path, value):
    """Write `value` as indented JSON, in one step; a list of numbers is one line.

    Parameters
    ----------
    path : path
        Where to.
    value : object
        Anything `json` can write, without NaN and infinite numbers.
    """
    text = json.dumps(value, indent=2, allow_nan=False)
    # No string holds a line break of its own, so this is the inside of a list.
    text = re.sub(r"\[\n\s*([^][{}]*?)\n\s*\]", _one_line, text)
    write_bytes(path, (text + "\n").encode())


def _one_line(found):
    return "[" + re.sub(r"\n\s*", " ", found[1]) + "]"


def rounded(value, digits=5):
    """Return a number as files of results keep it, None if it is none or infinite."""
    return None if not math.isfinite(value) else float(f"{value:.{digits}g}")


def read_json(path):
    """Return what a file of strict JSON in UTF-8 holds, or raise a `ValueError`.

    Python's own reader takes NaN and infinite numbers for JSON.
    """
    text = Path(path).read_text(encoding="utf-8")
    try:
        return json.loads(text, parse_constant=_no_number)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _no_number(word):
    raise ValueError(f"{word} is no number")


def hold(path):
    """Return a file that one process holds, until it closes it or ends in any way.

    A `BlockingIOError` says that another one does. The file itself stays.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    stream = open(path, "ab")
    try:
        if fcntl:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            _hold_on_windows(stream)
    except BaseException:
        stream.close()
        raise
    return stream


def _hold_on_windows(stream):
    try:
        msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
    except PermissionError as error:
        raise BlockingIOError(*error.args) from None
