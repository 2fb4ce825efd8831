"""How alike two relevance vectors are."""

import torch
from scipy import stats

from modbp.errors import InputError

__all__ = ["cosine", "pairwise", "random_floor"]


def cosine(u, v, dim=-1):
    """Return the cosine of the angle between vectors.

    Equation: ``⟨u, v⟩ / (‖u‖ ‖v‖)``, computed in float64.

    Parameters
    ----------
    u, v : torch.Tensor
        Of the same shape.
    dim : int
        The dimension along which a vector runs.

    Returns
    -------
    torch.Tensor
        In [-1, 1], float64, without `dim`; NaN where a vector is exactly zero, because
        a zero vector has no direction.

    Raises
    ------
    InputError
        If the shapes differ.
    """
    if u.shape != v.shape:
        raise InputError(
            f"vectors of shape {list(u.shape)} and {list(v.shape)} have no angle; give "
            "two of the same shape."
        )
    return (_unit(u, dim) * _unit(v, dim)).sum(dim).clamp(-1, 1)


def pairwise(r):
    """Return the absolute cosine of all pairs among `K` relevances.

    A dense layer's relevance is one vector. A convolution's is one vector over the
    channels at every location, so its pairs are compared location by location.

    Parameters
    ----------
    r : torch.Tensor
        ``[K, N, C]`` or ``[K, N, C, H, W]``, with ``K ≥ 2``.

    Returns
    -------
    torch.Tensor
        ``[N, pairs, locations]`` in [0, 1], float64; NaN where a vector is zero.

    Raises
    ------
    InputError
        If there are fewer than two relevances.
    """
    if r.ndim < 3 or len(r) < 2:
        raise InputError(
            f"relevance has shape {list(r.shape)}; give at least two per sample, as "
            "[K, N, channels, …]."
        )
    # Vectors last and side by side: one small Gram matrix per sample and location.
    vectors = r.reshape(*r.shape[:3], -1).permute(1, 3, 0, 2)
    unit = _unit(vectors.contiguous(), dim=-1)
    first, second = torch.triu_indices(len(r), len(r), offset=1)
    value = (unit @ unit.mT)[:, :, first, second]
    return value.abs().clamp(max=1).mT


def _unit(r, dim):
    """Scale vectors to length one in float64; zero vectors become NaN."""
    r = r.double()
    # By the largest entry first: relevance of size 1e-200 has a direction, and its
    # square is zero.
    r = r / r.abs().amax(dim, keepdim=True)
    return r / r.norm(dim=dim, keepdim=True)


def random_floor(channels):
    """Return the median absolute cosine of two random directions.

    Equation: the square of the cosine follows a Beta distribution with parameters
    ``1/2`` and ``(C − 1)/2``; about ``0.6745 / √C``.

    Parameters
    ----------
    channels : int
        The dimension `C`, at least 1.

    Returns
    -------
    float
        In (0, 1]; 0.5 for three channels.

    Raises
    ------
    InputError
        If `channels` is below 1.
    """
    if channels < 1:
        raise InputError(f"channels is {channels}; a direction needs at least one.")
    if channels == 1:
        return 1.0
    return float(stats.beta.median(0.5, (channels - 1) / 2) ** 0.5)
