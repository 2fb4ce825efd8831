"""How much each layer of a network narrows the cone, and how wide the cone still is."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from modbp import theory
from modbp.backprop.chain import Chain
from modbp.backprop.inference import outside_inference_mode
from modbp.backprop.methods import Method
from modbp.errors import InputError, MethodError
from modbp.measures.precision import in_float64, network_in_float64
from modbp.measures.spectra import complement

__all__ = ["Passed", "contraction", "layers"]

# How many columns show whether any have minus signs.
_SOME = 64
# What only renames entries of relevance, or hands them on one by one.
_PLAIN = ("relu", "identity", "shape")
# More columns than these have too many pairs for δ.
_PAIRS = 1024
# How far a column's sum may be from one: of thousands of shares in float64.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Passed:
    """A layer that relevance has passed, for one sample.

    Attributes
    ----------
    layer, units : the layer, and how many units relevance can reach below it
    delta, sigma
        The coefficients of Dobrushin and Euclid for the units that are reached above;
        of the first NaN where it is not known.
    tangent : of half the widest angle between the explanations of two logits
    """

    layer: str
    units: int
    delta: float
    sigma: float
    tangent: float


def layers(chain: Chain) -> list[str]:
    """Return the layers that do something to relevance, from the top down."""
    *passed, _ = chain.below(chain.top)
    kinds = {call.name: call.kind for call in chain.calls}
    return [layer for layer in passed if kinds[layer] not in _PLAIN]


@outside_inference_mode
def contraction(
    net: nn.Module, x: torch.Tensor, method: str | Method, fold: bool = True
) -> list[Passed]:
    r"""Return, layer by layer from the top, what happens to the angle of two classes.

    Only units count that relevance can reach; silent ones have no column. Columns have
    to sum to one there, as they do for LRP with ``bias="ignore"``. Then
    :math:`\tan\frac\theta2 \le \sqrt{m/2}\,\prod\delta`, and the same with σ, with m
    the units below the layer. It is computed in float64, as far down as columns sum to
    one: not through a neuron to whose output nothing contributes with a minus sign,
    where a rule divides what does.

    Parameters
    ----------
    net, x, method, fold : as for :func:`modbp.explain`: one sample, no branches

    Raises
    ------
    InputError, MethodError
        If there are branches; if not even the top layer has columns that sum to one.
    """
    chain = Chain(network_in_float64(net), in_float64(x), method, fold=fold)
    for call in chain.calls[1:]:
        if len(call.sources) > 1:
            raise InputError(
                f"layer {call.name!r} has {len(call.sources)} inputs; layers have to "
                "follow each other in one line."
            )
    named, classes = layers(chain), chain.logits.shape[1]
    reached = np.ones(classes, dtype=bool)
    # What all classes have in common, and what each has besides: of sum zero.
    common = np.full(classes, 1 / classes)
    apart = np.eye(classes) - common
    draw, out = np.random.default_rng(0), []
    for layer in chain.below(chain.top)[:-1]:
        operator = chain.operator(layer, 0)
        sums = operator.column_sums().flatten().numpy()[reached]
        if np.abs(sums - 1).max() > _ROUNDING:
            if out:
                break
            raise MethodError(
                f"layer {layer!r} does not conserve relevance: columns sum to "
                f"{sums.min():.3g} … {sums.max():.3g}. Give LRP the option "
                "bias='ignore'."
            )
        random = draw.standard_normal(len(reached)) * reached
        if layer in named:
            delta, sigma = _coefficients(operator, reached)
        common, random, *apart = _apply(operator, np.array([common, random, *apart]))
        # What rounding adds goes along the common part, which no layer narrows.
        apart = np.array([each - each.sum() * common for each in apart])
        reached = random != 0
        if layer in named:
            units = int(reached.sum())
            found = delta, sigma, _widest(common, apart)
            out.append(Passed(layer, units, *found))
    return out


def _apply(operator, vectors):
    return operator.apply(torch.from_numpy(vectors)[:, None])[:, 0].numpy()


def _coefficients(operator, reached):
    """Return δ, where it can be known, and σ."""
    columns = np.flatnonzero(reached)
    sigma = complement(operator, columns)
    # Two columns of shares that have no unit in common, as those of distant places.
    some = columns[np.linspace(0, len(columns) - 1, _SOME).astype(int)]
    A = _columns(operator, some)
    if A.min() >= 0 and (A @ A.T == 0).any():
        return 1.0, sigma
    if len(columns) > _PAIRS:
        return np.nan, sigma
    A = _columns(operator, columns).T
    return theory.dobrushin(A[A.any(axis=1)]), sigma


def _columns(operator, columns):
    units = np.zeros((len(columns), operator.shape[1]))
    units[np.arange(len(columns)), columns] = 1
    return _apply(operator, units)


def _widest(common, apart):
    """Return tan(θ/2) of the widest pair, from differences that are not rounded off."""
    i, j = np.triu_indices(len(apart), k=1)
    e, (u, v) = apart[i] - apart[j], common + apart[[i, j]]
    a, b = (np.linalg.norm(each, axis=1, keepdims=True) for each in (u, v))
    # |v| u - |u| v and |v| u + |u| v, the first by e = u - v.
    shorter = np.sum(e * (u + v), axis=1, keepdims=True) / (a + b)
    base, height = b * e - shorter * v, b * u + a * v
    return np.max(np.linalg.norm(base, axis=1) / np.linalg.norm(height, axis=1))
