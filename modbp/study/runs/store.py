"""Stored results, and the work folder of a run that has not ended yet.

A result is a folder with one JSON file per part, such as a method. Beside the folder
``NAME`` a run keeps ``NAME.work``, with a file for each finished unit of work of the
parts that are not finished. Every file is written in one step, so that a run may be
stopped at any moment.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, get_args

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError, safe_open

from modbp.backprop.names import Name
from modbp.errors import InputError, ResultError, check_option
from modbp.files import fingerprint, hold, read_json, sweep, write_bytes, write_json

__all__ = ["RESULTS", "Result", "Store", "as_path", "read", "refuse_others"]
__all__ += ["written"]

# The book's own.
RESULTS = Path(__file__).parents[1] / "results"


class Result(dict):
    """A stored result: "config", "provenance" and "results"; printed, what it is."""

    def __str__(self):
        config = self["config"]
        title = config.get("experiment", "a result")
        if "network" in config:
            title += f" on {config['network']}"
        told = []
        if "images" in config:
            # Where patterns are fitted to many images, only their count is kept.
            count = config.get("count") or len(config["image_names"])
            told.append(f"{count} {config['images']}")
        if "batch" in config and self["results"]:
            told.append(f"{len(self['results'])} methods")
        for many in ("starts", "stages"):
            if many in config:
                told.append(f"{len(config[many])} {many}")
        return f"{title}: {', '.join(told)}" if told else title


def read(source: str | Path) -> Result:
    """Return a stored result.

    Parameters
    ----------
    source
        The name of one of the book's, such as ``"csc/cifar10"`` or
        ``"csc/cifar10/lrp-a1b0"``, which is found from anywhere; or the folder that a
        run of yours wrote, or one of its files. A name of the book's that is a folder
        of yours too is the book's, unless it is given as a ``Path``.

    Returns
    -------
    Result
        A dict with "config", which has the table of each part in "parts", "results" by
        part, and "provenance"; that of a folder is by part as well.

    Raises
    ------
    ResultError
        If there is no such result, or it is damaged, or a folder has files of several
        runs.

    Examples
    --------
    >>> stored = modbp.study.experiments.read("csc/cifar10")
    >>> print(stored)
    csc on cifar10: 200 CIFAR-10 test images (JPEG), 24 methods, 5 starts
    >>> round(stored["results"]["lrp-a1b0"]["fc6"]["conv1"]["median"], 4)
    0.9999
    """
    path = as_path("source", source)
    if isinstance(source, str) and not source.startswith("."):
        for name in (source, f"{source}.json"):
            if (RESULTS / name).exists():
                path = RESULTS / name
    found = {file: _read_part(file) for file in _files(path)}
    if not found:
        return _read_file(path)
    settings, parts, made, results = {}, {}, {}, {}
    for file, (part, table, own, entry) in sorted(found.items(), key=_place):
        settings = settings or own
        refuse_others(file, own, settings)
        parts[part], made[part] = table, entry["provenance"]
        results |= entry["results"]
    return Result(config={**settings, "parts": parts}, provenance=made, results=results)


def as_path(name: str, value: object) -> Path:
    """Return a path that was given as an option."""
    check_option(name, value, lambda each: [Path(each)], "give a path.")
    return Path(value)


def _files(folder):
    """Return the files of a result; hidden ones, as a Mac makes them, are none."""
    return [path for path in folder.glob("*.json") if not path.name.startswith(".")]


def _place(item):
    """Sort methods as the library names them, and what is none by its name."""
    (part, *_), names = item[1], get_args(Name)
    method = part.partition(":")[0].removesuffix("-multiplier")
    return (names.index(method) if method in names else len(names)), part


def _read_part(path):
    """Return name and table of a file's part, the settings, and the whole content."""
    stored = _read_file(path)
    settings, tables = dict(stored["config"]), stored["config"].get("parts")
    if (
        not _is_texts(tables)
        or len(tables) != 1
        or tables.keys() != stored["results"].keys()
    ):
        raise ResultError(
            f"{path}: is not one part of a run. Move it away, or read it alone."
        )
    ((part, table),) = settings.pop("parts").items()
    if path.name != (name := f"{_plain(part)}.json"):
        raise ResultError(
            f"{path}: holds {part!r}, whose file is called {name}. Move it away, or "
            "give it that name."
        )
    return part, table, settings, stored


