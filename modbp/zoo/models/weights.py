"""Files of weights: float16 numbers, and their history beside them."""

import hashlib
import json
from os import PathLike
from pathlib import Path

import safetensors
import safetensors.torch
from torch import nn

from modbp.errors import WeightsError, check_option
from modbp.files import fingerprint, write_bytes, write_json

__all__ = ["SHIPPED", "fill", "load", "provenance", "rounded", "save"]
__all__ += ["weights_fingerprint"]

SHIPPED = Path(__file__).parents[1] / "weights"


def rounded(state):
    """Return a network's state as a file holds it: float16, but counters stay whole."""
    return {
        key: (value.half() if value.is_floating_point() else value).cpu().contiguous()
        for key, value in state.items()
    }


def save(net: nn.Module, path: str | PathLike, **history: object) -> None:
    """Write a network's weights as float16, and their history beside them as JSON.

    Parameters
    ----------
    net, path : the network, and a file name that ends in ``.safetensors``
    **history : plain JSON values: command, seed, accuracy and the like

    Examples
    --------
    >>> modbp.models.save(net, "net.safetensors", command="by hand")
    >>> modbp.models.provenance("net.safetensors")["command"]
    'by hand'
    """
    is_network = isinstance(net, nn.Module)
    check_option("net", net, lambda _: is_network, "give a torch.nn.Module.")
    path = _as_path(path)
    content = safetensors.torch.save(rounded(net.state_dict()))
    write_bytes(path, content)
    write_json(path.with_suffix(".json"), {"sha256": fingerprint(content), **history})


def provenance(path: str | PathLike | None = None) -> dict:
    """Return the history written beside a weights file.

    Parameters
    ----------
    path : the weights file; the shipped weights of ``cifar10`` if left out

    Returns
    -------
    dict: among others command, seed, accuracy, fingerprint of the data, versions

    Raises
    ------
    WeightsError: if there is no such file, or it cannot be read.

    Examples
    --------
    >>> modbp.models.provenance()["settings"]["name"]
    'cifar10'
    """
    path = SHIPPED / "cifar10.safetensors" if path is None else _as_path(path)
    path = path.with_suffix(".json")
    try:
        history = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise WeightsError(
            f"{path}: no such file. It belongs beside the weights and holds their "
            "checksum; copy both files, or train again with `python -m modbp train`."
        ) from None
    except ValueError as error:
        raise WeightsError(
            f"{path}: this is not JSON ({error}). Restore the file, or train again."
        ) from None
    if not isinstance(history, dict):
        raise WeightsError(
            f"{path}: holds a {type(history).__name__} instead of a history by name. "
            "Restore the file, or train again."
        )
    return history


def _as_path(path):
    if not isinstance(path, (str, PathLike)) or not Path(path).name:
        raise WeightsError(
            f"weights is {path!r}; give the path of a .safetensors file, cifar10 for "
            "the shipped ones, or None for random weights."
        )
    return Path(path)


def load(net: nn.Module, path: str | PathLike) -> None:
    """Fill a network with weights from a file, checking checksum, names and shapes.

    Parameters
    ----------
    net : the network, changed only if every check passes
    path : a ``.safetensors`` file with its JSON history beside it

    Raises
    ------
    WeightsError: if the file is missing, damaged or made for another network.

    Examples
    --------
    >>> modbp.models.save(net, "net.safetensors")
    >>> modbp.models.load(net, "net.safetensors")
    """
    is_network = isinstance(net, nn.Module)
    check_option("net", net, lambda _: is_network, "give a torch.nn.Module.")
    path = _as_path(path)
    if not path.is_file():
        raise WeightsError(
            f"{path}: no such weights file. Give `weights=None` for random weights, or "
            "make some with `python -m modbp train`."
        )
    content = path.read_bytes()
    if fingerprint(content) != provenance(path).get("sha256"):
        raise WeightsError(
            f"{path}: the checksum differs from the one in its JSON file, so one of "
            "the two is damaged or from elsewhere. Restore both files together."
        )
    fill(net, content, path)


def fill(net, content, name):
    """Fill a network with the content of a weights file, if names and shapes fit."""
    try:
        state = safetensors.torch.load(content)
    except safetensors.SafetensorError as error:
        raise WeightsError(
            f"{name}: not a safetensors file ({error}). Restore it, or train again."
        ) from None
    wanted = {key: tuple(value.shape) for key, value in net.state_dict().items()}
    found = {key: tuple(value.shape) for key, value in state.items()}
    for key in [*wanted, *found]:
        if wanted.get(key) != found.get(key):
            raise WeightsError(
                f"{name}: layer entry {key!r} has shape {found.get(key, 'absent')}, "
                f"the network's has {wanted.get(key, 'absent')}. These weights belong "
                "to another network; build that one, or train this one."
            )
    if not all(value.isfinite().all() for value in state.values()):
        raise WeightsError(f"{name}: holds values that are not finite. Train again.")
    net.load_state_dict(state)


def weights_fingerprint(net):
    """Return SHA-256 of the values of all weights, whatever file they came from."""
    total = hashlib.sha256()
    for key, value in sorted(net.state_dict().items()):
        # What one computes with says nothing about where weights came from.
        value = value.float() if value.is_floating_point() else value
        total.update(f"{key}\0{value.dtype}{tuple(value.shape)}\0".encode())
        total.update(value.detach().cpu().contiguous().numpy().tobytes())
    return total.hexdigest()
