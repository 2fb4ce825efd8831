"""Compare modbp's cost with Captum's and Zennit's: `python3 noxfile.py bench`.

Writes one JSON file per network, after every row of every round: a run that was stopped
goes on where it was. `--help` lists the options. It stands beside the tests and not in
modbp.study, since only tests may import Captum and Zennit.
"""

import argparse
import json
import multiprocessing
import os
from functools import cache
from importlib import metadata
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[3]
RESULTS = ROOT / "modbp" / "study" / "results" / "bench"
THREADS = 2
NETWORKS = ("cifar10", "vgg16")


@cache
def built(network):
    """Build a network once; the processes below find it in their memory."""
    import rows

    return rows.build(network)


def timed(network, row):
    """Return each one's processor time in gradients, once.

    All take turns, and each is divided by the mean of the gradients before and after.
    """
    from measure import processor_time
    from rows import contestants

    net, x = built(network)
    for run in contestants(network, row, net, x[:1]).values():
        run()  # loads what is loaded once
    actions = contestants(network, row, net, x)
    unit = actions.pop("unit")
    before = processor_time(unit)
    seconds = {who: processor_time(run) for who, run in actions.items()}
    mean = (before + processor_time(unit)) / 2
    return {who: spent / mean for who, spent in seconds.items()} | {"unit": mean}


def counted(network, row, who):
    """Return multiply-adds and peak memory of one call; for a process of its own."""
    from measure import multiply_adds, peak_memory
    from rows import contestants, gradient

    net, x = built(network)
    gradient(net, x[:1])
    run, count = contestants(network, row, net, x)[who], []
    memory = peak_memory(lambda: count.append(multiply_adds(run)))
    return {"multiply_adds": count[0], "peak_mib": memory}


def in_a_process(action, *arguments):
    """Return what a function returns in a fork of this process.

    A fork has the libraries and the network already, and no memory or threads that an
    earlier measurement left: this process itself computes nothing.
    """
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)
    child = context.Process(target=_send, args=(there, action, arguments))
    child.start()
    there.close()
    try:
        return here.recv()
    except EOFError:
        raise SystemExit(f"{action.__name__}{arguments} failed, see above.") from None
    finally:
        child.join()


def _send(there, action, arguments):
    import torch

    torch.set_num_threads(THREADS)
    there.send(action(*arguments))


def _count(network, row):
    """Return a row without times: who can do it, multiply-adds and memory."""
    from rows import WHO, missing

    entries, why = {}, missing(network, row)
    for who in ("unit", *WHO):
        if who in why:
            entries[who] = {"missing": why[who]}
        else:
            entries[who] = in_a_process(counted, network, row, who) | {"times": []}
    unit = entries["unit"]
    for who in set(WHO) - set(why):
        entry = entries[who]
        entry["multiply_adds"] /= unit["multiply_adds"]
        entry["memory"] = round(entry["peak_mib"] / unit["peak_mib"], 2)
    return entries


def _add_times(entries, found):
    for who, value in found.items():
        entry = entries[who]
        entry["times"].append(round(value, 3))
        entry["time"] = round(median(entry["times"]), 3)


def run(network, output, rounds, wanted=None):
    """Measure a network's rows, round by round, and write after each."""
    from rows import rows
    from tqdm import tqdm

    from modbp.files import write_json
    from modbp.study.runs.provenance import facts

    path = Path(output) / f"{network}.json"
    results = (
        json.loads(path.read_text(encoding="utf-8"))["results"] if path.exists() else {}
    )
    peers = {name: metadata.version(name) for name in ("captum", "zennit")}
    config = {
        "network": network,
        "threads": THREADS,
        "wait": os.environ.get("OMP_WAIT_POLICY"),
        "unit": "the plain gradient; its own times are in seconds",
    }
    todo = [(turn, row) for turn in range(rounds) for row in wanted or rows(network)]
    with tqdm(todo, desc=network) as bar:
        for turn, row in bar:
            bar.set_postfix_str(row)
            entries = results.get(row) or _count(network, row)
            if len(entries["unit"]["times"]) > turn:
                continue
            _add_times(entries, in_a_process(timed, network, row))
            results[row] = entries
            found = {key: results[key] for key in rows(network) if key in results}
            provenance = facts(command="python3 noxfile.py bench", peers=peers)
            content = {"config": config, "provenance": provenance, "results": found}
            write_json(path, content)
    return path


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("networks", nargs="*", default=NETWORKS, help="which networks")
    parser.add_argument("--rows", nargs="+", help="which rows; all if left out")
    parser.add_argument("--rounds", type=int, default=5, help="how often each row")
    parser.add_argument("--quick", action="store_true", help="one round, CIFAR-10 only")
    parser.add_argument("--output", default=RESULTS, help="folder of the JSON files")
    options = parser.parse_args(arguments)
    networks, rounds, output = options.networks, options.rounds, options.output
    if options.quick:
        networks, rounds, output = ["cifar10"], 1, ROOT / "_build" / "bench"
    for network in networks:
        built(network)
        print(run(network, output, rounds, options.rows))


if __name__ == "__main__":
    # Threads that wait for each other sleep. Else their waiting counts as work, the
    # more of it the busier the machine. Read when torch is loaded.
    os.environ["OMP_WAIT_POLICY"] = "passive"
    import torch

    torch.set_num_threads(1)  # threads do not survive a fork
    main()
