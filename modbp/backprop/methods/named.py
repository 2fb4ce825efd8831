"""What is said of each of the named methods."""

import inspect

from modbp.backprop.rules.options import described

__all__ = ["named"]

_REDUCTIONS = {"sum": "sum", "max-abs": "maximum of the absolute value"}


def named(function):
    """Write reduction, options and result of a named method into its docstring."""
    method = function()
    reduction = f"Channel reduction: {_REDUCTIONS[method.reduction]}."
    function.__doc__ = f"{inspect.cleandoc(function.__doc__)}\n\n{reduction}"
    returns = "\n\nReturns\n-------\n{}\n    For `modbp.explain` and the like."
    described(function).__doc__ += returns.format(type(method).__name__)
    return function
