"""How similar the maps of a sanity check are, beside what unrelated maps score."""

from dataclasses import dataclass, field

import numpy as np

from modbp.measures.similarity import ssim

__all__ = ["Sanity", "compare"]


@dataclass(frozen=True, eq=False)
class Sanity:
    """How similar maps are to the original ones, per image.

    Attributes
    ----------
    method : str
        Which method made the maps.
    stages : tuple of str
        What was changed, one entry per row: "random logit", or layers.
    ssim, corrected : numpy.ndarray
        ``[stages, N]``, :func:`modbp.similarity.ssim` with the 2020 code's settings and
        with the corrected ones. NaN where a map has only one value.
    floor, floor_corrected : numpy.ndarray
        ``[N]``, the same for the original maps of two different images, each with the
        next one. NaN for a single image.
    logits : numpy.ndarray
        ``[N]``, the other logit of `random_logit`; empty for `cascade`.
    """

    method: str
    stages: tuple
    ssim: np.ndarray
    corrected: np.ndarray
    floor: np.ndarray
    floor_corrected: np.ndarray
    logits: np.ndarray = field(default_factory=lambda: np.empty(0, int))

    def median(self):
        """Return the median over images, per stage, with the 2020 code's settings."""
        return dict(zip(self.stages, map(_median, self.ssim), strict=True))

    def __str__(self):
        lines = [f"{self.method}: median SSIM with the original map"]
        lines.append(f"{'changed':<16}{'2020 code':>10}{'corrected':>11}")
        rows = zip(self.stages, self.ssim, self.corrected, strict=True)
        for stage, *values in [*rows, ("other images", *self._floors())]:
            code, corrected = map(_median, values)
            lines.append(f"{stage:<16}{code:10.3f}{corrected:11.3f}")
        return "\n".join(lines)

    def _floors(self):
        return self.floor, self.floor_corrected


def compare(method, stages, maps, rows, logits=None):
    """Return how similar changed maps are to the original ones.

    Parameters
    ----------
    method : Method or Averaged
        What made the maps.
    stages : sequence of str
        What was changed.
    maps : torch.Tensor
        ``[N, H, W]``, the original ones.
    rows : sequence of torch.Tensor
        ``[N, H, W]`` for each of `stages`.
    logits : numpy.ndarray, optional
        As in `Sanity`.

    Returns
    -------
    Sanity
    """
    # Whatever is left of RectGrad's maps is sparse: its extremes are what is scaled by.
    percentile = 100 if method.name == "rectgrad" else 99.5

    def table(paper):
        found = [ssim(maps, row, paper, percentile) for row in rows]
        return np.array(found).reshape(len(rows), len(maps))

    def floor(paper):
        if len(maps) == 1:
            return np.full(1, np.nan)
        return ssim(maps, maps.roll(-1, 0), paper, percentile)

    more = {} if logits is None else {"logits": logits}
    return Sanity(
        method.name,
        tuple(stages),
        table(True),
        table(False),
        floor(True),
        floor(False),
        **more,
    )


def _median(values):
    kept = values[~np.isnan(values)]
    return float(np.median(kept)) if kept.size else float("nan")
