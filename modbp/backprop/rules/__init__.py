"""The equation of each rule: what one layer call does to relevance.

A rule takes a call and its inputs and returns the call's output and a function that
carries relevance back, ``rule(call, *inputs) -> z, back``. Products that depend on the
input alone are computed once, before `back` is returned; then ``back(r)`` takes any
number ``K`` of relevances at once, as ``[K, N, …]``, and returns one per input. Most
rules are a :func:`share` by what each of them counts as a contribution.

Letters: `a` the input of the call (an activation), `W` its weight, `b` its bias, `z`
its output (a pre-activation), `r` relevance, ``x⁺ = max(x, 0)``, ``x⁻ = min(x, 0)``.
"""

from modbp.backprop.rules import gamma, joints, linear, pattern, pixels, products, relu
from modbp.backprop.rules.gamma import *
from modbp.backprop.rules.joints import *
from modbp.backprop.rules.linear import *
from modbp.backprop.rules.pattern import *
from modbp.backprop.rules.pixels import *
from modbp.backprop.rules.products import *
from modbp.backprop.rules.relu import *

__all__ = [
    name
    for file in (products, linear, gamma, pixels, pattern, relu, joints)
    for name in file.__all__
]
