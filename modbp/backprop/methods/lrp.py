"""Layer-wise relevance propagation: one rule for all layers, or a composite.

In a composite `epsilon` is the ε of the dense layers, `stabilizer` of the others. To
all of them a gate is a constant, and so are mean and variance in a layer norm.
"""

from modbp.backprop import rules
from modbp.backprop.methods.method import Method, is_rule
from modbp.backprop.methods.named import named
from modbp.backprop.rules.options import Bias, First, Output, Rule
from modbp.errors import check_option, unknown_name

__all__ = ["contrastive_lrp", "dtd", "excitation_bp", "lrp_a1b0", "lrp_a2b1"]
__all__ += ["lrp_a5b4", "lrp_cmp_a1b0", "lrp_cmp_a2b1", "lrp_eps", "lrp_eps_gamma_box"]
__all__ += ["lrp_eps_plus", "lrp_gamma", "lrp_z"]

# The ε of the 2020 code's composites.
CMP_EPSILON = 1e-10
_FIRST = {"box": rules.Box, "wsquare": rules.WSquare, "flat": rules.Flat}


def _lrp(name, linear, output, first=None, addition=None, relu=None, **kinds):
    """Return a method that propagates relevance by contribution."""
    if isinstance(first, str):
        if first not in _FIRST:
            raise unknown_name("rule for the first layer", first, _FIRST)
        first = _FIRST[first]()
    addition = rules.Split() if addition is None else addition
    remedy = "give a rule, as in modbp.rules.AlphaBetaSplit(1, 0), or None for Split()."
    check_option("addition", addition, is_rule, remedy)
    table = {
        "linear": linear,
        "relu": relu or rules.Pass(),
        # One entry to one: it takes all, and what a constant adds gets nothing.
        **dict.fromkeys(("scale", "activation", "layernorm", "detach"), rules.Pass()),
        "gate": rules.Signal(),
        "avgpool": rules.AvgPool(by_contribution=True),
        "add": addition,
        **kinds,
    }
    return Method(name, table, first=first, output=output)


@named
def lrp_z(
    bias: Bias = rules.BIAS, first: First = None, output: Output = "logit"
) -> Method:
    """LRP-z: relevance in proportion to signed contributions.

    Equation: ``r_in = a ⊙ Wᵀ(r / z)``. Source: :cite:t:`bach2015pixel`. Undefined where
    ``z = 0``: 1e-7 replaces it, and near it relevance can be very large.

    >>> modbp.explain(net, x, "lrp-z", 0)
    tensor([[-4., -4.]], dtype=torch.float64)
    """
    return _lrp("lrp-z", rules.Epsilon(0.0, bias), output, first)


@named
def lrp_eps(
    epsilon: float = rules.EPSILON, bias: Bias = rules.BIAS, first: First = None,
    output: Output = "logit",
) -> Method:  # fmt: skip
    """LRP-ε: LRP-z with a denominator that is kept away from zero.

    Equation: ``r_in = a ⊙ Wᵀ(r / (z + ε sign z))``. Source: :cite:t:`bach2015pixel`. ε
    absorbs relevance; it is in units of `z`.

    >>> modbp.explain(net, x, modbp.methods.get("lrp-eps", epsilon=1), 0)
    tensor([[-2.8444, -2.8444]], dtype=torch.float64)
    """
    return _lrp("lrp-eps", rules.Epsilon(epsilon, bias), output, first)


@named
def lrp_a1b0(
    bias: Bias = rules.BIAS, stabilizer: float = 0.0, first: First = None,
    output: Output = "logit", addition: Rule | None = None,
) -> Method:  # fmt: skip
    """LRP-α1β0: only positive contributions count.

    Equation: ``r_in = (a⁺⊙W⁺ᵀ + a⁻⊙W⁻ᵀ)(r / P)``; on non-negative inputs the z⁺-rule.
    Source: :cite:t:`bach2015pixel`. Lost is what nothing contributes to positively. The
    2020 code has ``addition=modbp.rules.AlphaBetaSplit(1, 0, limit=1000.0)``.

    >>> modbp.explain(net, x, "lrp-a1b0", 1)
    tensor([[2., 2.]], dtype=torch.float64)
    """
    rule = rules.AlphaBeta(1, 0, bias, stabilizer)
    return _lrp("lrp-a1b0", rule, output, first, addition)


