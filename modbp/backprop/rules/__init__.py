"""The equation of each rule: what one layer call does to relevance.

A rule is ``rule(call, *inputs) -> z, back``: the call's output, and a function that
carries relevance back. What depends on the input alone is computed once, before `back`
is returned; then ``back(r)`` takes ``[K, N, …]``, any number of relevances at once, and
returns one per input. Most rules are a `share` by what counts as a contribution.

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
