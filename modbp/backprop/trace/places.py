"""Where in a model a function of torch is called: the module, and the user's line."""

import os
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

__all__ = ["Place", "is_of_torch", "line_of_user", "place"]

_CALL = nn.Module._call_impl.__code__
_OURS = tuple(
    f"{folder}{os.sep}"
    for folder in (Path(torch.__file__).parent, Path(__file__).parent)
)


@dataclass(frozen=True, eq=False)
class Place:
    """The module that makes a call; its type if it is a layer of torch itself."""

    path: str = ""
    type: str = ""
    # The frame of that call of the module, to tell one call from the next, and that of
    # the hook if it is one that computes.
    invocation: object = None
    hook: object = None


def place(paths, stop):
    """Return where the running code is, below the frame whose code is given."""
    frame, above, codes = sys._getframe(1), None, set()
    while frame is not None and frame.f_code is not stop:
        if frame.f_code is _CALL:
            module = frame.f_locals["self"]
            if id(module) in paths:
                kind = type(module)
                # A hook runs outside of the forward, and is no part of the layer.
                inside = not codes.isdisjoint(_codes(module.forward))
                is_layer = inside and kind.__module__.startswith("torch.nn.modules.")
                name = kind.__name__ if is_layer else ""
                return Place(paths[id(module)], name, frame, None if inside else above)
        if frame.f_code.co_filename != _CALL.co_filename:
            above = frame
        codes.add(frame.f_code)
        frame = frame.f_back
    return Place()


def _codes(function):
    """Return the code of a forward, which may be bound, partial or wrapped."""
    found = set()
    while function is not None:
        function = getattr(function, "__func__", function)
        if hasattr(function, "__code__"):
            found.add(function.__code__)
        function = getattr(function, "func", getattr(function, "__wrapped__", None))
    return found


def is_of_torch():
    """Return whether torch itself makes the call, as a counter of its own does."""
    passing = ("_tensor.py", "overrides.py")
    frame = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        ours = file.startswith(_OURS[1])
        if not ours and not file.endswith(passing):
            return file.startswith(_OURS[0])
        frame = frame.f_back
    return False


def line_of_user(error=None):
    """Return the line of the user's code that runs, or that an exception came from."""
    frames = (
        traceback.extract_stack(sys._getframe(1))
        if error is None
        else traceback.extract_tb(error.__traceback__)
    )
    for frame in reversed(frames):
        if not frame.filename.startswith(_OURS):
            return f"{frame.filename}, line {frame.lineno}: {frame.line}"
    return "no line of your own code was involved"
