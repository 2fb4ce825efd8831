"""One layer's operator, as a matrix that need not be written out."""

import math

import torch

from modbp.backprop.checks import check_vector, out_of_range
from modbp.backprop.inference import outside_inference_mode
from modbp.errors import InputError, MethodError, check_option

__all__ = ["Operator"]

# An explicit matrix beyond this many entries (0.5 GB in float64) is refused.
_LARGEST_MATRIX = 2**26
# How much larger relevance is that shows whether a rule has a limit.
_SCALE = 1e6


class Operator:
    """What one layer does to relevance: ``r_in = M r_out``, one `M` for each sample.

    Made by :meth:`modbp.Chain.operator`. Vectors are flattened: ``r_out`` is
    ``[N, out]``, or ``[K, N, out]`` for `K` at once. The inputs of an addition or a
    concatenation are stacked in order.

    Parameters
    ----------
    call, back, sources, z
        A call, what its rule hands down, its inputs ``[N, …]`` and its output.

    Attributes
    ----------
    shape : tuple of int
        ``(in, out)``, of one sample.
    inputs, output : tuple of torch.Size, torch.Size
        The shapes that ``in`` is made of, and that of ``out``.
    dtype : torch.dtype
        Of the vectors.

    Examples
    --------
    >>> operator = modbp.chain(net, x, "gradient").operator("fc1")
    >>> operator.matrix()
    tensor([[ 1.,  2.],
            [-1.,  1.]], dtype=torch.float64)
    >>> operator.apply(x), operator.adjoint(x)
    (tensor([[5., 1.]], dtype=torch.float64), tensor([[-1.,  4.]], dtype=torch.float64))
    >>> operator.column_sums(), operator.norm()
    (tensor([[0., 3.]], dtype=torch.float64), tensor([2.3028], dtype=torch.float64))
    """

    def __init__(self, call, back, sources, z):
        self._call, self._back = call, back
        self._count, self._like = len(z), z
        self._is_linear = None
        self.inputs = tuple(a.shape[1:] for a in sources)
        self.output, self.dtype = z.shape[1:], z.dtype
        self.shape = (sum(map(math.prod, self.inputs)), math.prod(self.output))

    @outside_inference_mode
    def apply(self, r: torch.Tensor) -> torch.Tensor:
        """Carry relevance back through the layer: ``r_in = M r``.

        Parameters
        ----------
        r : ``[N, out]`` or ``[K, N, out]``.

        Returns
        -------
        torch.Tensor : ``[N, in]`` or ``[K, N, in]``.
        """
        r, many = self._checked(r, self.shape[1])
        r_in = self._finite(self._forward(r))
        return r_in if many else r_in[0]

    @outside_inference_mode
    def adjoint(self, u: torch.Tensor) -> torch.Tensor:
        """Apply the transposed operator, with ``⟨M r, u⟩ = ⟨r, Mᵀ u⟩``.

        Parameters
        ----------
        u : ``[N, in]`` or ``[K, N, in]``.

        Returns
        -------
        torch.Tensor : ``[N, out]`` or ``[K, N, out]``.

        Raises
        ------
        MethodError : If the rule is not linear in relevance, so that there is no `M`.
        """
        u, many = self._checked(u, self.shape[0])
        self._refuse_nonlinear()
        # The derivative is the same everywhere; at zero a rule may take a short cut.
        r = self._random(1).expand(len(u), -1, -1).requires_grad_()
        with torch.enable_grad():
            down = self._forward(r)
            up = torch.zeros_like(r)
            if down.requires_grad:
                (up,) = torch.autograd.grad(down, r, u)
        self._finite(up)
        self._check_pair(r.detach(), down.detach(), u, up)
        return up if many else up[0]

    @outside_inference_mode
    def column_sums(self) -> torch.Tensor:
        """Return what becomes of one unit of relevance at each output: ``Mᵀ 1``.

        All ones where relevance is conserved. Refuses as :meth:`adjoint` does.

        Returns
        -------
        torch.Tensor : ``[N, *output]``.
        """
        ones = self._like.new_ones(self._count, self.shape[0])
        return self.adjoint(ones).unflatten(1, self.output)

    @outside_inference_mode
    def norm(
        self, tolerance: float = 1e-6, steps: int = 1000, seed: int = 0
    ) -> torch.Tensor:
        """Estimate the operator norm, the largest singular value, by power iteration.

        Equation: ``v ← MᵀM v / ‖MᵀM v‖`` until ``‖MᵀM v − σ² v‖ ≤ tolerance σ²`` with
        ``σ = ‖M v‖``. Then a singular value lies within a relative `tolerance` of `σ`,
        the largest unless the start is perpendicular to it; `σ` is never above it.

        Parameters
        ----------
        tolerance : Above 0; below about 1e-6 only float64 can meet it.
        steps, seed : How many products with ``MᵀM`` at most; what draws the first `v`.

        Returns
        -------
        torch.Tensor : ``[N]``.

        Raises
        ------
        ModbpError
            If the tolerance is not met in so many steps, or the rule is not linear.
        """
        remedy = "give a number above 0 and below 1, as in 1e-6."
        check_option("tolerance", tolerance, lambda value: 0 < value < 1, remedy)
        v = self._random(seed)
        worst = math.inf
        for _ in range(steps):
            v = v / _length(v)
            once = self.apply(v)
            size = _length(once)
            # MᵀM v / σ: the square of a small number would be zero.
            twice = self.adjoint(once / size.where(size > 0, 1.0))
            residual = _length(twice - size * v)
            if (residual <= tolerance * size).all():
                return size.flatten()
            worst = (residual / size).nan_to_num().max().item()
            # Where M is zero, any v will do.
            v = torch.where(twice.abs().amax(1, keepdim=True) > 0, twice, v)
        raise InputError(
            f"{self._call}: after {steps} steps of power iteration the residual is "
            f"{worst:.1e} instead of {tolerance:.1e}; two singular values may be "
            "close. Allow more steps, or a larger tolerance."
        )

    @outside_inference_mode
    def matrix(self) -> torch.Tensor:
        """Write the operator of a single sample out, unless it is too large.

        Returns
        -------
        torch.Tensor : ``[in, out]``.
        """
        if self._count != 1:
            raise InputError(
                f"{self._call}: {self._count} samples have as many matrices. Choose one"
                " with `sample`."
            )
        rows, columns = self.shape
        if rows * columns > _LARGEST_MATRIX:
            raise InputError(
                f"{self._call} has a {rows} × {columns} matrix, too large to write out."
                " Use operator() or pull(), which need not write it, or a smaller "
                "input."
            )
        identity = torch.eye(columns, dtype=self._like.dtype, device=self._like.device)
        return self.apply(identity[:, None])[:, 0].T

    def __repr__(self):
        rows, columns = self.shape
        return f"{self._call}: {rows} × {columns}, {self._count} samples"

    def _forward(self, r):
        parts = self._back(r.unflatten(2, self.output))
        return torch.cat([part.flatten(2) for part in parts], 2)

    def _checked(self, vector, size):
        shape, who = (self._count, size), f"{self._call}: the vector"
        flat = ", flattened as by r.flatten(1)"
        return check_vector(vector, shape, self._like, who, flat)

    def _random(self, seed):
        own, shape = torch.Generator().manual_seed(seed), (self._count, self.shape[1])
        draw = torch.randn(shape, generator=own, dtype=torch.float64, device="cpu")
        return draw.to(self._like)

    def _finite(self, found):
        """Return what a product gave, unless it overflowed."""
        if not found.isfinite().all():
            raise out_of_range(f"{self._call}: a product is NaN or infinite", found)
        return found

    def _check_pair(self, r, down, u, up):
        """Refuse what is no transpose, since autograd missed a part of the rule."""
        r, down, u, up = (each.cpu().double() for each in (r, down, u, up))
        off = ((down * u).sum(2) - (r * up).sum(2)).abs()
        if not (off <= 1e-3 * down.norm(dim=2) * u.norm(dim=2)).all():
            raise MethodError(
                f"{self._call}: autograd cannot follow the rule, so that it has no "
                "transpose here. Write its way back in torch, without detach() and "
                "no_grad(), or take matrix() of one sample."
            )

    def _refuse_nonlinear(self):
        """Refuse a rule that rectifies, cuts or selects relevance: it has no matrix."""
        if self._is_linear is None:
            r, s = self._random(1), self._random(2)
            one, two = self.apply(r), self.apply(s)
            off = torch.maximum(
                (self.apply(r + s) - one - two).abs(),
                (self.apply(-_SCALE * r) / _SCALE + one).abs(),
            )
            size = torch.maximum(one.abs(), two.abs()).max()
            self._is_linear = bool(off.max() <= 1e-3 * size)
        if not self._is_linear:
            raise MethodError(
                f"{self._call}: the rule is not linear in relevance, so it is no "
                "matrix and has no transpose. Use apply() or pull() alone, or another "
                "method."
            )


def _length(vectors):
    """Return the lengths of ``[N, size]``, as ``[N, 1]``, whatever their size."""
    largest = vectors.abs().amax(1, keepdim=True)
    scale = largest.where(largest > 0, 1.0)
    return scale * (vectors / scale).norm(dim=1, keepdim=True)
