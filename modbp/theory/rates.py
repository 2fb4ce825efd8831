"""How fast a chain converges: exactly, and by the law cv²/N, a mean-field estimate.

Exact are the rate of one matrix, that of Gaussian matrices, and one identity behind
the law: for A with independent entries of variance σ², and d of sum zero, E‖Ad‖² = rows
· σ² ‖d‖². The rest assumes wide layers and independent weights. Random chains whose
weights have a density converge whatever their signs: what differs is the rate.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from modbp.errors import InputError, check_number, check_option, check_whole
from modbp.theory.arrays import as_matrix, as_vector
from modbp.theory.limits import structure

__all__ = ["contracting_gamma", "critical_beta", "cv_squared", "cv_squared_alpha_beta"]
__all__ += ["gamma_rate", "lyapunov_gap", "rate", "rate_law"]


def rate(A: ArrayLike) -> float:
    r"""Return the factor by which 1 - s_n shrinks per step of the sequence A, A, … .

    .. math:: \lim_{n\to\infty}(1-s_n)^{1/n}
              = \Bigl(\frac{|\lambda_2|}{\rho}\Bigr)^2

    with λ₂ the second largest eigenvalue by modulus. Where the `structure` of A has
    ``condition_e``, no sequence that tends to A is slower (Theorem E).

    >>> round(modbp.theory.rate([[2, 1], [1, 2]]), 12)
    0.111111111111

    Parameters
    ----------
    A : array_like
        ``[size, size]``, non-negative, no zero column, of powers whose columns tend to
        one direction: ``constant_converges`` of its `structure`.

    Returns
    -------
    float
        In [0, 1]: 0 if all columns of some power are parallel, 1 if 1 - s_n falls like
        a power of n.
    """
    A = as_matrix(A, nonnegative=True, no_zero_column=True, square=True)
    found = structure(A)
    if not found.constant_converges:
        raise InputError(
            "the columns of the powers of A do not tend to one direction, so there is "
            "no rate. Its `structure` has the classes that keep them apart."
        )
    blocks = (A[np.ix_(c.indices, c.indices)] for c in found.components)
    # Class by class, where eigenvalues are simple; those of A itself may be defective.
    sizes = np.sort(np.abs(np.concatenate([*map(np.linalg.eigvals, blocks)])))[::-1]
    return float((sizes[1] / sizes[0]) ** 2) if len(sizes) > 1 else 0.0


def lyapunov_gap(n: int) -> float:
    r"""Return how fast directions merge under signed Gaussian matrices, in nats.

    .. math:: \lambda_1-\lambda_2 = \tfrac12\Bigl(\psi\bigl(\tfrac n2\bigr)
              -\psi\bigl(\tfrac{n-1}2\bigr)\Bigr) \approx \frac1{2n}

    with ψ the digamma function: the gap of the two largest Lyapunov exponents of
    independent n × n matrices of independent normal entries (C. M. Newman, The
    distribution of Lyapunov exponents, 1986). The angle between two lines falls by this
    per layer, and :math:`\log(1-|\cos|)` by twice as much: too slow at the depth of a
    network, and certain.

    >>> round(modbp.theory.lyapunov_gap(8), 4)
    0.0765

    Parameters
    ----------
    n : int
        Number of rows and columns, at least 2.

    Returns
    -------
    float : Above 0; nats per layer.
    """
    from scipy.special import digamma  # heavy: the door of the theory opens without it

    check_whole("n", n, 2)
    return float(digamma(n / 2) - digamma((n - 1) / 2)) / 2


def cv_squared(A: ArrayLike) -> float:
    r"""Return the squared coefficient of variation of a matrix's entries.

    .. math:: \mathrm{cv}^2 = \operatorname{var}(a_{ij}) / \operatorname{mean}(a_{ij})^2

    >>> modbp.theory.cv_squared([[1, 3]])
    0.25

    Parameters
    ----------
    A : array_like
        ``[rows, columns]``.

    Returns
    -------
    float : At least 0; infinite if the mean is zero.
    """
    A = as_matrix(A)
    return float(A.var() / A.mean() ** 2) if A.mean() else float("inf")


def cv_squared_alpha_beta(alpha: float, beta: float) -> float:
    r"""Return cv² of the entries of :math:`\alpha W^+ + \beta W^-`, W standard normal.

    .. math:: \mathrm{cv}^2 = \pi\,\frac{\alpha^2+\beta^2}{(\alpha-\beta)^2} - 1

    >>> [round(modbp.theory.cv_squared_alpha_beta(b + 1, b), 2) for b in (0, 1, 2)]
    [2.14, 14.71, 39.84]

    Parameters
    ----------
    alpha, beta : float
        (1, -1) is ``|W|``, (1, 0) is max(0, W).

    Returns
    -------
    float : At least π/2 - 1; infinite for α = β.
    """
    for name, value in (("alpha", alpha), ("beta", beta)):
        check_number(name, value, np.isfinite, "give a finite number.")
    if alpha == beta:
        return float("inf")
    return float(np.pi * (alpha**2 + beta**2) / (alpha - beta) ** 2 - 1)


def rate_law(widths: Sequence[int], cv2: float) -> np.ndarray:
    r"""Return the predicted log₁₀(1 - cos) after each multiplication, from one-hots.

    With κ the share of the constant component in ‖r‖², starting from 1/N, and N' the
    dimension after the multiplication,

    .. math::
        \frac{1-\cos_{\text{after}}}{1-\cos_{\text{before}}}
            = \frac{\mathrm{cv}^2}{\kappa N+\mathrm{cv}^2},\qquad
        \kappa_{\text{after}}
            = \frac{\kappa N+\mathrm{cv}^2/N'}{\kappa N+\mathrm{cv}^2}.

    Once κ is near one this is cv²/N. If cv² exceeds N, κ stays near 1/N and the factor
    near one: about 1/N is lost per layer, too little to matter at the depth of a
    network, and less than this estimate can tell. (`lyapunov_gap` is exact there.)

    >>> modbp.theory.rate_law([512] * 4, 2).round(2)
    array([-0.18, -2.11, -4.52, -6.93])

    Parameters
    ----------
    widths : sequence of int
        The dimension N summed over in each multiplication, in the order of the pass.
    cv2 : float
        Squared coefficient of variation of the weights.

    Returns
    -------
    numpy.ndarray : ``[len(widths)]``.
    """
    widths = as_vector(widths, "widths")
    check_option("widths", widths, lambda w: w.min() >= 1, "give positive ones.")
    check_number("cv2", cv2, lambda c: c >= 0, "give a cv² that is not negative.")
    cv2 = float(cv2)
    if np.isinf(cv2):
        return np.zeros(len(widths))
    share, gap, out = 1 / widths[0], 0.0, []
    with np.errstate(divide="ignore"):
        # Of the last multiplication no share is needed.
        for N, rows in pairwise([*widths, 1]):
            gap += np.log10(cv2 / (share * N + cv2))
            share = (share * N + cv2 / rows) / (share * N + cv2)
            out.append(gap)
    return np.array(out)


def critical_beta(width: int) -> float:
    r"""Return the β from which on α W⁺ + β W⁻ with α = β + 1 is too slow: cv² = N.

    .. math:: \beta = \tfrac12\Bigl(\sqrt{\tfrac{2(N+1)}\pi-1}-1\Bigr)

    There the rate log(N/cv²) gives way to one of about 1/N per layer: such chains still
    converge, but not at the depth of a network.

    >>> round(modbp.theory.critical_beta(512), 2)
    8.52

    Parameters
    ----------
    width : int
        N, the dimension summed over, at least 3.

    Returns
    -------
    float : At least 0.
    """
    remedy = (
        "below 3 even β = 0 is too slow, as cv² = π - 1 exceeds it: give 3 or more."
    )
    check_number("width", width, lambda n: 3 <= n < np.inf, remedy)
    return float((np.sqrt(2 * (width + 1) / np.pi - 1) - 1) / 2)


def gamma_rate(gamma: float, width: int) -> float:
    r"""Return the factor by which LRP-γ shrinks 1 - cos per layer of a random ReLU net.

    .. math::
        f(\gamma,N) = \Bigl[\tfrac{(1+\gamma)^2+1}2-\tfrac{\gamma^2}{2\pi}\Bigr]\;
        \mathsf E_{z\sim|N(0,1)|}\Bigl(\frac z{z+\gamma\sqrt{2N}/2\pi}\Bigr)^2

    Mean field, for He-initialised square layers without bias, and rates that are well
    above 1/N per layer; its ends are f(0) = 1, which is a rate below what it can tell,
    and f(∞) = π(π-1)/N.

    >>> [round(modbp.theory.gamma_rate(g, 512), 3) for g in (0.25, 1, 4)]
    [0.183, 0.054, 0.022]

    Parameters
    ----------
    gamma : float
        In [0, ∞].
    width : int
        The number N of units of a layer.

    Returns
    -------
    float : In (0, 1] for wide layers.
    """
    check_number("gamma", gamma, lambda g: g >= 0, "γ ≥ 0 is needed.")
    check_number("width", width, lambda n: 1 <= n < np.inf, "a width ≥ 1 is needed.")
    gamma, width = float(gamma), float(width)
    if np.isinf(gamma):
        return float(np.pi * (np.pi - 1) / width)
    weight = ((1 + gamma) ** 2 + 1) / 2 - gamma**2 / (2 * np.pi)
    # Beyond 9 standard deviations lies 1e-18 of the mass.
    z = np.linspace(0, 9, 20_001)[1:]
    density = np.sqrt(2 / np.pi) * np.exp(-(z**2) / 2)
    ratio = z / (z + gamma * np.sqrt(2 * width) / (2 * np.pi))
    return float(weight * np.sum(density * ratio**2) * (z[1] - z[0]))


def contracting_gamma(delta: float) -> float:
    r"""Return the γ from which on LRP-γ must contract, given δ of the z⁺ matrix.

    .. math:: \delta(B)\le\delta(Z^+)+2\max_j\nu_j<1\quad\text{whenever}\quad
              \gamma\ge\frac2{1-\delta(Z^+)}

    >>> round(modbp.theory.contracting_gamma(1 / 3), 12)
    3.0

    Parameters
    ----------
    delta : float
        δ(Z⁺) in [0, 1).

    Returns
    -------
    float : At least 2. Sufficient, far from necessary.
    """
    remedy = (
        "0 ≤ δ(Z⁺) < 1 is needed. At 1 two columns are orthogonal: group layers until "
        "every two columns overlap."
    )
    check_number("delta", delta, lambda d: 0 <= d < 1, remedy)
    return float(2 / (1 - delta))
