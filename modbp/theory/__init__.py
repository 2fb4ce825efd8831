# ruff: noqa: F403 - each name is written once, in the `__all__` of its file
"""The rank-one theorem in numbers: what it says, where it breaks, what repairs it.

Everything here is about a chain of matrices A_1, A_2, … with A_1 next to the input, and
its products M_n = A_1 A_2 ⋯ A_n: column j of M_n is the explanation of output j.
Matrices are float64 arrays; networks are not known here. What does not fit the
description of a parameter is refused with an `InputError` that names the matrix.
"""

from modbp.theory import (
    angles,
    blocks,
    bounds,
    chains,
    contraction,
    counterexamples,
    information,
    law,
    limits,
    proof,
    rates,
    search,
    simulation,
    surrogate,
)
from modbp.theory.angles import *
from modbp.theory.blocks import *
from modbp.theory.bounds import *
from modbp.theory.chains import *
from modbp.theory.contraction import *
from modbp.theory.counterexamples import *
from modbp.theory.information import *
from modbp.theory.law import *
from modbp.theory.limits import *
from modbp.theory.proof import *
from modbp.theory.rates import *
from modbp.theory.search import *
from modbp.theory.simulation import *

_FILES = (angles, blocks, bounds, chains, contraction, counterexamples)
_FILES += (information, law, limits, proof, rates, search, simulation)
__all__ = ["surrogate", *(name for file in _FILES for name in file.__all__)]
