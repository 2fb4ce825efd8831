"""The simulation of appendix B: a chain of matrices shaped like VGG-16, output first.

A backward pass starts with some vectors at the logits and multiplies them by A_16,
A_15, …, A_1, where A_k is ``[in, out]``. A `Protocol` says what it starts with and what
is measured.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from modbp.errors import InputError
from modbp.theory.arrays import as_chain
from modbp.theory.protocols import PROTOCOLS, measure

__all__ = [
    "VARIANTS",
    "VGG16",
    "Variant",
    "alpha_beta_variants",
    "backward_pass",
    "simulate",
    "simulate_learned",
]

# Units per layer of VGG-16, input first; convolutions are taken as 1 × 1.
VGG16 = (3, 64, 64, 128, 128, *[256] * 3, *[512] * 6, 4096, 4096, 1000)


@dataclass(frozen=True)
class Variant:
    r"""One curve of figure 7: matrices :math:`\alpha W^+ + \beta W^-`, W normal.

    Attributes
    ----------
    alpha, beta : float
        The weights of :math:`W^+=\max(0,W)` and :math:`W^-=\min(0,W)`.
    relu : bool
        Whether the running vectors are clipped at zero after every multiplication.
    divide : {None, "inputs", "outputs"}
        Divide by sums: "outputs" as the 2020 code does for "stochastic" (every new
        entry is an average of old ones), "inputs" for column sums one, which is
        conservation.
    """

    alpha: float
    beta: float
    relu: bool = False
    divide: str | None = None


VARIANTS = {
    "vanilla": Variant(1, 1),
    "ReLU": Variant(1, 1, relu=True),
    "stochastic": Variant(1, -1, divide="outputs"),
    "positive": Variant(1, -1),
    "non-negative": Variant(1, 0),
}


def alpha_beta_variants(betas=(9, 4, 3, 2, 1, 0)):
    """Return the variants of figure 7b: α = β + 1, no ReLU.

    Parameters
    ----------
    betas : iterable of float
        The values of β; left out, those of the figure.

    Returns
    -------
    dict of str to Variant
    """
    return {f"α={beta + 1:g}, β={beta:g}": Variant(beta + 1, beta) for beta in betas}


def backward_pass(mats, start, relu=False):
    """Yield the running vectors: the start, then after each multiplication.

    Parameters
    ----------
    mats : list of array_like
        A_1, …, A_n, each ``[in, out]``; the last is multiplied first.
    start : array_like
        ``[outputs, vectors]``.
    relu : bool
        Whether to clip at zero after every multiplication (not the start).

    Yields
    ------
    numpy.ndarray
        ``[units, vectors]``, divided by a power of two, which changes no angle.

    Raises
    ------
    InputError
        If sizes do not fit, or an entry is not finite.
    """
    *mats, R = as_chain([*mats, start])
    yield R
    for A in reversed(mats):
        R = _next(A @ R, relu)
        yield R


def simulate_learned(
    mats, *, relu=False, protocol=PROTOCOLS["code"], vectors=32, repetitions=20, seed=0
):
    """Return the curve of given matrices; only the start vectors are drawn.

    Parameters
    ----------
    mats : list of array_like
        A_1, …, A_n, each ``[in, out]``: for a dense layer the transposed weight of
        torch.
    relu : bool
        Whether to clip at zero after every multiplication.
    protocol : Protocol
        What to start with and to measure.
    vectors, repetitions : int
        How many start vectors, how often.
    seed : int
        Of numpy's default generator.

    Returns
    -------
    numpy.ndarray
        ``[repetitions, len(mats) + 1]``: `measure` at the start and after each
        multiplication. The figure shows the median over repetitions; a ReLU may end in
        zero, and in NaN, hence ``np.nanmedian``.

    Raises
    ------
    InputError
        If the matrices do not fit, or more one-hot vectors are asked for than outputs.
    """
    mats, rng = as_chain(mats), np.random.default_rng(seed)
    outputs = mats[-1].shape[1]
    curves = []
    for _ in range(repetitions):
        start = _start(protocol, outputs, vectors, rng)
        curves.append([measure(R, protocol) for R in backward_pass(mats, start, relu)])
    return np.array(curves)


def simulate(
    variants=None,
    *,
    widths=VGG16,
    protocol=PROTOCOLS["code"],
    vectors=32,
    repetitions=20,
    seed=0,
    dtype=np.float64,
):
    """Return the curves of figure 7 for random matrices.

    All variants of a repetition share the same W and the same start: their curves may
    be compared point by point, and one draw of 25 million numbers serves them all.

    Parameters
    ----------
    variants : dict of str to Variant, optional
        Left out: `VARIANTS`, those of figure 7a with random matrices.
    widths : sequence of int
        Units per layer, input first.
    protocol : Protocol
        What to start with and to measure.
    vectors, repetitions : int
        How many start vectors, how often.
    seed : int
        Of numpy's default generator.
    dtype : dtype
        float64 as in the paper's code; float32 shows its floor.

    Returns
    -------
    dict of str to numpy.ndarray
        ``[repetitions, len(widths)]``: `measure` at the start and after each
        multiplication. The figure shows the median over repetitions; a ReLU may end in
        zero, and in NaN, hence ``np.nanmedian``.

    Raises
    ------
    InputError
        If there are fewer than two widths, or too few outputs for one-hot starts.
    """
    variants = VARIANTS if variants is None else variants
    widths = list(widths)
    if len(widths) < 2 or min(widths) < 1:
        raise InputError(
            f"widths {widths} make no chain. Give two positive ones or more."
        )
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


def _start(protocol, outputs, vectors, rng):
    if not protocol.one_hot:
        return rng.standard_normal((outputs, vectors))
    if vectors > outputs:
        raise InputError(
            f"{vectors} one-hot starts were asked for, with {outputs} outputs. "
            "Ask for fewer vectors."
        )
    return np.eye(outputs, vectors)


def _multiply(W, running, variants):
    """Return the next vectors of every variant, from one pair of large products."""
    plus, size = np.maximum(W, 0), np.abs(W)
    stacked = np.concatenate(
        [
            R / size.sum(axis=0)[:, None] if variant.divide == "inputs" else R
            for R, variant in zip(running, variants, strict=True)
        ],
        axis=1,
    )
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
    if relu:
        R = np.maximum(R, 0)
    # Without this float32 overflows on the way down VGG-16.
    return np.ldexp(R, -np.frexp(np.abs(R).max())[1])
