"""Run an experiment unit by unit, so that it may be stopped at any moment."""

import sys
import time
from collections.abc import Callable, Iterable
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm

from modbp.audits.audit import duration
from modbp.errors import ModbpError, ResultError, check_option, unknown_name
from modbp.files import rounded
from modbp.study.runs.provenance import facts
from modbp.study.runs.store import Result, Store, read, refuse_others
from modbp.study.runs.workers import Worker

__all__ = ["Experiment", "forecast", "rounded", "run", "status"]

# Units per method from which a forecast is worth what it costs, about two images each.
_LONG = 4


class Experiment:
    """What is run; with ``places(unit)`` and ``trial(part)`` its cost is told first."""

    name: str
    settings: dict  # what every part depends on, as plain JSON values
    parts: dict[str, str]  # each part's table, which it depends on besides
    counts: dict[str, int]  # the units of each part

    def compute(self, part: str, unit: int) -> dict[str, np.ndarray]:
        """Return a unit's arrays by name."""
        if part not in self.parts:
            raise unknown_name("part", part, self.parts)
        fits = range(self.counts[part]).__contains__
        check_option("unit", unit, fits, f"{part} has {self.counts[part]} of them.")
        return self._compute(part, unit)

    def summary(
        self, part: str, column: Callable[[str], Iterable], keys: list[str]
    ) -> object:
        """Return a part's result; ``column(key)`` yields an array of every unit."""
        return self._summary(part, column, keys)


def run(
    experiment: Experiment,
    output: str | Path,
    *,
    command: str = "",
    worker: Worker | None = None,
) -> Result:
    """Compute what a folder does not hold yet, and write one file per part into it.

    The work is done in units, each a few images by one method. A finished unit is kept
    in the folder ``OUTPUT.work``. A run that was stopped, in whatever way, goes on from
    there when it is called again, and ends with the same files, byte for byte. Methods
    that the folder holds besides those asked for stay in it. Other settings are
    refused, and so are another network, code or other pixels under the same names.

    Parameters
    ----------
    experiment : Such as :class:`modbp.study.experiments.CSC`.
    output : The folder for the files.
    command : What the provenance names as the origin.
    worker : This process's share, where there are several.

    Returns
    -------
    Result : What the folder holds now, as :func:`read` returns it.

    Raises
    ------
    ResultError
        If a file cannot be written, is damaged, or was made with other settings, or
        another run is writing into the folder.

    Examples
    --------
    >>> from modbp.study import experiments
    >>> two = experiments.subject("cifar10", count=2, folder="photographs")
    >>> found = experiments.run(experiments.CSC(two, ["gradient"]), "runs/csc/two")
    >>> list(found["results"]["gradient"])
    ['fc6', 'fc5', 'conv4', 'conv3', 'conv2']
    """
    fits = {"compute", "counts", "parts", "settings", "summary"}
    remedy = "give an experiment, such as modbp.study.experiments.CSC(…)."
    check_option("experiment", experiment, lambda e: fits <= {*dir(e)}, remedy)
    check_option("command", command, lambda text: text + "" == text, "give a text.")
    fits = isinstance(worker, Worker | None)
    check_option("worker", worker, lambda _: fits, "give what worker() yields.")
    worker = worker or Worker()
    store = Store(output, experiment.settings, experiment.parts)
    with store.alone() if worker.first else nullcontext():
        worker.wait()
        finished = store.finished()
        todo = [part for part in experiment.parts if part not in finished]
        # A plan of which nothing was done, such as a mistyped one, is in nobody's way.
        if (plan := store.plan()) and store.started():
            refuse_others(store.work, plan["settings"], store.settings)
        worker.wait()
        if worker.first and todo:
            store.note_plan(experiment.counts)
        worker.wait()
        _compute(experiment, store, todo, facts(command=command), worker)
        worker.wait()
        return read(store.output)


