"""Several processes that share a run, as ``torchrun`` starts them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import distributed

from modbp.errors import InputError

__all__ = ["Worker", "check_device", "worker"]


@dataclass(frozen=True)
class Worker:
    """One of `count` processes that share the units of a run; `rank` is its number."""

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether it is the one that prints and puts results together."""
        return self.rank == 0

    def wait(self) -> None:
        """Return when all processes have come here."""
        if self.count > 1:
            distributed.barrier()

    @property
    def device(self) -> torch.device:
        """The GPU of its own, or the CPU where there is none."""
        if not torch.cuda.is_available():
            return torch.device("cpu")
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))


def check_device(name: str | torch.device) -> torch.device:
    """Return the device of a name, and refuse one that holds no numbers here."""
    try:
        found = torch.zeros(1, device=name)
        found.item()  # of the device meta there are none
        if (torch.device(name).index or 0) != (found.device.index or 0):
            raise ValueError("another one, as for cpu:3")
    except (AssertionError, ImportError, RuntimeError, TypeError, ValueError):
        there = ["cpu"]
        if torch.accelerator.is_available():
            kind = torch.accelerator.current_accelerator().type
            count = torch.accelerator.device_count()
            there += [kind, *(f"{kind}:{number}" for number in range(count))]
        raise InputError(
            f"device {str(name)!r} is not there. Choose {' or '.join(there)}."
        ) from None
    return found.device


@contextmanager
def worker() -> Iterator[Worker]:
    """Yield this process's share: all, unless ``torchrun`` started it."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Worker()
        return
    backend = "nccl" if torch.cuda.is_available() else "gloo"
    if backend == "nccl":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    # A process may wait for another one's share for as long as that takes.
    distributed.init_process_group(backend, timeout=timedelta(days=30))
    try:
        yield Worker(distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()
