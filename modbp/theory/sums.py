"""Why the sum of the criterion is finite or infinite for each counterexample.

A block goes from layer p + 1 to layer q = p + r, and D_k has the column sums of M_k on
its diagonal. The texts are for a page, with formulas between dollars.
"""

from fractions import Fraction

__all__ = ["DECIDED"]

_F1 = r"""
$A^r = \begin{pmatrix}1&2^r-1\\0&2^r\end{pmatrix}$, so $D_k = \operatorname{diag}(1,
2^{k+1}-1)$, and the columns of the block $D_pA^rD_q^{-1}$ share
$\frac{2^r-1}{2^{q+1}-1} \le 2^{-(p+1)}$. Blocks start at different $p = 0, 1, \dots$,
so for every grouping the sum is at most $\sum_{p\ge0}2^{-(p+1)} = 1$."""
_F2 = r"""
$M_k = \begin{pmatrix}1&k\\0&1\end{pmatrix}$, so $D_k = \operatorname{diag}(1, k+1)$
and $A_k' = D_{k-1}A_kD_k^{-1}$ has the columns $(1, 0)$ and $(1, k)/(k+1)$. They
share $\frac1{k+1}$, and the harmonic series is infinite."""
_F3 = r"""
Two columns $e_1$, $e_2$ stay apart, $A(e_1-e_2) = 2(e_1-e_2)$, and $M_k$ has the
column sums $d_k = 2^{k+1}-1$ there. So the first two columns of a block differ by
$2^r \frac{d_p}{d_q}(e_1-e_2)$, and $1-\delta \le 1-\frac{x_p}{x_q} \le x_q-x_p$ with
$x_k = 2^{-k}d_k \ge 1$. For every grouping the differences add up to at most $\lim
x_k - x_0 = 2-1$."""
_F4 = r"""
The first column of $A^r$ is $(3^r, b, b)$ with $b = 3^r-2^r$, and the others have a
zero in the first row. The sums of the first column are $d_k = 3^{k+1}-2^{k+1}$, so at
least the share $3^r\frac{d_p}{d_q}$ of the first column of a block is not shared, and
$1-\delta \le 1-\frac{x_p}{x_q} \le x_q-x_p$ with $x_k = 3^{-k}d_k \ge 1$. For every
grouping the differences add up to at most $\lim x_k-x_0 = 3-1$."""
_F5 = r"""
$A(e_1-e_2) = 3(e_1-e_2)$, and $M_k$ has the column sums $d_k = 3^{k+1}-2^{k+1}$
there. So the first two columns of a block differ by $3^r\frac{d_p}{d_q}(e_1-e_2)$,
and $1-\delta \le 1-\frac{x_p}{x_q} \le x_q-x_p$ with $x_k = 3^{-k}d_k \ge 1$. For
every grouping the differences add up to at most $\lim x_k-x_0 = 3-1$."""
_F6 = r"""
$J(e_1-e_2) = 0$, so $A_k(e_1-e_2) = 3(e_1-e_2)$, and as in F5 $1-\delta \le x_q-x_p$
with $x_k = 3^{-k}d_k$, $d_k$ the sum of the first column of $M_k$. Let $y_k$ be
$3^{-k}$ times that of the third and $\epsilon = 4^{-k}$. Then $x_k =
x_{k-1}+\frac23y_{k-1}+\frac{2\epsilon}3 (x_{k-1}+y_{k-1})$ and $y_k =
\frac23y_{k-1}+\frac{2\epsilon}3(x_{k-1}+y_{k-1})$. Hence $x_k+2y_k \le
(1+2\epsilon)(x_{k-1}+2y_{k-1})$, which stays below $3e^{2/3} < 6$: for every grouping
the sum is below $6-1$. With $x+y \le 6$ the second equation gives $y_k \le
\frac{17}5(\frac23)^k$, and the first $1-\delta(A_k') \le
\frac{17}5(\frac23)^k+4\cdot4^{-k} \le 6(\frac23)^k$."""
_F7 = r"""
The second column of $M_k$ sums to $(k+1)^2$ and the first to one, so $A_k'$ has the
columns $(1, 0)$ and $\frac1{(k+1)^2}(1, k(k+2))$. They share $\frac1{(k+1)^2}$, with
a sum below $\sum\frac1{k(k+1)} = 1$. Of $2\times2$ matrices with column sums one
$\delta$ is the modulus of the determinant, so a block has $1-\prod\delta_k \le
\sum(1-\delta_k)$ and no grouping has a larger sum."""
_F8 = r"""
With $g$ one on the first group and minus one on the second, $Ag = 3g$, and the
columns of $M_k$ in the groups sum to $d_k = 2\cdot3^k-1$. All columns of a group
being equal, those of two groups in a block differ by $3^{r-1}\frac{d_p}{d_q}g$, whose
positive part sums to $3^r\frac{d_p}{d_q}$, and $1-\delta \le 1-\frac{x_p}{x_q} \le
x_q-x_p$ with $x_k = 3^{-k}d_k \ge 1$. For every grouping the differences add up to at
most $\lim x_k-x_0 = 2-1$."""
_F9 = r"""
All columns of $A$ sum to two, so $A_k' = \frac12A$, and a block of two layers is
$\frac14A^2$, with the columns $\frac14(1, 2, 1, 0)$ and its cyclic shifts. Neighbours
share $\frac14(0+1+1+0)$, opposite ones $\frac14(1+0+1+0)$: each block has $1-\delta =
\frac12$, and the sum is infinite. No single layer has more than zero."""
_F10 = r"""
Columns sum to one. The two columns $(1-\epsilon, \epsilon)$ and $(\epsilon,
1-\epsilon)$ share $2\epsilon$ in every layer, and the sum is infinite."""
_F11 = r"""
Columns sum to one, and on a line of $n$ positions $n-1$ steps lead from each position
to each, with a probability of at least $3^{-(n-1)}$. So any two columns of a block of
$n-1$ layers share at least $n\,3^{-(n-1)}$, and the sum is infinite."""
_F12 = _F3.replace("= 2(e_1", "= -2(e_1").replace("$2^r", "$(-2)^r")
_F13 = r"""
This is the Kronecker product of F3 and the $2\times2$ matrix $J$ of ones: every unit
of F3 twice. $M_k$ is that of F3 with each entry spread over $2\times2$ ones,
$2^{k-1}$ times as large, so all cosines are those of F3. A gauge matrix is half of
$J$ times that of F3, its columns share what those of F3 share, and the sum is at most
1 for every grouping."""


