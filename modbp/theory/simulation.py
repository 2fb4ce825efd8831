"""The simulation of appendix B: a chain of matrices shaped like VGG-16, output first.

A backward pass starts with some vectors at the logits and multiplies them by A_16,
A_15, …, A_1, where A_k is ``[in, out]``. A `Protocol` says with which, and what counts.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from modbp.errors import check_flag, check_option, check_whole
from modbp.theory.arrays import (
    as_chain,
    as_list,
    as_matrix,
    directions,
    one_hots,
    rescaled,
)

__all__ = ["PROTOCOLS", "VARIANTS", "VGG16", "Protocol", "Variant"]
__all__ += ["alpha_beta_variants", "backward_pass", "measure"]
__all__ += ["simulate", "simulate_learned"]

# Units per layer of VGG-16, input first; convolutions are taken as 1 × 1.
VGG16 = (3, 64, 64, 128, 128, *[256] * 3, *[512] * 6, 4096, 4096, 1000)


@dataclass(frozen=True)
class Protocol:
    """What is started with, and what is made of the cosines between the vectors."""

    # Start with single logits, as the columns of the product do; or with N(0, 1).
    one_hot: bool
    # Take |cos|; count each vector's cosine with itself.
    absolute: bool
    diagonal: bool
    # Makes one number of the cosines.
    statistic: Callable


PROTOCOLS = {
    # Figure 7 as the 2020 code made it: signed start vectors, mean ``|cos|``.
    "code": Protocol(one_hot=False, absolute=True, diagonal=True, statistic=np.mean),
    # Figure 7 as the text describes it: the median over the columns of the product.
    "text": Protocol(one_hot=True, absolute=False, diagonal=False, statistic=np.median),
    # s_n, the quantity of the theorem.
    "theorem": Protocol(one_hot=True, absolute=False, diagonal=False, statistic=np.min),
}


@dataclass(frozen=True)
class Variant:
    """One curve of figure 7: matrices α max(0, W) + β min(0, W), W normal."""

    alpha: float
    beta: float
    # Clip the running vectors at zero after every multiplication.
    relu: bool = False
    # By sums: "outputs" as the 2020 code does for "stochastic" (every new entry is an
    # average of old ones), "inputs" for column sums one, which is conservation.
    divide: str | None = None


VARIANTS = {
    "vanilla": Variant(1, 1),
    "ReLU": Variant(1, 1, relu=True),
    "stochastic": Variant(1, -1, divide="outputs"),
    "positive": Variant(1, -1),
    "non-negative": Variant(1, 0),
}


def alpha_beta_variants(betas=(9, 4, 3, 2, 1, 0)):
    """Return the variants of figure 7b, a dict by name: α = β + 1, no ReLU."""
    return {f"α={beta + 1:g}, β={beta:g}": Variant(beta + 1, beta) for beta in betas}


def measure(R: ArrayLike, protocol: Protocol = PROTOCOLS["code"]) -> float:
    """Return one minus the protocol's similarity of the columns of R.

    >>> round(modbp.theory.measure([[1, 1], [0, 1]], modbp.theory.PROTOCOLS["text"]), 4)
    0.2929

    Parameters
    ----------
    R : array_like
        ``[units, vectors]``. Zero columns are left out, as the 2020 code does.
    protocol : Protocol
        Which cosines count, and what is made of them.

    Returns
    -------
    float : In [0, 2]; NaN if no pair is left. Its floor is the rounding of R's dtype.
    """
    _check_protocol(protocol)
    as_matrix(R, "R")
    # Not its float64 copy: float32 vectors are to show the floor of float32.
    R = np.asarray(R)
    R = R[:, R.any(axis=0)]
    if R.shape[1] < 2 - protocol.diagonal:
        return float("nan")
    C = directions(R)
    values = C[np.tril_indices(len(C), k=0 if protocol.diagonal else -1)]
    values = np.abs(values) if protocol.absolute else values
    return float(1 - protocol.statistic(values))


def backward_pass(mats, start, relu=False):
    """Yield the running vectors ``[units, vectors]``: the start, then after each step.

    The last of A_1, …, A_n is multiplied first; a ReLU clips after each step, and every
    result is divided by a power of two.
    """
    *mats, R = as_chain([*mats, start])
    yield R
    for A in reversed(mats):
        R = _next(A @ R, relu)
        yield R


def simulate_learned(
    mats: Iterable[ArrayLike],
    *,
    relu: bool = False,
    protocol: Protocol = PROTOCOLS["code"],
    vectors: int = 32,
    repetitions: int = 20,
    seed: int = 0,
) -> np.ndarray:
    """Return the curve of given matrices; only the start vectors are drawn.

    >>> modbp.theory.simulate_learned([[[2, 1], [1, 2]]] * 3, vectors=8).shape
    (20, 4)

    Parameters
    ----------
    mats : iterable of array_like
        A_1, …, A_n, each ``[in, out]``: for a dense layer, torch's weight transposed.
    relu : bool
        Whether to clip at zero after every multiplication.
    protocol, vectors, repetitions, seed : As in `simulate`.

    Returns
    -------
    numpy.ndarray : ``[repetitions, len(mats) + 1]``, as in `simulate`.
    """
    _check(protocol, vectors, repetitions, seed)
    check_flag("relu", relu)
    mats, rng = as_chain(mats), np.random.default_rng(seed)
    outputs = mats[-1].shape[1]
    curves = []
    for _ in range(repetitions):
        start = _start(protocol, outputs, vectors, rng)
        curves.append([measure(R, protocol) for R in backward_pass(mats, start, relu)])
    return np.array(curves)


def simulate(
    variants: dict[str, Variant] | None = None,
    *,
    widths: Sequence[int] = VGG16,
    protocol: Protocol = PROTOCOLS["code"],
    vectors: int = 32,
    repetitions: int = 20,
    seed: int = 0,
    dtype: DTypeLike = np.float64,
) -> dict[str, np.ndarray]:
    """Return the curves of figure 7 for random matrices.

    All variants of a repetition share the same W and the same start: their curves may
    be compared point by point, and one draw of 25 million numbers serves them all.

    >>> modbp.theory.simulate(widths=(8, 64, 64, 64), repetitions=3)["ReLU"].shape
    (3, 4)

    Parameters
    ----------
    variants : dict of str to Variant, optional
        Left out: `VARIANTS`, those of figure 7a with random matrices.
    widths : sequence of int
        Units per layer, input first; left out, those of VGG-16, `VGG16`.
    protocol : Protocol
        What to start with and to measure.
    vectors, repetitions, seed : int
        How many start vectors, how often, by which seed of numpy's default generator.
    dtype : dtype
        float64 as in the paper's code; float32 shows its floor.

    Returns
    -------
    dict of str to numpy.ndarray
        ``[repetitions, len(widths)]``: `measure` at the start and after each
        multiplication. The figure shows the median over repetitions; a ReLU may end in
        zero, and in NaN, hence ``np.nanmedian``.
    """
    _check(protocol, vectors, repetitions, seed)
    variants = VARIANTS if variants is None else variants
    is_table = isinstance(variants, Mapping) and variants
    is_table = is_table and all(isinstance(v, Variant) for v in variants.values())
    remedy = "give a dict of Variants by name, as in VARIANTS."
    check_option("variants", variants, lambda _: is_table, remedy)
    remedy = "float64 or float32 is needed."
    check_option("dtype", dtype, lambda d: np.dtype(d) in _PRECISIONS, remedy)
    remedy = "give two positive widths or more, as in (8, 64, 64)."
    widths = as_list(widths, "widths")
    is_whole = all(isinstance(n, Integral) and 1 <= n <= _MANY for n in widths)
    check_option("widths", widths, lambda _: is_whole and len(widths) > 1, remedy)
    rng = np.random.default_rng(seed)
    curves = np.empty((len(variants), repetitions, len(widths)))
    for repetition in range(repetitions):
        start = _start(protocol, widths[-1], vectors, rng).astype(dtype)
        running = [start] * len(variants)
        curves[:, repetition, 0] = measure(start, protocol)
        for k, (outputs, inputs) in enumerate(pairwise(reversed(widths)), 1):
            W = rng.standard_normal((inputs, outputs)).astype(dtype)
            running = _multiply(W, running, variants.values())
            curves[:, repetition, k] = [measure(R, protocol) for R in running]
    return dict(zip(variants, curves, strict=True))


_PRECISIONS = (np.float64, np.float32)
_MANY = 100_000  # more is a slip of the finger


def _check(protocol, vectors, repetitions, seed):
    _check_protocol(protocol)
    check_whole("vectors", vectors, 1, _MANY)
    check_whole("repetitions", repetitions, 1, _MANY)
    check_whole("seed", seed, 0)


def _check_protocol(protocol):
    is_one = isinstance(protocol, Protocol)
    remedy = "give a Protocol, as in PROTOCOLS['text']."
    check_option("protocol", protocol, lambda _: is_one, remedy)


def _start(protocol, outputs, vectors, rng):
    if protocol.one_hot:
        return one_hots(vectors, outputs)
    return rng.standard_normal((outputs, vectors))


def _multiply(W, running, variants):
    """Return the next vectors of every variant, from one pair of large products."""
    plus, size = np.maximum(W, 0), np.abs(W)
    into = [
        R / size.sum(axis=0)[:, None] if variant.divide == "inputs" else R
        for R, variant in zip(running, variants, strict=True)
    ]
    stacked = np.concatenate(into, axis=1)
    positive = np.split(plus @ stacked, len(variants), axis=1)
    negative = np.split((W - plus) @ stacked, len(variants), axis=1)
    out = []
    for variant, up, down in zip(variants, positive, negative, strict=True):
        R = variant.alpha * up + variant.beta * down
        if variant.divide == "outputs":
            R = R / size.sum(axis=1)[:, None]
        out.append(_next(R, variant.relu))
    return out


def _next(R, relu):
    # Without the scale float32 overflows on the way down VGG-16.
    return rescaled(np.maximum(R, 0) if relu else R)
