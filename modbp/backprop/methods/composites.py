"""Layer-wise relevance propagation with different rules for different layers.

Dense layers follow the ε-rule, convolutions (and batch norm) another one. The option
`epsilon` is the ε of the dense layers, `stabiliser` that of the others' denominators.
"""

from modbp.backprop import rules
from modbp.backprop.methods.lrp import lrp, split

# By name: `modbp.methods.get`.
__all__ = []

# The ε of the 2020 code's composites.
CMP_EPSILON = 1e-10


def _over_dense(name, rule, epsilon, bias, first, start, **kinds):
    dense = rules.Epsilon(epsilon, bias)
    return lrp(name, rule, start, first, dense=dense, **kinds)


def lrp_cmp_a1b0(
    epsilon=CMP_EPSILON,
    bias=rules.BIAS,
    stabiliser=0.0,
    first=None,
    start="logit",
    addition="ratio",
    limit=None,
):
    """LRP-CMP α1β0: the ε-rule in dense layers, α1β0 in convolutions.

    Equation: those of :class:`modbp.rules.Epsilon` and :class:`modbp.rules.AlphaBeta`.
    Source: :cite:t:`kohlbrenner2019towards`; ε = 1e-10 and no rule of its own for the
    first layer as in the code of :cite:t:`sixt2020lie`. Channel reduction: sum.
    """
    rule, add = rules.AlphaBeta(1, 0, bias, stabiliser), split(1, addition, limit)
    return _over_dense("lrp-cmp-a1b0", rule, epsilon, bias, first, start, add=add)


def lrp_cmp_a2b1(
    epsilon=CMP_EPSILON,
    bias=rules.BIAS,
    stabiliser=0.0,
    first=None,
    start="logit",
    addition="ratio",
    limit=None,
):
    """LRP-CMP α2β1: the ε-rule in dense layers, α2β1 in convolutions.

    Equation: those of :class:`modbp.rules.Epsilon` and :class:`modbp.rules.AlphaBeta`.
    Source: :cite:t:`kohlbrenner2019towards`; ε = 1e-10 and no rule of its own for the
    first layer as in the code of :cite:t:`sixt2020lie`. Channel reduction: sum.
    Relevance can grow from convolution to convolution.
    """
    rule, add = rules.AlphaBeta(2, 1, bias, stabiliser), split(2, addition, limit)
    return _over_dense("lrp-cmp-a2b1", rule, epsilon, bias, first, start, add=add)


def lrp_eps_plus(
    epsilon=rules.EPSILON, bias=rules.BIAS, stabiliser=0.0, first=None, start="logit"
):
    """LRP-ε-plus: the ε-rule in dense layers, z⁺ in convolutions.

    Equation: those of :class:`modbp.rules.Epsilon` and :class:`modbp.rules.AlphaBeta`
    with α = 1. Source: :cite:t:`anders2021software`, Zennit's EpsilonPlus. Channel
    reduction: sum. It is lrp-cmp-a1b0 with a larger ε.
    """
    rule = rules.AlphaBeta(1, 0, bias, stabiliser)
    return _over_dense("lrp-eps-plus", rule, epsilon, bias, first, start)


def lrp_eps_gamma_box(
    epsilon=rules.EPSILON,
    gamma=rules.GAMMA,
    bias=rules.BIAS,
    stabiliser=0.0,
    first="box",
    start="logit",
):
    """LRP-ε-γ-box: ε-rule in dense layers, γ-rule in convolutions, z^B at the pixels.

    Equation: those of :class:`modbp.rules.Epsilon`, :class:`modbp.rules.Gamma` and
    :class:`modbp.rules.Box`. Source: :cite:t:`anders2021software`, Zennit's
    EpsilonGammaBox. Channel reduction: sum. Needs pixels in [0, 1], or the range of
    yours: ``first=modbp.rules.Box(low, high)``.
    """
    rule = rules.Gamma(gamma, bias, stabiliser)
    return _over_dense("lrp-eps-gamma-box", rule, epsilon, bias, first, start)
