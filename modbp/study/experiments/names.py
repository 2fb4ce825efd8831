"""The networks of the book, as figures call them, and where they are read."""

__all__ = ["FIRST", "NAMES", "TRAINED"]

NAMES = {"cifar10": "CIFAR-10 network", "vgg16": "VGG-16", "resnet50": "ResNet-50"}
NAMES |= {"efficientnet_lite0": "EfficientNet-Lite0"}
# The first convolution, the last place before the pixels where vectors are long; with
# its ReLU where a plan has no place between.
FIRST = {"cifar10": "conv1", "vgg16": "relu1_1", "resnet50": "relu"}
FIRST |= {"efficientnet_lite0": "relu_stem"}
# Seeds of further trainings of the small network, beside that of the shipped weights.
TRAINED = (1, 2)
