"""Layer-wise relevance propagation with one rule for all layers but, maybe, the first.

Every option `first` takes a rule for the layers that read the network's input, by name
(``"box"``, ``"wsquare"``, ``"flat"``), or as in ``first=modbp.rules.Box(-1, 1)``. What
`addition` and `limit` do is said at `split`.
"""

from modbp.backprop import rules
from modbp.backprop.methods.method import Method
from modbp.errors import InputError, unknown_name

# By name: `modbp.methods.get`.
__all__ = []

_FIRST = {"box": rules.Box, "wsquare": rules.WSquare, "flat": rules.Flat}
_ADDITIONS = ("ratio", "alphabeta")


def lrp(name, linear, start, first=None, relu=None, **kinds):
    """Return a method that propagates relevance by contribution.

    Parameters
    ----------
    name, start
        As in `Method`.
    linear : rule
        The rule of layers with weights.
    first : str or rule, optional
        The rule of those that read the network's input.
    relu : rule, optional
        The rule of ReLUs; they hand relevance through if left out.
    **kinds : rule
        Rules of single kinds of call.

    Returns
    -------
    Method
    """
    if isinstance(first, str):
        if first not in _FIRST:
            raise unknown_name("rule for the first layer", first, _FIRST)
        first = _FIRST[first]()
    table = {
        "linear": linear,
        "relu": relu or rules.Pass(),
        "avgpool": rules.Average(by_contribution=True),
        "add": rules.Split(),
        **kinds,
    }
    return Method(name, table, first=first, start=start)


def split(alpha, addition="ratio", limit=None):
    """Return the rule of additions in a method that follows the αβ-rule.

    Parameters
    ----------
    alpha : float
        That of the rule; ``beta = alpha − 1``.
    addition : {"ratio", "alphabeta"}
        Whether relevance is split by contribution (:class:`modbp.rules.Split`), or by
        positive and negative summands apart (:class:`modbp.rules.AlphaBetaSplit`).
    limit : float, optional
        Clips what a summand gets to ``[0, limit]``, for ``"alphabeta"`` only.

    Returns
    -------
    rule
    """
    if addition not in _ADDITIONS:
        raise unknown_name("rule for additions", addition, _ADDITIONS)
    if addition == "alphabeta":
        return rules.AlphaBetaSplit(alpha, alpha - 1, limit)
    if limit is not None:
        raise InputError(
            f"limit is {limit!r}, but only addition='alphabeta' clips. Choose both, or "
            "leave the limit out."
        )
    return rules.Split()


def lrp_z(bias=rules.BIAS, first=None, start="logit"):
    """LRP-z: relevance in proportion to signed contributions.

    Equation: ``r_in = a ⊙ Wᵀ(r / z)``. Source: :cite:t:`bach2015pixel`. Channel
    reduction: sum. Undefined where ``z = 0``: such a denominator is replaced by 1e-7,
    and near it relevance can be very large.
    """
    return lrp("lrp-z", rules.Epsilon(0.0, bias), start, first)


def lrp_eps(epsilon=rules.EPSILON, bias=rules.BIAS, first=None, start="logit"):
    """LRP-ε: LRP-z with a denominator that is kept away from zero.

    Equation: ``r_in = a ⊙ Wᵀ(r / (z + ε sign z))``. Source: :cite:t:`bach2015pixel`.
    Channel reduction: sum. ε absorbs relevance; it is in units of `z`.
    """
    return lrp("lrp-eps", rules.Epsilon(epsilon, bias), start, first)


def lrp_a1b0(
    bias=rules.BIAS,
    epsilon=0.0,
    first=None,
    start="logit",
    addition="ratio",
    limit=None,
):
    """LRP-α1β0: only positive contributions count.

    Equation: ``r_in = (a⁺⊙W⁺ᵀ + a⁻⊙W⁻ᵀ)(r / P)``; on non-negative inputs the z⁺-rule.
    Source: :cite:t:`bach2015pixel`. Channel reduction: sum. Where nothing contributes
    positively, relevance is lost. Additions are split by contribution;
    ``addition="alphabeta", limit=1000.0`` splits them as the 2020 code does.
    """
    rule, add = rules.AlphaBeta(1, 0, bias, epsilon), split(1, addition, limit)
    return lrp("lrp-a1b0", rule, start, first, add=add)


