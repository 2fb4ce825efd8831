"""The equation of each rule: what one layer call does to relevance.

A rule takes a call and its inputs and returns the call's output and a function that
carries relevance back, ``rule(call, *inputs) -> z, back``. Products that depend on the
input alone are computed once, before `back` is returned; then ``back(r)`` takes any
number ``K`` of relevances at once, as ``[K, N, …]``, and returns one per input. Most
rules are a :func:`share` by what each of them counts as a contribution.

Letters: `a` the input of the call (an activation), `W` its weight, `b` its bias, `z`
its output (a pre-activation), `r` relevance, ``x⁺ = max(x, 0)``, ``x⁻ = min(x, 0)``.
"""

from modbp.backprop.rules.gamma import GAMMA, Gamma
from modbp.backprop.rules.joints import (
    CODE_LIMIT,
    AlphaBetaSplit,
    AvgPool,
    Concatenation,
    Copy,
    MaxPool,
    Reshape,
    Split,
)
from modbp.backprop.rules.linear import (
    EPSILON,
    AlphaBeta,
    Epsilon,
    Excitation,
    Gradient,
)
from modbp.backprop.rules.pattern import Pattern
from modbp.backprop.rules.pixels import Box, Flat, WSquare
from modbp.backprop.rules.products import BIAS, negative, positive, share, stabilize
from modbp.backprop.rules.relu import (
    Deconv,
    Guided,
    Pass,
    RectGrad,
    ReLUGradient,
    ReLUMask,
)

__all__ = [
    "BIAS",
    "CODE_LIMIT",
    "EPSILON",
    "GAMMA",
    "AlphaBeta",
    "AlphaBetaSplit",
    "AvgPool",
    "Box",
    "Concatenation",
    "Copy",
    "Deconv",
    "Epsilon",
    "Excitation",
    "Flat",
    "Gamma",
    "Gradient",
    "Guided",
    "MaxPool",
    "Pass",
    "Pattern",
    "ReLUGradient",
    "ReLUMask",
    "RectGrad",
    "Reshape",
    "Split",
    "WSquare",
    "negative",
    "positive",
    "share",
    "stabilize",
]
