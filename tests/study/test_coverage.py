"""The table of methods and networks in the book: complete, and as it is measured."""

import random

import pytest
from networks import FOREIGN
from study.coverage_table import COLUMNS, FILE, ROWS, SUMS, cell, config, refusal, table

from modbp import methods
from modbp.files import fingerprint
from modbp.study import experiments

STORED = experiments.read(FILE)
CELLS = STORED["results"]["cells"]
# These take a fraction of a second each; the long run takes all.
QUICK = ("own", "squeezenet1_1", "resnet18")

# Contrastive LRP is the difference of explanations that are almost the same, so that
# rounding is a larger part of it.
LIMITS = {"contrastive-lrp": 1e-8}
# What MobileNet's depthwise layers lose; see test_networks.py. And its ReLU6 is not
# homogeneous, so that gradient × input has no sum to keep.
LOSING = dict.fromkeys(("lrp-a1b0", "dtd", "lrp-cmp-a1b0", "lrp-eps-plus"), 1e-2)
LOSING |= {"gradient-x-input": 10.0}


def check(row, column, found):
    """Compare a cell with what it must be, and with what is stored."""
    stored = CELLS[row][column]
    assert found.keys() == stored.keys()
    for key in ("verdict", "to", "reason"):
        assert found.get(key) == stored.get(key)
    # Another machine rounds differently.
    for entry in (found, stored):
        assert entry.get("difference", 0) < LIMITS.get(row, 1e-9)
        limit = LOSING.get(row, 1e-8) if column == "mobilenet_v2" else 1e-8
        assert entry.get("sum", 0) < limit


def test_the_table_has_every_method_and_network_and_no_empty_cell():
    assert set(methods.names()) <= set(CELLS)
    assert list(CELLS) == ROWS and STORED["config"] == config()
    for row, entries in CELLS.items():
        assert list(entries) == COLUMNS
        for column, entry in entries.items():
            check(row, column, entry)
            needed = {"equal": {"to", "difference"}, "property": {"sum"}}
            needed = needed.get(entry["verdict"], {"reason"})
            assert needed <= entry.keys() and all(map(str, entry.values()))
            if entry["verdict"] != "refused":
                assert (row in SUMS) == ("sum" in entry)


def test_only_excitation_backprop_refuses_and_only_where_inputs_are_negative():
    refused = {
        (row, column): entry["reason"]
        for row, entries in CELLS.items()
        for column, entry in entries.items()
        if entry["verdict"] == "refused"
    }
    networks = ("densenet121", "mobilenet_v2")
    assert set(refused) == {("excitation-bp", name) for name in networks}
    assert all("negative inputs" in reason for reason in refused.values())


def test_random_cells_are_found_again():
    # Others whenever the file changes, and the same on every machine.
    draw = random.Random(fingerprint(FILE))
    for row in draw.sample(ROWS, 15):
        column = draw.choice(QUICK)
        check(row, column, cell(row, column))


@pytest.mark.parametrize("name", FOREIGN)
def test_networks_that_are_refused_are_refused_as_stored(name):
    assert refusal(name) == STORED["results"]["refused"][name]


@pytest.mark.long
@pytest.mark.parametrize("column", COLUMNS)
def test_every_cell_is_found_again(column):
    for row, entries in table(columns=[column]).items():
        check(row, column, entries[column])
