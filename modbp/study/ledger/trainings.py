"""What a number is on the small network, trained again with another seed."""

from collections.abc import Callable

from modbp.study.experiments.names import TRAINED
from modbp.study.ledger import samples
from modbp.study.runs.store import RESULTS

__all__ = ["places", "retrained"]

_NETWORK = "cifar10"


def retrained(number: dict, way: Callable) -> list[float]:
    """Return a number of the small network for the other trainings; else nothing."""
    measured = "measurement" in number
    found = [[*map(samples.at, where)] for s in TRAINED if (where := places(number, s))]
    return [float(values[0] if measured else way(*values)) for values in found]


def places(number: dict, seed: int) -> list[str]:
    """Return where the values of a number are for another training, if anywhere."""
    folder = f"seeds/{seed}"
    if "measurement" in number:
        place = f"{folder}/measured#{_NETWORK}"
        name = samples.called(number["measurement"], number.get("arguments"))
        there = (RESULTS / folder / "measured").exists() and name in samples.at(place)
        return [f"{place}/{name}"] if there else []
    found = []
    for place in number["from"]:
        result = place.partition("#")[0]
        if result.rpartition("/")[2].partition("-")[0] == _NETWORK:
            if not (RESULTS / folder / result).exists():
                return []
            place = f"{folder}/{place}"
        found.append(place)
    return found if found != number["from"] else []
