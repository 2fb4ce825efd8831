"""The paper's figures and where text, code and book differ: nothing is left out."""

import json
import re

import pytest
from places import BOOK, exists

from modbp.study import ledger, paper
from modbp.study.paper import tables
from modbp.study.paper.table import Rows, link
from modbp.study.runs.store import RESULTS

FIGURES, DEVIATIONS, MADE = paper.figures(), paper.deviations(), paper.made()
CLAIMS = {claim["number"]: claim for claim in ledger.read()}
PAGE = "reproducibility"
SLIPS = f"{PAGE}#slips-that-show-nowhere-else"

# Results that are older than the note of the commit. One that is made again leaves the
# list, and none may come to it.
OLDER = {"bench/cifar10", "bench/vgg16"}


def figure(entry):
    return entry["figure"]


def number(entry):
    return str(entry["number"])


def test_every_panel_of_appendices_b_e_f_and_g_is_there():
    panels = {7: "ab", 8: "ab", 9: "abcdefgh", 10: "ab"}
    wanted = [f"{n}{letter}" for n, letters in panels.items() for letter in letters]
    assert [entry["figure"] for entry in FIGURES] == wanted


@pytest.mark.parametrize("entry", FIGURES, ids=figure)
def test_a_figure_has_a_place_and_what_lacks_has_a_reason(entry):
    assert entry["where"] and all(map(exists, entry["where"]))
    assert entry["shown"]
    assert all((reason or "").endswith(".") for reason in entry["missing"].values())
    assert all((RESULTS / name).exists() for name in entry["results"])
    assert not set(entry.get("but", ())) - {*paper.METHODS}


def test_all_methods_of_the_original_are_counted():
    # Of 17, ResNet-50 has neither DTD nor patterns, in 2020.
    counts = {e["figure"]: len(e["shown"]) + len(e["missing"]) for e in FIGURES}
    assert [counts[name] for name in ("8a", "8b", "9c", "10a", "10b")] == [
        14, 14, 16, 17, 14,
    ]  # fmt: skip
    assert counts["7a"] == 7 and counts["7b"] == 6


def test_what_a_result_lacks_is_missing_with_its_reason(monkeypatch):
    read = paper.read

    def without_gradient(name):
        stored = read(name)
        stored["results"].pop("gradient", None)
        return stored

    monkeypatch.setattr(paper, "read", without_gradient)
    found = {entry["figure"]: entry for entry in paper.figures()}["9c"]
    assert "gradient" not in found["shown"] and found["missing"] == {"gradient": None}


def test_grids_leave_out_what_their_figures_say():
    text = (BOOK / "cascade.md").read_text("utf-8")
    found = {entry["figure"]: entry for entry in FIGURES}
    for name, network in (("10a", "vgg16"), ("10b", "resnet50")):
        call = re.search(rf'grids_or_curves\("{network}", 1(.*)\)', text)[1]
        # Fitted to no image, they have neither patterns nor means of gradients.
        left = {"smoothgrad", "patternnet", "patternattribution"}
        left |= {*re.findall('"(.+?)"', call)}
        assert found[name]["missing"].keys() == left - {*found[name]["but"]}


def test_no_deviation_is_left_out():
    assert [entry["number"] for entry in DEVIATIONS] == list(range(1, 39))


@pytest.mark.parametrize("entry", DEVIATIONS, ids=number)
def test_a_deviation_says_what_each_does_and_where_it_shows(entry):
    for field in ("text", "here", "matters"):
        assert entry[field].endswith("."), field
    # What is inside the text alone is said so.
    assert bool(entry["code"]) != entry["about"].startswith(("inside", "notes"))
    assert entry["where"] and all(map(exists, entry["where"]))
    assert {*entry["claims"]} <= CLAIMS.keys()


def test_slips_that_show_nowhere_else_are_looked_at_there():
    text = (BOOK / f"{PAGE}.md").read_text("utf-8").partition("## Slips")[2]
    named = re.findall(r"\*\*[^*]+?\(([\d, ]+)\)[.?]?\*\*", text)
    told = {int(n) for numbers in named for n in numbers.split(",")}
    assert told == {e["number"] for e in DEVIATIONS if SLIPS in e["where"]}


