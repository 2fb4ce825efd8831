"""Networks, with the layer names of the paper and weights that carry their history."""

from collections import OrderedDict
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

from modbp.errors import InputError, WeightsError, unknown_name
from modbp.zoo.models import architectures
from modbp.zoo.models.weights import SHIPPED, load, provenance, rounded, save
from modbp.zoo.vision import load_torchvision

__all__ = [
    "SHIPPED",
    "build",
    "cifar10",
    "dense",
    "finished",
    "load",
    "names",
    "provenance",
    "resnet50",
    "rounded",
    "save",
    "vgg16",
]

_BUILDERS = {
    "cifar10": architectures.appendix_d,
    "resnet50": architectures.resnet50,
    "vgg16": architectures.vgg16,
}


def names():
    """Return the networks for CIFAR-10, which `build` knows.

    Returns
    -------
    list of str
    """
    return sorted(_BUILDERS)


def build(name, seed=0, *, training=False):
    """Return a fresh network for CIFAR-10 images, with random weights.

    Those of ``cifar10`` and ``vgg16`` are Glorot-uniform with zero biases, those of
    ``resnet50`` are torchvision's.

    Parameters
    ----------
    name : str
        One of `names()`.
    seed : int
        Seed of the weights; the global generator is left alone.
    training : bool
        Give ``vgg16`` the batch norms that it is trained with; `finished` folds them.

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
    options = {"norms": True} if training and name == "vgg16" else {}
    with _seeded(seed):
        return _BUILDERS[name](**options).eval()


def finished(name, net):
    """Return a trained network as it is shipped.

    Parameters
    ----------
    name : str
        One of `names()`.
    net : torch.nn.Module
        As ``build(name, training=True)`` gave it, then trained; it is left as it is.

    Returns
    -------
    torch.nn.Module
        In evaluation mode, float32, on the CPU; ``vgg16`` without batch norms.
    """
    with _seeded(0):
        twin = _BUILDERS[name](**({"norms": True} if name == "vgg16" else {}))
    twin.load_state_dict(net.state_dict())
    return architectures.without_norms(twin.eval()) if name == "vgg16" else twin.eval()


@contextmanager
def _seeded(seed):
    if not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise InputError(f"seed is {seed!r}; give a whole number from 0 to 2³² − 1.")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


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
    return _trained("cifar10", weights)


def vgg16(weights="cifar10"):
    """Return VGG-16, with layers ``conv1_1`` … ``pool5``, ``fc1``, ``fc2``, ``fc3``.

    For CIFAR-10 it maps ``[N, 3, 32, 32]`` images with values in [0, 1] to ten logits,
    and its hidden dense layers have 512 units instead of 4096. It was trained with
    batch norm, which is folded.

    Parameters
    ----------
    weights : {"cifar10", "imagenet", None} or path
        The trained weights shipped with modbp; those of torchvision, which may have to
        download them, for ``[N, 3, 224, 224]`` images normalised as torchvision wants
        them; fresh random ones for CIFAR-10; or a file of yours for CIFAR-10.

    Returns
    -------
    torch.nn.Sequential
        In evaluation mode, float32, on the CPU.

    Raises
    ------
    WeightsError
        If the weights are missing, damaged or made for another network.

    References
    ----------
    :cite:t:`sixt2020lie`, appendix D.
    """
    if weights != "imagenet":
        return _trained("vgg16", weights)
    entries = _imagenet("vgg16").state_dict().values()
    # Nothing is drawn on "meta"; the entries come in the order of the layers.
    with torch.device("meta"):
        net = architectures.vgg16(classes=1000, width=4096, side=7)
    state = dict(zip(net.state_dict(), entries, strict=True))
    net.load_state_dict(state, assign=True)
    return net.eval()


def resnet50(weights="cifar10"):
    """Return ResNet-50, with torchvision's layer names.

    For CIFAR-10 it maps ``[N, 3, 32, 32]`` images with values in [0, 1] to ten logits,
    and its first convolution has 3×3 pixels and stride 1.

    Parameters
    ----------
    weights : {"cifar10", "imagenet", None} or path
        As for :func:`vgg16`.

    Returns
    -------
    torchvision.models.ResNet
        In evaluation mode, float32, on the CPU.

    Raises
    ------
    WeightsError
        If the weights are missing, damaged or made for another network.
    """
    if weights != "imagenet":
        return _trained("resnet50", weights)
    return _imagenet("resnet50").eval()


def _trained(name, weights):
    net = build(name)
    if weights is not None:
        load(net, SHIPPED / f"{name}.safetensors" if weights == "cifar10" else weights)
    return net


def _imagenet(name):
    library = load_torchvision().models
    weights = library.get_model_weights(name).DEFAULT
    try:
        return library.get_model(name, weights=weights)
    except (OSError, RuntimeError) as error:
        folder = Path(torch.hub.get_dir()) / "checkpoints"
        raise WeightsError(
            f"the ImageNet weights of {name} cannot be had ({error}). Put the file "
            f"from {weights.url} into {folder}, or choose other weights."
        ) from None


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
