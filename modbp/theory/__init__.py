"""The rank-one theorem in numbers: what it says, where it breaks, what repairs it.

Everything here is about a chain of matrices A_1, A_2, … with A_1 next to the input, and
its products M_n = A_1 A_2 ⋯ A_n: column j of M_n is the explanation of output j.
Matrices are float64 arrays; networks are not known here.
"""

from modbp.theory import surrogate
from modbp.theory.angles import (
    cosines,
    hilbert_distance,
    min_cosine,
    min_cosine_squared,
    one_minus_cosine,
    widest_pair,
)
from modbp.theory.chains import active_chain, conserving, gaps, gauge, products
from modbp.theory.contraction import (
    birkhoff,
    dobrushin,
    euclidean,
    overlap,
    theorem_a_bound,
    theorem_b_bound,
    theorem_c_bound,
)
from modbp.theory.counterexamples import (
    COUNTEREXAMPLES,
    Counterexample,
    exact,
    exact_products,
    slow_pair,
    spatial_blur,
)
from modbp.theory.limits import (
    Component,
    Mixing,
    Structure,
    left_perron,
    mixing,
    structure,
)
from modbp.theory.proof import ProofStep, proof_step
from modbp.theory.protocols import PROTOCOLS, Protocol, measure
from modbp.theory.rates import (
    contracting_gamma,
    critical_beta,
    cv_squared,
    cv_squared_alpha_beta,
    gamma_rate,
    rate_law,
)
from modbp.theory.search import HYPOTHESES, high_power, search_counterexample
from modbp.theory.simulation import (
    VARIANTS,
    VGG16,
    Variant,
    alpha_beta_variants,
    backward_pass,
    simulate,
    simulate_learned,
)

__all__ = [
    "COUNTEREXAMPLES",
    "HYPOTHESES",
    "PROTOCOLS",
    "VARIANTS",
    "VGG16",
    "Component",
    "Counterexample",
    "Mixing",
    "ProofStep",
    "Protocol",
    "Structure",
    "Variant",
    "active_chain",
    "alpha_beta_variants",
    "backward_pass",
    "birkhoff",
    "conserving",
    "contracting_gamma",
    "cosines",
    "critical_beta",
    "cv_squared",
    "cv_squared_alpha_beta",
    "dobrushin",
    "euclidean",
    "exact",
    "exact_products",
    "gamma_rate",
    "gaps",
    "gauge",
    "high_power",
    "hilbert_distance",
    "left_perron",
    "measure",
    "min_cosine",
    "min_cosine_squared",
    "mixing",
    "one_minus_cosine",
    "overlap",
    "products",
    "proof_step",
    "rate_law",
    "search_counterexample",
    "simulate",
    "simulate_learned",
    "slow_pair",
    "spatial_blur",
    "structure",
    "surrogate",
    "theorem_a_bound",
    "theorem_b_bound",
    "theorem_c_bound",
    "widest_pair",
]
