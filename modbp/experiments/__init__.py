"""Run the book's experiments and store their results with provenance."""

from modbp.experiments.csc import BINS, CHUNK, csc_config, run_csc
from modbp.experiments.plans import CSC_PLANS, Plan
from modbp.experiments.simulation import BETAS, run_simulation
from modbp.experiments.store import read

__all__ = [
    "BETAS",
    "BINS",
    "CHUNK",
    "CSC_PLANS",
    "Plan",
    "csc_config",
    "read",
    "run_csc",
    "run_simulation",
]
