"""Run the book's experiments, so that they survive, and read what they found."""

from importlib import import_module

import lazy_loader as _lazy

from modbp.errors import unknown_name
from modbp.study.experiments.names import FIRST, NAMES, TRAINED
from modbp.study.runs.store import RESULTS, Result, read

# What is stored is read without torch.

_late, _, __all__ = _lazy.attach(
    __name__,
    submod_attrs={
        "accuracy": ["Accuracy"],
        "audit": ["Audit"],
        "bits": ["Bits"],
        "contraction": ["Contraction"],
        "csc": ["CSC"],
        "labels": ["method", "needs_patterns"],
        "patterns": ["Patterns"],
        "plans": ["PLANS", "Plan", "automatic"],
        "refits": ["Refits"],
        "sanity": ["Cascade", "RandomLogit"],
        "simulation": ["BETAS", "Learned", "Simulation"],
        "subjects": ["Subject", "subject"],
    },
)
_RUNS = {"run": "run", "status": "run", "Worker": "workers", "worker": "workers"}
__all__ += ["FIRST", "NAMES", "Result", "TRAINED", "read", "stored", "trainings"]
__all__ += _RUNS


def __getattr__(name: str) -> object:
    if name in _RUNS:
        return getattr(import_module(f"modbp.study.runs.{_RUNS[name]}"), name)
    return _late(name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def stored(experiment: str) -> dict[str, Result]:
    """Return what is stored of an experiment on the book's networks.

    Parameters
    ----------
    experiment : "csc", "random-logit" or "cascade".

    Returns
    -------
    dict of str to Result : By network; see :func:`read`.

    Raises
    ------
    UnknownName : If there is no such experiment.

    Examples
    --------
    >>> stored = modbp.study.experiments.stored("cascade")
    >>> print(stored["vgg16"])
    cascade on vgg16: 100 CIFAR-10 test images (JPEG), 16 methods, 9 stages
    """
    there = [name for name in NAMES if (RESULTS / experiment / name).is_dir()]
    if not there:
        raise unknown_name("experiment", experiment, ("csc", "random-logit", "cascade"))
    return {name: read(f"{experiment}/{name}") for name in there}


def trainings(name: str) -> list[Result]:
    """Return a result of the small network for each seed it was trained with.

    The weights of the first are shipped, of the others what was measured with them: on
    fewer images, and in cascades by the methods and stages that the ledger cites.

    Parameters
    ----------
    name : "csc/cifar10", "random-logit/cifar10" and the like.

    Returns
    -------
    list of Result : By seed: 0 and those of ``TRAINED``; see :func:`read`.

    Raises
    ------
    UnknownName : If no other training was measured in this.

    Examples
    --------
    >>> results = modbp.study.experiments.trainings("random-logit/cifar10")
    >>> len(results)
    3
    """
    folder = RESULTS / "seeds" / str(TRAINED[0])
    known = [p.relative_to(folder).as_posix() for p in folder.glob("*/*") if p.is_dir()]
    if name not in known:
        raise unknown_name("result of several trainings", name, sorted(known))
    return [read(name), *(read(f"seeds/{seed}/{name}") for seed in TRAINED)]
