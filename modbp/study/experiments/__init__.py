"""Run the book's experiments, so that they survive, and read what they found."""

from modbp.study.experiments.accuracy import Accuracy
from modbp.study.experiments.audit import Audit
from modbp.study.experiments.bits import Bits
from modbp.study.experiments.csc import CSC
from modbp.study.experiments.labels import method, needs_patterns
from modbp.study.experiments.patterns import Patterns
from modbp.study.experiments.plans import NAMES, PLANS, Plan, automatic
from modbp.study.experiments.refits import Refits
from modbp.study.experiments.sanity import Cascade, RandomLogit
from modbp.study.experiments.simulation import BETAS, Learned, Simulation
from modbp.study.experiments.subject import Subject, subject
from modbp.study.runs.run import run, status
from modbp.study.runs.store import Result, read
from modbp.study.runs.workers import Worker, worker

__all__ = ["BETAS", "CSC", "NAMES", "PLANS", "Accuracy", "Audit", "Bits", "Cascade"]
__all__ += [
    "Learned",
    "Patterns",
    "Plan",
    "RandomLogit",
    "Refits",
    "Result",
    "Simulation",
]
__all__ += ["Subject", "Worker", "automatic", "method", "needs_patterns", "read", "run"]
__all__ += ["status", "stored", "subject", "worker"]


def stored(experiment: str) -> dict[str, Result]:
    """Return what is stored of an experiment on each of the book's networks.

    Parameters
    ----------
    experiment : "csc", "random-logit" or "cascade".

    Returns
    -------
    dict of str to Result : By network; see :func:`read`.

    Raises
    ------
    ResultError : If there is no such experiment.

    Examples
    --------
    >>> stored = modbp.study.experiments.stored("cascade")
    >>> print(stored["vgg16"])
    cascade on vgg16: 50 CIFAR-10 test images (JPEG), 16 methods, 9 stages
    """
    return {network: read(f"{experiment}/{network}") for network in NAMES}
