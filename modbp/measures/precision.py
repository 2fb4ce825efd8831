"""More digits than a network computes with."""

from copy import deepcopy

import torch

__all__ = ["in_float64", "network_in_float64"]


def in_float64(values):
    """Return a tensor in float64, on the CPU if its own device may not have it."""
    return (values if values.device.type in ("cpu", "cuda") else values.cpu()).double()


def network_in_float64(net):
    """Return a network that computes in float64: itself, or a copy."""
    tensors = [*net.parameters(), *net.buffers()]
    floats = [each for each in tensors if each.is_floating_point()]
    if all(each.dtype == torch.float64 for each in floats):
        return net
    places = {each.device.type for each in floats}
    copy = deepcopy(net)
    return (copy if places <= {"cpu", "cuda"} else copy.cpu()).double()
