"""Products M_n = A_1 A_2 … A_n: rescaled, in a gauge, and where they nearly agree."""

from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate
from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike

from modbp.errors import InputError, check_option
from modbp.theory.arrays import as_chain, as_list, as_stack, one_hots, rescaled

__all__ = ["active_chain", "conserving", "differences", "gaps", "gauge", "log_sines"]
__all__ += ["products"]

# Columns that were divided by their sums in float64 miss one by far less than this;
# columns that were never normalised miss it by far more.
SUM_TOLERANCE = 1e-9


def products(mats: Iterable[ArrayLike]) -> list[np.ndarray]:
    r"""Return M_1, M_2, …, each divided by one common scalar.

    .. math:: M_n = 2^{-e_n}\,A_1A_2\cdots A_n

    The scalar is a power of two, so that no bit of any angle changes. Columns are never
    normalised one by one: their lengths are the weights of the next step, and to forget
    them is the error in the published proof.

    >>> modbp.theory.products([[[1, 1], [0, 2]]] * 2)[-1] * 8
    array([[1., 3.],
           [0., 4.]])

    Parameters
    ----------
    mats : iterable of array_like
        A_1 (next to the input), A_2, …; sizes fit, any signs.

    Returns
    -------
    list of numpy.ndarray
        M_n has the rows of A_1 and the columns of A_n; its largest entry is in [½, 1).
    """
    mats = map(rescaled, as_chain(mats))
    return list(accumulate(mats, lambda M, A: rescaled(M @ A)))


def gauge(mats: Iterable[ArrayLike]) -> list[np.ndarray]:
    r"""Return the column-stochastic chain whose products have the same angles.

    .. math::
        A'_k = D_{k-1}A_kD_k^{-1},\qquad
        D_k = \operatorname{diag}(\mathbf 1^\top A_1\cdots A_k)

    so that :math:`A'_1\cdots A'_n = M_nD_n^{-1}`: columns are rescaled, nothing else.
    For weights :math:`W_k=A_k^\top` these are the matrices of LRP-z⁺ at the input 𝟏.

    >>> modbp.theory.gauge([[[1, 1], [0, 3]]])
    [array([[1.  , 0.25],
           [0.  , 0.75]])]

    Parameters
    ----------
    mats : iterable of array_like
        Non-negative, no zero columns, sizes fit.

    Returns
    -------
    list of numpy.ndarray
        A'_1, A'_2, … of the same shapes, non-negative, columns sum to one.
    """
    mats, out = as_chain(mats, nonnegative=True, no_zero_column=True), []
    # Logarithms, because the entries of D_k may drift apart without bound: in the
    # counterexamples they do so exponentially, and 0/0 would follow.
    log_d = np.zeros(mats[0].shape[0])
    for A in mats:
        with np.errstate(divide="ignore"):
            log = np.log(A) + log_d[:, None]
        top = log.max(axis=0)
        A = np.exp(log - top)
        total = A.sum(axis=0)
        log_d = top + np.log(total)
        out.append(A / total)
    return out


def conserving(mats):
    """Return a chain whose columns sum to one: `mats` itself, or else its gauge."""
    mats = as_chain(mats, no_zero_column=True)
    return mats if _conserves(mats) else gauge(mats)


