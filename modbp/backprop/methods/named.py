"""What the named methods have in common: their names, and what is said of each."""

import inspect
from typing import Literal

from modbp.backprop.rules.options import described

__all__ = ["named"]

# In the order of tables; an underscore for each hyphen gives the function.
Name = Literal[
    "gradient",
    "gradient-x-input",
    "smoothgrad",
    "integrated-gradients",
    "guided-bp",
    "deconv",
    "rectgrad",
    "lrp-z",
    "lrp-eps",
    "lrp-gamma",
    "lrp-a1b0",
    "lrp-a2b1",
    "lrp-a5b4",
    "excitation-bp",
    "dtd",
    "lrp-cmp-a1b0",
    "lrp-cmp-a2b1",
    "lrp-eps-plus",
    "lrp-eps-gamma-box",
    "contrastive-lrp",
    "patternnet",
    "patternattribution",
    "deeplift-rescale",
    "deeplift-revealcancel",
    "deeplift-ablation",
]
_REDUCTIONS = {"sum": "sum", "max-abs": "maximum of the absolute value"}


def named(function):
    """Write reduction, options and result of a named method into its docstring."""
    method = function()
    reduction = f"Channel reduction: {_REDUCTIONS[method.reduction]}."
    function.__doc__ = f"{inspect.cleandoc(function.__doc__)}\n\n{reduction}"
    returns = "\n\nReturns\n-------\n{}\n    For `modbp.explain` and the like."
    described(function).__doc__ += returns.format(type(method).__name__)
    return function
