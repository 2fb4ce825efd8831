"""The verb ``run``: the book's experiments, each with the options that it has."""

import argparse
from pathlib import Path

from modbp.commands import words

__all__ = ["add", "run"]


def add(verbs: argparse._SubParsersAction) -> None:
    """Describe the verb to a parser, and each experiment to one of its own."""
    verb = words.new(verbs, "run", "run an experiment of the book")
    kinds = verb.add_subparsers(dest="experiment", required=True, metavar="EXPERIMENT")
    verb.set_defaults(run=run)

    csc = _on_images(kinds, "csc", "how far random relevances converge", _csc)
    csc.add_argument("--relevances", type=int, default=5, help="per image [5]")

    about = "maps of one logit beside maps of another"
    _on_images(kinds, "random-logit", about, _random_logit)

    about = "maps while weights are randomised from the top down"
    cascade = _on_images(kinds, "cascade", about, _cascade)
    stages = {"nargs": "+", "metavar": "LAYER", "help": "top first [the plan's]"}
    cascade.add_argument("--stages", **stages)
    cascade.add_argument(
        "--blocks-trained",
        action="store_true",
        help="a stage that is a block keeps its weights, as in the 2020 code",
    )
    cascade.add_argument(
        "--stale",
        action="store_true",
        help="patternattribution with the trained weights throughout",
    )

    about = "figure 7, random chains in the shape of VGG-16"
    simulation = _new(kinds, "simulation", about, _simulation)
    learned = _new(kinds, "learned", "figure 7, with trained weights beside", _learned)
    for parser in (simulation, learned):
        parser.add_argument("--repetitions", type=int, default=20, help="[20]")
    patterns = _new(kinds, "patterns", "what patterns are made of", _patterns)
    for parser, some in ((learned, "DIR"), (patterns, "COUNT|DIR")):
        words.add_network(parser)
        _add_images(parser, some, "20 of CIFAR-10's test images")
        _add_patterns(parser, 2000)


def _new(kinds, name, about, make):
    parser = words.new(kinds, name, about)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", help="folder to write [runs/EXPERIMENT/NETWORK]")
    parser.set_defaults(make=make)
    return parser


def _add_images(parser, some, default):
    parser.add_argument(
        "--images",
        nargs="+",
        default=[],
        metavar=some,
        help="how many, or a folder with one sub-folder per class, or both; "
        f"'photographs' are built in [{default}, or else photographs]",
    )


def _add_patterns(parser, count):
    parser.add_argument(
        "--patterns",
        type=int,
        default=count,
        metavar="COUNT",
        help=f"training images that patterns are fitted to [{count}]",
    )


def _on_images(kinds, name, about, make):
    """Add an experiment that takes images and methods."""
    parser = _new(kinds, name, about, make)
    words.add_network(parser)
    words.add_methods(parser, "the plan's")
    words.add_fold(parser)
    _add_images(parser, "COUNT|DIR", "200 of CIFAR-10's test images")
    parser.add_argument("--size", type=int, help="side in pixels [the network's]")
    parser.add_argument("--scale", type=float, default=1.0, help="pixel range [1]")
    parser.add_argument(
        "--target",
        type=words.target,
        metavar="true|predicted|NUMBER",
        help="class to explain [true, if network and images have the same classes]",
    )
    kinds = ("float32", "float64")
    parser.add_argument("--precision", choices=kinds, default="float32")
    parser.add_argument("--batch", type=int, default=20, help="images at a time [20]")
    _add_patterns(parser, 500)
    parser.add_argument("--device", help="cpu, cuda … [the GPU where there is one]")
    return parser


def run(options: argparse.Namespace) -> None:
    """Run the experiment, or go on with it."""
    from modbp.study import experiments

    name = getattr(options, "network", "vgg16")
    stem = Path(name.rpartition(":")[2]).stem
    output = options.output or f"runs/{options.experiment}/{stem}"
    with experiments.worker() as worker:
        experiment = options.make(experiments, options, worker)
        experiments.run(experiment, output, command=options.command, worker=worker)
    if worker.first:
        print(f"wrote {output}")


def _subject(experiments, options, worker):
    count, folder = words.place(options.images)
    keys = ("weights", "size", "seed", "scale", "target", "precision", "fold")
    about = experiments.subject(
        options.network,
        count=count,
        folder=folder,
        device=options.device or worker.device,
        **{key: getattr(options, key) for key in keys},
    )
    if worker.first:
        print(about.images)
    common = {key: getattr(options, key) for key in ("seed", "batch", "patterns")}
    return about, options.methods, common


def _csc(experiments, options, worker):
    about, methods, common = _subject(experiments, options, worker)
    return experiments.CSC(about, methods, relevances=options.relevances, **common)


def _random_logit(experiments, options, worker):
    about, methods, common = _subject(experiments, options, worker)
    return experiments.RandomLogit(about, methods, **common)


def _cascade(experiments, options, worker):
    about, methods, common = _subject(experiments, options, worker)
    changes = {"own": not options.blocks_trained, "stale": options.stale}
    stages = options.stages
    return experiments.Cascade(about, methods, stages=stages, **changes, **common)


def _simulation(experiments, options, worker):
    return experiments.Simulation(repetitions=options.repetitions, seed=options.seed)


def _fitted(experiments, options, worker):
    """Return a network whose patterns are fitted, on the processor."""
    count, folder = words.place(options.images)
    chosen = {"weights": options.weights, "seed": options.seed}
    about = experiments.subject(
        options.network, count=count or 20, folder=folder, **chosen
    )
    if worker.first:
        print(f"patterns are fitted to {about.fitting(options.patterns)}")
    return about


def _learned(experiments, options, worker):
    about = _fitted(experiments, options, worker)
    taken = {key: getattr(options, key) for key in ("repetitions", "seed", "patterns")}
    return experiments.Learned(about, **taken)


def _patterns(experiments, options, worker):
    about = _fitted(experiments, options, worker)
    if worker.first:
        print(f"explained: {about.images}")
    return experiments.Patterns(about, patterns=options.patterns)