@named
def lrp_a2b1(
    bias: Bias = rules.BIAS, stabilizer: float = 0.0, first: First = None,
    output: Output = "logit", addition: Rule | None = None,
) -> Method:  # fmt: skip
    """LRP-α2β1: positive contributions count twice, negative ones once.

    Equation: that of :class:`modbp.rules.AlphaBeta` with α = 2, β = 1. Source:
    :cite:t:`bach2015pixel`. Relevance can grow from layer to layer; where one sign is
    missing, it is not conserved.

    >>> modbp.explain(net, x, "lrp-a2b1", 1)
    tensor([[8., 8.]], dtype=torch.float64)
    """
    rule = rules.AlphaBeta(2, 1, bias, stabilizer)
    return _lrp("lrp-a2b1", rule, output, first, addition)


@named
def lrp_a5b4(
    bias: Bias = rules.BIAS, stabilizer: float = 0.0, first: First = None,
    output: Output = "logit", addition: Rule | None = None,
) -> Method:  # fmt: skip
    """LRP-α5β4: positive contributions count five times, negative ones four times.

    Equation: that of :class:`modbp.rules.AlphaBeta` with α = 5, β = 4. Source:
    :cite:t:`sixt2020lie`, appendix B. Relevance grows by up to nine per layer.

    >>> modbp.explain(net, x, "lrp-a5b4", 1)
    tensor([[50., 50.]], dtype=torch.float64)
    """
    rule = rules.AlphaBeta(5, 4, bias, stabilizer)
    return _lrp("lrp-a5b4", rule, output, first, addition)


@named
def excitation_bp(output: Output = "one") -> Method:
    """Excitation backprop: a winning probability, handed down by positive weights.

    Equation: ``r_in = a ⊙ W⁺ᵀ(r / W⁺a)``. Source: :cite:t:`zhang2018excitation`. Needs
    inputs ≥ 0 to every linear layer. It is LRP-α1β0 without the bias, started from one.

    >>> modbp.explain(net, x, "excitation-bp", 1)
    tensor([[0.5000, 0.5000]], dtype=torch.float64)
    """
    return _lrp("excitation-bp", rules.Excitation(), output)


@named
def lrp_gamma(
    gamma: float = rules.GAMMA, bias: Bias = rules.BIAS, stabilizer: float = 0.0,
    split: bool = True, first: First = None, output: Output = "logit",
) -> Method:  # fmt: skip
    """LRP-γ: positive contributions count a little more.

    Equation: ``r_in = a ⊙ (W + γW⁺)ᵀ(r / (W a + b + γW⁺a))``, and for negative inputs
    or outputs that of :class:`modbp.rules.Gamma`. Source: :cite:t:`montavon2019layer`.
    Between LRP-z, ``gamma=0``, and LRP-α1β0, its limit.

    >>> modbp.explain(net, x, "lrp-gamma", 0)
    tensor([[-4., -4.]], dtype=torch.float64)
    """
    rule = rules.Gamma(gamma, bias, stabilizer, split)
    return _lrp("lrp-gamma", rule, output, first)


@named
def dtd(
    first: First = "box", bias: Bias = rules.BIAS, stabilizer: float = 0.0,
    output: Output = "logit", addition: Rule | None = None,
) -> Method:  # fmt: skip
    """Deep Taylor decomposition: z^B for pixels, z⁺ above, nothing to what is off.

    Equation: ``r_in = a ⊙ W⁺ᵀ(r / W⁺a)``, at a ReLU ``r_in = 1[z > 0] r``, at pixels
    that of :class:`modbp.rules.Box`. Source: :cite:t:`montavon2017dtd`. Needs pixels in
    [0, 1], or the range of yours: ``first=modbp.rules.Box(low, high)``. The logit is
    not rectified, as in the 2020 code.

    >>> modbp.explain(net, x / 2, "dtd", 1)
    tensor([[1., 1.]], dtype=torch.float64)
    """
    rule = rules.AlphaBeta(1, 0, bias, stabilizer)
    return _lrp("dtd", rule, output, first, addition, relu=rules.ReLUMask())


@named
def contrastive_lrp(
    bias: Bias = rules.BIAS, stabilizer: float = 0.0, first: First = None,
    output: Output = "contrast",
) -> Method:  # fmt: skip
    """Contrastive LRP: LRP-α1β0 for one class, against all others.

    Equation: relevance ``f_c`` at the explained logit and ``−f_c/(C−1)`` at each of the
    others, a sum of zero; then LRP-α1β0. Source: :cite:t:`gu2019understanding`, CLRP1,
    whose negative part is kept here. Needs two classes at least.

    >>> modbp.explain(net, x, "contrastive-lrp", 1)
    tensor([[2., 2.]], dtype=torch.float64)
    """
    rule = rules.AlphaBeta(1, 0, bias, stabilizer)
    return _lrp("contrastive-lrp", rule, output, first)


