"""Run the book's experiments, so that they survive, and store what they find.

>>> from modbp.study import experiments
>>> about = experiments.subject("cifar10", count=40)
>>> result = experiments.run(experiments.CSC(about), "csc.json")  # doctest: +SKIP
"""

from modbp.study.experiments.csc import BINS, CSC
from modbp.study.experiments.images import CHUNK
from modbp.study.experiments.learned import learned_chains, run_learned
from modbp.study.experiments.patterns import patterns_config, run_patterns
from modbp.study.experiments.plans import PLANS, Plan, automatic, method, needs_patterns
from modbp.study.experiments.sanity import Cascade, RandomLogit
from modbp.study.experiments.simulation import BETAS, Simulation
from modbp.study.experiments.subject import Subject, subject
from modbp.study.runs.run import run, status
from modbp.study.runs.store import read
from modbp.study.runs.workers import Worker, worker

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
