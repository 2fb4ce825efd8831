"""Networks, with the layer names of the paper and weights that carry their history."""

import json
import os
from collections import OrderedDict
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import nn

from modbp.errors import InputError, WeightsError, unknown_name
from modbp.provenance import fingerprint, write_bytes, write_json

__all__ = ["build", "cifar10", "dense", "load", "names", "provenance", "save"]

SHIPPED = Path(__file__).parent / "weights"


def _conv(inputs, outputs):
    return nn.Conv2d(inputs, outputs, 3, padding=1)


def _cifar10():
    return nn.Sequential(
        OrderedDict(
            conv1=_conv(3, 32),
            relu1=nn.ReLU(),
            conv2=_conv(32, 64),
            relu2=nn.ReLU(),
            pool2=nn.MaxPool2d(2),
            conv3=_conv(64, 128),
            relu3=nn.ReLU(),
            conv4=_conv(128, 128),
            relu4=nn.ReLU(),
            pool4=nn.MaxPool2d(2),
            flatten=nn.Flatten(),
            dropout5=nn.Dropout(0.5),
            fc5=nn.Linear(8192, 1024),
            relu5=nn.ReLU(),
            dropout6=nn.Dropout(0.5),
            fc6=nn.Linear(1024, 10),
        )
    )


_BUILDERS = {"cifar10": _cifar10}


def names():
    """Return the networks that `build` knows.

    Returns
    -------
    list of str
    """
    return sorted(_BUILDERS)


def build(name, seed=0):
    """Return a fresh network with Glorot-uniform weights and zero biases.

    Parameters
    ----------
    name : str
        One of `names()`.
    seed : int
        Seed of the weights; the global generator is left alone.

    Returns
    -------
    torch.nn.Module
        In evaluation mode.

    Raises
    ------
    UnknownName
        If there is no such network.
    InputError
        If the seed is no seed.
    """
    if name not in _BUILDERS:
        raise unknown_name("network", name, names())
    if not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise InputError(f"seed is {seed!r}; give a whole number from 0 to 2³² − 1.")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = _BUILDERS[name]()
        for layer in net.modules():
            if isinstance(layer, (nn.Conv2d, nn.Linear)):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)
    return net.eval()


def cifar10(weights="cifar10"):
    """Return the network of appendix D: four convolutions, two dense layers.

    It maps ``[N, 3, 32, 32]`` images with values in [0, 1] to ``[N, 10]`` logits. Its
    ReLUs are layers of their own, and its layers are called ``conv1`` … ``fc6``.

    Parameters
    ----------
    weights : {"cifar10", None} or path
        The trained weights shipped with modbp, fresh random ones, or a file of yours.

    Returns
    -------
    torch.nn.Sequential
        In evaluation mode, float32, on the CPU.

    Raises
    ------
    WeightsError
        If the weights file is missing, damaged or made for another network.

    References
    ----------
    :cite:t:`sixt2020lie`, appendix D.
    """
    net = build("cifar10")
    if weights is not None:
        load(net, SHIPPED / "cifar10.safetensors" if weights == "cifar10" else weights)
    return net


def dense(*weights):
    """Return a bias-free ReLU network with the given weight matrices.

    Equation: ``f(x) = W_L relu(… relu(W_1 x))``; its layers are ``fc1``, ``relu1``…

    Parameters
    ----------
    *weights : torch.Tensor or nested list
        ``[out, in]`` each, first layer first.

    Returns
    -------
    torch.nn.Sequential
        In evaluation mode, float64: made for examples that are checked by hand.

    Raises
    ------
    InputError
        If there are no matrices, or neighbouring sizes do not fit.
    """
    try:
        matrices = [torch.as_tensor(entry, dtype=torch.float64) for entry in weights]
    except (TypeError, ValueError) as error:
        raise InputError(
            f"a weight is no matrix ({error}). Give rows of one length, as in "
            "dense([[1, 2]])."
        ) from None
    if not matrices or any(matrix.ndim != 2 for matrix in matrices):
        raise InputError("give at least one weight matrix, as in dense([[1, 2]]).")
    layers, below = OrderedDict(), None
    for number, matrix in enumerate(matrices, start=1):
        rows, columns = matrix.shape
        if below is not None:
            if columns != below:
                raise InputError(
                    f"fc{number} takes {columns} inputs, but the layer below gives "
                    f"{below}. Weights are [out, in], first layer first."
                )
            layers[f"relu{number - 1}"] = nn.ReLU()
        # On "meta" nothing is drawn, so the global generator is left alone.
        layers[f"fc{number}"] = nn.Linear(columns, rows, False, device="meta")
        layers[f"fc{number}"].weight = nn.Parameter(matrix.clone())
        below = rows
    return nn.Sequential(layers).eval()


def save(net, path, **history):
    """Write a network's weights as float16, and their history beside them as JSON.

    Parameters
    ----------
    net : torch.nn.Module
        The network.
    path : path
        A file name that ends in ``.safetensors``.
    **history
        Plain JSON values: command, seed, accuracy and the like.
    """
    path = Path(path)
    state = {k: v.detach().half().contiguous() for k, v in net.state_dict().items()}
    content = safetensors.torch.save(state)
    write_bytes(path, content)
    write_json(path.with_suffix(".json"), {"sha256": fingerprint(content), **history})


def provenance(path=None):
    """Return the history written beside a weights file.

    Parameters
    ----------
    path : path, optional
        The weights file; the shipped CIFAR-10 weights if left out.

    Returns
    -------
    dict
        Among others: command, seed, accuracy, fingerprint of the data, versions.

    Raises
    ------
    WeightsError
        If there is no such file, or it cannot be read.
    """
    path = Path(path or SHIPPED / "cifar10.safetensors").with_suffix(".json")
    try:
        history = json.loads(path.read_text())
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


def load(net, path):
    """Fill a network with weights from a file, checking checksum, names and shapes.

    Parameters
    ----------
    net : torch.nn.Module
        The network; changed only if every check passes.
    path : path
        A ``.safetensors`` file with its JSON history beside it.

    Raises
    ------
    WeightsError
        If the file is missing, damaged or made for another network.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise WeightsError(
            f"weights is {path!r}; give the path of a .safetensors file, the name of "
            "the shipped ones, or None for random weights."
        )
    path = Path(path)
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
    try:
        state = safetensors.torch.load(content)
    except safetensors.SafetensorError as error:
        raise WeightsError(
            f"{path}: not a safetensors file ({error}). Restore it, or train again."
        ) from None
    wanted = {key: tuple(value.shape) for key, value in net.state_dict().items()}
    found = {key: tuple(value.shape) for key, value in state.items()}
    for key in [*wanted, *found]:
        if wanted.get(key) != found.get(key):
            raise WeightsError(
                f"{path}: layer entry {key!r} has shape {found.get(key, 'absent')}, "
                f"the network's has {wanted.get(key, 'absent')}. These weights belong "
                "to another network; build that one, or train this one."
            )
    if not all(value.isfinite().all() for value in state.values()):
        raise WeightsError(f"{path}: holds values that are not finite. Train again.")
    net.load_state_dict({key: value.float() for key, value in state.items()})
