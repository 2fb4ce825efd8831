"""The layers of the three networks, before they have weights."""

from collections import OrderedDict

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from modbp.zoo.vision import load_torchvision

__all__ = ["cifar10", "resnet50", "vgg16", "without_norms"]

CLASSES = 10
# Blocks of VGG-16: how many convolutions, and how many channels they have.
_BLOCKS = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))

_FUSE = {nn.BatchNorm1d: fuse_linear_bn_eval, nn.BatchNorm2d: fuse_conv_bn_eval}


def _conv(inputs, outputs, bias=True):
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=bias)


def _glorot(net):
    """Draw Glorot-uniform weights, and set biases to zero."""
    for layer in net.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return net


def cifar10():
    """Return the network of appendix D, untrained."""
    layers = OrderedDict(
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
        fc6=nn.Linear(1024, CLASSES),
    )
    return _glorot(nn.Sequential(layers))


def vgg16(*, classes=CLASSES, width=512, side=1, norms=False):
    """Return VGG-16, untrained; in training, batch norms take the place of dropout."""
    layers, below = OrderedDict(), 3
    for block, (count, channels) in enumerate(_BLOCKS, start=1):
        for number in range(1, count + 1):
            name = f"{block}_{number}"
            # What the batch norm subtracts would take the bias with it.
            layers[f"conv{name}"] = _conv(below, channels, bias=not norms)
            if norms:
                layers[f"bn{name}"] = nn.BatchNorm2d(channels)
            layers[f"relu{name}"] = nn.ReLU()
            below = channels
        layers[f"pool{block}"] = nn.MaxPool2d(2)
    layers["flatten"] = nn.Flatten()
    below *= side**2  # of the last pooling
    for number in (1, 2):
        layers[f"fc{number}"] = nn.Linear(below, width, bias=not norms)
        if norms:
            layers[f"bn_fc{number}"] = nn.BatchNorm1d(width)
        layers[f"relu_fc{number}"] = nn.ReLU()
        # Batch norm is noise enough, and in few epochs the better one.
        layers[f"dropout{number}"] = nn.Dropout(0.0 if norms else 0.5)
        below = width
    layers["fc3"] = nn.Linear(below, classes)
    return _glorot(nn.Sequential(layers))


def resnet50():
    """Return torchvision's ResNet-50, untrained, for ten classes and 32 pixels."""
    net = load_torchvision().models.resnet50(weights=None, num_classes=CLASSES)
    # With 7×7 pixels and stride 2 the last block would be left a single pixel.
    net.conv1 = _conv(3, 64, bias=False)
    return net


def without_norms(net):
    """Return a copy of a chain, each batch norm folded into the layer before it."""
    layers = OrderedDict()
    for name, layer in net.named_children():
        if fuse := _FUSE.get(type(layer)):
            above = next(reversed(layers))
            layers[above] = fuse(layers[above], layer)
        else:
            layers[name] = layer
    return nn.Sequential(layers).eval()
