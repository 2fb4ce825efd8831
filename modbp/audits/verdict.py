"""What is said of a method, and the rules by which it is said: all of them are here.

They were written down before any method was judged by them; CHANGELOG.md says what was
changed since. Every reading is a change of maps in units of one that surely is large:
how far the maps of other pictures are away. So 0 is the same map, and 1 is a map as
different as another picture's. A reading is taken by two likenesses, the cosine of all
relevance and SSIM of the maps as they are drawn; to both an opposite map is alike. To
be called changed, one of them has to see it, to be called unchanged, neither.

`CHANGE`, a tenth: less than that nobody would see between two maps. `PICTURES`, six: of
fewer, all on one side of a threshold is no evidence that the median is (0.5 to the
fifth power is 3 %, to the fourth 6 %). `FLOOR`, 1 %: where maps of other pictures do
not differ by as much, there is no unit to measure in.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from modbp.measures.interval import nested

__all__ = ["CHANGE", "FLOOR", "KINDS", "PICTURES", "Reading", "Verdict", "judge"]

CHANGE, PICTURES, FLOOR = 0.1, 6, 0.01
LOOKS, ONLY, NOT = "looks", "looks only at", "does not look"
UNTOLD = "cannot be told with these pictures"
KINDS = (LOOKS, ONLY, NOT, UNTOLD)


@dataclass(frozen=True, eq=False)
class Reading:
    """How far maps changed, for each picture; 1 is as far as another picture's.

    `same` says where a map stayed the same to the last bit; `shares` has an array
    ``[N]`` for each likeness, NaN where a map has no direction or no contrast. Pictures
    of one of `groups` share a draw of weights. `empty` says where both maps are zero
    throughout, which is no evidence that they never change.
    """

    same: np.ndarray
    shares: Mapping[str, np.ndarray]
    groups: np.ndarray | None = None
    empty: np.ndarray | None = None
    _found: dict = field(default_factory=dict, repr=False)

    def median(self, likeness):
        """Return the median over pictures, NaN if it is there for too few of them."""
        values = self.shares[likeness]
        enough = np.count_nonzero(~np.isnan(values)) >= min(PICTURES, len(values))
        return float(np.nanmedian(values)) if enough else float("nan")

    def interval(self, likeness):
        """Return where it would be with other pictures, 95 %; NaN where it is."""
        if likeness not in self._found:
            ends = np.nan, np.nan
            if not np.isnan(self.median(likeness)):
                ends = nested(self.shares[likeness], self.groups)
            self._found[likeness] = ends
        return self._found[likeness]

    @property
    def exact(self):
        """Whether no map changed at all, of those that have something in them."""
        same = self.same if self.empty is None else self.same[~self.empty]
        return len(same) > 0 and bool(same.all())

    @property
    def changed(self):
        """Whether one of the likenesses sees a change."""
        return any(self.interval(each)[0] > CHANGE for each in self.shares)

    @property
    def unchanged(self):
        """Whether none of them can see one, and one could have."""
        highs = [self.interval(each)[1] for each in self.shares]
        highs = [high for high in highs if not np.isnan(high)]
        return self.exact or bool(highs) and max(highs) < CHANGE


@dataclass(frozen=True)
class Verdict:
    """One of `KINDS`, and why; `below` is the highest layer that is looked at."""

    kind: str
    why: str
    below: str = ""

    def __str__(self):
        return f"{self.kind} {self.below} and below" if self.below else self.kind

    def told(self):
        """Return it in plain JSON values."""
        return {"kind": self.kind, "below": self.below, "why": self.why}


def judge(
    other: Reading,
    stages: Mapping[str, Reading],
    floor: Mapping[str, float],
    again: Reading | None = None,
    highest: str = "",
) -> Verdict:
    """Return the verdict on a method.

    Parameters
    ----------
    other : the change of maps when another class is explained
    stages
        By layer, top first, the change when the weights from the top down to there are
        random ones.
    floor : how far maps of other pictures are away, by likeness, not in shares
    again : the change when the same is asked twice, where that may differ
    highest
        The highest layer whose random weights change a map, where that is known better
        than by the stages.
    """
    names, readings = list(stages), list(stages.values())
    if not readings:
        return Verdict(
            UNTOLD,
            "It does not explain the network once weights are random, so that it "
            "cannot be seen whether they matter.",
        )
    free = next((n for n, each in enumerate(readings) if not each.exact), len(names))
    if free == len(names):
        hint = (
            ""
            if other.exact
            else " If it has a network of its own, let it explain the one it is given."
        )
        return Verdict(
            NOT,
            "Its maps are the same, to the last bit, when every weight that can be "
            f"drawn anew is random.{hint}",
        )
    if len(other.same) < PICTURES:
        return Verdict(
            UNTOLD,
            f"{len(other.same)} pictures are too few: give {PICTURES} or more.",
        )
    # First, since of empty maps it cannot be said either that they differ when asked.
    if not any(value > FLOOR for value in floor.values()):
        return Verdict(
            UNTOLD,
            "Its maps of different pictures are alike, or have no contrast, so there "
            "is nothing to compare a change with.",
        )
    if again is not None and not again.unchanged:
        return Verdict(
            UNTOLD,
            "Asked twice it gives different maps. Let it draw what is random from a "
            "seed, or average over more.",
        )
    if other.exact and free and any(each.changed for each in readings[free:]):
        below = highest or names[free]
        return Verdict(
            ONLY,
            f"Random weights above {below} and other classes leave its maps the same "
            "to the last bit; random weights there or below change them.",
            below,
        )
    if other.unchanged:
        return Verdict(
            NOT,
            "Its maps of other classes differ by less than a tenth of what its maps of "
            "other pictures do.",
        )
    if readings[0].unchanged:
        return Verdict(
            NOT,
            f"Random weights in {names[0]}, which the decision is made of, change its "
            "maps by less than a tenth of what other pictures do.",
        )
    if other.changed and readings[0].changed:
        return Verdict(
            LOOKS,
            "Its maps change with the class, and with the weights of the last layer, "
            f"{names[0]}.",
        )
    return Verdict(
        UNTOLD,
        "The interval of a change has both a tenth and less in it: give more pictures.",
    )
