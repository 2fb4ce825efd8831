"""The verb ``evaluate``: a network's test accuracy, computed again."""

import argparse

from modbp.commands import words
from modbp.errors import unknown_name

__all__ = ["add", "run"]


def add(verbs: argparse._SubParsersAction) -> None:
    """Describe the verb to a parser."""
    parser = words.new(verbs, "evaluate", "recompute a network's test accuracy")
    parser.add_argument("network", help="one of the book's")
    parser.add_argument(
        "--weights", default="cifar10", help="a .safetensors file [the shipped one]"
    )
    parser.add_argument("--images", metavar="DIR", help="folder with test/ in it")
    parser.add_argument("--download", action="store_true", help="may fetch CIFAR-10")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print the accuracy, and where the classes have names that of each."""
    from modbp.study import training
    from modbp.zoo import data, models

    if options.network not in models.names():
        raise unknown_name("network of the book", options.network, models.names())
    net = getattr(models, options.network)(options.weights)
    place = {"folder": options.images, "download": options.download}
    x, y, source = data.dataset("test", **place)
    result = training.evaluate(net, x, y)
    accuracy = result["test_accuracy"]
    print(f"{options.network}: accuracy {accuracy:.4f} on {len(x)} {source}")
    if not options.images:
        shares = result["test_accuracy_per_class"]
        for name, value in zip(data.CLASSES, shares, strict=True):
            print(f"  {name:<12}{value:.3f}")