def _compute(experiment, store, todo, made, worker):
    mine = {
        part: range(worker.rank, experiment.counts[part], worker.count) for part in todo
    }
    missing = {part: _missing(store, part, units) for part, units in mine.items()}
    left = sum(map(len, missing.values()))
    if worker.first:
        for line in forecast(experiment, missing, worker.count):
            print(line, flush=True)
    total = sum(map(len, mine.values()))
    options = {"desc": experiment.name, "mininterval": 1, "disable": not worker.first}
    with tqdm(total=total, initial=total - left, **options) as bar:
        for part, units in missing.items():
            bar.set_postfix_str(part)
            for unit in units:
                begin = time.monotonic()
                with _told(part):
                    found = experiment.compute(part, unit)
                store.put(part, unit, found)
                store.log(worker.rank, part, unit, time.monotonic() - begin)
                bar.update()
            worker.wait()
            if worker.first:
                _finish(experiment, store, part, made)
            worker.wait()


@contextmanager
def _told(part):
    """Say in an error which part it is about: a run has many."""
    try:
        yield
    except ModbpError as error:
        raise type(error)(f"{part}: {error}") from None


def _missing(store, part, mine):
    """Return the units that have to be computed, and say which are damaged."""
    missing = [unit for unit in mine if store.get(part, unit) is None]
    for unit in missing:
        if store.has(part, unit):
            print(
                f"modbp: unit {unit} of {part} in {store.work} is damaged or of "
                "another run or unit; it is computed again.",
                file=sys.stderr,
            )
    return missing


def _finish(experiment, store, part, made):
    """Put a part together from its units."""

    def column(key):
        return store.column(part, experiment.counts[part], key)

    store.finish(part, experiment.summary(part, column, store.keys(part)), made)


def forecast(
    experiment: Experiment, missing: dict[str, list[int]], processes: int = 1
) -> list[str]:
    """Return in lines what is left to do; none if it is little, or cannot be told.

    An experiment may know better, by a ``forecast(missing)`` of its own.
    """
    if hasattr(experiment, "forecast"):
        return experiment.forecast(missing)
    units = sum(map(len, missing.values()))
    trial = getattr(experiment, "trial", None)
    if trial is None or not units or units < _LONG * sum(map(bool, missing.values())):
        return []
    products = images = seconds = 0
    for part, left in missing.items():
        if not left:
            continue
        with _told(part), FlopCounterMode(display=False) as counter:
            single = trial(part)
            single()
        begin = time.monotonic()
        single()
        each = time.monotonic() - begin
        count = sum(len(experiment.places(unit)) for unit in left)
        images += count
        # The counter counts a multiplication and an addition as two.
        products += count * counter.get_total_flops() / 2
        seconds += count * each
    rate = products / max(seconds, 1e-9)
    share = f", in each of {processes} processes" if processes > 1 else ""
    return [
        f"{experiment.name}: {images} images by methods to do, in {units} units{share}",
        f"  {products:.2g} multiply-adds, {rate:.2g} per second measured on one image: "
        f"about {duration(seconds)}, or less in batches",
    ]


def status(output: str | Path) -> list[str]:
    """Return what there is of a result, in lines.

    Parameters
    ----------
    output : The folder of a run, whether or not any file of it has been written.

    Returns
    -------
    list of str : What it is about, and for each part whether it is there.

    Raises
    ------
    ResultError : If there is neither a result nor a work folder, or a file is damaged.

    Examples
    --------
    >>> from modbp.study import experiments
    >>> two = experiments.subject("cifar10", count=2, folder="photographs")
    >>> csc = experiments.CSC(two, ["gradient"])
    >>> _ = experiments.run(csc, "two")
    >>> print(*experiments.status("two"), sep="\\n")
    two: csc on cifar10: 2 photographs from scikit-image and scikit-learn, 5 starts
      finished: gradient
    """
    store = Store(output, {}, {})
    plan = store.plan()
    if any(store.output.glob("*.json")):
        stored = read(store.output)
    elif plan:
        stored = Result(config=plan["settings"], results={})
    else:
        raise ResultError(
            f"{output}: neither a result nor work on one. Begin with "
            "`python -m modbp run`."
        )
    done = stored["results"]
    # How many there are is told below.
    lines = [f"{output}: {Result(stored, results={})}"]
    if done:
        lines.append(f"  finished: {', '.join(done)}")
    if plan:
        store = Store(output, plan["settings"], plan["parts"])
        for part, count in plan["counts"].items():
            if part not in done:
                there = sum(store.get(part, unit) is not None for unit in range(count))
                lines.append(f"  {part}: {there} of {count} units")
    return lines
