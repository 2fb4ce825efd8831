"""The steps of the published proof as numbers, with its weights and the true ones."""

from dataclasses import dataclass

import numpy as np

from modbp.errors import InputError
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

    Attributes
    ----------
    s, s_next : float
        s(M) and s(MA), both exact.
    a, b : numpy.ndarray
        ``[k]``: the coefficients of the two columns of MA whose angle is the widest.
    C : numpy.ndarray
        ``[k, k]``: the cosines between the columns of M.
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
        r"""Return the lower bounds of case 1 on `s_next`, by equation, falling.

        .. math:: s_{n+1} \ge \Bigl(1+\varepsilon\,\frac r{\bar q}\Bigr)s_n

        Parameters
        ----------
        l, m : int
            A pair of columns of M whose cosine is at least (1 + ε) s; s > 0.
        epsilon : float, optional
            ε; left out: the largest that this step allows.
        q_bar : float, optional
            An upper bound on Σ a_i b_j; left out: that sum itself.

        Returns
        -------
        dict of int to float
            Keys 24 to 27. Valid with the true weights, not with the published ones.
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
        r"""Return the lower bounds of case 2 on `s_next`, by equation, falling.

        .. math:: s_{n+1} \ge \alpha's_n,\qquad
                  \alpha'^2 = 1+\frac{\varepsilon'^2r'}{q^2-\varepsilon'^2r'}

        Parameters
        ----------
        l, m : int
            A pair of columns of M whose cosine is at most 1 - ε'.
        epsilon : float, optional
            ε' in [0, 1]; left out: the largest that this step allows.

        Returns
        -------
        dict of int to float
            Keys 29 to 35; (30) and (31) rewrite (29), (33) rewrites (32). Valid with
            the true weights, not with the published ones.
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


def proof_step(M, A, weights="true"):
    """Return the quantities of the proof's steps (2)–(4) for the factor A after M.

    Parameters
    ----------
    M : array_like
        ``[rows, k]``, non-negative, no zero column: the product so far.
    A : array_like
        ``[k, columns]``, non-negative, no zero column, at least two columns.
    weights : {"true", "published"}
        Whether the coefficients of the unit vectors are a_i ν_i, or a_i as printed.

    Returns
    -------
    ProofStep

    Raises
    ------
    InputError
        If sizes do not fit, A has one column, or a matrix is not as described.

    References
    ----------
    :cite:t:`sixt2020lie`, equations (20)–(35).
    """
    M, A = as_chain([M, A], nonnegative=True, no_zero_column=True)
    if weights not in ("true", "published"):
        raise InputError(f"weights are 'true' or 'published', not {weights!r}.")
    j, k = widest_pair(M @ A)
    nu = np.linalg.norm(M, axis=0) if weights == "true" else np.ones(M.shape[1])
    C = cosines(M)
    s_next = cosines(M @ A)[j, k]
    return ProofStep(float(C.min()), float(s_next), nu * A[:, j], nu * A[:, k], C)
