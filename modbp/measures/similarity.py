"""How alike two relevance vectors, or two maps, are."""

import numpy as np
import torch

from modbp.errors import (
    InputError,
    check_flag,
    check_number,
    check_option,
    check_whole,
)
from modbp.measures.precision import in_float64

__all__ = ["cosine", "pairwise", "random_floor", "ssim"]

# Side of the window that SSIM is computed in.
_WINDOW = 5


def cosine(u: torch.Tensor, v: torch.Tensor, dim: int = -1) -> torch.Tensor:
    """Return the cosine of the angle between vectors, ``⟨u, v⟩ / (‖u‖ ‖v‖)``.

    Parameters
    ----------
    u, v : of the same shape
    dim : the dimension along which a vector runs

    Returns
    -------
    torch.Tensor
        In [-1, 1], float64, without `dim`; NaN where a vector is exactly zero, because
        a zero vector has no direction.

    Raises
    ------
    InputError: if the shapes differ.

    Examples
    --------
    >>> modbp.similarity.cosine(torch.tensor([3, 4]), torch.tensor([4, 3])).item()
    0.96
    """
    u, v = _real(u, "u"), _real(v, "v")
    _check_finite(u, v)
    if u.shape != v.shape or not u.ndim:
        raise InputError(
            f"vectors of shape {list(u.shape)} and {list(v.shape)} have no angle; give "
            "two of the same shape."
        )
    check_whole("dim", dim, -u.ndim, u.ndim - 1)
    return (_unit(u, dim) * _unit(v, dim)).sum(dim).clamp(-1, 1)


def pairwise(r: torch.Tensor, dim: int = 2) -> torch.Tensor:
    """Return the absolute cosine of all pairs among `K` relevances.

    A dense layer's relevance is one vector. A convolution's is one vector over the
    channels at every location, so its pairs are compared location by location; so is
    that of a dense layer over tokens, ``[K, N, T, C]``, whose channels come last.

    Parameters
    ----------
    r : ``[K, N, C]`` or ``[K, N, C, H, W]``, with ``K ≥ 2``
    dim : the dimension along which a vector runs

    Returns
    -------
    torch.Tensor ``[N, pairs, locations]`` in [0, 1], float64; NaN for a zero vector

    Raises
    ------
    InputError: if there are fewer than two relevances.

    Examples
    --------
    >>> modbp.similarity.pairwise(torch.tensor([[[3, 4]], [[-4, -3]]])).item()
    0.96
    """
    if _real(r, "relevance").ndim < 3 or len(r) < 2 or not r.numel():
        raise InputError(
            f"relevance has shape {list(r.shape)}; give at least two per sample, as "
            "[K, N, channels, …]."
        )
    fits = "choose one behind the first two, which count relevances and samples."
    places = [*range(2, r.ndim), *range(2 - r.ndim, 0)]
    check_option("dim", dim, places.__contains__, fits)
    _check_finite(r)
    # Vectors last and side by side: one small Gram matrix per sample and location.
    r = r.movedim(dim, 2)
    vectors = r.reshape(*r.shape[:3], -1).permute(1, 3, 0, 2)
    unit = _unit(vectors.contiguous(), dim=-1)
    first, second = torch.triu_indices(len(r), len(r), offset=1, device=unit.device)
    return (unit @ unit.mT)[:, :, first, second].abs().clamp(max=1).mT


def _check_finite(*tensors):
    if not all(each.isfinite().all() for each in tensors):
        raise InputError(
            "what is compared holds NaN or infinite values. Find the layer where they "
            "begin: modbp.explain and chain.pull name it."
        )


def _real(value, name):
    """Return a tensor of real numbers, or refuse it."""
    if not isinstance(value, torch.Tensor) or value.is_complex():
        found = getattr(value, "dtype", type(value).__name__)
        raise InputError(f"{name} is {found}; give a torch.Tensor of real numbers.")
    return value


def _unit(r, dim):
    """Scale vectors to length one in float64; zero vectors become NaN."""
    r = in_float64(r)
    # By the largest entry first, as the square of 1e-200 is zero.
    r = r / r.abs().amax(dim, keepdim=True)
    return r / r.norm(dim=dim, keepdim=True)