def test_a_value_of_the_paper_has_one_of_ours():
    for value in paper.values():
        numbers = CLAIMS[value["claim"]]["numbers"]
        assert value["says"] and 0 <= value["number"] < len(numbers)


# Provenance ---------------------------------------------------------------------------


@pytest.mark.parametrize("entry", MADE, ids=lambda entry: entry["name"])
def test_a_result_says_who_made_it_and_with_what(entry):
    assert entry["parts"] > 0
    for field in ("command", "python", "platform"):
        assert entry[field], field
    for versions in entry["versions"]:
        assert {"numpy", "torch", "torchvision"} <= versions.keys()
    if entry["name"] not in OLDER:
        assert entry["commit"]
    assert all(re.fullmatch(r"[0-9a-f]{40}\+?", commit) for commit in entry["commit"])


def test_every_stored_file_belongs_to_a_result():
    assert sum(e["parts"] for e in MADE) == len([*RESULTS.rglob("*.json")])


def test_facts_of_parts_are_put_together_and_hours_come_from_logs(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(paper, "RESULTS", tmp_path)
    folder = tmp_path / "csc" / "toy"
    folder.mkdir(parents=True)
    for part, commit in (("a", "0" * 40), ("b", None)):
        by = {"command": "toy", "commit": commit, "versions": {"torch": "2"}}
        content = {"config": {"parts": {part: ""}}, "provenance": by}
        content["results"] = {part: {}}
        (folder / f"{part}.json").write_text(json.dumps(content), "utf-8")
    (entry,) = paper.made()
    assert (entry["name"], entry["parts"], entry["seconds"]) == ("csc/toy", 2, None)
    assert (entry["commit"], entry["command"]) == (["0" * 40], ["toy"])
    assert (entry["versions"], entry["python"]) == ([{"torch": "2"}], [])
    # Two processes, which ran beside each other.
    for rank, seconds in enumerate((1800, 900)):
        line = json.dumps({"part": "a", "unit": rank, "seconds": seconds})
        (folder / f"times-{rank}.jsonl").write_text(f"{line}\n{line}\n", "utf-8")
    assert paper.made()[0]["seconds"] == 5400


# Tables -------------------------------------------------------------------------------


def test_a_table_has_links_emphasis_and_nothing_else():
    rows = Rows(["a", "b"], [["<1>", f"*so* `x` {link('speed#the-law')}"]])
    html = rows._repr_html_()
    assert '<th scope="row">&lt;1&gt;</th>' in html
    linked = '<a href="speed.html#the-law">speed: the law</a>'
    assert f'<td data-head="b"><em>so</em> <code>x</code> {linked}</td>' in html
    assert rows._repr_markdown_().endswith("| <1> | *so* `x` speed: the law |")
    with pytest.raises(ValueError, match="shorter"):
        Rows(["a", "b"], [["1"]])._repr_html_()


def test_each_table_has_its_data():
    assert len(tables.panels().rows) == len(FIGURES)
    assert len(tables.differences().rows) == len(DEVIATIONS)
    assert len(tables.values().rows) == len(paper.values())
    *rows, total = tables.scope().rows
    assert sum(map(int, total[1:])) == len(CLAIMS)
    columns = zip(*(map(int, row[1:]) for row in rows), strict=True)
    assert [*map(sum, columns)] == [*map(int, total[1:])]


def test_what_is_not_recorded_is_said_to_be_and_what_is_is_shown():
    rows = {row[0]: row for row in tables.provenance().rows}
    assert len(rows) == len(MADE) + 3  # the trained networks
    for entry in MADE:
        hours, commit = rows[entry["name"]][2:4]
        assert (hours == "not recorded") == (entry["seconds"] is None)
        assert (commit == "not recorded") == (entry["commit"] == [])
    assert float(rows["weights of cifar10"][2]) > 0
