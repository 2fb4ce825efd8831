"""Which rule where: every named method is a function that makes a small table."""

import inspect
from typing import get_args

from modbp.backprop.methods.averages import *
from modbp.backprop.methods.averages import Averaged
from modbp.backprop.methods.deeplift import *
from modbp.backprop.methods.gradients import *
from modbp.backprop.methods.lrp import *
from modbp.backprop.methods.method import Method
from modbp.backprop.names import Name
from modbp.errors import InputError, unknown_name

# Every named method is a function here: an underscore for each hyphen.
_NAMED = {name: globals()[name.replace("-", "_")] for name in get_args(Name)}

__all__ = ["PRESETS", "Averaged", "Method", "get", "names"]
__all__ += [function.__name__ for function in _NAMED.values()]

# The conventions of others. Captum sorts weights by sign and not contributions, so that
# its αβ- and γ-rules are ours for non-negative inputs only.
_CAPTUM = {"bias": "denominator", "epsilon": 1e-9, "stabilizer": 1e-9, "split": False}
PRESETS = {
    "zennit": {"bias": "unit", "epsilon": 1e-6, "stabilizer": 1e-6},
    "captum": _CAPTUM,
}


def names() -> list[str]:
    """Return the names of all methods, in the order of tables and figures.

    >>> modbp.methods.names()[:3]
    ['gradient', 'gradient-x-input', 'smoothgrad']

    Returns
    -------
    list of str
    """
    return list(_NAMED)


def get(
    method: Name | Method | Averaged, *, preset: str | None = None, **options: object
) -> Method | Averaged:
    """Return a method by name, with options of its own.

    >>> modbp.methods.get("lrp-gamma", gamma=0.5, preset="zennit").rules["linear"]
    Gamma(gamma=0.5, bias='unit', stabilizer=1e-06, split=True)

    Parameters
    ----------
    method : One of `names()`; a method that is given whole is returned as it is.
    preset : {"zennit", "captum"}, optional
        Set those of the method's options that `PRESETS` lists as that library has them.
    **options : Those of the named method, such as ``bias``; they go before the preset.

    Returns
    -------
    Method or Averaged : For `modbp.explain` and, but for averages, `modbp.chain`.

    Raises
    ------
    UnknownName, InputError
        If there is no such method or preset, or no such option of the method.
    """
    if isinstance(method, (Method, Averaged)):
        given = [*(["preset"] if preset is not None else []), *options]
        if given:
            raise InputError(
                f"method {method.name!r} is given whole and takes no options, but got "
                f"{', '.join(given)}. Give its rules the options, or use a name."
            )
        return method
    if not isinstance(method, str) or method not in _NAMED:
        raise unknown_name("method", method, _NAMED)
    factory = _NAMED[method]
    known = inspect.signature(factory).parameters
    for option in options:
        if option not in known:
            raise InputError(
                f"method {method!r} has no option {option!r}; choose among "
                f"{', '.join(known)}."
            )
    if preset is not None:
        if not isinstance(preset, str) or preset not in PRESETS:
            raise unknown_name("preset", preset, PRESETS)
        chosen = PRESETS[preset].items()
        options = {key: value for key, value in chosen if key in known} | options
    return factory(**options)
