"""A model that is as it was after a run, whatever its forward writes."""

import collections
from contextlib import contextmanager

import torch

__all__ = ["Kept", "memory", "unchanged"]

_CONTAINERS = (dict, list, set, collections.deque)


def memory(tensor):
    """Return what tells memory apart; None for tensors that have none."""
    try:
        return tensor.untyped_storage()._cdata
    except (RuntimeError, NotImplementedError):
        return None


class Kept:
    """Copies of the memory of tensors, made when it is written to."""

    def __init__(self, values):
        tensors = [value for value in values if isinstance(value, torch.Tensor)]
        self.own, self.copies = {memory(tensor) for tensor in tensors}, {}
        # A tensor may be given other memory: these know the one that it had.
        self.given = [(tensor, tensor.data) for tensor in tensors]

    def before_write(self, tensor):
        """Copy a tensor's memory if it belongs to the model and is as it was."""
        where = memory(tensor)
        if where in self.own and where not in self.copies:
            storage = tensor.untyped_storage()
            self.copies[where] = storage, storage.clone()

    def is_written(self, tensor):
        """Return whether a tensor lies in memory that was written to."""
        return bool(self.copies) and memory(tensor) in self.copies

    def put_back(self):
        """Let all memory hold what it held."""
        for storage, copy in self.copies.values():
            storage.copy_(copy)
        for tensor, before in self.given:
            if memory(tensor) != memory(before) or tensor.shape != before.shape:
                tensor.data = before


@contextmanager
def unchanged(net):
    """Put back what a model holds: its tensors, and the entries of its containers.

    Yields what has to be told of each write before it happens. Other threads that use
    the model meanwhile are not disturbed where its forward writes nothing.
    """
    containers = [*_containers(net)]
    kept = Kept(entry for each in containers for entry in _entries(each))
    before = [(each, each.copy()) for each in containers]
    try:
        yield kept
    finally:
        kept.put_back()
        for container, copy in before:
            _put_back(container, copy)


def _containers(net):
    """Yield all that modules hold entries in, and what these hold entries in."""
    waiting = [vars(module) for module in net.modules()]
    seen = set()
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        waiting += [e for e in _entries(each) if isinstance(e, _CONTAINERS)]


def _entries(container):
    return container.values() if isinstance(container, dict) else container


def _put_back(container, copy):
    if isinstance(container, set):
        if container != copy:
            container.intersection_update(copy)
            container.update(copy)
    elif isinstance(container, dict):
        if [*map(id, container.values())] == [*map(id, copy.values())]:
            if list(container) == list(copy):
                return
        # Entry by entry: another thread may be looking.
        for key in [key for key in container if key not in copy]:
            del container[key]
        container.update(copy)
    elif [*map(id, container)] != [*map(id, copy)]:
        if isinstance(container, list):
            container[:] = copy
        else:
            container.clear()
            container.extend(copy)