def lrp_a2b1(
    bias=rules.BIAS,
    epsilon=0.0,
    first=None,
    start="logit",
    addition="ratio",
    limit=None,
):
    """LRP-α2β1: positive contributions count twice, negative ones once.

    Equation: that of :class:`modbp.rules.AlphaBeta` with α = 2, β = 1. Source:
    :cite:t:`bach2015pixel`. Channel reduction: sum. Relevance can grow from layer to
    layer; where one sign is missing, it is not conserved.
    """
    rule, add = rules.AlphaBeta(2, 1, bias, epsilon), split(2, addition, limit)
    return lrp("lrp-a2b1", rule, start, first, add=add)


def lrp_a5b4(
    bias=rules.BIAS,
    epsilon=0.0,
    first=None,
    start="logit",
    addition="ratio",
    limit=None,
):
    """LRP-α5β4: positive contributions count five times, negative ones four times.

    Equation: that of :class:`modbp.rules.AlphaBeta` with α = 5, β = 4. Source:
    :cite:t:`sixt2020lie`, appendix B. Channel reduction: sum. Relevance grows by up to
    a factor of nine per layer.
    """
    rule, add = rules.AlphaBeta(5, 4, bias, epsilon), split(5, addition, limit)
    return lrp("lrp-a5b4", rule, start, first, add=add)


def excitation_bp(start="one"):
    """Excitation backprop: a winning probability, handed down by positive weights.

    Equation: ``r_in = a ⊙ W⁺ᵀ(r / W⁺a)``. Source: :cite:t:`zhang2018excitation`.
    Channel reduction: sum. Needs non-negative inputs to every linear layer. It is
    LRP-α1β0 with the bias ignored, started from one.
    """
    return lrp("excitation-bp", rules.Excitation(), start)


def lrp_gamma(
    gamma=rules.GAMMA,
    bias=rules.BIAS,
    epsilon=0.0,
    split=True,
    first=None,
    start="logit",
):
    """LRP-γ: positive contributions count a little more.

    Equation: ``r_in = a ⊙ (W + γW⁺)ᵀ(r / (W a + b + γW⁺a))``, and for negative inputs
    or outputs that of :class:`modbp.rules.Gamma`. Source:
    :cite:t:`montavon2019layer`. Channel reduction: sum. Between LRP-z, ``gamma=0``, and
    LRP-α1β0, its limit. With ``split=False`` denominators can vanish where ``z < 0``.
    """
    rule = rules.Gamma(gamma, bias, epsilon, split)
    return lrp("lrp-gamma", rule, start, first)


def dtd(
    first="box",
    bias=rules.BIAS,
    epsilon=0.0,
    start="logit",
    addition="ratio",
    limit=None,
):
    """Deep Taylor decomposition: z^B for pixels, z⁺ above, nothing to what is off.

    Equation: ``r_in = a ⊙ W⁺ᵀ(r / W⁺a)``, at a ReLU ``r_in = 1[z > 0] r``, at pixels
    that of :class:`modbp.rules.Box`. Source: :cite:t:`montavon2017dtd`. Channel
    reduction: sum. Needs pixels in [0, 1], or the range of yours:
    ``first=modbp.rules.Box(low, high)``. The logit is not rectified, as in the 2020
    code.
    """
    rule = rules.AlphaBeta(1, 0, bias, epsilon)
    add = split(1, addition, limit)
    return lrp("dtd", rule, start, first, relu=rules.Lit(), add=add)


def contrastive_lrp(bias=rules.BIAS, epsilon=0.0, first=None, start="contrast"):
    """Contrastive LRP: LRP-α1β0 for one class, against all others.

    Equation: relevance ``f_c`` at the explained logit and ``−f_c/(C−1)`` at each of the
    others, then LRP-α1β0. Source: :cite:t:`gu2019understanding`, CLRP1, there with its
    negative part cut off at the end; here it is kept. Channel reduction: sum. Needs two
    classes at least. Relevance at the top sums to zero.
    """
    rule = rules.AlphaBeta(1, 0, bias, epsilon)
    return lrp("contrastive-lrp", rule, start, first)
