"""What the named methods have in common: their names, and their options in words."""

import inspect
from collections.abc import Callable
from typing import Literal

__all__ = ["named"]

# In the order of tables; an underscore for each hyphen gives the function.
Name = Literal[
    "gradient",
    "gradient-x-input",
    "smoothgrad",
    "integrated-gradients",
    "guided-bp",
    "deconv",
    "rectgrad",
    "lrp-z",
    "lrp-eps",
    "lrp-gamma",
    "lrp-a1b0",
    "lrp-a2b1",
    "lrp-a5b4",
    "excitation-bp",
    "dtd",
    "lrp-cmp-a1b0",
    "lrp-cmp-a2b1",
    "lrp-eps-plus",
    "lrp-eps-gamma-box",
    "contrastive-lrp",
    "patternnet",
    "patternattribution",
    "deeplift-rescale",
    "deeplift-revealcancel",
    "deeplift-ablation",
]
Start = Literal["logit", "one", "contrast"]
Bias = Literal["denominator", "unit", "ignore"]
Rule = Callable
First = str | Rule | None

_OPTIONS = {
    "start": "Relevance of the explained logit: its value, 'logit'; 'one'; or, by "
    "'contrast', the value against equal shares of minus it at all others.",
    "bias": 'What becomes of the bias: in the "denominator", a "unit" of its own, or '
    '"ignore"; see :class:`modbp.rules.AlphaBeta`.',
    "epsilon": "The ε of the ε-rule: at least 0, in units of `z`.",
    "stabilizer": "Keeps the denominators of rules without ε from zero, at least 0; 0 "
    "replaces exact zeros only.",
    "gamma": "How much more positive contributions count, in [0, ∞).",
    "split": "Whether contributions are sorted by their own sign, or their weight's, "
    "see :class:`modbp.rules.Gamma`.",
    "first": 'The rule of layers that read the network\'s input: "box", "wsquare", '
    '"flat", a rule such as ``modbp.rules.Box(-1, 1)``, or None: that of the others.',
    "addition": "The rule of additions, such as :class:`modbp.rules.AlphaBetaSplit`; "
    ":class:`modbp.rules.Split` if None.",
    "percentile": "What of ``z r`` is dropped in every layer, in [0, 100].",
    "patterns": "A pattern for each layer by name, see :func:`modbp.patterns.fit`.",
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
    "small": "Smaller differences than this are no denominator at a ReLU.",
    "readout": 'What is read below the start: "contribution" or "multiplier".',
}


def named(function):
    """Write the options of a named method, and what it returns, into its docstring."""
    lines = [inspect.cleandoc(function.__doc__), "", "Parameters", "----------"]
    for option in inspect.signature(function).parameters:
        lines += [option, f"    {_OPTIONS[option]}"]
    kind = inspect.signature(function).return_annotation.__name__
    lines += ["", "Returns", "-------", kind, "    For `modbp.explain` and the like."]
    function.__doc__ = "\n".join(lines)
    return function
