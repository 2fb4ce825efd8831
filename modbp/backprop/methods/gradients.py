"""Methods that are gradients but for their rule at a ReLU."""

from collections.abc import Mapping

from modbp.backprop import rules
from modbp.backprop.methods.method import Method
from modbp.backprop.methods.named import named
from modbp.backprop.rules.options import Output

__all__ = ["deconv", "gradient", "gradient_x_input", "guided_bp"]
__all__ += ["patternattribution", "patternnet", "rectgrad"]


def _table(relu, **more):
    return {
        "linear": rules.Gradient(),
        "scale": rules.Gradient(),
        "relu": relu,
        "layernorm": rules.Derivative(),
        "gate": rules.Product(),
        "avgpool": rules.AvgPool(),
        "add": rules.Copy(),
        **more,
    }


def _derivative(name, output, **more):
    """Return the derivative itself, through whatever there is."""
    elsewhere = {"activation": rules.ActivationGradient(), "other": rules.Derivative()}
    table = _table(rules.ReLUGradient(), **elsewhere)
    return Method(name, table, output=output, derivative=True, **more)


def _by_magnitude(name, relu, output):
    return Method(name, _table(relu), output=output, reduction="max-abs")


def _by_patterns(name, patterns, attribution, output):
    rule = rules.Pattern(patterns, attribution)
    more = {"norm": rules.Gradient(), "activation": rules.ActivationGradient()}
    table = _table(rules.ReLUGradient(), linear=rule, **more)
    return Method(name, table, output=output)


@named
def gradient(output: Output = "one") -> Method:
    """Gradient: the derivative of the logit with respect to the input.

    Equation: ``r = ∂f_c/∂x``. Source: :cite:t:`simonyan2014deep`. Needs nothing: on
    every differentiable network it is autograd's; at a kink of a ReLU it is 0.

    >>> modbp.explain(net, x, "gradient", 0)
    tensor([[-4., -2.]], dtype=torch.float64)
    """
    return _derivative("gradient", output, reduction="max-abs")


@named
def gradient_x_input(output: Output = "one") -> Method:
    """Gradient × input: the first-order effect of each input.

    Equation: ``r = x ⊙ ∂f_c/∂x``. Source: :cite:t:`shrikumar2017learning`. Below the
    top it is the gradient; the product is taken at the input. In a ReLU network it
    equals lrp-z, whose denominators hold the biases.

    >>> modbp.explain(net, x, "gradient-x-input", 0)
    tensor([[-4., -4.]], dtype=torch.float64)
    """
    return _derivative("gradient-x-input", output, times_input=True)


@named
def guided_bp(output: Output = "one") -> Method:
    """Guided backpropagation: the gradient, rectified at every ReLU.

    Equation: ``r_in = 1[a > 0] r⁺`` at a ReLU, the derivative elsewhere. Source:
    :cite:t:`springenberg2015striving`. ``output="logit"`` is the 2020 code's.

    >>> modbp.explain(net, x, "guided-bp", 1)
    tensor([[2., 1.]], dtype=torch.float64)
    """
    return _by_magnitude("guided-bp", rules.Guided(), output)


@named
def deconv(output: Output = "one") -> Method:
    """Deconvolution: relevance is rectified where activations were.

    Equation: ``r_in = r⁺`` at a ReLU, the derivative elsewhere; max pooling uses the
    switches of the forward pass. Source: :cite:t:`zeiler2014visualizing`.
    ``output="logit"`` is the 2020 code's.

    >>> modbp.explain(net, x, "deconv", 0)
    tensor([[ 1., -1.]], dtype=torch.float64)
    """
    return _by_magnitude("deconv", rules.Deconv(), output)


@named
def rectgrad(percentile: float = 98.0, output: Output = "one") -> Method:
    """RectGrad: the gradient, only where it and the activation are large together.

    Equation: ``r_in = 1[a > 0] 1[z r > τ] r`` at a ReLU, with `τ` the percentile of
    ``z r`` over the layer; the derivative elsewhere. Source: :cite:t:`kim2019saliency`.
    No threshold at the input, as in the 2020 code, which has ``output="logit"``. In
    layers of 25 entries or less nothing is left.

    >>> modbp.explain(net, x, modbp.methods.get("rectgrad", percentile=0), 1)
    tensor([[2., 1.]], dtype=torch.float64)
    """
    return _by_magnitude("rectgrad", rules.RectGrad(percentile), output)


@named
def patternnet(patterns: Mapping | None = None, output: Output = "logit") -> Method:
    """PatternNet: the signal that the logit responds to, by fitted patterns.

    Equation: ``r_in = Aᵀ r`` in convolutions and dense layers, the derivative
    elsewhere. Source: :cite:t:`kindermans2018learning`. Needs fitted
    `patterns`. The 2020 code rescales relevance above every layer, which no direction
    depends on; here it keeps its size.

    >>> fitted = {"fc1": torch.eye(2), "fc2": torch.ones(2, 2)}
    >>> method = modbp.methods.get("patternnet", patterns=fitted)
    >>> modbp.explain(net, x, method, 0)
    tensor([[ 0., -8.]], dtype=torch.float64)
    """
    return _by_patterns("patternnet", patterns, False, output)


@named
def patternattribution(
    patterns: Mapping | None = None, output: Output = "logit"
) -> Method:
    """PatternAttribution: how much of the logit each part of the signal makes.

    Equation: ``r_in = (A ⊙ W)ᵀ r`` in convolutions and dense layers, the derivative
    elsewhere. Source: :cite:t:`kindermans2018learning`. Needs fitted
    `patterns`. Not multiplied by the input. Each linear layer conserves relevance, the
    chain does not: a ReLU drops what arrives at units that are off.

    >>> fitted = {"fc1": torch.eye(2), "fc2": torch.ones(2, 2)}
    >>> method = modbp.methods.get("patternattribution", patterns=fitted)
    >>> modbp.explain(net, x, method, 0)
    tensor([[ 0., 16.]], dtype=torch.float64)
    """
    return _by_patterns("patternattribution", patterns, True, output)
