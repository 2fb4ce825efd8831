"""The ledger of claims: every number is what it cites, every link leads somewhere."""

import json
import re
import shlex

import numpy as np
import pytest
from conftest import long_but
from hypothesis import given, settings
from hypothesis import strategies as st
from places import BOOK, exists

from modbp import data, theory
from modbp.__main__ import parser
from modbp.errors import DataError, UnknownName
from modbp.study import ledger
from modbp.study.ledger import matrices, reductions

CLAIMS_TEXT = ledger.CLAIMS.read_text(encoding="utf-8")
CLAIMS = ledger.read()
NUMBERS = [
    pytest.param(n, id=f"{c['number']}-{k}", marks=[pytest.mark.long] * ("slow" in n))
    for c in CLAIMS
    for k, n in enumerate(c["numbers"], 1)
]


def name(claim):
    return str(claim["number"])


# The real ledger ----------------------------------------------------------------------


def test_all_claims_are_there_in_order():
    assert [claim["number"] for claim in CLAIMS] == list(range(1, 64))


@pytest.mark.parametrize("claim", CLAIMS, ids=name)
def test_a_claim_has_a_verdict_and_what_it_rests_on(claim):
    assert claim["verdict"] in ledger.VERDICTS
    for field in ("claim", "origin", "because"):
        assert claim[field].strip(), field
    assert claim["because"].endswith(".")
    if claim["verdict"] == "awaits":
        assert claim["awaits"]["needs"]
        assert claim["awaits"]["command"].startswith("python -")
    else:
        assert claim["decided"], "a verdict without a chapter"
        conditions = [n for n in claim["numbers"] if {"at_least", "at_most"} & {*n}]
        assert conditions, "a verdict that no number could overturn"


@pytest.mark.parametrize("number", NUMBERS)
def test_a_number_is_what_it_cites_and_its_condition_holds(number):
    if number.get("data") and "CIFAR-10" not in data.images(1).source:
        pytest.skip("needs CIFAR-10, on whose images the number was measured")
    found = ledger.cited(number)
    # Six digits are stored.
    near = number["tolerance"] + 1e-5 * abs(found)
    assert number["value"] == pytest.approx(found, abs=near, rel=0)
    assert ledger.holds(number | {"value": found}) != number.get("missed", False)


@pytest.mark.parametrize("number", [number.values[0] for number in NUMBERS])
def test_a_number_has_an_interval_over_something_or_is_exact(number):
    if number.get("exact"):
        assert "measurement" in number and not {"interval", "over"} & {*number}
    else:
        low, high = number["interval"]
        assert number["over"].split()[0].isdigit()
        near = number["tolerance"] + 1e-5 * abs(number["value"])
        assert low - near <= number["value"] <= high + near


def quick(number):
    return "from" in number and number["from"][0].startswith(("bits/", "refits/"))


# What takes long is computed again once, for its value.
SPREADS = [
    number
    for number in (entry.values[0] for entry in NUMBERS)
    if not number.get("exact") and "slow" not in number
]


@pytest.mark.parametrize("number", long_but(quick, SPREADS))
def test_an_interval_is_what_its_samples_give(number):
    if number.get("data") and "CIFAR-10" not in data.images(1).source:
        pytest.skip("needs CIFAR-10, on whose images the number was measured")
    found = ledger.spread(number)
    assert {*found} == {"interval", "over"} & {*number}
    if found:
        assert found["over"] == number["over"]
        # LRP-z divides by what may be nearly zero, where processors round differently.
        assert found["interval"] == pytest.approx(number["interval"], rel=5e-2)


@pytest.mark.parametrize("claim", CLAIMS, ids=name)
def test_an_origin_is_one_of_five_and_conditions_say_when_they_were_set(claim):
    assert claim["origin"].partition(":")[0] in ledger.ORIGINS
    for number in claim["numbers"]:
        bounded = bool({"at_least", "at_most"} & {*number})
        assert ("set" in number) == bounded
        assert number.get("set", "after") in ("protocol", "after")
        # What was asked for before and is not there is not confirmed. What was written
        # down after the value cannot be missed.
        if number.get("missed"):
            assert number["set"] == "protocol" and claim["verdict"] != "confirmed"


