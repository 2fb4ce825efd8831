"""Several processes that share a run, as ``torchrun`` starts them."""

import os
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import distributed

__all__ = ["Worker", "worker"]


@dataclass(frozen=True)
class Worker:
    """One of the processes that share the units of a run.

    Attributes
    ----------
    rank : int
        Its number, from 0.
    count : int
        How many there are.
    """

    rank: int = 0
    count: int = 1

    @property
    def first(self):
        """Whether it is the one that prints and puts results together."""
        return self.rank == 0

    def wait(self):
        """Return when all processes have come here."""
        if self.count > 1:
            distributed.barrier()

    @property
    def device(self):
        """The GPU of its own, or the CPU where there is none."""
        if not torch.cuda.is_available():
            return torch.device("cpu")
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))


@contextmanager
def worker():
    """Return this process's share, and end its group afterwards.

    Yields
    ------
    Worker
        Alone, unless ``torchrun`` started the process.
    """
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