def _small(k):
    """Return k into 1 / (2^(k+1) - 1), which the columns share in F1, F3, F12, F13."""
    return Fraction(1, 2 ** (k + 1) - 1)


def _heavy(k):
    return Fraction(2**k, 3 ** (k + 1) - 2 ** (k + 1))


DECIDED = {
    "F1": {"shared": _small, "sum_bound": 1, "proof": _F1},
    "F2": {"shared": lambda k: Fraction(1, k + 1), "proof": _F2},
    "F3": {"shared": _small, "sum_bound": 1, "proof": _F3},
    "F4": {"shared": _heavy, "sum_bound": 2, "proof": _F4},
    "F5": {"shared": _heavy, "sum_bound": 2, "proof": _F5},
    "F6": {"shared": lambda k: 6 * Fraction(2, 3) ** k, "sum_bound": 5, "proof": _F6},
    "F7": {"shared": lambda k: Fraction(1, (k + 1) ** 2), "sum_bound": 1, "proof": _F7},
    "F8": {"shared": lambda k: Fraction(2, 2 * 3**k - 1), "sum_bound": 1, "proof": _F8},
    "F9": {"block": 2, "shared": lambda k: Fraction(1, 2), "proof": _F9},
    "F10": {"proof": _F10},
    "F11": {"proof": _F11},
    "F12": {"shared": _small, "sum_bound": 1, "proof": _F12},
    "F13": {"shared": _small, "sum_bound": 1, "proof": _F13},
}
