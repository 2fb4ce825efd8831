"""Units of an audit put together: what is said of one method, as plain JSON values."""

import base64
import io
from collections.abc import Mapping

import numpy as np
from PIL import Image

from modbp.audits.candidate import Candidate
from modbp.audits.likeness import LIKENESSES
from modbp.audits.verdict import FLOOR, Reading, judge
from modbp.files import rounded
from modbp.measures.csc import OVER
from modbp.measures.interval import nested

__all__ = ["png", "summary"]


def summary(work, candidate: Candidate, found: Mapping[tuple, Mapping]) -> dict:
    """Return the record of a method, from the arrays of its units."""
    units = {}
    for (measure, _), arrays in sorted(found.items()):
        units.setdefault(measure, []).append(arrays)
    units = {measure: _joined(each) for measure, each in units.items()}
    own, groups = units["class"], work.groups()
    floor = {each: _median(own[f"floor {each}"]) for each in LIKENESSES}
    other, again = _reading(own, floor), None
    if "again same" in own:
        again = _reading(own, floor, "again ")
    random, stages, highest = units["cascade"], {}, ""
    if "why" not in random:
        stages = {
            stage: _reading(random, floor, "", number, groups)
            for number, stage in enumerate(work.stages)
        }
        # Where empty maps or none change, the other parts tell.
        places = random["highest"][random["highest"] >= 0]
        highest = work.weighted[places.min()] if len(places) else ""
    verdict = judge(other, stages, floor, again, highest)
    return {
        "kind": candidate.kind,
        "table": candidate.table,
        "verdict": verdict.told(),
        "floor": {each: rounded(value) for each, value in floor.items()},
        "class": _told(other),
        "again": again and _told(again),
        "cascade": {stage: _told(each) for stage, each in stages.items()}
        or {"why": random["why"]},
        "complexity": _complexity(random),
        "noise": _noise(work, units.get("noise"), groups),
        "csc": _csc(work, units.get("csc")),
        "bits": _bits(units.get("bits")),
        "maps": [png(each) for each in own["maps"]],
    }


def _joined(units):
    """Put arrays of units side by side; one reason is enough for all."""
    for arrays in units:
        if "why" in arrays:
            return {"why": bytes(arrays["why"]).decode()}
    whole = {"maps": units[0].get("maps"), "whole": units[0].get("whole")}
    keys = [key for key in units[-1] if key not in whole]
    return whole | {
        key: np.concatenate([arrays[key] for arrays in units], -1) for key in keys
    }


def _reading(found, floor, prefix="", row=..., groups=None):
    """Return a reading in shares of the floor, NaN where that is none."""
    shares = {
        each: found[prefix + each][row] / (value if value > FLOOR else np.nan)
        for each, value in floor.items()
    }
    same, empty = (found[prefix + k][row].astype(bool) for k in ("same", "empty"))
    return Reading(same, shares, groups, empty)


def _told(reading):
    return {
        "same": int(reading.same.sum()),
        "changed": reading.changed,
        "unchanged": reading.unchanged,
        **{
            each: {
                "median": rounded(reading.median(each)),
                "interval": [*map(rounded, reading.interval(each))],
                "values": [*map(rounded, values)],
            }
            for each, values in reading.shares.items()
        },
    }


def _complexity(found):
    """Return entropies in bits, trained and random, and the relative rise."""
    if "why" in found:
        return {"why": found["why"]}
    own, random = found["complexity"]
    rise = (random - own) / np.where(own > 0, own, np.nan)
    own, random = _cell(own), _cell(random)
    return {"trained": own, "random": random, "rise": _cell(rise)}


def _noise(work, found, groups):
    if found is None:
        return {"why": "It is an average of several inputs already."}
    if "why" in found:
        return {"why": found["why"]}
    floor = {each: _median(found[f"floor {each}"]) for each in LIKENESSES}
    return {
        stage: _told(_reading(found, floor, "", number, groups))
        for number, stage in enumerate(work.ends)
    }


def _csc(work, found):
    if found is None:
        return {"why": "Not applicable: it is no chain of layers of modbp's."}
    if "why" in found:
        return {"why": found["why"]}
    return {
        over: {
            layer: _cell(row)
            for layer, row in zip(work.layers, found[over], strict=True)
            if not np.isnan(row).all()
        }
        for over in OVER
    }


def _bits(found):
    if found is None:
        return {"why": "Not applicable: it is no chain of layers of modbp's."}
    if "why" in found:
        return {"why": found["why"]}
    return {"whole": rounded(float(found["whole"][0])), "left": _cell(found["left"])}


def _cell(values):
    """Return median and interval over pictures."""
    return {
        "median": rounded(_median(values)),
        "interval": [*map(rounded, nested(values))],
    }


def _median(values):
    return float(np.nanmedian(values)) if not np.isnan(values).all() else float("nan")


def png(pixels: np.ndarray) -> str:
    """Return a picture, ``[H, W]`` or ``[H, W, 3]`` uint8, as a PNG in base64."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", optimize=True)
    return base64.b64encode(stream.getvalue()).decode()