@pytest.mark.parametrize("claim", [c for c in CLAIMS if "awaits" in c], ids=name)
def test_the_command_that_will_decide_is_one_of_this_program(claim):
    python, option, program, *words = shlex.split(claim["awaits"]["command"])
    assert (python, option, program) == ("python", "-m", "modbp")
    parser().parse_args(words)


PLACES = sorted({place for claim in CLAIMS for place in claim["decided"]})


@pytest.mark.parametrize("place", PLACES)
def test_a_claim_is_decided_at_a_place_that_exists(place):
    assert exists(place)


DECIDING = {place.partition("#")[0] for place in PLACES}


@pytest.mark.parametrize("page", sorted(BOOK.glob("*.md")), ids=lambda p: p.stem)
def test_a_chapter_lists_the_claims_that_it_decides_and_only_then(page):
    text = page.read_text(encoding="utf-8")
    listed = re.findall(r'ledger\.decided_in\("([\w-]+)"\)', text)
    assert set(listed) == {page.stem} & DECIDING


def test_the_table_shows_every_claim_once_and_can_be_filtered():
    html = ledger.Table(CLAIMS)._repr_html_()
    for claim in CLAIMS:
        assert html.count(f'id="claim-{claim["number"]}"') == 1
    shown = dict(re.findall(r'for="show-(\w+)">\w+ \((\d+)\)', html))
    assert {*shown} == {"all", *ledger.VERDICTS}
    for verdict in ledger.VERDICTS:
        assert html.count(f'class="{verdict}"') == int(shown[verdict])
    css = (BOOK / "static" / "book.css").read_text(encoding="utf-8")
    assert all(f"#show-{verdict}:checked" in css for verdict in ledger.VERDICTS)


def test_a_condition_is_shown_with_when_it_was_set():
    number = {"value": 0.5, "format": ".1f", "says": "", "tolerance": 0, "at_most": 0.4}
    number |= {"measurement": "here", "set": "protocol", "missed": True}
    claim = CLAIMS[0] | {"numbers": [number]}
    text = ledger.Table([claim])._repr_html_()
    told = "at most 0.4, as the protocol set it before; <b>missed</b>"
    assert f"exactly; {told}" in text
    # Also where the source is shut.
    assert "(missed)<details>" in text


def test_numbers_are_written_as_people_do():
    def shown(value, form):
        number = {"value": value, "format": form, "says": "", "tolerance": 0}
        claim = CLAIMS[0] | {"numbers": [number | {"measurement": "here"}]}
        return re.search("<b>(.*?)</b>", ledger.Table([claim])._repr_html_())[1]

    assert shown(3.2e-16, ".0e") == "3·10<sup>−16</sup>"
    assert shown(2.5e7, ".1e") == "2.5·10<sup>7</sup>"
    assert shown(-41.52, ".1f") == "−41.5"
    assert shown(0.0, ".0e") == "0"


def test_the_ends_of_an_interval_have_digits_enough_to_differ():
    def told(low, high, form):
        number = {"value": high, "format": form, "says": "", "tolerance": 0}
        number |= {"measurement": "here", "interval": [low, high], "over": "3 images"}
        text = ledger.Table([CLAIMS[0] | {"numbers": [number]}])._repr_html_()
        return re.search(r"interval.>\((.*?), over 3 images\)", text)[1]

    assert told(0.1234, 0.1238, ".2f") == "0.123 to 0.124"
    assert told(0.0, 0.0, ".0e") == "0 to 0"
    assert told(-0.5, 0.25, ".1f") == "−0.5 to 0.2"
    near = "1 − 2.0·10<sup>−9</sup> to 1 − 1.0·10<sup>−9</sup>"
    assert told(1 - 2e-9, 1 - 1e-9, ".4f") == near
    assert told(1 - 2e-9, 1, ".4f").endswith("to 1")


