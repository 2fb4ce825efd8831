"""Torch's inference mode: autograd has no way through what is computed there.

Some rules ask autograd for the derivative of a layer. So nothing is computed in that
mode, and what was made in it is copied.
"""

import copy
from functools import wraps

import torch

from modbp.errors import InputError

__all__ = ["normal", "outside_inference_mode", "without_inference_tensors"]


def outside_inference_mode(function):
    """Let a function compute outside of inference mode, and keep no graph either."""

    @wraps(function)
    def outside(*args, **kwargs):
        with torch.inference_mode(False), torch.no_grad():
            args = [normal(value) for value in args]
            kwargs = {name: normal(value) for name, value in kwargs.items()}
            return function(*args, **kwargs)

    return outside


def normal(value):
    """Return anything as it is, and a tensor made in inference mode as a copy."""
    if isinstance(value, torch.Tensor) and value.is_inference():
        return value.clone()
    return value


def without_inference_tensors(net):
    """Return a network, or a copy of it if weights were made in inference mode."""
    if not any(entry.is_inference() for entry in [*net.parameters(), *net.buffers()]):
        return net
    try:
        with torch.inference_mode(False):
            return copy.deepcopy(net)
    except Exception as error:  # of modules that hold a lock, a file, a generator
        raise InputError(
            "the network's weights were made in torch.inference_mode(), and it cannot "
            f"be copied ({error}). Make it outside of that block."
        ) from error
