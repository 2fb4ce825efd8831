"""How much one layer narrows the cone: coefficients of contraction.

δ (Dobrushin) and σ (Euclid) speak about matrices whose columns sum to one, signs
allowed; τ (Birkhoff) about non-negative ones, whatever their scaling.
"""

import numpy as np
from numpy.typing import ArrayLike

from modbp.theory.arrays import as_chain, as_matrix

__all__ = ["birkhoff", "dobrushin", "euclidean", "overlap"]


def dobrushin(A: ArrayLike) -> float:
    r"""Return half the largest ℓ₁ distance of two columns.

    .. math:: \delta(A) = \max_{j,k}\tfrac12\|a_j-a_k\|_1

    A multiplies the ℓ₁ norm of a vector of sum zero by at most this factor. For
    non-negative columns of sum one, δ < 1 exactly when no two columns are orthogonal
    (R. L. Dobrushin, Central limit theorem for nonstationary Markov chains, 1956).

    >>> modbp.theory.dobrushin([[0.5, 0.25], [0.5, 0.75]])
    0.25

    Parameters
    ----------
    A : array_like
        ``[rows, columns]``, any signs.

    Returns
    -------
    float
        At least 0; at most 1 if A is column-stochastic. Its cost grows with the square
        of the number of columns: seconds at 1,000, minutes at 4,000.
    """
    return _farthest(as_matrix(A), lambda D: np.abs(D).sum(axis=0)) / 2


def euclidean(A):
    r"""Return :math:`\sigma(A)=\|A(I-\tfrac1N\mathbf 1\mathbf 1^\top)\|_2`.

    It is δ for the Euclidean norm: the most by which A stretches a vector of sum zero.
    For wide random layers it is far smaller than δ, because it sees the averaging.
    """
    A = as_matrix(A)
    return float(np.linalg.norm(A - A.mean(axis=1, keepdims=True), ord=2))


def birkhoff(A: ArrayLike) -> float:
    r"""Return the contraction coefficient of Hilbert's distance.

    .. math::
        \tau(A) = \tanh\tfrac14\max_{j,k}d(a_j,a_k),\qquad
        d(x,y) = \max_i\log\frac{y_i}{x_i}-\min_i\log\frac{y_i}{x_i}

    Rows and columns may be rescaled at will, τ stays the same (G. Birkhoff 1957,
    E. Hopf 1963).

    >>> round(modbp.theory.birkhoff([[2, 1], [1, 2]]), 4)
    0.3333

    Parameters
    ----------
    A : array_like
        ``[rows, columns]``, non-negative, no zero column.

    Returns
    -------
    float : In [0, 1]; 1 as soon as two columns have different supports.
    """
    A = as_matrix(A, nonnegative=True, no_zero_column=True)
    support = A > 0
    if (support != support[:, [0]]).any():
        return 1.0
    farthest = _farthest(np.log(A[support[:, 0]]), lambda D: np.ptp(D, axis=0))
    return float(np.tanh(farthest / 4))


def overlap(M: ArrayLike, A: ArrayLike) -> float:
    r"""Return how much any two columns of the next factor share, weighted by lengths.

    .. math:: o = \min_{a\ne b}\frac{\sum_i a_ib_i\nu_i^2}
              {\bigl(\sum_i a_i\nu_i\bigr)\bigl(\sum_i b_i\nu_i\bigr)},
              \qquad \nu_i=\|v_i\|

    with columns v_i of M and a, b of A. Theorem A: 1 - s(MA) ≤ (1 - s(M)) (1 - o). With
    every ν_i put to one, this would be the published proof's error.

    >>> round(modbp.theory.overlap([[3, 0], [4, 1]], [[1, 0], [1, 2]]), 4)
    0.1667

    Parameters
    ----------
    M, A : array_like
        The product so far, ``[rows, k]``, and the next factor, ``[k, columns]``;
        non-negative, no zero column.

    Returns
    -------
    float : In [0, 1]; 0 exactly when two columns of A are orthogonal.
    """
    M, A = as_chain([M, A], nonnegative=True, no_zero_column=True)
    weighted = np.linalg.norm(M, axis=0)[:, None] * A
    weighted /= weighted.sum(axis=0)
    shared = weighted.T @ weighted
    # A single column has no partner: nothing can be wide, nothing need be shared.
    return float(shared[~np.eye(len(shared), dtype=bool)].min(initial=1.0))


def _farthest(A, size):
    """Return the largest size of a difference of two columns."""
    # As many columns at once as keep the differences in the processor's cache.
    step = max(1, 2**18 // A.size)
    starts = range(0, A.shape[1], step)
    found = (size(A[:, j : j + step, None] - A[:, None, j:]).max() for j in starts)
    return float(max(found))
