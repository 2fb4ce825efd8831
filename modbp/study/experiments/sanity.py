"""Random logits and cascading randomisation for many images and methods."""

from collections.abc import Sequence

import numpy as np

from modbp.errors import InputError, check_flag, check_once, check_whole
from modbp.measures import sanity
from modbp.measures.interval import enough, nested
from modbp.study.experiments.images import OnImages
from modbp.study.experiments.subjects import Subject
from modbp.study.runs.run import rounded

__all__ = ["Cascade", "RandomLogit"]

# Of the median, as in the 2020 code.
_RESAMPLES, _BAND = 10_000, (0.5, 99.5)
_KINDS = ("ssim", "corrected")


class _Maps(OnImages):
    """An experiment that compares maps with the original ones."""

    default = "maps"

    def _own_settings(self):
        about = {"target": self.subject.target}
        labels = {"labels": self.subject.shown[1]} if about["target"] == "true" else {}
        return about | labels

    def _measure(self, method, places):
        """Return the similarities of some images' maps."""
        # A further image: each is compared with the next one, whatever the batch is.
        following = (places[-1] + 1) % len(self.subject.images)
        alone = following == places[0] and len(places) == 1
        x, y = self.subject.read([*places, *([] if alone else [following])])
        found = self._check(x, y, method, self._draw(places[0]))
        arrays = {
            "ssim": found.ssim.T,
            "corrected": found.corrected.T,
            "floor ssim": found.floor_ssim,
            "floor corrected": found.floor_corrected,
            "logits": found.logits,
        }
        return {key: value[: len(places)] for key, value in arrays.items()}

    def _summary(self, part, column, keys):
        """Return median, its band and all values, per stage and for unrelated maps."""
        found = {key: np.concatenate(list(column(key))) for key in keys}
        draws = [*map(self._draw, range(len(self.subject.images)))]
        result = {
            "stages": {
                stage: {kind: _cell(found[kind][:, number], draws) for kind in _KINDS}
                for number, stage in enumerate(self.stages)
            },
            "floor": {kind: _cell(found[f"floor {kind}"]) for kind in _KINDS},
        }
        if found["logits"].size:
            result["logits"] = found["logits"].tolist()
        return result

    def _draw(self, image):
        """Return which draw of weights an image is explained with."""
        return 0


class RandomLogit(_Maps):
    """How similar the maps of one logit and of a random other one are.

    Parameters
    ----------
    subject, methods, plan, seed, batch, patterns : As for :class:`CSC`.

    Examples
    --------
    >>> from modbp.study import experiments
    >>> two = experiments.subject("cifar10", count=2, folder="photographs")
    >>> experiments.RandomLogit(two, ["gradient"]).settings["target"]
    'true'
    """

    name = "random-logit"
    stages = ("random logit",)

    def _check(self, x, y, method, draw):
        about = self.subject
        return sanity.random_logit(about.net, x, method, y, self.seed, fold=about.fold)


class Cascade(_Maps):
    """How similar maps stay when weights are replaced by random ones from the top down.

    Parameters
    ----------
    subject, methods, **options : As for :class:`CSC`.
    stages, own, stale
        As for :func:`modbp.sanity.cascade`; the stages are the plan's if left out.
    draws
        How many draws of the weights. Images that are computed together share one, so
        there have to be as many such batches at least.

    Raises
    ------
    InputError
        If `stale` is asked for with another method than ``patternattribution``, or
        there are fewer batches than draws.

    Examples
    --------
    >>> from modbp.study import experiments
    >>> two = experiments.subject("cifar10", count=2, folder="photographs")
    >>> experiments.Cascade(two, ["gradient"]).stages
    ('fc6', 'fc5', 'conv4', 'conv3', 'conv2', 'conv1')
    """

    name = "cascade"

    def __init__(
        self,
        subject: Subject,
        methods: Sequence[str] | None = None,
        *,
        stages: Sequence[str] | None = None,
        own: bool = True,
        stale: bool = False,
        draws: int = 1,
        **options: object,
    ):
        check_whole("draws", draws, 1)
        for key, value in {"own": own, "stale": stale}.items():
            check_flag(key, value)
        if stages is not None:
            check_once("stages", stages)
        self.own, self.stale, self._stages, self.draws = own, stale, stages, draws
        super().__init__(subject, methods, **options)
        if (batches := min(self.counts.values())) < draws:
            raise InputError(
                f"draws is {draws}, but the images are computed in {batches} batches, "
                "and each draws weights once. Choose a smaller batch, or more images."
            )
        if stale and set(methods or ()) != {"patternattribution"}:
            raise InputError(
                "stale weights are a matter of patternattribution alone; name that "
                "method, and no other."
            )

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages, top first."""
        return tuple(self._stages or self.plan.stages)

    def _own_settings(self):
        changes = {"stages": list(self.stages), "own": self.own, "stale": self.stale}
        changes |= {"draws": self.draws} if self.draws > 1 else {}
        return {**super()._own_settings(), **changes}

    def _draw(self, image):
        return image // self.batch % self.draws

    def _check(self, x, y, method, draw):
        about, changes = self.subject, {"own": self.own, "stale": self.stale}
        return sanity.cascade(
            *(about.net, x, method, y, self.stages, self.seed + draw),
            **changes,
            fold=about.fold,
        )


def _cell(values, draws=None):
    """Return median, band, interval and all values, as plain JSON values.

    The band is the 2020 code's, over images. The interval is over draws of weights too.
    Of too few values there is neither; how many are missing is told where some are.
    """
    kept = values[~np.isnan(values)]
    cell = {"median": None, "band": None, "interval": None}
    if kept.size and enough(values):
        generator = np.random.default_rng(0)
        picks = generator.integers(kept.size, size=(_RESAMPLES, kept.size))
        band = np.percentile(np.median(kept[picks], axis=1), _BAND)
        ends = nested(values, draws)
        cell = {"median": rounded(np.median(kept)), "band": [*map(rounded, band)]}
        cell["interval"] = [*map(rounded, ends)]
    if missing := values.size - kept.size:
        cell["missing"] = missing
    return {**cell, "values": [*map(rounded, values)]}
