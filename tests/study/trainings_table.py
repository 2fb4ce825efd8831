"""What the ledger measures on the small network, with its other training seeds.

``python -m modbp train cifar10 --seed 1 --output runs/cifar10-seed1`` trains one of
them, in half an hour. ``python -m study.trainings_table 1`` in the folder of the tests
measures with it what the ledger measures with the shipped weights and no experiment
holds. Weights are looked for in ``runs``, below the folder that ``MODBP_RUNS`` names,
or the present one.
"""

import sys
from functools import partial
from unittest.mock import patch

import pytest
from audits import guests
from tqdm import tqdm

from modbp.files import write_json
from modbp.study import ledger
from modbp.study.ledger import controls, networks
from modbp.study.ledger.samples import called
from modbp.study.runs.provenance import facts
from modbp.study.runs.store import RESULTS
from modbp.zoo import data, models
from modbp.zoo.models.weights import weights_fingerprint

NETWORK = "cifar10"
TRAIN = f"python -m modbp train {NETWORK} --seed"
COMMAND = "python -m study.trainings_table"  # in the folder of the tests
ROOMS = (networks, controls)


def weights(seed):
    """Return where the weights of another training are, if it was trained."""
    return guests.folder(f"{NETWORK}-seed{seed}") / f"{NETWORK}.safetensors"


def there(seed):
    """Return the weights of another training, or skip where this machine lacks them."""
    if not (path := weights(seed)).is_file():
        pytest.skip(f"needs the weights of `{TRAIN} {seed} --output {path.parent}`")
    return path


def numbers():
    """Return what the ledger measures on networks, by what it is called."""
    found = {}
    for number in (n for claim in ledger.read() for n in claim["numbers"]):
        way, given = number.get("measurement"), number.get("arguments", {})
        if given.get("network", NETWORK) == NETWORK:
            if any(way in room.__all__ for room in ROOMS):
                found[called(way, given)] = number
    return found


def retrained(number, path):
    """Return a number with other weights, None if it does not ask for any."""
    for room in ROOMS:
        for made in vars(room).values():
            getattr(made, "cache_clear", int)()
    network, history = partial(models.cifar10, path), partial(models.provenance, path)
    with (
        patch.object(models, "cifar10", side_effect=network) as net,
        patch.object(models, "provenance", side_effect=history) as made,
    ):
        value = ledger.cited(number)
    return value if net.called or made.called else None


def settings(path):
    """Return what the values rest on, as plain JSON values."""
    about = f"weights with the SHA-256 {weights_fingerprint(models.cifar10(path))}"
    return {"experiment": "other trainings", "parts": {NETWORK: about}}


def measure(seed):
    """Measure with the weights of another training, and store it."""
    path, values = weights(seed), {}
    for name, number in tqdm(numbers().items()):
        if (value := retrained(number, path)) is not None:
            values[name] = value
    content = {"config": settings(path), "results": {NETWORK: values}}
    by = {"images": data.images(1).source, "training": models.provenance(path)}
    by = facts(command=f"{COMMAND} {seed}", **by)
    file = RESULTS / "seeds" / str(seed) / "measured" / f"{NETWORK}.json"
    write_json(file, content | {"provenance": by})


if __name__ == "__main__":
    for each in sys.argv[1:]:
        measure(int(each))
