"""The equation of each rule: what one layer call does to relevance.

A rule takes a call and its inputs and returns the call's output and a function that
carries relevance back, ``rule(call, *inputs) -> z, back``. Products that depend on the
input alone are computed once, before `back` is returned; then ``back(r)`` takes any
number ``K`` of relevances at once, as ``[K, N, …]``, and returns one per input.

Letters: `a` the input of the call (an activation), `W` its weight, `b` its bias, `z`
its output (a pre-activation), `r` relevance, ``x⁺ = max(x, 0)``, ``x⁻ = min(x, 0)``.
"""

from modbp.backprop.rules.additions import CODE_LIMIT, AlphaBetaSplit
from modbp.backprop.rules.gamma import GAMMA, Gamma
from modbp.backprop.rules.joints import (
    Average,
    Copy,
    Deconv,
    Guided,
    Lit,
    Pass,
    Piece,
    RectGrad,
    Slope,
    Split,
    Undo,
    Winner,
)
from modbp.backprop.rules.linear import (
    BIAS,
    EPSILON,
    AlphaBeta,
    Epsilon,
    Excitation,
    Gradient,
    stabilise,
)
from modbp.backprop.rules.pattern import Pattern
from modbp.backprop.rules.pixels import Box, Flat, WSquare

__all__ = [
    "BIAS",
    "CODE_LIMIT",
    "EPSILON",
    "GAMMA",
    "AlphaBeta",
    "AlphaBetaSplit",
    "Average",
    "Box",
    "Copy",
    "Deconv",
    "Epsilon",
    "Excitation",
    "Flat",
    "Gamma",
    "Gradient",
    "Guided",
    "Lit",
    "Pass",
    "Pattern",
    "Piece",
    "RectGrad",
    "Slope",
    "Split",
    "Undo",
    "WSquare",
    "Winner",
    "stabilise",
]