def _read_file(path):
    again = "Delete it and run the experiment again; only what it held is computed."
    folder = os.path.isdir(path) and path.suffix != ".json"
    if folder or not os.path.exists(path):
        raise ResultError(
            f"{path}: no such result. Make it with `python -m modbp run`."
        )
    stored = _read_dict(path, again)
    seal = stored.pop("sha256", None)
    if missing := {"config", "provenance", "results"} - stored.keys():
        raise ResultError(f"{path}: has no {', '.join(sorted(missing))}. {again}")
    wrong = [key for key, value in stored.items() if not isinstance(value, dict)]
    wrong += _misfits(stored["config"]) if not wrong else []
    if wrong:
        raise ResultError(f"{path}: {', '.join(wrong)} cannot be right. {again}")
    # Those of earlier versions have none.
    if seal is not None and seal != _seal(stored):
        raise ResultError(
            f"{path}: was changed after it was written: its checksum differs. {again}"
        )
    return Result(stored)


def _read_dict(path, remedy):
    """Return the entries of a file of JSON."""
    if os.path.isdir(path):
        raise ResultError(f"{path}: is a folder and should be a file. Move it away.")
    try:
        stored = read_json(path)
    except (OSError, ValueError) as error:
        raise ResultError(
            f"{path}: not JSON that can be read ({error}). {remedy}"
        ) from None
    if not isinstance(stored, dict):
        found = type(stored).__name__
        raise ResultError(f"{path}: holds a {found} and no entries. {remedy}")
    return stored


def _seal(content):
    """Return the checksum of what a file holds beside it."""
    return fingerprint(json.dumps(content).encode())


def _misfits(settings):
    """Return the settings of the wrong type, among those that are printed."""
    kinds = {"experiment": str, "network": str, "images": str, "count": int}
    kinds |= dict.fromkeys(("image_names", "starts", "stages"), list)
    return [
        key
        for key, kind in kinds.items()
        if key in settings and not isinstance(settings[key], kind)
    ]


def _is_texts(value):
    """Return whether a value is a dict of texts."""
    return isinstance(value, dict) and all(isinstance(v, str) for v in value.values())


def refuse_others(path: Path, found: dict, wanted: dict) -> None:
    """Refuse what was made with other settings."""
    differing = sorted(
        key for key in found.keys() | wanted.keys() if found.get(key) != wanted.get(key)
    )
    if differing:
        names = ", ".join(key.removesuffix("_sha256") for key in differing)
        raise ResultError(
            f"{path} was made with different {names}. Move it away, or choose another "
            "--output."
        )