def gaps(
    mats: Iterable[ArrayLike],
    *,
    backward: int | ArrayLike | None = None,
    statistic: Callable = np.max,
) -> np.ndarray:
    r"""Return log₁₀(1 - cos) after every multiplication, however small it gets.

    Columns of sum one are :math:`u_j=c+\varepsilon g_j`. The g_j are propagated by
    themselves, rescaled, with log ε beside them, so that nothing cancels; for the unit
    vectors :math:`\hat u_j=\hat c+\varepsilon h_j`,

    .. math:: 1-\cos(u_i,u_j) = \tfrac12\varepsilon^2\|h_i-h_j\|^2 .

    >>> print(modbp.theory.gaps([[[2, 1], [1, 2]]] * 1000)[[9, 999]].round(2).tolist())
    [-9.24, -953.94]

    Parameters
    ----------
    mats : iterable of array_like
        Non-negative, or any signs with column sums one. Zero columns only in a backward
        pass, where they mean no more than a unit without influence.
    backward : int or array_like, optional
        Left out: the theorem's direction, M_1, M_2, … . A number: a backward pass from
        that many one-hot outputs, A_n, A_(n-1)A_n, …, at every layer down to the input.
        An array ``[outputs, starts]``: the same from its non-negative columns.
    statistic : callable
        Makes one number of log₁₀(1 - cos) of all pairs i < j: ``np.max`` gives
        log₁₀(1 - s_n), ``np.median`` the typical pair.

    Returns
    -------
    numpy.ndarray
        One number per multiplication. Columns that become parallel in one step, by a
        factor of rank one, show as -inf, or as a drop of 30 decades by rounding.
    """
    check_option("statistic", statistic, callable, "give a function, as in np.max.")
    if backward is None:
        steps = differences(conserving(mats))
    else:
        mats = as_chain(mats)
        _conserves(mats)
        if not isinstance(backward, Integral):
            required = {"nonnegative": True, "no_zero_column": True}
            (start,) = as_chain([backward], "start", **required)
        else:
            start = one_hots(backward, outputs=mats[-1].shape[1])
        steps = _backward_steps(mats, start)
    return np.array([statistic(_pairs(*step)) for step in steps])


def log_sines(mats: Iterable[ArrayLike]) -> np.ndarray:
    r"""Return log sin of the angle between the lines of two outputs, layer by layer.

    .. math:: \log\sin\angle(B_n\cdots B_1e_1,\;B_n\cdots B_1e_2)

    An orthonormal basis q, p of the plane of both vectors goes through the layers, with
    q along the first, and in it the cotangent of the second one's angle. For
    :math:`Bq = \alpha q'` and :math:`Bp = \beta q' + \gamma p'` it becomes
    :math:`(\alpha\cot\theta+\beta)/\gamma`, so that nothing cancels, whatever the
    signs, down to angles of 1e-308.

    >>> round(float(modbp.theory.log_sines([[[2, 1], [1, 2]]] * 600)[-1]), 3)
    -658.474

    Parameters
    ----------
    mats : iterable of array_like
        B_1, B_2, …, any signs, in the order in which a backward pass applies them, the
        one at the outputs first: ``[rows, columns]``, of at least two rows and columns,
        or ``[chains, rows, columns]`` for many chains at once.

    Returns
    -------
    numpy.ndarray
        ``[layers]`` or ``[layers, chains]``, at most 0; -inf from where both lines are
        one, and NaN from where nothing is left of them.
    """
    # Many chains may come layer by layer, where all of them do not fit in memory.
    mats = mats if isinstance(mats, Iterator) else as_list(mats, "a chain")
    Q, cotangent, out = None, 0.0, []
    for k, B in enumerate(mats, 1):
        B = as_stack(B, f"B_{k}")
        Q = np.eye(B.shape[-1], 2) if Q is None else Q
        fits = min(B.shape[-2:]) > 1 and B.shape[-1] == Q.shape[-2]
        remedy = (
            "every two lines need two rows and columns at least, and a layer as many "
            "columns as the one above it has rows."
        )
        check_option(f"B_{k}", B.shape, lambda _, fits=fits: fits, remedy)
        Q, S = np.linalg.qr(B @ Q)
        with np.errstate(divide="ignore", invalid="ignore"):
            cotangent = (S[..., 0, 0] * cotangent + S[..., 0, 1]) / S[..., 1, 1]
            out.append(-np.logaddexp(0, 2 * np.log(np.abs(cotangent))) / 2)
    if not out:
        raise InputError("the chain is empty. Give at least one matrix: [B_1, …].")
    return np.array(out)


