"""Run an experiment unit by unit, so that it may be stopped at any moment."""

import sys
import time

from tqdm import tqdm

from modbp.errors import ResultError
from modbp.study.runs import cost
from modbp.study.runs.provenance import facts
from modbp.study.runs.store import Store, read
from modbp.study.runs.workers import Worker

__all__ = ["run", "status"]


def run(experiment, output, *, command="", worker=None):
    """Compute what `output` does not hold yet, and write it.

    The work is done in units, each a few images by one method. A finished unit is kept
    in the folder ``OUTPUT.work``. A run that was stopped, in whatever way, goes on from
    there when it is called again, and ends with the same file, byte for byte. Methods
    that `output` holds besides those asked for stay in it.

    Parameters
    ----------
    experiment : object
        Such as :class:`modbp.experiments.CSC`.
    output : path
        The JSON file to write.
    command : str
        What the provenance names as the origin.
    worker : Worker, optional
        This process's share, where there are several.

    Returns
    -------
    dict
        What was written.

    Raises
    ------
    ResultError
        If a file cannot be written, is damaged, or was made with other settings.
    """
    worker = worker or Worker()
    store = Store(output, experiment.settings, experiment.parts)
    earlier = _earlier(store, experiment.kind)
    kept = {part: store.kept(part) for part in experiment.parts}
    todo = [part for part in kept if part not in earlier and not kept[part]]
    _check_plan(store)
    if worker.first and (todo or any(part not in earlier for part in kept)):
        plan = {"settings": store.settings, "parts": store.parts}
        plan |= {"kind": experiment.kind, "units": experiment.count}
        store.note("plan.json", plan)
    worker.wait()
    _compute(experiment, store, todo, facts(command=command), worker)
    if worker.first and any(part not in earlier for part in kept):
        _assemble(experiment, store, earlier, facts(command=command))
    worker.wait()
    return read(output)


def _earlier(store, kind):
    """Return the parts that `output` already holds: value, table, and who made it."""
    if not store.output.exists():
        return {}
    stored = read(store.output)
    config, made = dict(stored["config"]), dict(stored["provenance"])
    _refuse(store.output, config, store.settings)
    makers = [made, *made.pop("earlier", [])]
    return {
        part: (value, config[kind][part], makers)
        for part, value in stored["results"].items()
        # What the code would now make in another way is made again.
        if store.parts.get(part, config[kind][part]) == config[kind][part]
    }


def _check_plan(store):
    plan = store.plan()
    if plan is not None:
        _refuse(store.work, plan["settings"], store.settings)


def _refuse(path, found, wanted):
    differing = sorted(key for key in wanted if found.get(key) != wanted[key])
    if differing:
        raise ResultError(
            f"{path} was made with another {', '.join(differing)}. Move it away, or "
            "choose another --output."
        )


def _compute(experiment, store, todo, made, worker):
    mine = range(worker.rank, experiment.count, worker.count)
    missing = {part: _missing(store, part, mine) for part in todo}
    left = sum(map(len, missing.values()))
    if worker.first:
        for line in cost.forecast(experiment, missing, worker.count):
            print(line, flush=True)
    total = len(mine) * len(todo)
    options = {"desc": experiment.name, "mininterval": 1, "disable": not worker.first}
    with tqdm(total=total, initial=total - left, **options) as bar:
        for part, units in missing.items():
            bar.set_postfix_str(part)
            for unit in units:
                begin = time.monotonic()
                store.put(part, unit, experiment.compute(part, unit))
                store.log(worker.rank, part, unit, time.monotonic() - begin)
                bar.update()
            worker.wait()
            if worker.first:
                _finish(experiment, store, part, made)
            worker.wait()


def _missing(store, part, mine):
    """Return the units that have to be computed, and say which are damaged."""
    missing = [unit for unit in mine if store.get(part, unit) is None]
    for unit in missing:
        if store.has(part, unit):
            print(
                f"modbp: unit {unit} of {part} in {store.work} is damaged or of "
                "another run; it is computed again.",
                file=sys.stderr,
            )
    return missing


def _finish(experiment, store, part, made):
    """Put a part together from its units."""

    def column(key):
        return store.column(part, experiment.count, key)

    store.keep(part, experiment.summary(column, store.keys(part)), made)


def _assemble(experiment, store, earlier, made):
    """Write the result: what was there, and what has been made since."""
    parts = {part: (value, table) for part, (value, table, _) in earlier.items()}
    makers = [maker for *_, found in earlier.values() for maker in found]
    for part, table in experiment.parts.items():
        if part not in parts:
            value, by = store.kept(part)
            parts[part] = value, table
            makers.append(by)
    provenance = dict(made)
    others = [maker for n, maker in enumerate(makers) if maker not in makers[:n]]
    others = [maker for maker in others if maker != made]
    if others:
        provenance["earlier"] = others
    tables = {part: table for part, (_, table) in parts.items()}
    store.finish(
        {
            "config": {**experiment.settings, experiment.kind: tables},
            "provenance": provenance,
            "results": {part: value for part, (value, _) in parts.items()},
        }
    )


def status(output):
    """Return what there is of a result, in lines.

    Parameters
    ----------
    output : path
        The JSON file of a run, whether or not it has been written.

    Returns
    -------
    list of str

    Raises
    ------
    ResultError
        If there is neither a result nor a work folder.
    """
    store = Store(output, {}, {})
    plan, lines, done = store.plan(), [], {}
    if store.output.exists():
        stored = read(store.output)
        done = stored["results"]
        lines.append(f"{output}: {_about(stored['config'])}")
        lines.append(f"  {_finished(stored)}")
    elif plan is None:
        raise ResultError(
            f"{output}: neither a result nor work on one. Begin with "
            "`python -m modbp run`."
        )
    if plan is None:
        return lines
    store = Store(output, plan["settings"], plan["parts"])
    if not lines:
        lines.append(f"{output}: not there yet; {_about(plan['settings'])}")
    for part in plan["parts"]:
        if part in done:
            continue
        there = plan["units"]
        if not store.kept(part):
            there = sum(store.get(part, n) is not None for n in range(plan["units"]))
        lines.append(f"  {part}: {there} of {plan['units']} units")
    return lines


def _finished(stored):
    # The experiment on patterns writes its layers one by one, and the rest at last.
    results = stored["results"]
    if "kinds" in stored["config"] and "chains" not in results:
        return f"not finished; layers so far: {', '.join(results['layers'])}"
    return f"finished: {', '.join(results)}"


def _about(config):
    fallback = "patterns" if "kinds" in config else "an experiment"
    words = [config.get("experiment", fallback)]
    if "network" in config:
        # Where patterns are fitted to many images, the result has only their count.
        count = config.get("count") or len(config["image_names"])
        words.append(f"on {config['network']}, {count} images")
    return " ".join(words)
