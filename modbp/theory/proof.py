"""The steps of the published proof as numbers, with its weights and the true ones."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from modbp.errors import check_option
from modbp.theory.angles import cosines, widest_pair
from modbp.theory.arrays import as_chain

__all__ = ["ProofStep", "proof_step"]


@dataclass(frozen=True, eq=False)
class ProofStep:
    r"""One step M → MA of the proof: what it knows, and the bounds that it derives.

    The columns of MA are :math:`\sum_i a_iv_i`. In terms of unit vectors they are
    :math:`\sum_i(a_i\nu_i)\hat v_i`, :math:`\nu_i=\|v_i\|`: the coefficients of the
    proof's equations (21)–(35) are a_i ν_i. The published proof scales the v_i to
    length one and goes on with a_i.

    `C` are the cosines of the columns of M, ``[k, k]``; `a` and `b`, ``[k]``, belong to
    the two columns of MA whose angle is the widest. `s` and `s_next` are exact.
    """

    s: float
    s_next: float
    a: np.ndarray
    b: np.ndarray
    C: np.ndarray

    @property
    def eq21(self):
        """The cosine of the widest pair; with the true weights, `s_next`."""
        lengths = np.sqrt((self.a @ self.C @ self.a) * (self.b @ self.C @ self.b))
        return float(self.a @ self.C @ self.b / lengths)

    @property
    def eq22(self):
        """The lower bound after the triangle inequality."""
        return float(self.a @ self.C @ self.b / self.q)

    @property
    def eq23(self):
        """The lower bound after ⟨v_i, v_j⟩ ≥ s: monotonicity, for any weights."""
        return float(self.a.sum() * self.b.sum() / self.q * self.s)

    @property
    def q(self):
        """Σ a_i b_j, the weight of all terms."""
        return float(self.a.sum() * self.b.sum())

    def r(self, l, m):  # noqa: E741 - the letters of the paper
        """Return a_l b_m + a_m b_l, the weight of the pair (l, m) in case 1."""
        return float(self.a[l] * self.b[m] + self.a[m] * self.b[l])

    def r_prime(self, l, m):  # noqa: E741
        """Return the bracket of equation (34), the weight of the pair in case 2."""
        a, b = self.a, self.b
        aa, bb = a[l] * a[m], b[l] * b[m]
        return float(2 * aa * b.sum() ** 2 + 2 * bb * a.sum() ** 2 - 4 * aa * bb)

    def case_1(self, l, m, epsilon=None, q_bar=None):  # noqa: E741
        """Return the lower bounds of case 1 on `s_next`, equations 24 to 27, falling.

        The cosine of columns l, m of M is at least (1 + ε) s, and q̄ at least Σ a_i b_j;
        left out, they are what this step allows. Valid with the true weights only.
        """
        cosine, r = self.C[l, m], self.r(l, m)
        epsilon = cosine / self.s - 1 if epsilon is None else epsilon
        rest = self.q - r
        return {
            24: self.eq22,
            25: float((rest * self.s + r * cosine) / self.q),
            26: float((rest + r * (1 + epsilon)) / self.q * self.s),
            27: float((1 + epsilon * r / (q_bar or self.q)) * self.s),
        }

    def case_2(self, l, m, epsilon=None):  # noqa: E741
        """Return the lower bounds of case 2 on `s_next`, equations 29 to 35, falling.

        The cosine of columns l, m of M is at most 1 - ε'; left out, ε' is what this
        step allows. (30), (31) rewrite (29). Valid with the true weights only.
        """
        a, b, C = self.a, self.b, self.C
        epsilon = 1 - C[l, m] if epsilon is None else epsilon
        aa, bb = a[l] * a[m], b[l] * b[m]
        A, B, q = a.sum() ** 2, b.sum() ** 2, self.q**2
        gain = epsilon**2 * self.r_prime(l, m)
        squares = {
            29: q / ((a @ C @ a) * (b @ C @ b)),
            32: q / ((A - 2 * aa * epsilon) * (B - 2 * bb * epsilon)),
            33: q / (q - epsilon * (2 * aa * B + 2 * bb * A - 4 * epsilon * aa * bb)),
            34: q / (q - gain),
            35: 1 + gain / (q - gain),
        }
        return {n: float(np.sqrt(square) * self.s) for n, square in squares.items()}


def proof_step(M: ArrayLike, A: ArrayLike, weights: str = "true") -> ProofStep:
    """Return the quantities of the proof's steps (2)–(4) for the factor A after M.

    They are those of equations (20)–(35) of :cite:t:`sixt2020lie`.

    >>> modbp.theory.proof_step([[3, 0], [4, 1]], [[1, 0], [1, 2]]).a
    array([5., 1.])

    Parameters
    ----------
    M, A : array_like
        The product so far, ``[rows, k]``, and the next factor, ``[k, columns]``, with
        at least two columns; non-negative, no zero column.
    weights : {"true", "published"}
        Whether the coefficients of the unit vectors are a_i ν_i, or a_i as printed.

    Returns
    -------
    ProofStep
        ``s``, ``s_next``: s(M) and s(MA). ``a``, ``b``, ``C``: what the proof knows.
        ``eq21``, ``eq22``, ``eq23``, ``q``, ``r(l, m)``, ``r_prime(l, m)``: its terms.
        ``case_1(l, m)``, ``case_2(l, m)``: its lower bounds on s(MA), by equation.
    """
    M, A = as_chain([M, A], nonnegative=True, no_zero_column=True)
    known = isinstance(weights, str) and weights in ("true", "published")
    remedy = "choose 'true' or 'published'."
    check_option("weights", weights, lambda _: known, remedy)
    j, k = widest_pair(M @ A)
    nu = np.linalg.norm(M, axis=0) if weights == "true" else np.ones(M.shape[1])
    C = cosines(M)
    s_next = cosines(M @ A)[j, k]
    return ProofStep(float(C.min()), float(s_next), nu * A[:, j], nu * A[:, k], C)
