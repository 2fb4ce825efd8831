"""The verb ``run``: the book's experiments, each with the options that it has."""

import argparse
from pathlib import Path

from modbp.commands import words

__all__ = ["add", "run"]


# The class of each experiment, and which options it takes by their names.
_EXPERIMENTS = {
    "csc": ("CSC", "methods relevances lower seed batch patterns"),
    "random-logit": ("RandomLogit", "methods seed batch patterns"),
    "bits": ("Bits", "methods seed batch patterns"),
    "contraction": ("Contraction", "methods seed batch patterns"),
    "cascade": ("Cascade", "methods stages own stale draws seed batch patterns"),
    "simulation": ("Simulation", "repetitions seed"),
    "learned": ("Learned", "repetitions seed patterns"),
    "accuracy": ("Accuracy", "batch"),
    "patterns": ("Patterns", "patterns seed"),
    "refits": ("Refits", "patterns refits seed method"),
}
# Options of what an experiment is about.
_SUBJECT = "weights size mean std seed scale target precision fold".split()


def add(verbs: argparse._SubParsersAction) -> None:
    """Describe the verb to a parser, and each experiment to one of its own."""
    verb = words.new(verbs, "run", "run an experiment of the book")
    kinds = verb.add_subparsers(dest="experiment", required=True, metavar="EXPERIMENT")
    verb.set_defaults(run=run)

    csc = _on_images(kinds, "csc", "how far random relevances converge")
    csc.add_argument("--relevances", type=int, default=5, help="per image [5]")
    about = "how many of the images from starts below the first as well [all]"
    csc.add_argument("--lower", type=int, metavar="COUNT", help=about)

    _on_images(kinds, "random-logit", "maps of one logit beside maps of another")

    _on_images(kinds, "bits", "how much of the choice among classes maps still tell")

    about = "how much each layer narrows the angles between classes"
    _on_images(kinds, "contraction", about)

    about = "maps while weights are randomised from the top down"
    cascade = _on_images(kinds, "cascade", about)
    stages = {"nargs": "+", "metavar": "LAYER", "help": "top first [the plan's]"}
    cascade.add_argument("--stages", **stages)
    cascade.add_argument(
        "--blocks-trained",
        action="store_false",
        dest="own",
        help="a stage that is a block keeps its weights, as in the 2020 code",
    )
    cascade.add_argument(
        "--stale",
        action="store_true",
        help="patternattribution with the trained weights throughout",
    )

    about = "of the weights; each batch of images has one of them [1]"
    cascade.add_argument("--draws", type=int, default=1, metavar="COUNT", help=about)

    about = "figure 7, random chains in the shape of VGG-16"
    simulation = _new(kinds, "simulation", about)
    learned = _new(kinds, "learned", "figure 7, with trained weights beside")
    for parser in (simulation, learned):
        parser.add_argument("--repetitions", type=int, default=20, help="[20]")
    patterns = _new(kinds, "patterns", "what patterns are made of")
    refits = _new(kinds, "refits", "pattern methods, fitted to one set after another")
    refits.add_argument("--refits", type=int, default=8, metavar="COUNT", help="[8]")
    pattern = {"default": "patternattribution", "help": "[patternattribution]"}
    refits.add_argument(
        "--method", choices=("patternnet", "patternattribution"), **pattern
    )
    for parser, some in ((learned, "DIR"), (patterns, "COUNT|DIR")):
        _add_subject(parser, some, images=20, patterns=2000)
    _add_subject(refits, "COUNT|DIR", images=20, patterns=500)

    accuracy = _new(kinds, "accuracy", "how often a network is right, with an interval")
    _add_subject(accuracy, "COUNT|DIR", images=200)
    accuracy.add_argument("--batch", type=int, default=50, help="[50]")


def _new(kinds, name, about):
    parser = words.new(kinds, name, about)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", help="folder to write [runs/EXPERIMENT/NETWORK]")
    return parser


def _add_subject(parser, some, images, patterns=None):
    words.add_network(parser, "cifar10")
    words.add_colours(parser)
    words.add_images(
        parser,
        some,
        "how many, or a folder with one sub-folder per class, or both; 'photographs' "
        f"are built in [{images} of CIFAR-10's test images, or else photographs]",
    )
    if patterns:
        told = f"training images that patterns are fitted to [{patterns}]"
        wanted = {"type": int, "default": patterns, "metavar": "COUNT", "help": told}
        parser.add_argument("--patterns", **wanted)


def _on_images(kinds, name, about):
    """Add an experiment that takes images and methods."""
    parser = _new(kinds, name, about)
    _add_subject(parser, "COUNT|DIR", images=200, patterns=500)
    words.add_methods(parser, "the plan's")
    words.add_fold(parser)
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
    parser.add_argument("--device", help="cpu, cuda … [the GPU where there is one]")
    return parser


def run(options: argparse.Namespace) -> None:
    """Run the experiment, or go on with it."""
    from modbp.study import experiments

    name = getattr(options, "network", "vgg16")
    stem = Path(name.rpartition(":")[2]).stem
    output = options.output
    if output is None:
        output = f"runs/{options.experiment}/{stem}"
    kind, takes = _EXPERIMENTS[options.experiment]
    given = {key: getattr(options, key) for key in takes.split()}
    try:
        with experiments.worker() as worker:
            if "network" in options:
                given["subject"] = _subject(experiments, options, worker)
            experiment = getattr(experiments, kind)(**given)
            experiments.run(experiment, output, command=options.command, worker=worker)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("Give the same command again to go on.") from None
    if worker.first:
        print(f"wrote {output}")


def _subject(experiments, options, worker):
    """Return what an experiment is about, and say which images those are."""
    count, folder = words.place(options.images)
    given = {key: getattr(options, key) for key in _SUBJECT if key in options}
    if "device" in options:
        wanted = options.device
        given["device"] = worker.device if wanted is None else wanted
    elif count is None and "patterns" in options:  # fitted on the processor
        count = 20
    about = experiments.subject(options.network, count=count, folder=folder, **given)
    if worker.first and "patterns" in options and "device" not in options:
        draw = [options.seed] if options.experiment == "patterns" else []
        print(f"patterns are fitted to {about.fitting(options.patterns, draw)}")
    if worker.first and options.experiment != "learned":
        explained = "explained: " if options.experiment == "patterns" else ""
        print(f"{explained}{about.images}")
    if worker.first:
        print(f"preprocessing: {about.preprocessing}")
    return about
