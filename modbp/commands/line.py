"""The command line of experiments: ``python -m modbp run EXPERIMENT``."""

from modbp.commands import choices
from modbp.errors import InputError, ResultError
from modbp.study.experiments.csc import CSC
from modbp.study.experiments.learned import run_learned
from modbp.study.experiments.patterns import run_patterns
from modbp.study.experiments.sanity import Cascade, RandomLogit
from modbp.study.experiments.simulation import Simulation
from modbp.study.experiments.subject import subject
from modbp.zoo import data

__all__ = ["WHOLE", "experiment", "run_whole"]


def experiment(options, worker):
    """Return the experiment that was asked for.

    Parameters
    ----------
    options : argparse.Namespace
        What `modbp.experiments.choices` made of a command line.
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
    choices.check(options)
    return _EXPERIMENTS[options.experiment](options, worker)


def run_whole(options, worker, output):
    """Run an experiment that is not done in units, and write its file.

    Parameters
    ----------
    options : argparse.Namespace
        What `modbp.experiments.choices` made of a command line; one of `WHOLE`.
    worker : Worker
        This process's share, which has to be all.
    output : path
        The JSON file to write.

    Raises
    ------
    ModbpError
        If something asked for is not there, or does not fit, or several processes were
        started.
    """
    choices.check(options)
    if worker.count > 1:
        raise InputError(
            f"{options.experiment} is one piece of work, and cannot be shared by "
            f"{worker.count} processes. Start it without torchrun."
        )
    try:
        WHOLE[options.experiment](options, output)
    except OSError as error:
        raise ResultError(
            f"{output}: cannot be written ({error.strerror or error}). Make room, or "
            "allow writing there, and give the same command again."
        ) from error


def _place(options):
    """Return how many images are asked for, and from which folder."""
    counts = [int(word) for word in options.images if word.isdecimal()]
    folders = [word for word in options.images if not word.isdecimal()]
    folders += [options.folder] if options.folder else []
    if len(counts) > 1 or len(folders) > 1:
        raise InputError("--images takes one count and one folder, as in: photos 50.")
    return counts[0] if counts else None, folders[0] if folders else None


def _subject(options, worker):
    count, folder = _place(options)
    about = subject(
        options.network,
        options.weights,
        count=count,
        folder=folder,
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
    common = {key: getattr(options, key) for key in ("seed", "batch", "patterns")}
    return {key: value for key, value in common.items() if value is not None}


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


def _patterns(options, output):
    about, images = _fitted(options)
    print(f"explained: {about.images}")
    run_patterns(
        options.network,
        output,
        net=about.net,
        images=images,
        tested=about.prepared(about.images),
        command=options.command,
    )


def _learned(options, output):
    about, images = _fitted(options)
    run_learned(
        options.network,
        output,
        net=about.net,
        images=images,
        repetitions=options.repetitions,
        seed=options.seed,
        command=options.command,
    )


def _fitted(options):
    """Return the network, and what its patterns are fitted to, on the CPU."""
    count, folder = _place(options)
    about = subject(
        options.network,
        options.weights,
        count=20 if count is None else count,
        folder=folder,
        seed=options.seed,
    )
    first = range(2000 if options.patterns is None else options.patterns)
    listing = data.listed(
        indices=first, split="train", folder=folder, size=about.images.size
    )
    print(f"patterns are fitted to {listing}")
    return about, about.prepared(listing)


_EXPERIMENTS = {
    "csc": _csc,
    "random-logit": _random_logit,
    "cascade": _cascade,
    "simulation": _simulation,
}
# What writes its file by itself: `run_whole` runs it.
WHOLE = {"patterns": _patterns, "learned": _learned}