def test_other_training_seeds_stand_beside_the_interval():
    number = {"value": 0.5, "format": ".2f", "says": "", "tolerance": 0}
    number |= {"measurement": "here", "interval": [0.4, 0.6], "over": "3 images"}
    number |= {"seeds": [0.52, 0.486]}
    text = ledger.Table([CLAIMS[0] | {"numbers": [number]}])._repr_html_()
    assert "over 3 images; 0.52 and 0.49 with other training seeds)" in text
    # What is exact of given weights may be another with others.
    del number["interval"], number["over"]
    text = ledger.Table([CLAIMS[0] | {"numbers": [number]}])._repr_html_()
    assert "(0.52 and 0.49 with other training seeds)" in text


def test_print_gets_the_same_claims():
    text = ledger.Table(CLAIMS)._repr_markdown_()
    # A number and a dot would begin another list.
    starts = [f"* **{claim['number']}** {claim['claim']} " for claim in CLAIMS]
    lines = text.split("\n")
    assert all(map(str.startswith, lines, starts)) and len(lines) == len(CLAIMS)


def test_what_one_claim_says_of_excluded_matrices_the_next_does_not_deny():
    # F9 is excluded and converges: not all excluded matrices fail, and not only they.
    for claim in CLAIMS[2:4]:
        names = [n.get("arguments", {}).get("name") for n in claim["numbers"]]
        assert "F9" in names and claim["verdict"] != "confirmed"
    assert "mixing power" in CLAIMS[3]["because"]
    # The identity has w = 1, and keeps its columns apart.
    assert theory.left_perron(np.eye(2))[1].tolist() == [0.5, 0.5]
    assert not theory.structure(np.eye(2)).condition_e


def test_signed_chains_converge_at_the_rate_that_the_ledger_gives():
    assert CLAIMS[8]["verdict"] == "refined" and "1/N" in CLAIMS[8]["because"]
    # By hand for two neurons: ½ (ψ(1) − ψ(½)) = log 2 per layer.
    assert matrices.signed_rate(2) == pytest.approx(1, abs=0.02)
    # log₁₀ of ½ sin², with log sin = −10 log 2; chains scatter around the mean rate.
    wanted = -20 * np.log10(2) - np.log10(2)
    assert matrices.signed_decades(2, 10) == pytest.approx(wanted, abs=0.5)


# Reading and writing ------------------------------------------------------------------


def test_refreshing_changes_nothing_but_the_numbers(tmp_path):
    content = json.loads(ledger.CLAIMS.read_text(encoding="utf-8"))
    entry = next(c for c in content["claims"] if c["number"] == 7)
    right, entry["numbers"][0]["value"] = entry["numbers"][0]["value"], -1.0
    path = tmp_path / "claims.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    ledger.refresh(path, only=[3, 7])
    entry["numbers"][0]["value"] = right
    assert json.loads(path.read_text(encoding="utf-8")) == content
    assert path.read_bytes() == ledger.CLAIMS.read_bytes()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such ledger"),
        ("", "no ledger"),
        ("{", "no ledger"),
        ("[]", "no ledger"),
        ('{"claims": 3}', "no ledger"),
        ('{"claims": [3]}', "no ledger"),
        ('{"claims": [{"number": 1, "claim": "a", "numbers": []}]}', "decided"),
        (CLAIMS_TEXT.replace('"number": 3,', '"number": "3",'), "entry 2 is no claim"),
        (re.sub('"value": [^,}]*', '"value": NaN', CLAIMS_TEXT), "NaN is no number"),
        (re.sub('"value": [^,}]*', '"value": null', CLAIMS_TEXT), "is no claim"),
    ],
)
def test_a_missing_or_damaged_ledger_is_named(tmp_path, content, message):
    path = tmp_path / "ledger.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        ledger.read(path)


def test_a_place_that_is_not_in_the_result_is_named():
    place = "simulation/vgg16#code/positve/median"
    with pytest.raises(DataError, match="there is no 'positve'"):
        ledger.cited({"from": [place], "reduction": "value"})


@pytest.mark.parametrize("kind", ["reduction", "measurement"])
def test_an_unknown_reduction_or_measurement_is_named(kind):
    with pytest.raises(UnknownName, match=f"unknown {kind} 'valeu'"):
        ledger.cited({kind: "valeu", "from": []})


