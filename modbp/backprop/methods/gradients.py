"""Methods that are gradients but for their rule at a ReLU."""

from modbp.backprop import rules
from modbp.backprop.methods.method import Method

# By name: `modbp.methods.get`.
__all__ = []


def gradient_table(relu, **more):
    return {
        "linear": rules.Gradient(),
        "relu": relu,
        "avgpool": rules.Average(),
        "add": rules.Copy(),
        **more,
    }


def gradient(start="one"):
    """Gradient: the derivative of the logit with respect to the input.

    Equation: ``r = ∂f_c/∂x``. Source: :cite:t:`simonyan2014deep`. Channel reduction:
    maximum of the absolute value. Needs nothing; at a kink of a ReLU it is taken as 0.
    """
    return Method(
        "gradient", gradient_table(rules.Slope()), start=start, reduction="max-abs"
    )


def gradient_x_input(start="one"):
    """Gradient × input: the first-order effect of each input.

    Equation: ``r = x ⊙ ∂f_c/∂x``. Source: :cite:t:`shrikumar2017learning`. Channel
    reduction: sum. Below the top it is the gradient; the product is taken at the input.
    In a ReLU network it equals lrp-z, whose denominators hold the biases.
    """
    table = gradient_table(rules.Slope())
    return Method("gradient-x-input", table, start=start, times_input=True)


def guided_bp(start="one"):
    """Guided backpropagation: the gradient, rectified at every ReLU.

    Equation: ``r_in = 1[a > 0] r⁺`` at a ReLU, the derivative elsewhere. Source:
    :cite:t:`springenberg2015striving`. Channel reduction: maximum of absolute values.
    The 2020 code starts from the logit's value; that is ``start="logit"``.
    """
    return Method(
        "guided-bp", gradient_table(rules.Guided()), start=start, reduction="max-abs"
    )


def deconv(start="one"):
    """Deconvolution: relevance is rectified where activations were.

    Equation: ``r_in = r⁺`` at a ReLU, the derivative elsewhere; max pooling uses the
    switches of the forward pass. Source: :cite:t:`zeiler2014visualizing`. Channel
    reduction: maximum of the absolute value. ``start="logit"`` is the 2020 code's.
    """
    return Method(
        "deconv", gradient_table(rules.Deconv()), start=start, reduction="max-abs"
    )


def rectgrad(percentile=98.0, start="one"):
    """RectGrad: the gradient, only where it and the activation are large together.

    Equation: ``r_in = 1[a > 0] 1[z r > τ] r`` at a ReLU, with `τ` the percentile of
    ``z r`` over the layer; the derivative elsewhere. Source:
    :cite:t:`kim2019saliency`. Channel reduction: maximum of the absolute value. No
    threshold at the input, as in the 2020 code, which starts from the logit's value;
    that is ``start="logit"``. In layers of 25 entries or less nothing is left.
    """
    rule = rules.RectGrad(percentile)
    return Method("rectgrad", gradient_table(rule), start=start, reduction="max-abs")


def patternnet(patterns=None, start="logit"):
    """PatternNet: the signal that the logit responds to, by fitted patterns.

    Equation: ``r_in = Aᵀ r`` in convolutions and dense layers, the derivative
    elsewhere. Source: :cite:t:`kindermans2018learning`. Channel reduction: sum. Needs
    ``patterns=modbp.patterns.fit(net, batches)``. The 2020 code rescales relevance
    above every layer; here it keeps its size, which no direction depends on.
    """
    return _by_patterns("patternnet", rules.Pattern(patterns), start)


def patternattribution(patterns=None, start="logit"):
    """PatternAttribution: how much of the logit each part of the signal makes.

    Equation: ``r_in = (A ⊙ W)ᵀ r`` in convolutions and dense layers, the derivative
    elsewhere. Source: :cite:t:`kindermans2018learning`. Channel reduction: sum. Needs
    ``patterns=modbp.patterns.fit(net, batches)``. Not multiplied by the input.
    """
    rule = rules.Pattern(patterns, attribution=True)
    return _by_patterns("patternattribution", rule, start)


def _by_patterns(name, rule, start):
    table = gradient_table(rules.Slope(), linear=rule, scale=rules.Gradient())
    return Method(name, table, start=start)
