"""Run chapters whose outputs are not kept yet: `execute.py CACHE CHAPTER...`.

As many at a time as there are cores and memory for. What fails here Jupyter Book, which
finds the others in the same cache, runs again and reports.
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic

import psutil

# Bytes: the largest chapter takes 1.6 GB.
NEED = 1.8e9
TIMEOUT = 240  # seconds per cell, as in _config.yml


def cores():
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory(group=Path("/sys/fs/cgroup")):
    """Return how many bytes are free; in a container, of those that it may have."""
    free = psutil.virtual_memory().available
    try:
        limit = int((group / "memory.max").read_bytes())
        used = int((group / "memory.current").read_bytes())
        lines = (group / "memory.stat").read_bytes().splitlines()
    except (OSError, ValueError):  # no container, or one without a limit
        return free
    # Copies of files, which make room when they have to.
    used -= int(dict(map(bytes.split, lines)).get(b"inactive_file", 0))
    return min(free, limit - used)


def at_a_time(cores, memory):
    """Return how many chapters run side by side: at least one."""
    return max(1, min(cores, int(memory // NEED)))


def run(cache, chapters):
    """Run the chapters and keep their outputs."""
    # Here: an environment without it also asks what the machine can bear.
    from jupyter_cache import get_cache
    from jupyter_cache.executors import load_executor

    project = get_cache(cache)
    # A chapter that has been renamed since would still be looked for.
    for record in project.list_project_records():
        project.remove_nb_from_project(record.pk)
    for path in chapters:
        reader = {"name": "myst_nb_md", "type": "plugin"}
        project.add_nb_to_project(path, read_data=reader)
    paths = [record.uri for record in project.list_unexecuted()]
    count = at_a_time(cores(), memory())
    print(f"{len(paths)} chapters to run, {count} at a time", flush=True)

    def execute(path):
        # The kernel is a process of its own; this thread only waits for it.
        start = monotonic()
        executor = load_executor("local-serial", get_cache(cache))
        done = executor.run_and_cache(filter_uris=[path], timeout=TIMEOUT)
        told = "" if done.succeeded else ": stopped"
        print(f"{monotonic() - start:8.1f} s  {Path(path).stem}{told}", flush=True)

    with ThreadPoolExecutor(count) as pool:
        try:
            list(pool.map(execute, paths))
        except KeyboardInterrupt:
            # Threads would wait for their cells; kernels end when this process does.
            os._exit(130)


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2:])
