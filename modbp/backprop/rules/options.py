"""The options of rules and methods: their types, what must hold, and what they mean."""

import inspect
from collections.abc import Callable
from math import inf
from typing import Literal, get_args

from modbp.errors import check_option

__all__ = ["BIAS"]

Output = Literal["logit", "one", "contrast", "softmax"]
Bias = Literal["denominator", "unit", "ignore"]
Rule = Callable
First = str | Rule | None

# How the bias enters denominators; this is what the 2020 code does.
BIAS = "denominator"

# The words of the API pages.
_WORDS = {
    "alpha": "With ``alpha − beta = 1``.",
    "beta": "At least 0.",
    "output": "Relevance of the explained logit: its value, 'logit'; 'one'; by "
    "'contrast' the value against equal shares of minus it at all others; or by "
    "'softmax' the derivative of its probability with respect to all logits.",
    "bias": 'What becomes of the bias: in the "denominator", a "unit" of its own, or '
    '"ignore"; see :class:`modbp.rules.AlphaBeta`.',
    "epsilon": "The ε of the ε-rule: at least 0, in units of `z`.",
    "stabilizer": "Keeps the denominators of rules without ε from zero, at least 0; 0 "
    "replaces exact zeros only.",
    "gamma": "How much more positive contributions count, in [0, ∞): 0 is the z-rule, "
    "and as γ grows the rule approaches z⁺.",
    "split": "Whether contributions are sorted by their own sign, or their weight's; "
    "if by that, denominators can vanish: at ``z < 0``, and with negative inputs.",
    "first": 'The rule of layers that read the network\'s input: "box", "wsquare", '
    '"flat", a rule such as ``modbp.rules.Box(-1, 1)``, or None: that of the others.',
    "addition": "The rule of additions, such as :class:`modbp.rules.AlphaBetaSplit`; "
    "``modbp.rules.Split`` if None.",
    "low": "The smallest value that a pixel can have; one for all, or one per channel.",
    "high": "The largest one likewise.",
    "by_contribution": "Which of the two.",
    "limit": "Above 0, or None. The 2020 code's is 1000; clipping is not linear in "
    "relevance, and what it cuts is lost.",
    "percentile": "What of ``z r`` is dropped in every layer, in [0, 100].",
    "patterns": "For each layer's name a tensor of its weight's shape, as "
    ":func:`modbp.patterns.fit` gives them.",
    "attribution": "Whether patterns are multiplied by the weights.",
    "samples": "How many noisy copies, from 1 up.",
    "noise": "Standard deviation of the noise, in units of the image's range.",
    "seed": "Draws the noise, the same for every image.",
    "steps": "How many gradients are taken, from 1 up.",
    "baseline": "Where the way starts: one number, or an image ``[1, …]``.",
    "quadrature": 'Where on the way they are taken: "gauss-legendre", or "midpoint" of '
    "equal steps.",
    "reference": "The input to compare with, ``[…]`` for all samples or ``[N, …]`` for "
    "each; zeros if None.",
    "maxpool": '"difference" or "winner", see :class:`modbp.deeplift.LargestChange`.',
    "convention": '"difference" or "winner".',
    "small": "Differences below this share of the input of a ReLU are no denominator; "
    "in [0, 1).",
    "readout": 'What is read below the start: "contribution" or "multiplier".',
}


def described(thing):
    """Write what the options of a rule or a method mean into its docstring."""
    lines = [inspect.cleandoc(thing.__doc__), "", "Parameters", "----------"]
    for option in inspect.signature(thing).parameters:
        lines += [option, f"    {_WORDS[option]}"]
    thing.__doc__ = "\n".join(lines)
    return thing


def check_options(bias, **amounts):
    """Refuse a bias convention that does not exist, and an ε or stabilizer below 0."""
    choices = get_args(Bias)
    remedy = f"choose one of {', '.join(choices)}."
    check_option("bias", bias, choices.__contains__, remedy)
    for name, value in amounts.items():
        remedy = "it must be at least 0, and finite."
        check_option(name, value, lambda e: 0 <= e < inf, remedy)


def check_alpha_beta(alpha, beta):
    """Refuse what is no pair of α and β."""
    check_option(
        f"alpha is {alpha!r} and beta",
        beta,
        lambda beta: beta >= 0 and abs(alpha - beta - 1) <= 1e-9,
        "choose beta ≥ 0 and alpha = 1 + beta, so that relevance is neither made nor "
        "lost.",
    )
