"""The command line of experiments: ``python -m modbp run EXPERIMENT``."""

from modbp.errors import InputError
from modbp.experiments.csc import CSC
from modbp.experiments.images import CHUNK
from modbp.experiments.sanity import Cascade, RandomLogit
from modbp.experiments.simulation import Simulation
from modbp.experiments.subject import subject

__all__ = ["add_arguments", "experiment"]


def add_arguments(run):
    """Give a parser the options of all experiments.

    Parameters
    ----------
    run : argparse.ArgumentParser
        The parser.
    """
    run.add_argument("experiment", choices=_EXPERIMENTS)
    run.add_argument(
        "--network",
        default="cifar10",
        metavar="NAME",
        help="a network of the book or of torchvision, or FILE.py:FUNCTION [cifar10]",
    )
    run.add_argument(
        "--weights",
        help="cifar10, ours; DEFAULT, the library's; none, random; or a .safetensors "
        "file [ours where there are]",
    )
    run.add_argument(
        "--methods",
        nargs="+",
        metavar="NAME",
        help="also with options, NAME:OPTION=VALUE,… [the plan's]",
    )
    run.add_argument(
        "--images",
        nargs="+",
        default=[],
        metavar="COUNT|DIR",
        help="how many, or a folder with one sub-folder per class, or both [200 of "
        "CIFAR-10's test images, or else photographs]",
    )
    run.add_argument("--folder", help="image folder, or 'photographs'")
    run.add_argument("--size", type=int, help="side in pixels [the network's]")
    run.add_argument("--scale", type=float, default=1.0, help="pixel range [1]")
    run.add_argument(
        "--target",
        choices=("true", "predicted"),
        help="class to explain [true, if network and images have the same classes]",
    )
    run.add_argument("--relevances", type=int, default=5, help="csc: per image [5]")
    run.add_argument(
        "--stages", nargs="+", metavar="LAYER", help="cascade: top first [the plan's]"
    )
    run.add_argument(
        "--blocks-trained",
        action="store_true",
        help="cascade: a stage that is a block keeps its weights, as in the 2020 code",
    )
    run.add_argument(
        "--stale",
        action="store_true",
        help="cascade: patternattribution with the trained weights throughout",
    )
    run.add_argument(
        "--repetitions", type=int, default=20, help="simulation: per variant [20]"
    )
    run.add_argument("--seed", type=int, default=0)
    run.add_argument(
        "--precision",
        choices=("float32", "float64"),
        default="float32",
        help="to compute with [%(default)s]",
    )
    run.add_argument(
        "--batch",
        type=int,
        default=CHUNK,
        help="images at a time; memory grows with it [%(default)s]",
    )
    run.add_argument(
        "--patterns",
        type=int,
        default=500,
        metavar="COUNT",
        help="training images that patterns are fitted to [%(default)s]",
    )
    run.add_argument("--device", help="cpu, cuda … [the GPU where there is one]")
    run.add_argument(
        "--output", help="JSON file to write [runs/EXPERIMENT/NETWORK.json]"
    )


def experiment(options, worker):
    """Return the experiment that was asked for.

    Parameters
    ----------
    options : argparse.Namespace
        What `add_arguments` made of a command line.
    worker : Worker
        This process's share.

    Returns
    -------
    object
        For :func:`modbp.experiments.run`.

    Raises
    ------
    ModbpError
        If something asked for is not there, or does not fit.
    """
    return _EXPERIMENTS[options.experiment](options, worker)


def _subject(options, worker):
    counts = [int(word) for word in options.images if word.isdecimal()]
    folders = [word for word in options.images if not word.isdecimal()]
    folders += [options.folder] if options.folder else []
    if len(counts) > 1 or len(folders) > 1:
        raise InputError("--images takes one count and one folder, as in: photos 50.")
    about = subject(
        options.network,
        options.weights,
        count=counts[0] if counts else None,
        folder=folders[0] if folders else None,
        size=options.size,
        seed=options.seed,
        scale=options.scale,
        target=options.target,
        device=options.device or worker.device,
        precision=options.precision,
    )
    if worker.first:
        print(about.images)
    return about


def _csc(options, worker):
    return CSC(
        _subject(options, worker),
        options.methods,
        relevances=options.relevances,
        **_common(options),
    )


def _common(options):
    return {key: getattr(options, key) for key in ("seed", "batch", "patterns")}


def _random_logit(options, worker):
    about = _subject(options, worker)
    return RandomLogit(about, options.methods, **_common(options))


def _cascade(options, worker):
    return Cascade(
        _subject(options, worker),
        options.methods,
        stages=options.stages,
        own=not options.blocks_trained,
        stale=options.stale,
        **_common(options),
    )


def _simulation(options, worker):
    return Simulation(repetitions=options.repetitions, seed=options.seed)


_EXPERIMENTS = {
    "csc": _csc,
    "random-logit": _random_logit,
    "cascade": _cascade,
    "simulation": _simulation,
}
