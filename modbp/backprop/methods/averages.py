"""Methods that average the explanations of several inputs by another method."""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from numbers import Integral

import numpy as np
import torch

from modbp.backprop.checks import is_broken, out_of_range
from modbp.backprop.methods.gradients import gradient
from modbp.backprop.methods.method import Method
from modbp.backprop.methods.named import named
from modbp.backprop.rules.options import Output
from modbp.errors import (
    InputError,
    check_number,
    check_option,
    check_whole,
    unknown_name,
)

__all__ = ["Averaged", "integrated_gradients", "smoothgrad"]


@dataclass(frozen=True, eq=False)
class Averaged:
    """An average over several chains, and so no chain itself.

    Equation: ``r = factor(x) ⊙ Σ w_k r(x_k)``, with `r` the explanation by `method`.

    >>> def mirrored(x):
    ...     yield from ((0.5, x), (0.5, x.flip(1)))
    >>> gradient = modbp.methods.get("gradient")
    >>> mine = modbp.methods.Averaged("mirrored", gradient, mirrored, count=2)
    >>> modbp.explain(net, x, mine, 1)
    tensor([[ 3.5000, -0.5000]], dtype=torch.float64)

    Parameters
    ----------
    name, method : What figures call it, and the method that explains each input.
    points, count : ``points(x)`` yields the pairs ``w_k, x_k``, so many of them.
    factor : ``factor(x)``, a tensor that the average is multiplied by.
    reduction : {"sum", "max-abs"}
        How figures make one number of a pixel's colour channels.
    """

    name: str
    method: Method
    points: Callable = field(repr=False)
    count: int
    factor: Callable | None = field(default=None, repr=False)
    reduction: str = "sum"

    def __post_init__(self):
        check_option("name", self.name, lambda n: n and isinstance(n, str), "name it.")
        is_method = isinstance(self.method, Method)
        remedy = "give a Method, as in modbp.methods.get('gradient')."
        check_option("method", self.method, lambda _: is_method, remedy)
        check_option("points", self.points, callable, "give a function of the input.")
        factor = self.factor is None or callable(self.factor)
        remedy = "give a function of the input, or None."
        check_option("factor", self.factor, lambda _: factor, remedy)
        check_whole("count", self.count, 1)

    def average(self, x: torch.Tensor, explain: Callable) -> torch.Tensor:
        """Return the average over all points.

        >>> modbp.methods.get("smoothgrad").average(x, torch.zeros_like)
        tensor([[0., 0.]], dtype=torch.float64)

        Parameters
        ----------
        x, explain
            The input, ``[N, …]``; ``explain(x_k)`` is the explanation of one point.

        Returns
        -------
        torch.Tensor : Of the shape of `x`.
        """
        total = sum(weight * explain(point) for weight, point in self.points(x))
        return total if self.factor is None else total * self.factor(x)

    def __str__(self):
        return f"{self.name}: average over {self.count} inputs of\n{self.method}"


def _is_whole(value):
    return isinstance(value, Integral) and not isinstance(value, bool)


@named
def smoothgrad(
    samples: int = 50, noise: float = 0.15, seed: int = 0, output: Output = "one"
) -> Averaged:
    """SmoothGrad: the gradient, averaged over noisy copies of the input.

    Equation: the mean of ``∂f_c/∂x`` at ``x + n``, `n` normal with the standard
    deviation `noise` times the image's ``max − min``. Source:
    :cite:t:`smilkov2017smoothgrad`. Signed values are averaged, before their magnitude
    is taken. The 2020 code takes the range of one image for all.

    >>> modbp.explain(net, x, modbp.methods.get("smoothgrad", samples=8), 0)
    tensor([[-4., -2.]], dtype=torch.float64)
    """
    check_whole("samples", samples, 1, 100_000)
    remedy = "it must be at least 0 and finite, as in 0.15."
    check_number("noise", noise, lambda value: 0 <= value < inf, remedy)
    check_option("seed", seed, _is_whole, "give a whole number.")

    def points(x):
        generator = torch.Generator().manual_seed(int(seed))
        low, high = x.flatten(1).aminmax(dim=1)
        size = (noise * (high - low)).reshape(-1, *(1,) * (x.ndim - 1))
        if not size.isfinite().all():
            raise out_of_range("the noise is infinite", x)
        for _ in range(samples):
            draw = torch.randn(
                x.shape[1:], generator=generator, dtype=torch.float64, device="cpu"
            )
            yield 1 / samples, x + size * draw.to(x)

    base = gradient(output)
    return Averaged("smoothgrad", base, points, samples, reduction="max-abs")


# Where on the way from 0 to 1 the gradient is taken, and how much it counts there.
def _gauss_legendre(steps):
    places, weights = np.polynomial.legendre.leggauss(steps)
    return (places + 1) / 2, weights / 2


_QUADRATURES = {
    "gauss-legendre": _gauss_legendre,
    "midpoint": lambda n: ((np.arange(n) + 0.5) / n, np.full(n, 1 / n)),
}


@named
def integrated_gradients(
    steps: int = 50,
    baseline: float | torch.Tensor = 0.0,
    quadrature: str = "gauss-legendre",
    output: Output = "one",
) -> Averaged:
    """Integrated gradients: the gradient along the straight line from a baseline.

    Equation: ``r = (x − x₀) ⊙ ∫ ∂f_c/∂x (x₀ + t (x − x₀)) dt`` for `t` from 0 to 1, by
    Gauss–Legendre quadrature or at the midpoints of equal steps. Source:
    :cite:t:`sundararajan2017axiomatic`. Needs a baseline, a number or an image. With
    steps enough the relevance sums to ``f_c(x) − f_c(x₀)``.

    >>> modbp.explain(net, x, "integrated-gradients", 0)
    tensor([[-4., -4.]], dtype=torch.float64)
    """
    check_whole("steps", steps, 1, 100_000)
    if not isinstance(quadrature, str) or quadrature not in _QUADRATURES:
        raise unknown_name("quadrature", quadrature, _QUADRATURES)
    places, weights = _QUADRATURES[quadrature](steps)
    if is_broken(baseline):
        raise InputError("the baseline holds NaN or infinite values. Remove them.")

    def difference(x):
        try:
            if torch.as_tensor(baseline, device=x.device).is_complex():
                raise TypeError("complex numbers")
            reference = torch.as_tensor(baseline, dtype=x.dtype, device=x.device)
            way = x - reference.expand_as(x)
        except (RuntimeError, TypeError, ValueError):
            shape = getattr(baseline, "shape", None)
            found = repr(baseline) if shape is None else f"of shape {list(shape)}"
            raise InputError(
                f"the baseline is {found}, the input has shape {list(x.shape)}. Give "
                "one number, or one image [1, …]."
            ) from None
        if not way.isfinite().all():
            raise out_of_range("the way from the baseline is NaN or infinite", x)
        return way

    def points(x):
        way = difference(x)
        for place, weight in zip(places.tolist(), weights.tolist(), strict=True):
            yield weight, x - (1 - place) * way

    base = gradient(output)
    return Averaged("integrated-gradients", base, points, steps, factor=difference)
