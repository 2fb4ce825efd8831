"""The equation of each rule: what one layer call does to relevance.

A rule is ``rule(call, *inputs) -> z, back``: the call's output, and a function that
carries ``[K, N, …]``, any number of relevances at once, back to one per input. What
depends on the input alone is computed once, before `back` is returned.

Letters: `a` the input of the call (an activation), `W` its weight, `b` its bias, `z`
its output (a pre-activation), `r` relevance, ``x⁺ = max(x, 0)``, ``x⁻ = min(x, 0)``.
"""

from modbp.backprop.rules import joints, linear, options, pixels, products, relu
from modbp.backprop.rules.joints import *
from modbp.backprop.rules.linear import *
from modbp.backprop.rules.options import *
from modbp.backprop.rules.pixels import *
from modbp.backprop.rules.products import *
from modbp.backprop.rules.relu import *

_FILES = (options, products, linear, pixels, relu, joints)
__all__ = [name for file in _FILES for name in file.__all__]
