"""Splitting relevance at an addition of signed branches by sign."""

from dataclasses import dataclass

from modbp.backprop.rules.linear import AlphaBeta, stabilise
from modbp.errors import check_option

__all__ = ["CODE_LIMIT", "AlphaBetaSplit"]

# What the 2020 code lets one entry of a branch get at most.
CODE_LIMIT = 1000.0


@dataclass(frozen=True)
class AlphaBetaSplit:
    """Split relevance at an addition by positive and by negative summands, apart.

    Equation: ``r_k = α a_k⁺ r / Σ a⁺ − β a_k⁻ r / Σ a⁻``, the αβ-rule of a layer whose
    weights are all one; with a limit, each ``r_k`` is then clipped to ``[0, limit]``.
    Where no summand has one sign, that sign's share is lost. :class:`modbp.rules.Split`
    conserves for any signs; both agree for α = 1 where all summands are non-negative.

    Parameters
    ----------
    alpha, beta : float
        With ``alpha − beta = 1`` and ``beta ≥ 0``.
    limit : float, optional
        Above 0. The 2020 code's is ``CODE_LIMIT``; clipping is not linear in
        relevance, and what it cuts is lost.

    Raises
    ------
    InputError
        If a parameter is out of range.

    References
    ----------
    :cite:t:`bach2015pixel`, equation 60; the code of :cite:t:`sixt2020lie`.
    """

    alpha: float = 1.0
    beta: float = 0.0
    limit: float | None = None

    def __post_init__(self):
        AlphaBeta(self.alpha, self.beta)  # refuses what is no pair of α and β
        check_option(
            "limit",
            self.limit,
            lambda limit: limit is None or limit > 0,
            "give a number above 0, or None for none.",
        )

    def __call__(self, call, *inputs):

        def back(r):
            # Parts by sign, twice the size of the inputs, are not kept.
            up, down = (
                [a.clamp(**by) for a in inputs] for by in ({"min": 0}, {"max": 0})
            )
            favour = self.alpha * r / stabilise(sum(up))
            against = self.beta * r / stabilise(sum(down))
            pairs = zip(up, down, strict=True)
            parts = (plus * favour - minus * against for plus, minus in pairs)
            if self.limit is None:
                return tuple(parts)
            return tuple(part.clamp(0, self.limit) for part in parts)

        return call.layer.forward(*inputs), back
