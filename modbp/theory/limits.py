"""What must be asked of the limit of a sequence, and of a matrix repeated for ever.

The graph of a square A ≥ 0 has an edge j → i where a_ij > 0: column j feeds row i.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from modbp.errors import InputError
from modbp.theory.arrays import as_matrix

__all__ = ["Component", "Mixing", "Structure", "left_perron", "mixing", "structure"]

# Spectral radii of irreducible blocks are simple eigenvalues, accurate to a few units
# in the last place; radii that differ by less than this count as equal.
TIE = 1e-9


@dataclass(frozen=True)
class Mixing:
    """Whether every two columns overlap; else the zero columns and orthogonal pairs."""

    zero: tuple
    orthogonal: tuple

    def __bool__(self):
        return not (self.zero or self.orthogonal)


@dataclass(frozen=True)
class Component:
    """A strongly connected class, and the spectral radius of its block.

    It is final if no edge leaves it, primitive if some power of its block is positive.
    """

    indices: tuple
    radius: float
    final: bool
    primitive: bool


@dataclass(frozen=True)
class Structure:
    """The classes of a square non-negative matrix, and what they decide."""

    components: tuple

    @property
    def radius(self):
        """The spectral radius of the matrix: the largest among its classes."""
        return max(component.radius for component in self.components)

    @property
    def final(self):
        """The final classes, a tuple of Component."""
        return tuple(c for c in self.components if c.final)

    @property
    def constant_converges(self):
        """Whether s_n → 1 for the constant sequence A, A, … .

        So it is if and only if there is one final class, it is primitive, and no other
        class has a larger radius. With an equal radius s_n needs polynomial time.
        """
        largest = self.radius * (1 - TIE)
        return self._one_primitive_final() and self.final[0].radius >= largest

    @property
    def condition_e(self):
        """Whether s_n → 1 for every sequence that tends to A (Theorem E).

        So it is if and only if there is one final class, it is primitive, and all other
        radii are smaller: some power is mixing, and the left Perron vector positive.
        """
        return self._one_primitive_final() and all(
            c.final or c.radius < self.final[0].radius * (1 - TIE)
            for c in self.components
        )

    def _one_primitive_final(self):
        return len(self.final) == 1 and self.final[0].primitive


def mixing(A: ArrayLike) -> Mixing:
    """Tell whether every two columns overlap, naming those that do not.

    This is what the published theorem asks of the limit; the literature calls such
    matrices scrambling. Zeros are taken exactly.

    >>> bool(modbp.theory.mixing([[1, 1], [0, 2]]))
    True

    Parameters
    ----------
    A : array_like
        ``[rows, columns]``, non-negative.

    Returns
    -------
    Mixing
        True or false; ``zero`` are the columns that are, ``orthogonal`` other pairs.
    """
    support = (as_matrix(A, nonnegative=True) > 0).astype(np.float64)
    zero = ~support.any(axis=0)
    disjoint = (support.T @ support == 0) & ~zero & ~zero[:, None]
    pairs = np.argwhere(np.triu(disjoint, k=1))
    return Mixing(
        tuple(np.flatnonzero(zero).tolist()), tuple(map(tuple, pairs.tolist()))
    )


def structure(A: ArrayLike) -> Structure:
    """Return the classes of a square non-negative matrix, and what they decide.

    Class: indices that reach each other along the edges j → i with a_ij > 0 (U. G.
    Rothblum, Algebraic eigenspaces of nonnegative matrices, 1975).

    >>> F2 = modbp.theory.structure([[1, 1], [0, 1]])
    >>> [each.indices for each in F2.components], F2.constant_converges, F2.condition_e
    ([(0,), (1,)], True, False)

    Parameters
    ----------
    A : array_like
        ``[size, size]``, non-negative.

    Returns
    -------
    Structure
        ``constant_converges``: whether s_n → 1 for A, A, …; ``condition_e``: for every
        sequence that tends to A (Theorem E). ``components``: the classes, each with its
        ``indices``, the spectral ``radius`` of its block, whether no edge leaves it,
        ``final``, and whether a power of the block is positive, ``primitive``.
    """
    A = as_matrix(A, nonnegative=True, square=True)
    reach = _reach(A)
    mutual = reach & reach.T
    components = []
    for j, indices in enumerate(map(np.flatnonzero, mutual)):
        if indices[0] == j:
            block = A[np.ix_(indices, indices)]
            radius = float(np.abs(np.linalg.eigvals(block)).max())
            final = not (reach[j] & ~mutual[j]).any()
            found = tuple(indices.tolist()), radius, final, _primitive(block > 0)
            components.append(Component(*found))
    return Structure(tuple(components))


def left_perron(A: ArrayLike) -> tuple[float, np.ndarray]:
    r"""Return the spectral radius and a left eigenvector of the largest support.

    .. math:: w^\top A = \rho\,w^\top,\qquad w\ge0,\quad \textstyle\sum_j w_j = 1

    A strictly positive one exists if and only if this one is. It tells which columns
    keep up with the product: those with w_j = 0 vanish against the others.

    >>> modbp.theory.left_perron([[1, 1], [0, 2]])
    (2.0, array([0., 1.]))

    Parameters
    ----------
    A : array_like
        ``[size, size]``, non-negative, of positive spectral radius.

    Returns
    -------
    radius, w : float, numpy.ndarray
        ρ(A), and w, ``[size]``, non-negative, of sum one.
    """
    A = as_matrix(A, nonnegative=True, square=True)
    classes, reach = structure(A), _reach(A)
    radius = classes.radius
    if radius == 0:
        raise InputError(
            "A is nilpotent: a power of it is zero, and no direction survives. Give "
            "matrices without zero columns."
        )
    vectors = []
    for top in classes.components:
        C = list(top.indices)
        upstream = [j for j in range(len(A)) if reach[j, C[0]] and j not in top.indices]
        rivals = (c for c in classes.components if c.indices[0] in upstream)
        # An eigenvector may grow from a class of largest radius only if everything that
        # feeds it is smaller, or the geometric series below diverges.
        if top.radius < radius * (1 - TIE) or any(
            rival.radius >= radius * (1 - TIE) for rival in rivals
        ):
            continue
        w = np.zeros(len(A))
        w[C] = _perron_vector(A[np.ix_(C, C)].T)
        if upstream:
            below = np.eye(len(upstream)) * radius - A[np.ix_(upstream, upstream)]
            w[upstream] = np.linalg.solve(below.T, A[np.ix_(C, upstream)].T @ w[C])
        vectors.append(w / w.sum())
    return radius, np.mean(vectors, axis=0)


def _reach(A):
    """Return whether j reaches i along edges, every index reaching itself."""
    reach = (A.T > 0) | np.eye(len(A), dtype=bool)
    for _ in range(max(len(A) - 1, 1).bit_length()):
        reach = _boolean_square(reach)
    return reach


def _primitive(support):
    # Wielandt: a primitive matrix of size k is positive from power k² - 2k + 2 on.
    for _ in range((len(support) ** 2 - 2 * len(support) + 2).bit_length()):
        support = _boolean_square(support)
    return bool(support.all())


def _boolean_square(S):
    S = S.astype(np.float64)
    return S @ S > 0


def _perron_vector(block):
    values, vectors = np.linalg.eig(block)
    # In a cycle several eigenvalues have the modulus ρ; ρ has the largest real part.
    return np.abs(vectors[:, values.real.argmax()].real)