@pytest.mark.parametrize("kind", ["reduction", "measurement"])
def test_every_reduction_and_measurement_has_a_use(kind):
    cited = {n[kind] for claim in CLAIMS for n in claim["numbers"] if kind in n}
    assert set(ledger.ways(kind)) == cited


def test_a_condition_may_have_one_side_or_two():
    assert ledger.holds({"value": 1.0})
    assert ledger.holds({"value": 1.0, "at_least": 1})
    assert not ledger.holds({"value": 1.0, "at_most": 0.5})
    assert not ledger.holds({"value": float("nan"), "at_least": 0, "at_most": 1})
    wide = {"value": 1.0, "interval": [0.8, 1.2], "at_least": 0.9, "at_most": 1.1}
    assert ledger.holds(wide) and not ledger.holds(wide | {"throughout": True})
    assert ledger.holds(wide | {"throughout": True, "at_least": 0.8, "at_most": 1.2})


# Reductions ---------------------------------------------------------------------------


def test_reductions_by_hand():
    curve = [1, 0.5, 1e-1, 1e-3, 1e-4]
    assert reductions.slope(curve, 2, 4) == pytest.approx(1.5)
    other = [1, 1, 1, 1e-1, 1e-2]
    assert reductions.slope_ratio(curve, other, 2, 4) == pytest.approx(1.5)
    assert reductions.bend(curve, at=3) == pytest.approx(1)
    assert reductions.steps_until(curve, [1, 1e-4], below=1e-2) == 3
    assert reductions.monotone(1, 3, 4) == 1
    assert reductions.monotone(1, 3, 2) == -1
    assert (reductions.largest(1, 3, 2), reductions.smallest(1, 3, 2)) == (3, 1)
    assert reductions.difference(3, 1) == 2
    assert reductions.log_ratio(1e-3, 1e-5) == pytest.approx(2)
    assert reductions.count_above(0.5, 0.99, 0.995, line=0.99) == 1
    # From 1/10 to 1/1000 in four layers.
    assert reductions.decades(0.9, 0.999, layers=4) == pytest.approx(1 / 2)
    assert reductions.largest_beta(1e-4, 1e-3, 1e-2, betas=[1, 2, 3], below=5e-3) == 2
    # Two of three exchanged: 1 − 6 (0 + 1 + 1) / (3 · 8) = 1/2.
    assert reductions.rank_correlation(9, 5, 4, 8, 1, 2) == pytest.approx(1 / 2)


def test_half_of_the_way_by_hand():
    # Levels 0, 1/4, 3/4, 1 at γ/(1 + γ) = 0, 1/2, 2/3, 3/4: half-way at 7/12, γ = 7/5.
    levels, at = [[0.0, 0], [0.25, 1], [0.75, 0], [1, 1]], [0, 1, 2, 3]
    found = reductions.halfway(*levels, at=at, each=True)
    # The second goes up and down: it counts from where it stays, 17/24 = 17/7 / (24/7).
    assert found == pytest.approx([7 / 5, 17 / 7])
    assert reductions.halfway(*levels, at=at) == pytest.approx((7 / 5 + 17 / 7) / 2)
    falling = [[1e0], [1e-1], [1e-3], [1e-4]]
    assert reductions.halfway(*falling, at=at, log=True) == pytest.approx(7 / 5)


def test_the_expectation_in_three_dimensions_is_a_half():
    # On a sphere the height of a random point is uniform: E|cos| = 1/2.
    assert reductions.shared_start(0, dimensions=3) == pytest.approx(-496 / 528 / 2)


@settings(derandomize=True, deadline=None, max_examples=30)
@given(st.floats(0.1, 4), st.floats(-3, 3))
def test_a_geometric_curve_is_straight_with_its_slope(decades, level):
    curve = 10 ** (level - decades * np.arange(9))
    assert reductions.r_squared(curve, first=1, last=8) == pytest.approx(1)
    assert reductions.slope(curve, 2, 7) == pytest.approx(decades)
    assert reductions.bend(curve, at=4) == pytest.approx(0, abs=1e-9)
