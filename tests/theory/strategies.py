"""Random matrices for the property tests of the theory: small, with exact zeros."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st


def holds_for(*strategies, examples=30):
    """Try a property on examples that are the same in every run.

    Delete ``derandomize`` for a while to hunt for new ones.
    """
    chosen = settings(max_examples=examples, deadline=None, derandomize=True)
    return lambda test: chosen(given(*strategies)(test))


# Either zero, or far from underflow: the theorems are about real numbers.
ENTRIES = st.one_of(st.just(0.0), st.floats(1e-3, 10.0))


@st.composite
def matrices(draw, rows=None, columns=None, entries=ENTRIES):
    """A matrix of 2 to 5 rows and columns without zero columns."""
    rows = rows or draw(st.integers(2, 5))
    columns = columns or draw(st.integers(2, 5))
    flat = draw(st.lists(entries, min_size=rows * columns, max_size=rows * columns))
    A = np.array(flat).reshape(rows, columns)
    A[0, ~A.any(axis=0)] = 1.0
    return A


@st.composite
def chains(draw, length=None, entries=ENTRIES, square=False):
    """A chain of 2 to 5 matrices whose sizes fit."""
    length = length or draw(st.integers(2, 5))
    sizes = [draw(st.integers(2, 5)) for _ in range(1 if square else length + 1)]
    sizes = sizes * (length + 1) if square else sizes
    return [
        draw(matrices(rows, columns, entries))
        for rows, columns in zip(sizes, sizes[1:], strict=False)
    ][:length]


def stochastic(A):
    """Divide every column by its sum."""
    return A / A.sum(axis=0)


def conserving(A):
    """Shift the first row of a signed matrix so that all columns sum to one."""
    A = A.copy()
    A[0] += 1 - A.sum(axis=0)
    return A


SIGNED = st.floats(-3.0, 3.0).map(lambda x: round(x, 3))
