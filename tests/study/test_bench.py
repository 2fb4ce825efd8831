"""The benchmark: that it compares like with like, and what its stored result says."""

import json
import sys
from pathlib import Path

import pytest
import torch

from modbp.study import experiments

BENCH = Path(__file__).parent / "bench"
sys.path.insert(0, str(BENCH))

import measure  # noqa: E402
import rows  # noqa: E402
import run as bench  # noqa: E402

LRP = [row for row in rows.ROWS if row.startswith(("lrp", "deeplift"))]
# Multiply-adds in gradients; "More" of the rest is said in test_cost.py.
FLOORS = {
    "lrp-eps": 1.0, "lrp-a1b0": 1.5, "lrp-gamma": 1.5, "lrp-a2b1": 2.0,
    "excitation-bp": 1.5, "guided-bp": 1.0, "deconv": 1.0, "gradient": 1.0,
    "gradient-x-input": 1.0, "ten relevances": 6.0,
}  # fmt: skip
# Processor time in gradients on VGG-16, at most.
TARGETS = {
    "lrp-eps": 1.2, "lrp-a1b0": 1.8, "lrp-gamma": 2.0, "lrp-a2b1": 2.6,
    "ten relevances": 6.5,
}  # fmt: skip


@pytest.mark.parametrize("row", rows.ROWS)
def test_all_who_are_compared_explain_the_same(row):
    net, x = rows.build("tiny")
    found = {
        who: action().flatten(1)
        for who, action in rows.contestants("tiny", row, net, x).items()
        if who != "unit"
    }
    # Stabilisers differ; gradients start from one or from the logit, a factor.
    for who, value in found.items():
        cosine = torch.cosine_similarity(value.abs(), found["modbp"].abs())
        assert (cosine > 1 - 1e-4).all(), who


def test_the_counter_counts_by_hand():
    net, x = rows.build("tiny")
    # Two images: 3·8·9·8² in the convolution and 128·5 in the dense layer, twice.
    wanted = 2 * 2 * (3 * 8 * 9 * 64 + 128 * 5)
    assert measure.multiply_adds(lambda: rows.gradient(net, x)) == wanted


@pytest.fixture
def here(monkeypatch, tmp_path):
    """Run in this process what the benchmark runs in processes of its own."""
    calls = []

    def inside(action, *arguments):
        calls.append(action.__name__)
        return action(*arguments)

    monkeypatch.setattr(bench, "in_a_process", inside)
    # What is already in this process's memory would not rise again.
    monkeypatch.setattr(measure, "peak_memory", lambda action: (action(), 1.0)[1])
    return calls, ["tiny", "--output", str(tmp_path)]


@pytest.mark.long
def test_rows_are_measured_stored_and_not_measured_again(here, tmp_path):
    calls, options = here
    bench.main([*options, "--rounds", "1", "--rows", "lrp-a2b1"])
    # Each on its own, memory in three processes, then all in turns.
    assert calls == ["counted"] * 3 + ["weighed"] * 9 + ["timed"]
    calls.clear()
    bench.main([*options, "--rounds", "2", "--rows", "lrp-a2b1", "lrp-eps"])
    assert calls == ["counted"] * 4 + ["weighed"] * 12 + ["timed"] * 3
    calls.clear()
    bench.main([*options, "--memory", "--rows", "lrp-a2b1"])
    assert calls == ["weighed"] * 9
    stored = json.loads((tmp_path / "tiny.json").read_text(encoding="utf-8"))
    assert list(stored["results"]) == ["lrp-eps", "lrp-a2b1"]
    row = stored["results"]["lrp-a2b1"]
    assert "αβ" in row["captum"]["missing"]
    assert row["modbp"]["multiply_adds"] == 2.0
    assert row["zennit"]["multiply_adds"] == 5.0
    assert len(row["modbp"]["times"]) == 2 and row["modbp"]["time"] > 0
    assert stored["provenance"]["peers"].keys() == {"captum", "zennit"}


def test_memory_is_the_rise_of_the_peak():
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("needs Linux")
    # 64 MiB, freed before the end.
    assert 60 < measure.peak_memory(lambda: torch.ones(2**24).sum()) < 80


# The stored result --------------------------------------------------------------------


def stored(network):
    return experiments.read(f"bench/{network}")["results"]


NETWORKS = [path.stem for path in sorted(bench.RESULTS.glob("*.json"))]


def test_there_are_results():
    assert NETWORKS == ["cifar10", "vgg16"]


@pytest.mark.parametrize("network", NETWORKS)
def test_modbp_executes_no_more_than_the_floor(network):
    for row, entries in stored(network).items():
        if row in FLOORS:
            # A negative logit costs the γ-rule a second product in the last layer.
            near = 1e-3 if row == "lrp-gamma" else 1e-9
            wanted = pytest.approx(FLOORS[row], rel=near)
            assert entries["modbp"]["multiply_adds"] == wanted, row


@pytest.mark.parametrize("row", ["gradient", "gradient-x-input", "guided-bp", "deconv"])
def test_the_gradient_s_kind_needs_much_less_memory_than_in_captum(row):
    found = stored("vgg16")[row]
    assert found["modbp"]["memory"] <= 0.7 * found["captum"]["memory"]


@pytest.mark.parametrize("network", NETWORKS)
def test_lrp_and_deeplift_are_faster_and_smaller_than_in_both_others(network):
    for row, entries in stored(network).items():
        for who in ("captum", "zennit"):
            if row in LRP and "missing" not in entries[who]:
                for what in ("time", "memory"):
                    assert entries["modbp"][what] < entries[who][what], (row, who, what)


def test_the_targets_on_vgg16_are_met():
    results = stored("vgg16")
    for row, most in TARGETS.items():
        assert results[row]["modbp"]["time"] <= most, row


def test_csc_on_vgg16_takes_little_more_than_its_multiplications():
    found = stored("vgg16")["csc"]["modbp"]
    assert found["time"] <= 1.2 * found["multiply_adds"]
