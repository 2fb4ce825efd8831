"""The verb ``evaluate``: how often a network is right, computed again."""

import argparse

from modbp.commands import words
from modbp.errors import InputError

__all__ = ["add", "run"]


def add(verbs: argparse._SubParsersAction) -> None:
    """Describe the verb to a parser."""
    parser = words.new(verbs, "evaluate", "recompute a network's test accuracy")
    parser.add_argument("network", help=words.NETWORK)
    words.add_weights(parser)
    parser.add_argument(
        "--folder", metavar="DIR", help="a folder per class, or test/ with these in it"
    )
    parser.add_argument("--download", action="store_true", help="may fetch CIFAR-10")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print how often it is right: by class on CIFAR-10, elsewhere with an interval."""
    from modbp.study import training
    from modbp.zoo import data
    from modbp.zoo.named import find_network

    found = find_network(options.network, options.weights)
    if options.folder is None and found.classes == data.CLASSES:
        x, y, source = data.dataset("test", download=options.download)
        result = training.evaluate(found.net, x, y)
        accuracy = result["test_accuracy"]
        print(f"{found.title}: accuracy {accuracy:.4f} on {len(x)} {source}")
        shares = result["test_accuracy_per_class"]
        for name, value in zip(data.CLASSES, shares, strict=True):
            print(f"  {name:<12}{value:.3f}")
        return
    folder = options.folder
    if folder is None:
        raise InputError(
            f"{found.title} does not tell CIFAR-10's classes apart. Give pictures of "
            "its own, in a folder for each class, with --folder DIR."
        )
    if (test := data.as_path(folder) / "test").is_dir():
        folder = test
    images = data.listed(folder=folder, transform=found.preparation)
    # Weights from a file may have been trained on fewer.
    exact = not str(options.weights).endswith(".safetensors")
    shares = training.ranked(found.net, images, exact=exact)
    print(f"{found.title} on {len(images)} {images.source}, {found.preparation}:")
    for top, (share, low, high) in shares.items():
        told = f"{share:.4f}, 95 % interval {low:.4f} to {high:.4f} over images"
        print(f"  top-{top} accuracy {told}")
