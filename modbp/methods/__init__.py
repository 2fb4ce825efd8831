"""Which rule where: every named method is a small table.

Each function below returns one named method. Its docstring has the equation, the
source, how figures reduce the colour channels, what the method needs and where it is
undefined.
"""

import inspect

from modbp import rules
from modbp.errors import InputError, unknown_name
from modbp.methods.table import Method

__all__ = ["Method", "get", "names"]


def _gradient_table(relu, **more):
    return {
        "linear": rules.Gradient(),
        "relu": relu,
        "avgpool": rules.Average(),
        "add": rules.Copy(),
        **more,
    }


def _relevance_table(linear):
    return {
        "linear": linear,
        "relu": rules.Pass(),
        "avgpool": rules.Average(by_contribution=True),
        "add": rules.Split(),
    }


def gradient(start="one"):
    """Gradient: the derivative of the logit with respect to the input.

    Equation: ``r = ∂f_c/∂x``. Source: :cite:t:`simonyan2014deep`. Channel reduction:
    maximum of the absolute value. Needs nothing; at a kink of a ReLU it is taken as 0.
    """
    return Method(
        "gradient", _gradient_table(rules.Slope()), start=start, reduction="max-abs"
    )


def gradient_x_input(start="one"):
    """Gradient × input: the first-order effect of each input.

    Equation: ``r = x ⊙ ∂f_c/∂x``. Source: :cite:t:`shrikumar2017learning`. Channel
    reduction: sum. Below the top it is the gradient; the product is taken at the input.
    In a bias-free ReLU network it equals lrp-z.
    """
    table = _gradient_table(rules.Slope())
    return Method("gradient-x-input", table, start=start, times_input=True)


def guided_bp(start="one"):
    """Guided backpropagation: the gradient, rectified at every ReLU.

    Equation: ``r_in = 1[a > 0] r⁺`` at a ReLU, the derivative elsewhere. Source:
    :cite:t:`springenberg2015striving`. Channel reduction: maximum of absolute values.
    The 2020 code starts from the logit's value; that is ``start="logit"``.
    """
    return Method(
        "guided-bp", _gradient_table(rules.Guided()), start=start, reduction="max-abs"
    )


def deconv(start="one"):
    """Deconvolution: relevance is rectified where activations were.

    Equation: ``r_in = r⁺`` at a ReLU, the derivative elsewhere; max pooling uses the
    switches of the forward pass. Source: :cite:t:`zeiler2014visualizing`. Channel
    reduction: maximum of the absolute value. ``start="logit"`` is the 2020 code's.
    """
    return Method(
        "deconv", _gradient_table(rules.Deconv()), start=start, reduction="max-abs"
    )


def _lrp(name, rule, start):
    return Method(name, _relevance_table(rule), start=start)


def lrp_z(bias=rules.BIAS, start="logit"):
    """LRP-z: relevance in proportion to signed contributions.

    Equation: ``r_in = a ⊙ Wᵀ(r / z)``. Source: :cite:t:`bach2015pixel`. Channel
    reduction: sum. Undefined where ``z = 0``: such a denominator is replaced by 1e-7,
    and near it relevance can be very large.
    """
    return _lrp("lrp-z", rules.Epsilon(0.0, bias), start)


def lrp_eps(epsilon=rules.EPSILON, bias=rules.BIAS, start="logit"):
    """LRP-ε: LRP-z with a denominator that is kept away from zero.

    Equation: ``r_in = a ⊙ Wᵀ(r / (z + ε sign z))``. Source: :cite:t:`bach2015pixel`.
    Channel reduction: sum. ε absorbs relevance; it is in units of `z`.
    """
    return _lrp("lrp-eps", rules.Epsilon(epsilon, bias), start)


def lrp_a1b0(bias=rules.BIAS, epsilon=0.0, start="logit"):
    """LRP-α1β0: only positive contributions count.

    Equation: ``r_in = (a⁺⊙W⁺ᵀ + a⁻⊙W⁻ᵀ)(r / P)``; on non-negative inputs the z⁺-rule.
    Source: :cite:t:`bach2015pixel`. Channel reduction: sum. Where nothing contributes
    positively, relevance is lost.
    """
    return _lrp("lrp-a1b0", rules.AlphaBeta(1, 0, bias, epsilon), start)


def lrp_a2b1(bias=rules.BIAS, epsilon=0.0, start="logit"):
    """LRP-α2β1: positive contributions count twice, negative ones once.

    Equation: that of :class:`modbp.rules.AlphaBeta` with α = 2, β = 1. Source:
    :cite:t:`bach2015pixel`. Channel reduction: sum. Relevance can grow from layer to
    layer; where one sign is missing, it is not conserved.
    """
    return _lrp("lrp-a2b1", rules.AlphaBeta(2, 1, bias, epsilon), start)


def lrp_a5b4(bias=rules.BIAS, epsilon=0.0, start="logit"):
    """LRP-α5β4: positive contributions count five times, negative ones four times.

    Equation: that of :class:`modbp.rules.AlphaBeta` with α = 5, β = 4. Source:
    :cite:t:`sixt2020lie`, appendix B. Channel reduction: sum. Relevance grows by up to
    a factor of nine per layer.
    """
    return _lrp("lrp-a5b4", rules.AlphaBeta(5, 4, bias, epsilon), start)


def excitation_bp(start="one"):
    """Excitation backprop: a winning probability, handed down by positive weights.

    Equation: ``r_in = a ⊙ W⁺ᵀ(r / W⁺a)``. Source: :cite:t:`zhang2018excitation`.
    Channel reduction: sum. Needs non-negative inputs to every linear layer. It is
    LRP-α1β0 with the bias ignored, started from one.
    """
    return _lrp("excitation-bp", rules.Excitation(), start)


_NAMED = {
    function.__name__.replace("_", "-"): function
    for function in (
        gradient,
        gradient_x_input,
        guided_bp,
        deconv,
        lrp_z,
        lrp_eps,
        lrp_a1b0,
        lrp_a2b1,
        lrp_a5b4,
        excitation_bp,
    )
}


def names():
    """Return the names of all methods.

    Returns
    -------
    list of str
    """
    return list(_NAMED)


def get(method, **options):
    """Return a method by name, with options of its own.

    Parameters
    ----------
    method : str or Method
        One of `names()`; a `Method` is returned as it is.
    **options
        ``bias``, ``epsilon`` or ``start``, where the method has them.

    Returns
    -------
    Method

    Raises
    ------
    UnknownName
        If there is no such method; the message has the nearest names.
    InputError
        If the method has no such option.
    """
    if isinstance(method, Method):
        if options:
            raise InputError(
                f"method {method.name!r} is given whole and takes no options, but got "
                f"{', '.join(options)}. Give its rules the options, or use a name."
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
    found = factory(**options)
    object.__setattr__(found, "about", inspect.getdoc(factory))
    return found
