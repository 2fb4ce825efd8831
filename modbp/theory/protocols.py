"""What the simulation of appendix B measures: three readings of one figure."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from modbp.theory.arrays import as_matrix

__all__ = ["PROTOCOLS", "Protocol", "measure"]


@dataclass(frozen=True)
class Protocol:
    """What is started with, and what is made of the cosines between the vectors.

    Attributes
    ----------
    one_hot : bool
        Start with single logits, so that the vectors are columns of the product; or
        else with independent N(0, 1) vectors, signs included.
    absolute, diagonal : bool
        Take ``|cos|``; count each vector's cosine with itself.
    statistic : callable
        Makes one number of the cosines.
    """

    one_hot: bool
    absolute: bool
    diagonal: bool
    statistic: Callable


PROTOCOLS = {
    # Figure 7 as the 2020 code made it: signed start vectors, mean ``|cos|``.
    "code": Protocol(one_hot=False, absolute=True, diagonal=True, statistic=np.mean),
    # Figure 7 as the text describes it: the median over the columns of the product.
    "text": Protocol(one_hot=True, absolute=False, diagonal=False, statistic=np.median),
    # s_n, the quantity of the theorem.
    "theorem": Protocol(one_hot=True, absolute=False, diagonal=False, statistic=np.min),
}


def measure(R, protocol=PROTOCOLS["code"]):
    """Return one minus the protocol's similarity of the columns of R.

    Parameters
    ----------
    R : array_like
        ``[units, vectors]``. Zero columns are left out, as the 2020 code does.
    protocol : Protocol
        Which cosines count, and what is made of them.

    Returns
    -------
    float
        In [0, 2]; NaN if no pair is left. Its floor is the rounding of R's dtype.

    Raises
    ------
    InputError
        If R is not a finite matrix.
    """
    as_matrix(R, "R")
    # Not its float64 copy: float32 vectors are to show the floor of float32.
    R = np.asarray(R)
    R = R[:, R.any(axis=0)]
    unit = R / np.linalg.norm(R, axis=0)
    C = np.clip(unit.T @ unit, -1, 1)
    values = C[np.tril_indices(len(C), k=0 if protocol.diagonal else -1)]
    if not values.size:
        return float("nan")
    return float(
        1 - protocol.statistic(np.abs(values) if protocol.absolute else values)
    )