class Store:
    """The files of one run: the settings and tables that its parts depend on."""

    def __init__(self, output: str | Path, settings: dict, parts: dict[str, str]):
        self.output = as_path("output", output)
        if self.output.name in ("", ".."):
            raise InputError(
                f"output is {str(output)!r}; give the name of a folder for the result "
                "alone, as in runs/csc."
            )
        self.work = self.output.with_name(self.output.name + ".work")
        # As a file gives them back: a tuple as a list.
        self.settings, self.parts = json.loads(json.dumps(settings)), parts

    def alone(self) -> BinaryIO:
        """Return what keeps other runs out, until it is closed or the process ends."""
        if os.path.exists(self.output) and not os.path.isdir(self.output):
            raise ResultError(
                f"{self.output}: is a file, and cannot be written as a folder of "
                "results. Move it away, or choose another --output."
            )
        held = self._write(hold, self.work / "lock")
        sweep(self.output)
        return held

    def finished(self) -> set[str]:
        """Return the parts that are there as the code would make them now."""
        found = set()
        for path in _files(self.output):
            part, table, settings, _ = _read_part(path)
            refuse_others(path, settings, self.settings)
            if self.parts.get(part) == table:
                found.add(part)
        return found

    def finish(self, part: str, value: object, by: dict) -> None:
        """Write a part's file, and forget its units."""
        config = {**self.settings, "parts": {part: self.parts[part]}}
        content = {"config": config, "provenance": by, "results": {part: value}}
        content["sha256"] = _seal(content)
        self._write(write_json, self.output / f"{_plain(part)}.json", content)
        shutil.rmtree(self.work / _plain(part), ignore_errors=True)

    def put(self, part: str, unit: int, arrays: dict[str, np.ndarray]) -> None:
        """Keep a finished unit: arrays by name."""
        arrays = {key: np.ascontiguousarray(value) for key, value in arrays.items()}
        about = {"made_for": self._made_for(part, unit), "sha256": _digest(arrays)}
        content = safetensors.numpy.save(arrays, metadata=about)
        self._write(write_bytes, self._unit(part, unit), content)

    def get(self, part: str, unit: int) -> dict[str, np.ndarray] | None:
        """Return a finished unit's arrays, or None if it has to be computed."""
        path = self._unit(part, unit)
        try:
            content = path.read_bytes()
            with safe_open(path, "numpy") as file:
                about = file.metadata() or {}
            arrays = safetensors.numpy.load(content)
        except (OSError, SafetensorError):
            return None
        if about.get("made_for") != self._made_for(part, unit):
            return None
        return arrays if about.get("sha256") == _digest(arrays) else None

    def has(self, part: str, unit: int) -> bool:
        """Return whether there is a file of a unit, in whatever state."""
        return self._unit(part, unit).exists()

    def started(self) -> bool:
        """Return whether there is a file of any unit."""
        return any(self.work.glob("*/*.safetensors"))

    def keys(self, part: str) -> list[str]:
        """Return the names of the arrays of a unit."""
        return self._from(part, 0, lambda file: list(file.keys()))

    def column(self, part: str, count: int, key: str) -> Iterator[np.ndarray]:
        """Yield one array of every unit that has it, without reading the others."""

        def read(file):
            return file.get_tensor(key) if key in file.keys() else None

        for unit in range(count):
            if (array := self._from(part, unit, read)) is not None:
                yield array

    def _from(self, part, unit, read):
        path = self._unit(part, unit)
        try:
            with safe_open(path, "numpy") as file:
                return read(file)
        except (OSError, SafetensorError) as error:
            raise ResultError(
                f"{path}: was changed while the run was going ({error}). Give the same "
                "command again."
            ) from None

    def note_plan(self, counts: dict[str, int]) -> None:
        """Write down what is to be done: the settings, the tables, units by part."""
        plan = {"settings": self.settings, "parts": self.parts, "counts": counts}
        plan["sha256"] = _seal(plan)
        self._write(write_json, self.work / "plan.json", plan)

    def plan(self) -> dict | None:
        """Return what a run has noted that it is about to do, or None."""
        path = self.work / "plan.json"
        if not os.path.exists(path):
            return None
        remedy = "Delete it and give the same command again; finished units stay."
        plan = _read_dict(path, remedy)
        if plan.pop("sha256", None) != _seal(plan):
            raise ResultError(f"{path}: is no plan that a run noted. {remedy}")
        return plan

    def log(self, rank: int, part: str, unit: int, seconds: float) -> None:
        """Note how long a unit took: beside the result, which does not depend on it."""

        def append(path, line):
            with open(path, "a", encoding="utf-8") as file:
                file.write(line + "\n")

        entry = {"part": part, "unit": unit, "seconds": round(seconds, 3)}
        self._write(append, self.work / f"times-{rank}.jsonl", json.dumps(entry))

    def _unit(self, part, unit):
        return self.work / _plain(part) / f"{unit:06d}.safetensors"

    def _made_for(self, part, unit):
        about = [self.settings, part, self.parts[part], unit]
        text = json.dumps(about, sort_keys=True)
        return fingerprint(text.encode())

    def _write(self, write, path, *content):
        return written(write, path, *content, kept=self.work)


def written(write, path, *content, kept: Path, **more):
    """Return ``write(path, …)``, or refuse by saying where what is finished stays."""
    try:
        return write(path, *content, **more)
    except BlockingIOError:  # while the file is held
        raise ResultError(
            f"{path}: another run is writing here. Wait until that one ends, or choose "
            "another --output."
        ) from None
    except OSError as error:
        raise ResultError(
            f"{path}: cannot be written ({error.strerror or error}). What is finished "
            f"stays in {kept}. Make room, or allow writing there, and give the same "
            "command again."
        ) from error


def _plain(part):
    """Name a part as a file may be called; it may hold a slash, a colon or a dot."""
    short = "".join(c if c.isalnum() or c in "-_" else "_" for c in part)
    fits = short == part and len(short) <= 100
    return short if fits else f"{short[:100]}-{fingerprint(part.encode())[:8]}"


def _digest(arrays):
    total = hashlib.sha256()
    for key in sorted(arrays):
        value = arrays[key]
        total.update(f"{key}\0{value.dtype}{value.shape}\0".encode())
        total.update(value.tobytes())
    return total.hexdigest()
