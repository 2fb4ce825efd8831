"""Stored results, and the work folder of a run that has not ended yet.

Beside ``NAME.json`` a run keeps the folder ``NAME.json.work``. It holds a file for each
finished unit of work, a file for each part that is put together from its units, and
what is left to do. Every file is written in one step, so that a run may be stopped at
any moment; the result itself is written last.
"""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError, safe_open

from modbp.errors import ResultError
from modbp.files import fingerprint, write_bytes, write_json

__all__ = ["Store", "read"]


def read(path):
    """Return a stored result.

    Parameters
    ----------
    path : path
        A JSON file that an experiment wrote.

    Returns
    -------
    dict
        With "config", "provenance" and "results".

    Raises
    ------
    ResultError
        If there is no such file, or it is not a result.
    """
    stored = _json(path)
    if stored is None:
        raise ResultError(
            f"{path}: no such result. Make it with `python -m modbp run`."
        )
    missing = {"config", "provenance", "results"} - stored.keys()
    if missing:
        raise ResultError(
            f"{path}: has no {', '.join(sorted(missing))}. Delete it and run again."
        )
    return stored


def _json(path):
    """Return what a JSON file holds by name, or None where there is no file."""
    try:
        stored = json.loads(Path(path).read_text())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise ResultError(
            f"{path}: not JSON that can be read ({error}). Delete it and run the "
            "experiment again; what its work folder holds is not computed again."
        ) from None
    if not isinstance(stored, dict):
        raise ResultError(f"{path}: is no result. Delete it and run again.")
    return stored


class Store:
    """The files of one run.

    Parameters
    ----------
    output : path
        The JSON file that the run ends with.
    settings : dict
        What every part depends on, as plain JSON values.
    parts : dict of str to str
        What each part depends on besides.
    """

    def __init__(self, output, settings, parts):
        self.output = Path(output)
        self.work = self.output.with_name(self.output.name + ".work")
        self.settings, self.parts = settings, parts

    def put(self, part, unit, arrays):
        """Keep a finished unit: arrays by name."""
        arrays = {key: np.ascontiguousarray(value) for key, value in arrays.items()}
        about = {"made_for": self._made_for(part), "sha256": _digest(arrays)}
        content = safetensors.numpy.save(arrays, metadata=about)
        self._write(write_bytes, self._unit(part, unit), content)

    def get(self, part, unit):
        """Return a finished unit's arrays, or None if it has to be computed."""
        path = self._unit(part, unit)
        try:
            content = path.read_bytes()
            with safe_open(path, "numpy") as file:
                about = file.metadata() or {}
            arrays = safetensors.numpy.load(content)
        except (OSError, SafetensorError):
            return None
        if about.get("made_for") != self._made_for(part):
            return None
        return arrays if about.get("sha256") == _digest(arrays) else None

    def has(self, part, unit):
        """Return whether there is a file of a unit, in whatever state."""
        return self._unit(part, unit).exists()

    def keys(self, part):
        """Return the names of the arrays of a unit."""
        with safe_open(self._unit(part, 0), "numpy") as file:
            return list(file.keys())

    def column(self, part, count, key):
        """Yield one array of every unit in turn, without reading the others."""
        for unit in range(count):
            with safe_open(self._unit(part, unit), "numpy") as file:
                yield file.get_tensor(key)

    def keep(self, part, value, by):
        """Keep what a part's units give together, and forget the units."""
        entry = {"made_for": self._made_for(part), "by": by, "value": value}
        self._write(write_json, self._part(part), entry)
        shutil.rmtree(self._part(part).with_suffix(""), ignore_errors=True)

    def kept(self, part):
        """Return ``(value, by)`` of a finished part, or None."""
        try:
            entry = _json(self._part(part))
        except ResultError:
            return None  # as if it were not there: its units are asked for again
        if entry and entry.get("made_for") == self._made_for(part):
            return entry["value"], entry["by"]
        return None

    def note(self, name, value):
        """Write a side file of the run."""
        self._write(write_json, self.work / name, value)

    def plan(self):
        """Return what a run has noted that it is about to do, or None."""
        return _json(self.work / "plan.json")

    def log(self, rank, part, unit, seconds):
        """Note how long a unit took: beside the result, which does not depend on it."""

        def append(path, line):
            with open(path, "a") as file:
                file.write(line + "\n")

        entry = {"part": part, "unit": unit, "seconds": round(seconds, 3)}
        self._write(append, self.work / f"times-{rank}.jsonl", json.dumps(entry))

    def finish(self, result):
        """Write the result."""
        self._write(write_json, self.output, result)

    def _unit(self, part, unit):
        return self._part(part).with_suffix("") / f"{unit:06d}.safetensors"

    def _part(self, part):
        # A name may hold a slash, a colon or what else a file's may not.
        short = "".join(c if c.isalnum() or c in "-_" else "_" for c in part)
        return self.work / f"{short}-{fingerprint(part.encode())[:8]}.json"

    def _made_for(self, part):
        text = json.dumps([self.settings, part, self.parts[part]], sort_keys=True)
        return fingerprint(text.encode())

    def _write(self, write, path, content):
        try:
            write(path, content)
        except OSError as error:
            raise ResultError(
                f"{path}: cannot be written ({error.strerror or error}). What is "
                f"finished stays in {self.work}. Make room, or allow writing there, "
                "and give the same command again."
            ) from error


def _digest(arrays):
    total = hashlib.sha256()
    for key in sorted(arrays):
        value = arrays[key]
        total.update(f"{key}\0{value.dtype}{value.shape}\0".encode())
        total.update(value.tobytes())
    return total.hexdigest()
