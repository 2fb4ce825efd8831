"""Planted truths on networks that the book ships and on guests: a table of the book.

For each network the verdicts on methods of which it is known whether they look, ten
times with other pictures and another seed, and once with random weights in the upper
half. ``python -m audits.planted_table NAME...`` in the folder of the tests measures
what is not there yet of some, or of all whose weights are on this machine; guests are
trained first, as `guests.py` says. The tests measure some of it again.
"""

import sys
from dataclasses import dataclass

import numpy as np
from audits import guests, planted

import modbp
from modbp.audits.verdict import CHANGE, FLOOR, PICTURES
from modbp.files import read_json, write_json
from modbp.study import experiments
from modbp.study.planted import kind
from modbp.study.runs.provenance import facts
from modbp.study.runs.store import RESULTS
from modbp.zoo.data.sources import imagenet
from modbp.zoo.models.weights import SHIPPED, weights_fingerprint
from modbp.zoo.named import find_network

FOLDER = RESULTS / "audit" / "planted"
COMMAND = "python -m audits.planted_table"  # in the folder of the tests
REPETITIONS = 10

# Where the planted method stops that does: of each a layer in the middle.
BOOK = {"cifar10": "conv3", "vgg16": "relu3_3", "efficientnet_lite0": "block4_3"}
GUESTS = {
    "resnet18": "layer2",
    "vgg11_bn": "features.14",
    "mobilenet_v2": "features.9",
    "squeezenet1_1": "features.6",
}
LAYERS = BOOK | GUESTS
# Fewer pictures for the larger networks: twenty take a quarter of an hour.
COUNTS = {"vgg16": 6, "efficientnet_lite0": 6}
# Often, on those that are quick.
OFTEN = ("cifar10", *GUESTS)
# Of the book's CIFAR-10 networks alone: bottlenecks without ReLUs keep more.
BLIND = dict.fromkeys(("lrp-a1b0", "dtd"), {planted.NOT})
HALF = {"summed": planted.summed, "edges": planted.edges}


@dataclass
class Subject:
    """A network by name, and the pictures that it was made for."""

    name: str

    def __post_init__(self):
        guest = f"{guests.__file__}:trained_{self.name}"
        self.found = find_network(guest if self.name in GUESTS else self.name)
        self.net, self.blind = self.found.net, {}
        if self.name in ("cifar10", "vgg16"):
            self.blind = {name: (name, kinds) for name, kinds in BLIND.items()}
        self.truths = planted.truths(LAYERS[self.name]) | self.blind
        self.count = COUNTS.get(self.name, 20)

    def images(self, repetition):
        """Return pictures drawn at random."""
        folder = None
        if self.found.is_imagenet:
            folder = "imagenet" if imagenet().is_dir() else "photographs"
        place = modbp.zoo.data.listed(folder=folder).place
        draw = np.random.default_rng(repetition).permutation(place.count)
        kind = {"folder": folder, "transform": self.found.preparation}
        return modbp.data.images(indices=[*map(int, draw[: self.count])], **kind)

    def judged(self, repetition):
        """Return the verdict on each planted method."""
        given = {label: method for label, (method, _) in self.truths.items()}
        return self._verdicts(self.net, given, repetition)

    def judged_half(self):
        """Return the verdicts on what is blind when the upper half is random."""
        x = self.images(0).x
        given = HALF | {label: method for label, (method, _) in self.blind.items()}
        return self._verdicts(planted.half_random(self.net, x), given, 0)

    def _verdicts(self, net, given, repetition):
        x = self.images(repetition).x
        found = planted.verdicts(net, x, given, repetition)
        return {label: _told(each) for label, each in found.items()}

    @property
    def table(self):
        """What a row of the table is about, in words."""
        return (
            f"{self.count} of {self.images(0).source}, stops at {LAYERS[self.name]}, "
            f"weights with the SHA-256 {weights_fingerprint(self.net)}"
        )

    @property
    def accuracy(self):
        """How often it is right on its test images, or on some of ImageNet's."""
        if self.name == "efficientnet_lite0":
            stored = experiments.read(f"accuracy/{self.name}")
            return stored["results"]["accuracy"]["top-1"][0]
        own = SHIPPED / f"{self.name}.safetensors"
        path = guests.weights(self.name) if self.name in GUESTS else own
        return modbp.models.provenance(path)["test_accuracy"]


def _told(verdict):
    return f"{verdict['kind']} {verdict['below']}".rstrip()


def wrong(verdicts, truths):
    """Return what is not right among verdicts, by label."""
    kinds = {label: kind(verdict) for label, verdict in verdicts.items()}
    return {label: each for label, each in kinds.items() if each not in truths[label]}


def truths():
    """Return the verdicts that are right, by label, as plain JSON values."""
    found = {k: right for k, (_, right) in planted.truths("").items()} | BLIND
    return {label: sorted(right) for label, right in found.items()}


def settings():
    """Return what the table rests on, as plain JSON values."""
    return {
        "experiment": "planted truths",
        "truths": truths(),
        "rules": {"change": CHANGE, "pictures": PICTURES, "floor": FLOOR},
    }


def available():
    """Return the networks whose weights are on this machine."""
    here = [name for name in GUESTS if guests.weights(name).is_file()]
    return [name for name in BOOK if modbp.models.available(name)] + here


def measure(name):
    """Measure what is not there yet of a network, and keep each repetition."""
    subject, path = Subject(name), FOLDER / f"{name}.json"
    stored = read_json(path) if path.exists() else {}
    config = settings() | {"parts": {name: subject.table}}
    if stored and stored["config"] != config:
        raise SystemExit(f"{path}: is of other weights or rules; delete it first.")
    found = stored.get("results", {}).get(name, {"repetitions": {}})
    found |= {"accuracy": round(subject.accuracy, 4), "pictures": subject.count}
    often = range(REPETITIONS if name in OFTEN else 1)
    source = subject.images(0).source
    todo = [n for n in map(str, often) if n not in found["repetitions"]]
    for step in [*(["half"] if "half random" not in found else []), *todo]:
        if step == "half":
            found["half random"] = subject.judged_half()
        else:
            found["repetitions"][step] = subject.judged(int(step))
        print(name, step, found["repetitions"].get(step, ""), flush=True)
        provenance = facts(command=f"{COMMAND} {name}", images=source)
        content = {"config": config, "provenance": provenance}
        write_json(path, content | {"results": {name: found}})


if __name__ == "__main__":
    for each in sys.argv[1:] or available():
        measure(each)
