"""How methods are spelled in experiments: names, with options where they need some."""

import ast

from modbp.backprop import methods, rules
from modbp.errors import InputError, check_option

__all__ = ["PATTERNS", "SPELLED", "method", "needs_patterns"]

# DeepLIFT as in the 2020 code, which routes max pooling by the winner; and read as what
# goes in, multipliers, beside contributions.
SPELLED = {
    f"deeplift-{kind}": f"deeplift-{kind}:maxpool=winner"
    for kind in ("rescale", "revealcancel", "ablation")
} | {
    f"deeplift-{kind}-multiplier": f"deeplift-{kind}:maxpool=winner,readout=multiplier"
    for kind in ("rescale", "ablation")
}

# Methods that need patterns, which a run fits when it comes to them.
PATTERNS = ("patternnet", "patternattribution")


def method(label: str, patterns: dict | None = None) -> methods.Method:
    """Return the method of a label, as in ``lrp-z`` or ``lrp-gamma:gamma=0.5``."""
    check_option("method", label, lambda label: label + "", "give its name.")
    name, _, text = SPELLED.get(label, label).partition(":")
    options = {}
    for entry in filter(None, text.split(",")):
        key, equals, value = entry.partition("=")
        if not equals:
            raise InputError(
                f"{label}: {entry!r} is no option; write NAME:OPTION=VALUE, as in "
                "lrp-gamma:gamma=0.5."
            )
        if key in options:
            raise InputError(f"{label}: {key} comes twice; give it once.")
        try:
            options[key] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            options[key] = value
    if needs_patterns(label):
        options["patterns"] = patterns
    if options.get("addition") == "alphabeta":  # in words, of the method's α and β
        of = getattr(methods.get(name), "rules", {}).get("linear")
        if isinstance(of, rules.AlphaBeta):  # else the method refuses the option
            limit = options.pop("limit", None)
            options["addition"] = rules.AlphaBetaSplit(of.alpha, of.beta, limit)
    return methods.get(name, **options)


def needs_patterns(label: str) -> bool:
    """Say whether a label means a method that goes back by patterns."""
    return str(label).partition(":")[0] in PATTERNS
