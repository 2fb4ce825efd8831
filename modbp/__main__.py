"""The command line: ``python -m modbp VERB``; ``--help`` lists the verbs."""

import argparse
import shlex
import sys
from pathlib import Path

from modbp.commands import choices, line
from modbp.commands import explain as commands
from modbp.errors import ModbpError
from modbp.study import experiments, training
from modbp.zoo import data, models


def _parser():
    parser = argparse.ArgumentParser(prog="python -m modbp", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    explain = verbs.add_parser("explain", help="draw explanations of a picture")
    explain.add_argument("image", help="a picture in any common format")
    explain.add_argument(
        "--network",
        default="cifar10",
        metavar="NAME",
        help="cifar10, a classifier of torchvision, or FILE.py:FUNCTION [cifar10]",
    )
    explain.add_argument(
        "--method",
        action="append",
        metavar="NAME",
        help="may be given several times [gradient-x-input and lrp-a1b0]",
    )
    explain.add_argument(
        "--class", type=int, dest="target", metavar="N", help="[the predicted one]"
    )
    explain.add_argument(
        "--weights",
        default="trained",
        type=choices.weights,
        help="cifar10, ours; imagenet, torchvision's; none, random; or a .safetensors "
        "file [ours where there are, or else torchvision's]",
    )
    explain.add_argument("--seed", type=int, default=0, help="of random weights [0]")
    explain.add_argument("--size", type=int, help="side in pixels [the network's]")
    for option in ("--mean", "--std"):
        explain.add_argument(
            option,
            type=float,
            nargs=3,
            metavar=("R", "G", "B"),
            help="of colours in [0, 1] [the network's]",
        )
    explain.add_argument("--output", help="PNG file to write [IMAGE-NETWORK.png]")
    explain.add_argument(
        "--no-fold",
        action="store_false",
        dest="fold",
        help="keep batch norm a layer of its own",
    )

    train = verbs.add_parser("train", help="train a network of the book")
    train.add_argument("network", choices=sorted(training.RECIPES))
    train.add_argument(
        "--output", help="folder for checkpoint and weights [runs/NETWORK]"
    )
    train.add_argument(
        "--resume", action="store_true", help="go on from the checkpoint"
    )
    train.add_argument("--seed", type=int, default=0)
    train.add_argument("--epochs", type=int, help="instead of the recipe's")
    train.add_argument(
        "--batch", type=int, help="images per step, instead of the recipe's"
    )
    train.add_argument("--limit", type=int, help="use only the first LIMIT images")
    train.add_argument("--device", help="cpu, cuda … [the GPU where there is one]")

    evaluate = verbs.add_parser("evaluate", help="recompute a network's test accuracy")
    evaluate.add_argument("network", choices=models.names())
    evaluate.add_argument("--weights", help="a .safetensors file [the shipped one]")

    run = verbs.add_parser("run", help="run an experiment of the book")
    choices.add_arguments(run)
    status = verbs.add_parser("status", help="tell what there is of a run")
    status.add_argument("output", help="the JSON file that the run writes")

    for verb in (train, evaluate):
        verb.add_argument("--folder", help="image folder with train/ and test/")
        verb.add_argument("--download", action="store_true", help="may fetch CIFAR-10")
    return parser


def _explain(options):
    asked = ("target", "weights", "seed", "size", "mean", "std", "output", "fold")
    more = {key: getattr(options, key) for key in asked}
    if options.method:
        more["names"] = options.method
    print(*commands.explain(options.image, options.network, **more), sep="\n")


def _train(options):
    changes = {
        key: getattr(options, key)
        for key in ("epochs", "batch")
        if getattr(options, key) is not None
    }
    output = options.output or f"runs/{options.network}"
    history = training.train(
        options.network,
        output,
        resume=options.resume,
        seed=options.seed,
        folder=options.folder,
        download=options.download,
        limit=options.limit,
        device=options.device,
        command=options.command,
        **changes,
    )
    print(f"{output}: test accuracy {history['test_accuracy']:.4f}")


def _evaluate(options):
    net = getattr(models, options.network)(options.weights or "cifar10")
    x, y, source = data.dataset(
        "test", folder=options.folder, download=options.download
    )
    result = training.evaluate(net, x, y)
    accuracy = result["test_accuracy"]
    print(f"{options.network}: accuracy {accuracy:.4f} on {len(x)} {source}")
    if not options.folder:
        for name, value in zip(
            data.CLASSES, result["test_accuracy_per_class"], strict=True
        ):
            print(f"  {name:<12}{value:.3f}")


def _run(options):
    with experiments.worker() as worker:
        name = "vgg16" if options.experiment == "simulation" else options.network
        stem = Path(name.rpartition(":")[2]).stem
        output = options.output or f"runs/{options.experiment}/{stem}.json"
        if options.experiment in line.WHOLE:
            line.run_whole(options, worker, output)
        else:
            experiment = line.experiment(options, worker)
            experiments.run(experiment, output, command=options.command, worker=worker)
    if worker.first:
        print(f"wrote {output}")


def _status(options):
    print(*experiments.status(options.output), sep="\n")


def main(arguments=None):
    """Run one verb; return the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(arguments)
    options.command = "python -m modbp " + shlex.join(arguments)
    try:
        verbs = {
            "explain": _explain,
            "train": _train,
            "evaluate": _evaluate,
            "run": _run,
            "status": _status,
        }
        verbs[options.verb](options)
    except ModbpError as error:
        print(f"modbp: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
