"""Numbers of the small network with other training seeds: whole, and measured again."""

import random

import pytest
from study import trainings_table as table

from modbp.study import experiments, ledger
from modbp.study.ledger.samples import called
from modbp.study.runs.store import RESULTS
from modbp.zoo import models

NUMBERS = [
    pytest.param(number, id=f"{claim['number']}-{k}")
    for claim in ledger.read()
    for k, number in enumerate(claim["numbers"], 1)
    if "seeds" in number
]


def name(claim):
    return str(claim["number"])


each_training = pytest.mark.parametrize("seed", experiments.TRAINED)
MEASURED = [f"seeds/{seed}/measured" for seed in experiments.TRAINED]


@pytest.mark.parametrize("number", NUMBERS)
def test_a_number_is_what_the_other_trainings_give(number):
    found = ledger.retrained(number)
    assert len(found) == len(number["seeds"]) == len(experiments.TRAINED)
    assert number["seeds"] == pytest.approx(found, rel=2e-5, abs=1e-15)


# Measured on other networks than the small one.
OTHERS = {"noise_likeness", "planted_truths", "question_likeness", "rollout_bits"}
OTHERS |= {"source_bits"}


def is_small(number):
    """Return whether a number is of the small network, by what it cites."""
    if "from" in number:
        named = [place.partition("#")[0].split("/")[1] for place in number["from"]]
        return any(name.partition("-")[0] == table.NETWORK for name in named)
    known = table.numbers().get(called(number["measurement"], number.get("arguments")))
    return known is not None and number["measurement"] not in OTHERS


@pytest.mark.parametrize("claim", ledger.read(), ids=name)
def test_a_number_of_the_small_network_has_its_other_trainings(claim):
    for number in claim["numbers"]:
        assert ("seeds" in number) == is_small(number), number["says"]


@pytest.mark.parametrize("claim", ledger.read(), ids=name)
def test_what_holds_for_one_training_only_is_not_confirmed(claim):
    for number in claim["numbers"]:
        # The interval is that of the shipped weights.
        single = {key: number[key] for key in number if key != "throughout"}
        for value in number.get("seeds", []):
            if not ledger.holds(single | {"value": value}):
                assert claim["verdict"] != "confirmed", number["says"]


@each_training
def test_all_results_of_a_training_are_of_the_same_weights(seed):
    stored = experiments.read(MEASURED[seed - 1])
    (made,) = stored["provenance"].values()
    training = made["training"]
    assert training["settings"]["seed"] == seed
    shipped = models.provenance()
    for key in ("network", "data_sha256"):
        assert training[key] == shipped[key]
    assert training["settings"] == shipped["settings"] | {"seed": seed}
    about = stored["config"]["parts"][table.NETWORK]
    folder = RESULTS / "seeds" / str(seed)
    for kind in sorted({p.name for p in folder.iterdir()} - {"measured"}):
        for path in (folder / kind).iterdir():
            config = experiments.read(path)["config"]
            assert config["weights_sha256"] in about, path


@each_training
def test_one_value_measured_again_with_the_weights(seed):
    path, stored = table.there(seed), experiments.read(MEASURED[seed - 1])
    assert table.settings(path) == stored["config"]
    values, numbers = stored["results"][table.NETWORK], table.numbers()
    name = random.Random(seed).choice(sorted(values))
    assert table.retrained(numbers[name], path) == pytest.approx(
        values[name], rel=1e-4, abs=1e-9
    )
