"""What is at a place of a stored result, and what would be there with other samples."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from zlib import crc32

import numpy as np
from scipy import stats

from modbp.errors import DataError
from modbp.measures.interval import LEVEL, picks
from modbp.study.runs.store import RESULTS, read

__all__ = ["Counted", "Sampled", "at", "called", "forget", "of_measurement"]
__all__ += ["of_places"]

# How often what is drawn by chance is measured with another seed.
SEEDS = 5

# A ledger cites the same few results again and again.
_stored = lru_cache(maxsize=8)(read)


@dataclass(frozen=True)
class Sampled:
    """A number that is a statistic of values, one for each of what was sampled."""

    values: np.ndarray  # with the samples along the last axis
    statistic: Callable[[np.ndarray], float]
    over: str  # what was sampled

    def __float__(self):
        return float(self.statistic(self.values))

    def interval(self) -> tuple[float, float]:
        """Return the 95 % interval of the statistic if samples are drawn again."""
        drawn = picks(self.values.shape[-1])
        found = [self.statistic(self.values[..., pick]) for pick in drawn]
        return tuple(map(float, np.percentile(found, LEVEL)))


@dataclass(frozen=True)
class Counted:
    """A share of trials, of which each ends in one of two ways."""

    found: int
    trials: int
    over: str  # what was tried

    def __float__(self):
        return self.found / self.trials

    def interval(self) -> tuple[float, float]:
        """Return the exact 95 % interval of C. Clopper and E. Pearson, 1934.

        A bootstrap would be certain of what never happened yet.
        """
        ends = stats.binomtest(self.found, self.trials).proportion_ci(method="exact")
        return float(ends.low), float(ends.high)


def forget() -> None:
    """Read results anew, which may have been written since."""
    _stored.cache_clear()


def at(place: str) -> object:
    """Return what is at a place such as ``csc/cifar10#lrp-z/fc6/conv1/median``."""
    return _way(place)[-1]


def called(name: str, given: dict | None) -> str:
    """Write a measurement and its arguments as a call: ``roughness(method=lrp-z)``."""
    more = ", ".join(f"{key}={value}" for key, value in (given or {}).items())
    return f"{name}({more})" if more else name


def of_measurement(way: Callable) -> tuple[tuple[float, float], str] | None:
    """Return the interval of a measurement and over what, None if all of it is fixed.

    What has a seed of its own is measured with others: from the least to the greatest.
    """
    if "seed" in inspect.signature(way).parameters:
        found = [float(way(seed=seed)) for seed in range(SEEDS)]
        return (min(found), max(found)), f"{SEEDS} seeds"
    found = way()
    kinds = Sampled, Counted
    return (found.interval(), found.over) if isinstance(found, kinds) else None


def of_places(
    places: list[str], way: Callable
) -> tuple[tuple[float, float], str] | None:
    """Return the interval of what is made of places in results, and over what.

    None if a result keeps no samples of one of them.

    Where results beside are of other fitting images, from the least to the greatest.
    """
    if draws := _beside(places[0]):
        found = [
            float(way(*(at(place.replace("#", f"-{name}#")) for place in places)))
            for name in draws
        ]
        found.append(float(way(*map(at, places))))
        config = _way(places[0])[0]["config"]
        told = (
            f"{len(found)} sets of {config['count']} images that patterns are made of"
        )
        return (min(found), max(found)), told
    drawn = [_resampled(place) for place in places]
    if not all(drawn):  # what is held fixed would seem to be certain
        return None
    over = " and ".join(dict.fromkeys(told for _, told in drawn))
    columns = [values for values, _ in drawn]
    with np.errstate(divide="ignore", invalid="ignore"):
        found = [float(way(*each)) for each in zip(*columns, strict=True)]
    low, high = np.nanpercentile(found, LEVEL)
    return (float(low), float(high)), over


def _beside(place):
    """Return the names of results of the same with other fitting images."""
    result = place.partition("#")[0]
    if not result.startswith("patterns/"):
        return []
    return [p.name.rpartition("-")[2] for p in RESULTS.glob(f"{result}-set*")]


def _resampled(place):
    """Return what would be at a place with other samples, and what was sampled.

    A bootstrap draw after another along the first axis; places of one network share
    their images, and so draw the same ones. None if nothing was sampled there.
    """
    result, *nodes = _way(place)
    keys, config = _keys(place), result["config"]
    about = config.get("network", ""), config.get("images", "")
    if "repetitions" in config:
        cell = nodes[keys.index("median")]
        values = np.array(cell["values"], dtype=float)
        drawn = _medians(values, _picks(about, len(values)))
        told = f"{len(values)} repetitions"
        return (drawn if keys[-1] == "median" else drawn[:, int(keys[-1])]), told
    if isinstance(nodes[1], list):  # one entry for each set of fitting images
        sets = np.array([_steps(each, keys[2:], place)[-1] for each in nodes[1]])
        picks = np.array(_picks(about, len(sets)))
        return sets[picks][:, int(keys[1])], f"{len(sets)} sets of fitting images"
    cell = nodes[-2]
    if keys[-1] not in ("median", "images", "values") or not isinstance(cell, dict):
        return None
    if not (kept := cell.get("images") or cell.get("values")):
        return None
    values = np.array(kept, dtype=float)
    groups, told = _groups(config, len(values))
    picks = _picks(about, len(values), groups)
    if keys[-1] != "median":
        return [values[pick] for pick in picks], told
    drawn = _medians(values, picks)
    if "images" in cell:
        # Medians of the images' medians; the cell's own is that of all pairs together.
        own, middle = 1 - cell["median"], np.nanmedian(values)
        drawn = 1 - (drawn * own / middle if middle else drawn + own)
    return drawn, told


def _keys(place):
    return [key for key in place.partition("#")[2].split("/") if key]


def _way(place):
    """Return the result of a place, and what is on the way to it, itself last."""
    result = _stored(place.partition("#")[0])
    return [result, *_steps(result["results"], _keys(place), place)]


def _steps(found, keys, place):
    steps = [found]
    for key in keys:
        try:
            found = found[int(key) if isinstance(found, list) else key]
        except (KeyError, IndexError, ValueError, TypeError):
            raise DataError(
                f"{place}: there is no {key!r}. Run the experiment again, or mend the "
                "ledger."
            ) from None
        steps.append(found)
    return steps


def _groups(config, count):
    """Return which images have a draw of weights in common, and what was sampled."""
    draws, told = config.get("draws", 1), f"{count} images"
    if draws == 1:
        return None, told
    groups = tuple(n // config["batch"] % draws for n in range(count))
    return groups, f"{told} and {draws} draws of weights"


@lru_cache(maxsize=32)
def _picks(about, count, groups=None):
    """Return the draws of samples that all results about the same things share."""
    seed = crc32(repr(about).encode())
    return picks(count, None if groups is None else np.array(groups), seed)


def _medians(values, picks):
    """Return the median of each draw; draws of several groups differ in length."""
    return np.array([np.nanmedian(values[pick], axis=0) for pick in picks])