@named
def lrp_cmp_a1b0(
    epsilon: float = CMP_EPSILON, bias: Bias = rules.BIAS, stabilizer: float = 0.0,
    first: First = None, output: Output = "logit", addition: Rule | None = None,
) -> Method:  # fmt: skip
    """LRP-CMP α1β0: the ε-rule in dense layers, α1β0 in convolutions.

    Equation: those of :class:`modbp.rules.Epsilon` and :class:`modbp.rules.AlphaBeta`.
    Source: :cite:t:`kohlbrenner2019towards`; ε = 1e-10 and no rule of its own for the
    first layer as in the code of :cite:t:`sixt2020lie`.

    >>> modbp.explain(net, x, "lrp-cmp-a1b0", 0)
    tensor([[-4.0000, -4.0000]], dtype=torch.float64)
    """
    rule, dense = rules.AlphaBeta(1, 0, bias, stabilizer), rules.Epsilon(epsilon, bias)
    return _lrp("lrp-cmp-a1b0", rule, output, first, addition, dense=dense)


@named
def lrp_cmp_a2b1(
    epsilon: float = CMP_EPSILON, bias: Bias = rules.BIAS, stabilizer: float = 0.0,
    first: First = None, output: Output = "logit", addition: Rule | None = None,
) -> Method:  # fmt: skip
    """LRP-CMP α2β1: the ε-rule in dense layers, α2β1 in convolutions.

    Equation: those of :class:`modbp.rules.Epsilon` and :class:`modbp.rules.AlphaBeta`.
    Source: :cite:t:`kohlbrenner2019towards`; all else as in lrp-cmp-a1b0. Relevance can
    grow from convolution to convolution.

    >>> modbp.explain(net, x, "lrp-cmp-a2b1", 0)
    tensor([[-4.0000, -4.0000]], dtype=torch.float64)
    """
    rule, dense = rules.AlphaBeta(2, 1, bias, stabilizer), rules.Epsilon(epsilon, bias)
    return _lrp("lrp-cmp-a2b1", rule, output, first, addition, dense=dense)


@named
def lrp_eps_plus(
    epsilon: float = rules.EPSILON, bias: Bias = rules.BIAS, stabilizer: float = 0.0,
    first: First = None, output: Output = "logit",
) -> Method:  # fmt: skip
    """LRP-ε-plus: the ε-rule in dense layers, z⁺ in convolutions.

    Equation: those of :class:`modbp.rules.Epsilon` and :class:`modbp.rules.AlphaBeta`
    with α = 1. Source: :cite:t:`anders2021software`, Zennit's EpsilonPlus. It is
    lrp-cmp-a1b0 with a larger ε.

    >>> modbp.explain(net, x, "lrp-eps-plus", 0)
    tensor([[-4.0000, -4.0000]], dtype=torch.float64)
    """
    rule, dense = rules.AlphaBeta(1, 0, bias, stabilizer), rules.Epsilon(epsilon, bias)
    return _lrp("lrp-eps-plus", rule, output, first, dense=dense)


@named
def lrp_eps_gamma_box(
    epsilon: float = rules.EPSILON, gamma: float = rules.GAMMA, bias: Bias = rules.BIAS,
    stabilizer: float = 0.0, first: First = "box", output: Output = "logit",
) -> Method:  # fmt: skip
    """LRP-ε-γ-box: ε-rule in dense layers, γ-rule in convolutions, z^B at the pixels.

    Equation: those of :class:`modbp.rules.Epsilon`, :class:`modbp.rules.Gamma` and
    :class:`modbp.rules.Box`. Source: :cite:t:`anders2021software`, Zennit's
    EpsilonGammaBox. Needs pixels in [0, 1], or the range of yours:
    ``first=modbp.rules.Box(low, high)``.

    >>> modbp.explain(net, x / 2, "lrp-eps-gamma-box", 0)
    tensor([[-2.0000, -2.0000]], dtype=torch.float64)
    """
    rule, dense = rules.Gamma(gamma, bias, stabilizer), rules.Epsilon(epsilon, bias)
    return _lrp("lrp-eps-gamma-box", rule, output, first, dense=dense)
