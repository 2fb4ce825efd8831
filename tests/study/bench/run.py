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
PROCESSES = 3  # for one figure of memory
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
    """Return the multiply-adds of one call, modbp's look at the model apart."""
    from measure import multiply_adds
    from rows import contestants, part

    net, x = built(network)
    whole = multiply_adds(contestants(network, row, net, x)[who])
    if who != "modbp":
        return whole
    net, x = part(row, net, x)
    return whole - multiply_adds(lambda: net(x[:1]))


def weighed(network, row, who):
    """Return the peak memory of one call in MiB; for a process of its own."""
    from measure import peak_memory
    from rows import contestants, gradient

    net, x = built(network)
    gradient(net, x[:1])  # loads what is loaded once
    return peak_memory(contestants(network, row, net, x)[who])


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


def _weigh(network, row, entries):
    """Measure memory: the median of several processes, each for one call."""
    able = [who for who, entry in entries.items() if "missing" not in entry]
    for who in able:
        peaks = [in_a_process(weighed, network, row, who) for _ in range(PROCESSES)]
        entries[who]["peak_mib"] = median(peaks)
    for who in able:
        ratio = entries[who]["peak_mib"] / entries["unit"]["peak_mib"]
        entries[who]["memory"] = round(ratio, 2)
    return entries


def _count(network, row):
    """Return a row without times: who can do it, multiply-adds and memory."""
    from rows import WHO, missing

    entries, why = {}, missing(network, row)
    for who in ("unit", *WHO):
        if who in why:
            entries[who] = {"missing": why[who]}
        else:
            count = in_a_process(counted, network, row, who)
            entries[who] = {"multiply_adds": count, "times": []}
    for who in set(WHO) - set(why):
        entries[who]["multiply_adds"] /= entries["unit"]["multiply_adds"]
    return _weigh(network, row, entries)


def _add_times(entries, found):
    for who, value in found.items():
        entry = entries[who]
        entry["times"].append(round(value, 3))
        entry["time"] = round(median(entry["times"]), 3)


def run(network, output, rounds, wanted=None, memory=False):
    """Measure a network's rows, round by round, and write after each.

    With `memory`, that of stored rows is measured again, and nothing else.
    """
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
        "memory": f"MiB, the median of {PROCESSES} processes, beside the gradient's",
        "wait": os.environ.get("OMP_WAIT_POLICY"),
        "unit": "the plain gradient; its own times are in seconds",
    }
    names = wanted or rows(network)
    todo = [(turn, row) for turn in range(1 if memory else rounds) for row in names]
    with tqdm(todo, desc=network) as bar:
        for turn, row in bar:
            bar.set_postfix_str(row)
            entries = results.get(row) or _count(network, row)
            if memory and row in results:
                _weigh(network, row, entries)
            elif len(entries["unit"]["times"]) > turn:
                continue
            else:
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
    parser.add_argument("--memory", action="store_true", help="weigh stored rows anew")
    parser.add_argument("--quick", action="store_true", help="one round, CIFAR-10 only")
    parser.add_argument("--output", default=RESULTS, help="folder of the JSON files")
    options = parser.parse_args(arguments)
    networks, rounds, output = options.networks, options.rounds, options.output
    if options.quick:
        networks, rounds, output = ["cifar10"], 1, ROOT / "_build" / "bench"
    for network in networks:
        built(network)
        print(run(network, output, rounds, options.rows, options.memory))


if __name__ == "__main__":
    # Threads that wait for each other sleep. Else their waiting counts as work, the
    # more of it the busier the machine. Read when torch is loaded.
    os.environ["OMP_WAIT_POLICY"] = "passive"
    import torch

    torch.set_num_threads(1)  # threads do not survive a fork
    main()
