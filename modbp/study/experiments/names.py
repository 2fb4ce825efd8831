"""The networks of the book, as figures call them."""

__all__ = ["NAMES"]

NAMES = {"cifar10": "CIFAR-10 network", "vgg16": "VGG-16", "resnet50": "ResNet-50"}
