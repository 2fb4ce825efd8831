"""Random logits and cascading randomisation for many images and methods."""

import numpy as np

from modbp.errors import InputError
from modbp.measures import sanity
from modbp.study.experiments.images import OnImages

__all__ = ["Cascade", "RandomLogit"]

# Of the median, as in the 2020 code.
_RESAMPLES, _BAND = 10_000, (0.5, 99.5)


class _Maps(OnImages):
    """An experiment that compares maps with the original ones."""

    default = "maps"

    def own_settings(self):
        """Return what this experiment depends on besides network and images."""
        return {"target": self.subject.target}

    def measure(self, method, places):
        """Return the similarities of some images' maps."""
        # A further image: each is compared with the next one, whatever the batch is.
        following = (places[-1] + 1) % len(self.subject.images)
        alone = following == places[0] and len(places) == 1
        x, y = self.subject.read([*places, *([] if alone else [following])])
        found = self.check(x, y, method)
        arrays = {
            "ssim": found.ssim.T,
            "corrected": found.corrected.T,
            "floor ssim": found.floor_ssim,
            "floor corrected": found.floor_corrected,
            "logits": found.logits,
        }
        return {key: value[: len(places)] for key, value in arrays.items()}

    def summary(self, column, keys):
        """Return median, its band and all values, per stage and for unrelated maps.

        Parameters
        ----------
        column : callable
            ``column(key)`` yields an array of every unit.
        keys : iterable of str
            The names of a unit's arrays.

        Returns
        -------
        dict
            ``stages`` and ``floor``, each with ``ssim`` and ``corrected``.
        """
        kinds = ("ssim", "corrected")
        found = {key: np.concatenate(list(column(key))) for key in keys}
        rows = {kind: found[kind].T for kind in kinds}
        result = {
            "stages": {
                stage: {kind: _cell(rows[kind][number]) for kind in kinds}
                for number, stage in enumerate(self.stages)
            },
            "floor": {kind: _cell(found[f"floor {kind}"]) for kind in kinds},
        }
        if found["logits"].size:
            result["logits"] = found["logits"].tolist()
        return result


class RandomLogit(_Maps):
    """How similar the maps of one logit and of a random other one are.

    Parameters
    ----------
    subject, labels, **options
        As for `OnImages`.
    """

    name = "random-logit"
    stages = ("random logit",)

    def check(self, x, y, method):
        """Return what :func:`modbp.sanity.random_logit` finds."""
        return sanity.random_logit(self.subject.net, x, method, y, self.seed)


class Cascade(_Maps):
    """How similar maps stay when weights are replaced by random ones from the top down.

    Parameters
    ----------
    subject, labels, **options
        As for `OnImages`.
    stages : sequence of str, optional
        As for :func:`modbp.sanity.cascade`; the plan's if left out.
    own, stale : bool
        As for :func:`modbp.sanity.cascade`.
    """

    name = "cascade"

    def __init__(
        self, subject, labels=None, *, stages=None, own=True, stale=False, **options
    ):
        self.own, self.stale, self._stages = own, stale, stages
        super().__init__(subject, labels, **options)
        if stale and set(labels or ()) != {"patternattribution"}:
            raise InputError(
                "stale weights are a matter of patternattribution alone; name that "
                "method, and no other."
            )

    @property
    def stages(self):
        """The stages, top first."""
        return tuple(self._stages or self.plan.stages)

    def own_settings(self):
        """Return what this experiment depends on besides network and images."""
        changes = {"stages": list(self.stages), "own": self.own, "stale": self.stale}
        return {**super().own_settings(), **changes}

    def check(self, x, y, method):
        """Return what :func:`modbp.sanity.cascade` finds."""
        return sanity.cascade(
            self.subject.net,
            x,
            method,
            y,
            self.stages,
            self.seed,
            own=self.own,
            stale=self.stale,
        )


def _cell(values):
    """Return the median, its bootstrap band and the values, as plain JSON values."""
    kept = values[~np.isnan(values)]
    cell = {"median": None, "band": None}
    if kept.size:
        generator = np.random.default_rng(0)
        picks = generator.integers(kept.size, size=(_RESAMPLES, kept.size))
        band = np.percentile(np.median(kept[picks], axis=1), _BAND)
        cell = {"median": _rounded(np.median(kept)), "band": [*map(_rounded, band)]}
    return {**cell, "values": [*map(_rounded, values)]}


def _rounded(value):
    return None if np.isnan(value) else float(f"{value:.5g}")