def random_floor(channels: int) -> float:
    """Return the median absolute cosine of two random directions.

    Equation: the square of the cosine follows a Beta distribution with parameters
    ``1/2`` and ``(C − 1)/2``; about ``0.6745 / √C``.

    Parameters
    ----------
    channels : the dimension `C`, at least 1

    Returns
    -------
    float in (0, 1]

    Raises
    ------
    InputError: if `channels` is below 1.

    Examples
    --------
    >>> round(modbp.similarity.random_floor(3), 12)
    0.5
    """
    check_whole("channels", channels, 1)
    if channels == 1:
        return 1.0
    # Only here, so that a chain does without SciPy.
    from scipy import stats

    return float(stats.beta.median(0.5, (channels - 1) / 2) ** 0.5)


def ssim(
    a: torch.Tensor | np.ndarray, b: torch.Tensor | np.ndarray, paper: bool = True,
    percentile: float = 99.5,
) -> np.ndarray:  # fmt: skip
    r"""Return the structural similarity of maps, whatever their sign and size.

    .. math:: \frac{(2 μ_a μ_b + C_1)(2 σ_{ab} + C_2)}
              {(μ_a^2 + μ_b^2 + C_1)(σ_a^2 + σ_b^2 + C_2)}

    in 5 × 5 windows of equal weights, averaged; :math:`C_1 = (0.01 L)^2`,
    :math:`C_2 = (0.03 L)^2`. Maps are first scaled from their percentiles to [0, 1] and
    clipped. The larger of the values for `b` and for ``-b`` counts.

    The code of :cite:t:`sixt2020lie` maps the *upper* percentile to 0, and leaves ``L``
    to a library that assumes 2. With ``paper=False`` the upper percentile becomes 1,
    and ``L`` is 1. Unrelated maps do not score 0 in either way, so compare with a pair
    of them.

    Parameters
    ----------
    a, b : ``[N, H, W]``, one number per pixel, at least 5 × 5
    paper : the settings of the 2020 code, or the corrected ones
    percentile : the upper one, in (50, 100]; the lower is ``100 − percentile``

    Returns
    -------
    numpy.ndarray ``[N]`` in [-1, 1], float64; NaN where a map has only one value

    Raises
    ------
    InputError: if the shapes differ or are no maps.

    Examples
    --------
    >>> map = torch.arange(36.0).reshape(1, 6, 6)
    >>> modbp.similarity.ssim(map, -2 * map).round(6)
    array([1.])
    """
    a, b = (_map(each) for each in (a, b))
    if a.shape != b.shape or a.ndim != 3 or min(a.shape[1:]) < _WINDOW:
        raise InputError(
            f"maps of shape {list(a.shape)} and {list(b.shape)} cannot be compared; "
            f"give two of the same shape [N, H, W], at least {_WINDOW} × {_WINDOW}."
        )
    check_flag("paper", paper)
    remedy = "choose one in (50, 100]."
    check_number("percentile", percentile, lambda p: 50 < p <= 100, remedy)
    _check_finite(*map(torch.from_numpy, (a, b)))
    a, b = (_scaled(maps, percentile) for maps in (a, b))
    return np.array([_ssim(*pair, paper) for pair in zip(a, b, strict=True)])


def _map(value):
    try:
        return (
            _real(torch.as_tensor(value, device="cpu"), "a map").cpu().double().numpy()
        )
    except (RuntimeError, TypeError, ValueError) as error:
        raise InputError(
            f"a map is a {type(value).__name__}; give a tensor or an array [N, H, W]."
        ) from error


def _scaled(maps, percentile):
    """Scale each map from its percentiles to [0, 1]; NaN if it has only one value."""
    ends = np.percentile(maps, (100 - percentile, percentile), axis=(1, 2))
    low, high = ends[..., None, None]
    span = np.where(low < high, high - low, np.nan)
    return ((maps - low) / span).clip(0, 1)


def _ssim(one, two, paper):
    """Return the larger structural similarity of two maps and their negatives."""
    # Only here, so that a chain does without scikit-image.
    from skimage.metrics import structural_similarity

    if np.isnan(one).any() or np.isnan(two).any():
        return np.nan
    one, two = (1 - one, 1 - two) if paper else (one, two)
    options = {"win_size": _WINDOW, "data_range": 2 if paper else 1}
    # Negated and scaled again, a map is one minus what it was.
    return max(structural_similarity(one, each, **options) for each in (two, 1 - two))
