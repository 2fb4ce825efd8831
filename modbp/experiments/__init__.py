"""Run the book's experiments and store their results with provenance."""

from modbp.experiments.csc import BINS, CHUNK, csc_config, run_csc
from modbp.experiments.patterns import patterns_config, run_patterns
from modbp.experiments.plans import CSC_PLANS, Plan
from modbp.experiments.simulation import (
    BETAS,
    learned_chains,
    run_learned,
    run_simulation,
)
from modbp.experiments.store import read

__all__ = [
    "BETAS",
    "BINS",
    "CHUNK",
    "CSC_PLANS",
    "Plan",
    "csc_config",
    "learned_chains",
    "patterns_config",
    "read",
    "run_csc",
    "run_learned",
    "run_patterns",
    "run_simulation",
]
