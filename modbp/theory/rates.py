"""How fast a random chain converges: the law cv²/N, a mean-field estimate.

One identity is exact: for A with independent entries of variance σ², and d of sum zero,
E‖Ad‖² = rows · σ² ‖d‖². The rest assumes wide layers and independent weights.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from modbp.errors import check_number, check_option
from modbp.theory.arrays import as_matrix, as_vector

__all__ = ["contracting_gamma", "critical_beta", "cv_squared", "cv_squared_alpha_beta"]
__all__ += ["gamma_rate", "rate_law"]


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

    With κ the share of the constant component in ‖r‖², starting from 1/N,

    .. math::
        \frac{1-\cos_{\text{after}}}{1-\cos_{\text{before}}}
            = \frac{\mathrm{cv}^2}{\kappa N+\mathrm{cv}^2},\qquad
        \kappa_{\text{after}} = \frac{\kappa N}{\kappa N+\mathrm{cv}^2}.

    Once κ is near one this is cv²/N. If cv² exceeds N, the factor it predicts tends to
    one: at the depth of a network such chains hardly converge.

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
        for N in widths:
            gap += np.log10(cv2 / (share * N + cv2))
            share = share * N / (share * N + cv2)
            out.append(gap)
    return np.array(out)


def critical_beta(width: int) -> float:
    r"""Return the β from which on α W⁺ + β W⁻ with α = β + 1 is too slow: cv² = N.

    .. math:: \beta = \tfrac12\Bigl(\sqrt{\tfrac{2(N+1)}\pi-1}-1\Bigr)

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
    above 1/N per layer; its ends are f(0) = 1 and f(∞) = π(π-1)/N.

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
