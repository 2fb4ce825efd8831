"""What a result depends on besides names: what a network does, and what it is shown."""

import hashlib

import numpy as np
import torch
from torch import nn
from torch.overrides import TorchFunctionMode, resolve_name

from modbp.errors import InputError
from modbp.files import fingerprint

__all__ = ["code", "pixels"]


@torch.no_grad()
def code(net: nn.Module, x: torch.Tensor) -> str:
    """Return SHA-256 of the functions that a forward of one image calls, in order.

    Of each its name and what it is given: plain values, earlier outputs, weights by
    name, and the values of tensors that are no weights. So what computes counts, from
    whatever file it comes, and not how it is written.
    """
    stored = net.state_dict().keys()
    tensors = [*net.named_parameters(), *net.named_buffers()]
    names = {id(tensor): name for name, tensor in tensors if name in stored}
    steps = _Steps(names, x)
    try:
        with steps:
            output = net(x)
    except Exception as error:  # anything may happen in code of the user's
        raise InputError(
            f"{type(net).__name__} stopped with {type(error).__name__}: {error}. Give "
            f"images of the size that it was made for, not {list(x.shape[2:])}, or "
            "repair its forward."
        ) from error
    told = [*steps.told, steps.describe(output)]
    return fingerprint("\n".join(told).encode())


class _Steps(TorchFunctionMode):
    """Notes what torch is asked for, in this thread, on any device."""

    def __init__(self, names, x):
        super().__init__()
        self.names, self.dtype, self.told = names | {id(x): "x"}, x.dtype, []
        self._kept = [x]  # what is forgotten would give its id to another

    def __torch_function__(self, function, types, args=(), kwargs=None):
        given = self.describe([args, kwargs or {}])
        name = resolve_name(function) or getattr(function, "__qualname__", "")
        outputs = function(*args, **(kwargs or {}))
        self.told.append(f"{name} {given}")
        for output in outputs if isinstance(outputs, (list, tuple)) else [outputs]:
            if isinstance(output, torch.Tensor) and id(output) not in self.names:
                self.names[id(output)] = f"%{len(self._kept)}"
                self._kept.append(output)
        return outputs

    def describe(self, value):
        """Return a value as text: a tensor that was made here as a number."""
        if isinstance(value, dict):
            value = [entry for pair in value.items() for entry in pair]
        if isinstance(value, slice):
            value = ["slice", value.start, value.stop, value.step]
        if isinstance(value, (list, tuple)):
            return f"[{', '.join(map(self.describe, value))}]"
        if isinstance(value, np.ndarray):
            value = torch.from_numpy(value)
        if isinstance(value, torch.Tensor):
            return self.names.get(id(value)) or _content(value)
        if isinstance(value, torch.dtype):  # that of the computation is no difference
            return "dtype" if value == self.dtype else str(value)
        if isinstance(value, (int, float, complex, str, type(None), type(...))):
            return repr(value)
        return type(value).__name__  # a device, or a function of the user's


def _content(tensor):
    """Return what a tensor holds, whatever precision and device it is computed in."""
    value = tensor.detach().cpu()
    value = value.float() if value.is_floating_point() else value
    return f"{list(value.shape)} {fingerprint(value.contiguous().numpy().tobytes())}"


def pixels(batches) -> str:
    """Return SHA-256 of images as a network is given them, batches of ``[N, …]``."""
    total = hashlib.sha256()
    for x in batches:
        total.update(f"{list(x.shape[1:])}".encode())
        total.update(x.float().contiguous().numpy().tobytes())
    return total.hexdigest()
