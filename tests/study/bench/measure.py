"""Processor time, multiply-adds and peak memory of one call."""

import ctypes
import gc
import time
from pathlib import Path

from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

_MMAP_THRESHOLD = -3  # its number in malloc.h


def processor_time(action):
    """Return the seconds that all cores together worked on a call.

    Other programs on the machine move it less than the time that passes.
    """
    gc.collect()
    start = time.process_time()
    action()
    return time.process_time() - start


class _Counter(TorchDispatchMode):
    """Counts as torch's FlopCounterMode does, which refuses gradients of an input."""

    total = 0

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        options = options or {}
        out = function(*arguments, **options)
        count = flop_registry.get(function._overloadpacket)
        if count is not None:
            self.total += count(*arguments, **options, out_val=out)
        return out


def multiply_adds(action):
    """Count those of all convolutions and matrix products that a call executes."""
    with _Counter() as counter:
        action()
    return counter.total / 2


def peak_memory(action):
    """Return by how many MiB a call raises the process's resident memory at its peak.

    For a process of its own, and the first such call in it: memory that an earlier call
    left with the allocator would be used again without a rise, and what a library keeps
    for the next call would not be seen. Whatever is larger than 1 MiB goes back to the
    system when it is freed. Left to itself glibc keeps some of it, now more, now less.
    """
    gc.collect()
    libc = ctypes.CDLL(None)
    libc.mallopt(_MMAP_THRESHOLD, 2**20)
    libc.malloc_trim(0)
    # Makes the peak so far the present size; see proc_pid_clear_refs(5).
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    before = _status("VmRSS")
    action()
    return (_status("VmHWM") - before) / 1024


def _status(key):
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1])
    raise OSError(f"/proc/self/status has no {key}")
