"""What the stored results answer, in few words: which methods change with the class."""

from collections.abc import Mapping
from math import isnan, nan

from modbp.errors import check_option
from modbp.study import experiments

__all__ = ["by_answer", "kept", "missing"]

# From how much of the way between unrelated and equal maps on a method does not listen,
# and up to how much it does.
DEAF, LISTENS = 0.9, 0.5
# From which similarity on maps of two pictures tell nothing of either.
SAME = 0.99


def kept(found: Mapping, kind: str = "corrected") -> float:
    """Return where maps of another class lie between unrelated maps, 0, and equal, 1.

    NaN if unrelated maps are the same already, so that nothing lies between.

    >>> from modbp.study import answers, experiments
    >>> found = experiments.read("random-logit/vgg16")["results"]
    >>> round(answers.kept(found["lrp-a1b0"]), 3)
    1.0

    Parameters
    ----------
    found : what a stored result of random logits has of one method
    kind : "corrected" or "ssim", the settings of the similarity
    """
    known = kind in ("corrected", "ssim")
    check_option("kind", kind, lambda _: known, "choose 'corrected' or 'ssim'.")
    floor = found["floor"][kind]["median"]
    if floor >= SAME:
        return nan
    return (found["stages"]["random logit"][kind]["median"] - floor) / (1 - floor)


def by_answer() -> dict[str, dict[str, list[float]]]:
    """Return what each method keeps on the book's networks, sorted into three groups.

    "ignores" the class on every network, "listens" on every one, or "depends" on which
    it is. Each group holds methods with one number per network that was measured.
    """
    found = experiments.stored("random-logit").values()
    names = dict.fromkeys(name for entry in found for name in entry["results"])
    groups = {"ignores": {}, "depends": {}, "listens": {}}
    for name in names:
        each = [entry["results"].get(name) for entry in found]
        shares = [share for cell in each if cell and not isnan(share := kept(cell))]
        deaf, listens = min(shares) >= DEAF, max(shares) <= LISTENS
        group = "ignores" if deaf else "listens" if listens else "depends"
        groups[group][name] = shares
    return groups


def missing(experiment: str) -> tuple[int, int]:
    """Return how many similarities the book's networks have, and how many are missing.

    >>> from modbp.study import answers
    >>> answers.missing("random-logit")[1]
    0

    Parameters
    ----------
    experiment : "random-logit" or "cascade"
    """
    known = experiment in ("random-logit", "cascade")
    remedy = "choose 'random-logit' or 'cascade'."
    check_option("experiment", experiment, lambda _: known, remedy)
    values = [
        value
        for entry in experiments.stored(experiment).values()
        for found in entry["results"].values()
        for cell in found["stages"].values()
        for value in cell["corrected"]["values"]
    ]
    return len(values), values.count(None)
