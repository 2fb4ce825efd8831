"""`supported` says of a method what `explain` does: classifiers of timm.

A file of its own, since these are measured beside those of test_architectures.py.
"""

import random

import pytest
from architectures import LIBRARIES, architecture, pictures
from study.architectures_table import FEW, FILE, TRIED, tried
from study.test_architectures import DOZEN

import modbp
from modbp import methods
from modbp.errors import ModbpError
from modbp.files import fingerprint


def by_explain(net, x, names):
    """Return what `explain` says of methods: nothing where it works."""
    told = {}
    for name in names:
        try:
            modbp.explain(net, x, methods.get(name, **FEW.get(name, {})))
            told[name] = ""
        except ModbpError as error:
            told[name] = str(error)
    return told


def check_supported(path, names):
    net, x = architecture(path).float(), pictures(path, count=1).float() + 0.5
    assert tried(net, x, names) == by_explain(net, x, names)


# All of them in the long run, among the others.
@pytest.mark.parametrize("path", DOZEN[::6])
def test_supported_agrees_with_explain(path):
    # Others whenever the table changes, and the same on every machine.
    draw = random.Random(fingerprint(FILE) + path)
    check_supported(path, draw.sample(TRIED, 6))


@pytest.mark.long
@pytest.mark.parametrize("name", LIBRARIES["timm"])
def test_supported_agrees_with_explain_on_every_network(name):
    # What it says of all methods is held against what is stored, in the other file.
    draw = random.Random(fingerprint(FILE) + name)
    check_supported(f"timm/{name}", draw.sample(TRIED, 6))
