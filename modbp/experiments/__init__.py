"""Run the book's experiments, so that they survive, and store what they find.

>>> from modbp import experiments
>>> about = experiments.subject("cifar10", count=40)
>>> result = experiments.run(experiments.CSC(about), "csc.json")  # doctest: +SKIP
"""

from modbp.experiments.csc import BINS, CSC
from modbp.experiments.images import CHUNK
from modbp.experiments.learned import learned_chains, run_learned
from modbp.experiments.patterns import patterns_config, run_patterns
from modbp.experiments.plans import PLANS, Plan, automatic, method, needs_patterns
from modbp.experiments.runs import run, status
from modbp.experiments.sanity import Cascade, RandomLogit
from modbp.experiments.simulation import BETAS, Simulation
from modbp.experiments.store import read
from modbp.experiments.subject import Subject, subject
from modbp.experiments.workers import Worker, worker

__all__ = [
    "BETAS",
    "BINS",
    "CHUNK",
    "CSC",
    "PLANS",
    "Cascade",
    "Plan",
    "RandomLogit",
    "Simulation",
    "Subject",
    "Worker",
    "automatic",
    "learned_chains",
    "method",
    "needs_patterns",
    "patterns_config",
    "read",
    "run",
    "run_learned",
    "run_patterns",
    "status",
    "subject",
    "worker",
]
