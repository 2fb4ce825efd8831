"""Compare modbp's cost with Captum's and Zennit's: `python3 noxfile.py bench`.

Writes one JSON file per network, row by row: a run that was stopped goes on where it
was. `--help` lists the options.
"""

import argparse
import json
import os
import subprocess
import sys
from functools import cache
from importlib import metadata
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "book" / "results" / "bench"
THREADS = 2
# Threads that wait for each other sleep. Else their waiting counts as work, the more of
# it the busier the machine.
SETTING = {"OMP_NUM_THREADS": str(THREADS), "OMP_WAIT_POLICY": "passive"}
NETWORKS = ("cifar10", "vgg16")


def timed(network, row, rounds):
    """Return each contestant's processor times in gradients, one per round.

    All take turns, and each is divided by the mean of the gradients before and after.
    """
    from measure import processor_time
    from rows import build, contestants

    net, x = build(network)
    actions = contestants(network, row, net, x)
    for run in contestants(network, row, net, x[:1]).values():
        run()  # loads what is loaded once
    unit = actions.pop("unit")
    ratios, units = {who: [] for who in actions}, []
    before = processor_time(unit)
    for _ in range(rounds):
        seconds = {who: processor_time(run) for who, run in actions.items()}
        after = processor_time(unit)
        mean = (before + after) / 2
        units.append(mean)
        for who, spent in seconds.items():
            ratios[who].append(spent / mean)
        before = after
    return {"ratios": ratios, "unit": units}


def counted(network, row, who):
    """Return multiply-adds and peak memory of one call; for a process of its own."""
    from measure import multiply_adds, peak_memory
    from rows import build, contestants, gradient

    net, x = build(network)
    gradient(net, x[:1])
    run, count = contestants(network, row, net, x)[who], []
    memory = peak_memory(lambda: count.append(multiply_adds(run)))
    return {"multiply_adds": count[0], "peak_mib": memory}


def in_a_process(*arguments):
    """Run this file's `timed` or `counted`; a row's mistakes end with its process."""
    command = [sys.executable, __file__, "--inner", json.dumps(arguments)]
    environment = {**os.environ, **SETTING}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{arguments} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


@cache
def unit_of(network, row):
    return in_a_process("counted", network, row, "unit")


def measure_row(network, row, rounds):
    """Return one row: who, and times, multiply-adds and memory in gradients."""
    from rows import ROWS, WHO, has_own_unit, missing

    times = in_a_process("timed", network, row, rounds)
    unit = unit_of(network, row if has_own_unit(network, row) else next(iter(ROWS)))
    entries = {who: {"missing": why} for who, why in missing(network, row).items()}
    for who, ratios in times["ratios"].items():
        found = in_a_process("counted", network, row, who)
        entries[who] = {
            "time": round(median(ratios), 3),
            "times": [round(ratio, 3) for ratio in ratios],
            "multiply_adds": found["multiply_adds"] / unit["multiply_adds"],
            "memory": round(found["peak_mib"] / unit["peak_mib"], 2),
            "peak_mib": round(found["peak_mib"], 1),
        }
    entries = {who: entries[who] for who in WHO}
    entries["unit"] = {
        "seconds": [round(value, 3) for value in times["unit"]],
        "multiply_adds": unit["multiply_adds"],
        "peak_mib": round(unit["peak_mib"], 1),
    }
    return entries


def run(network, output, rounds, wanted=None):
    """Measure a network's rows and write each when it is done."""
    from rows import rows
    from tqdm import tqdm

    from modbp.provenance import facts, write_json

    path = Path(output) / f"{network}.json"
    config = {"network": network, "rounds": rounds, "threads": THREADS}
    peers = {name: metadata.version(name) for name in ("captum", "zennit")}
    results = {}
    if path.exists():
        stored = json.loads(path.read_text())
        if stored["config"] == config:
            results = stored["results"]
    todo = [row for row in wanted or rows(network) if row not in results]
    with tqdm(todo, desc=network) as bar:
        for row in bar:
            bar.set_postfix_str(row)
            results[row] = measure_row(network, row, rounds)
            provenance = facts(command="python3 noxfile.py bench", peers=peers)
            found = {key: results[key] for key in rows(network) if key in results}
            content = {"config": config, "provenance": provenance, "results": found}
            write_json(path, content)
    return path


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("networks", nargs="*", default=NETWORKS, help="which networks")
    parser.add_argument("--rows", nargs="+", help="which rows; all if left out")
    parser.add_argument("--rounds", type=int, default=5, help="repetitions of each row")
    parser.add_argument("--quick", action="store_true", help="one round, CIFAR-10 only")
    parser.add_argument("--output", default=RESULTS, help="folder of the JSON files")
    parser.add_argument("--inner", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.inner:
        what, *rest = json.loads(options.inner)
        print(json.dumps({"timed": timed, "counted": counted}[what](*rest)))
        return
    networks, rounds, output = options.networks, options.rounds, options.output
    if options.quick:
        networks, rounds, output = ["cifar10"], 1, ROOT / "_build" / "bench"
    for network in networks:
        print(run(network, output, rounds, options.rows))


if __name__ == "__main__":
    main()
