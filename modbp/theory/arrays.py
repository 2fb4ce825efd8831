"""What a matrix must be before the theory speaks about it, and what all of it needs."""

from fractions import Fraction
from numbers import Integral, Rational, Real

import numpy as np

from modbp.errors import InputError, check_option

__all__ = ["as_chain", "as_exact", "as_list", "as_matrix", "as_stack", "as_vector"]
__all__ += ["directions", "is_exact", "one_hots", "rescaled"]


def as_matrix(
    value, name="A", *, nonnegative=False, no_zero_column=False, square=False
):
    """Return `value` as a finite float64 matrix ``[rows, columns]``, or refuse it.

    Torch tensors without gradient are taken too. Not a copy where none is needed.
    """
    A = _finite(value, name, 2)
    if nonnegative and A.min() < 0:
        raise InputError(
            f"{name} has {np.sum(A < 0)} negative entries (the smallest is "
            f"{A.min():.3g}), but this statement is about non-negative matrices. Take "
            "the positive part, or a statement that allows signs (column sums one)."
        )
    if no_zero_column and not A.any(axis=0).all():
        zero = np.flatnonzero(~A.any(axis=0))
        tail = f" … ({len(zero)} in all)" if len(zero) > 8 else ""
        raise InputError(
            f"{name} has zero columns: {', '.join(map(str, zero[:8]))}{tail}. Their "
            "angles are undefined: drop these columns, and the rows of the same index "
            "in the next matrix. (Columns that became zero in a long product: take "
            "`gauge(mats)` first, it keeps every column's sum at one.)"
        )
    if square and A.shape[0] != A.shape[1]:
        raise InputError(
            f"{name} is {A.shape[0]}×{A.shape[1]}, but only a square one has powers. "
            "For changing sizes use a statement about chains (Theorems A, B, C)."
        )
    return A


def is_exact(value):
    """Say whether `value` holds only integers and fractions."""
    try:
        entries = np.asarray(value, dtype=object).ravel()
    # Ragged lists and tensors with a gradient; as_matrix says what is wrong with them.
    except (TypeError, ValueError, RuntimeError):
        return False
    return all(isinstance(entry, Rational) for entry in entries)


def as_exact(value, name="A", **required):
    """Return `value` as a matrix of fractions, floats at their exact value.

    The options are those of `as_matrix`; entries may be as large as one likes.
    """
    try:
        entries = np.asarray(value, dtype=object)
        if not all(isinstance(entry, Real) for entry in entries.ravel()):
            raise TypeError("there are other things than numbers in it")
        out = np.reshape([Fraction(x) for x in entries.ravel()], entries.shape)
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise InputError(
            f"{name} is not an array of finite real numbers ({error}). Give integers, "
            "fractions, or floats, which count at their exact value."
        ) from error
    # Only what float64 can hold is looked at: elsewhere the sign is enough.
    signs = np.sign(out) * np.clip(np.abs(out), Fraction(1e-300), Fraction(1e300))
    as_matrix(np.asarray(signs, dtype=np.float64), name, **required)
    return out


def as_vector(value, name="x"):
    """Return `value` as a finite float64 vector ``[size]``, or refuse it."""
    return _finite(value, name, 1)


def as_stack(value, name="A"):
    """Return a matrix, or one for each of many chains ``[chains, rows, columns]``."""
    return _finite(value, name, 2, 3)


def as_chain(mats, name="A", read=as_matrix, **required):
    """Return a list of matrices A_1, A_2, … whose sizes fit, or say which do not.

    Every factor is as `read` makes it, with the options `required` of `as_matrix`.
    """
    mats = as_list(mats, "a chain")
    if not mats:
        raise InputError("the chain is empty. Give at least one matrix: [A_1, …].")
    mats = [read(A, f"{name}_{k}", **required) for k, A in enumerate(mats, 1)]
    for k, (left, right) in enumerate(zip(mats, mats[1:], strict=False), 1):
        if left.shape[1] != right.shape[0]:
            raise InputError(
                f"{name}_{k} has {left.shape[1]} columns but {name}_{k + 1} has "
                f"{right.shape[0]} rows. The product is {name}_1 {name}_2 …, with "
                f"{name}_1 next to the input: transpose them, or reverse the list."
            )
    return mats


def as_list(value, name):
    """Return what can be gone through as a list, or refuse it."""
    try:
        if isinstance(value, (str, bytes)):
            raise TypeError("a text")
        return list(value)
    except TypeError as error:
        raise InputError(
            f"{name} is a list, one entry per layer, not {type(value).__name__}. Give "
            "[A_1, A_2, …], with A_1 next to the input."
        ) from error


def rescaled(M, axis=None):
    """Divide by the power of two that brings the largest entry into [½, 1).

    No bit of any angle changes, and squares stay inside the range of the dtype.
    """
    return np.ldexp(M, -np.frexp(np.abs(M).max(axis=axis))[1])


def directions(M):
    """Return the cosines of each two columns of M, none of them zero, in its dtype."""
    unit = rescaled(M, axis=0)
    unit = unit / np.linalg.norm(unit, axis=0)
    return np.clip(unit.T @ unit, -1, 1)


def one_hots(vectors, outputs):
    """Return the first `vectors` outputs as start vectors ``[outputs, vectors]``."""
    remedy = f"there are {outputs} outputs: ask for at least two and at most that many."
    is_whole = isinstance(vectors, Integral)
    check_option("vectors", vectors, lambda n: is_whole and 2 <= n <= outputs, remedy)
    return np.eye(outputs, vectors)


def _finite(value, name, *dimensions):
    try:
        if np.iscomplexobj(value):
            raise TypeError("its numbers are complex")
        array = np.asarray(value, dtype=np.float64)
    # A tensor that carries a gradient raises RuntimeError here.
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise InputError(
            f"{name} is not an array of real numbers ({error}). Give a list, a numpy "
            "array or a detached tensor."
        ) from error
    if array.ndim not in dimensions or not array.size:
        wanted = " or ".join(map(str, dimensions))
        raise InputError(
            f"{name} has shape {list(array.shape)}, but {wanted} dimensions are "
            "needed, none of them empty."
        )
    if not np.isfinite(array).all():
        bad = np.argwhere(~np.isfinite(array))
        raise InputError(
            f"{name} has {len(bad)} entries that are NaN or infinite, the first at "
            f"{bad[0].tolist()}. Remove them at their source."
        )
    return array