def differences(mats):
    """Yield c, G, log ε with columns c + ε g_j of A_1 ⋯ A_n, whose sums are one."""
    c, G, log_scale = np.zeros(len(mats[0])), None, 0.0
    for A in mats:
        G = A if G is None else G @ A
        mean = G.mean(axis=1)
        c = c + np.exp(log_scale) * mean
        G, log_scale = _normalised(G - mean[:, None], log_scale)
        yield c, G, log_scale


def active_chain(mats: Iterable[ArrayLike]) -> list[np.ndarray]:
    """Return a chain of backward matrices without its inactive units.

    A zero column of B_t is left out, and so is that row of B_(t+1). Where active units
    conserve relevance, all columns that are left sum to one, as Theorem B asks.

    >>> modbp.theory.active_chain([[[1, 0], [0, 0]], [[2], [5]]])
    [array([[1.],
           [0.]]), array([[2.]])]

    Parameters
    ----------
    mats : iterable of array_like
        B_1, …, B_T, each ``[in, out]``, with some unit active in every layer.

    Returns
    -------
    list of numpy.ndarray : The same matrices, each ``[active in, active out]``.
    """
    mats = as_chain(mats, "B")
    for k, B in enumerate(mats):
        alive = B.any(axis=0)
        if not alive.any():
            raise InputError(
                f"B_{k + 1} is zero: no unit is active. Choose another input."
            )
        mats[k] = B[:, alive]
        if k + 1 < len(mats):
            mats[k + 1] = mats[k + 1][alive]
    return mats


def _conserves(mats):
    """Say whether all columns sum to one; refuse signs in a chain where they do not."""
    if all(np.abs(A.sum(axis=0) - 1).max() <= SUM_TOLERANCE for A in mats):
        return True
    if min(A.min() for A in mats) < 0:
        raise InputError(
            "the chain has negative entries and its columns do not sum to one. Divide "
            "signed columns by their sums (relevance conservation); only non-negative "
            "chains can be brought there by `gauge`."
        )
    return False


def _backward_steps(mats, start):
    """Yield c, G, log ε with columns c + ε g_j of A_k ⋯ A_n start, of sum one."""
    start = start / start.sum(axis=0)
    c = start.mean(axis=1)
    G, log_scale = _normalised(start - c[:, None], 0.0)
    for k, A in reversed(list(enumerate(mats, 1))):
        c, G = A @ c, A @ G
        total, drift = c.sum(), G.sum(axis=0)
        sums = total + np.exp(log_scale) * drift
        if not (sums > 1e-12 * total).all():
            raise InputError(
                f"a vector is zero after the multiplication by A_{k}: it has no angle. "
                "Choose other start vectors."
            )
        # (c + ε g_j) / (total + ε drift_j) - c / total, without that difference.
        c = c / total
        G, log_scale = _normalised((G - np.outer(c, drift)) / sums, log_scale)
        yield c, G, log_scale


def _normalised(G, log_scale):
    # Frobenius: it is cheap, and smooth in G.
    size = np.linalg.norm(G)
    return (G / size, log_scale + np.log(size)) if size else (G, log_scale)


def _pairs(c, G, log_scale):
    """Return log₁₀(1 - cos) for all pairs of the columns c + ε g_j."""
    if G.shape[1] < 2:
        raise InputError("only one column is left: there is no angle to measure.")
    scale, size = np.exp(log_scale), np.linalg.norm(c)
    U = c[:, None] + scale * G
    lengths = np.linalg.norm(U, axis=0)
    # (|u_j| - |c|) / ε, again without a difference of nearly equal numbers.
    excess = np.sum(G * (c[:, None] + U), axis=0) / (lengths + size)
    H = (G - np.outer(c / size, excess)) / lengths
    squares = np.sum(H**2, axis=0)
    chords = squares[:, None] + squares - 2 * H.T @ H
    upper = np.maximum(chords[np.triu_indices(len(chords), k=1)], 0)
    with np.errstate(divide="ignore"):
        return np.log10(upper / 2) + 2 * log_scale / np.log(10)
