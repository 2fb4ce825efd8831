"""The theory chapters: what they state has a check that can fail, and a source."""

import ast
import re
from pathlib import Path

import chapters
import numpy as np
import pytest
import torch

import modbp
from modbp import theory

BOOK = Path(__file__).parents[2] / "book"
THEORY = ("chains", "theorem", "repair", "speed", "gamma", "pattern")
TEXTS = {path.stem: path.read_text(encoding="utf-8") for path in BOOK.glob("*.md")}


def after(name, *marks, given=()):
    """Run the cells of a chapter that hold one of some texts; return their names.

    Before them only the first values of names that are `given` elsewhere are computed.
    """
    space = {"np": np, "theory": theory, "torch": torch, "modbp": modbp}
    space["patterns"] = modbp.patterns
    sources = chapters.sources(name)
    found = [s for s in sources if any(mark in s for mark in marks)]
    assert all(any(mark in source for source in found) for mark in marks)
    for wanted in given:
        pattern = re.compile(rf"^{wanted} = .*$", re.M)
        found.insert(0, next(filter(None, map(pattern.search, sources)))[0])
    for source in found:
        exec(compile(source, name, "exec"), space)
    return space


# Text ---------------------------------------------------------------------------------


def test_every_entry_of_the_bibliography_is_cited_and_the_other_way_round():
    bibliography = (BOOK / "references.bib").read_text(encoding="utf-8")
    entries = set(re.findall(r"^@\w+\{(\w+),$", bibliography, re.M))
    places = [*BOOK.glob("*.md"), *(BOOK.parent / "modbp").rglob("*.py")]
    texts = [path.read_text(encoding="utf-8") for path in places]
    cited = re.compile(r":cite:[pt]:`([^`]+)`|\{cite:[pt]\}`([^`]+)`")
    keys = {
        key.strip()
        for text in texts
        for pair in cited.findall(text)
        for key in "".join(pair).split(",")
    }
    assert entries == keys


def test_each_equation_of_the_appendix_stands_on_a_page():
    texts = "\n".join(TEXTS[name] for name in THEORY)
    numbers = {int(n) for n in re.findall(r"\\tag\{(\d+)\}|\(17\)", texts) if n}
    assert numbers == set(range(18, 41))
    assert "(17)" in texts
    # Those of appendix C have names there, for they are used on more than one page.
    assert all(f"eq. {n}" in texts or f"{n})" in texts for n in range(41, 45))


@pytest.mark.parametrize("name", THEORY)
def test_what_is_stated_has_checks_outside_of_the_exercises(name):
    text = TEXTS[name].partition("\n## Exercises\n")[0]
    stated = re.findall(r"^`{3,}\{prf:(theorem|proposition|corollary)\}", text, re.M)
    cells = re.findall(r"^```\{code-cell\}[^\n]*\n(.*?)^```$", text, re.M | re.S)
    code = [
        re.sub(r"(?s)\A---.*?^---\n|^:tags:.*?\n", "", c, flags=re.M) for c in cells
    ]
    checks = sum(
        isinstance(node, ast.Assert) for c in code for node in ast.walk(ast.parse(c))
    )
    assert checks >= len(stated) > 0


def test_the_step_to_infinity_counts_the_steps_in_between():
    # s(n_1), …, s(n_k) have k − 1 steps between them: k = 1 is no step at all.
    (exponent,) = re.findall(r"\(1 \+ c\)\^\{(.*?)\} s_\{n_1\}", TEXTS["theorem"])
    assert exponent.replace(" ", "") == "k-1-n'"


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_no_page_takes_slow_for_never(name):
    # Chains with signs converge as well, at about 1/N per layer.
    flat = " ".join(TEXTS[name].split())
    denied = r"convergence ends where|chain does \*\*not\*\* converge|, no convergence,"
    assert not re.search(denied, flat)


# Counterexamples ----------------------------------------------------------------------


def test_blocks_without_a_limit_of_matrices_that_have_one():
    space = after("theorem", "broad = ", given=("wide", "tall"))
    three, four = (np.linalg.multi_dot(way) for way in space["ways"].values())
    # By hand: (4, 1, 1), (1, 1, 4) with the columns (2, 1, 1) and (1, 1, 2).
    assert three.tolist() == [[10, 7], [7, 10]] != four.tolist()


def test_the_sequence_of_two_sizes_meets_the_theorems_hypotheses():
    space = after("theorem", given=("wide", "tall"))
    assert theory.mixing(space["wide"]) and theory.mixing(space["tall"])


def test_a_counterexample_of_six_neurons_without_single_entries_stays_at_one_half():
    space = after("repair", "twice = ", given=("A", "F3"))
    twice = space["twice"]
    assert twice.shape == (6, 6) and ((twice > 0).sum(axis=0) > 1).all()
    assert theory.mixing(twice)
    s = theory.min_cosine(theory.products([twice] * 60)[-1])
    assert s == pytest.approx(0.5, abs=1e-12)


def test_relevance_matrices_may_tend_to_the_identity_and_forget():
    # F2's gauge has δ = k / (k + 1): the product of forty is 1 / 41.
    deltas = [theory.dobrushin(B) for B in theory.gauge([[[1, 1], [0, 1]]] * 40)]
    assert np.prod(deltas) == pytest.approx(1 / 41)
    assert "not necessary" in TEXTS["repair"]
    assert "condition has to hold there" not in TEXTS["repair"]


def test_with_biases_columns_do_not_sum_to_one_and_the_gauge_makes_them():
    space = after("repair", "biased = ", "active_chain(")
    assert space["sums"].min() < 0.5 and space["sums"].max() > 1.5
    for B in space["rescaled"]:
        assert np.allclose(B.sum(axis=0), 1)


def test_a_relu_can_turn_what_forgets_everything_into_opposites():
    space = after("pattern", "A1, A2 = ")
    assert space["bound"] == 0
    # By hand: ½ J diag(0, 1) A2 has the columns −½ (1, 1) and ¼ (1, 1).
    assert space["cosine"] == pytest.approx(-1)


def test_the_codes_estimator_can_have_no_denominator():
    space = after("pattern", "biased = ", "nine = ")
    assert space["estimator"] == "code" and space["total"] == 0


# Speed --------------------------------------------------------------------------------


def test_the_share_of_the_constant_vector_does_not_stay_zero():
    space = after("speed", "many = ", "starts = ")
    # Thirty rows: a start of sum zero gets the share 1/30, where 0 was claimed.
    assert space["exact"] == pytest.approx(1 / 30)
    assert abs(space["found"] / space["exact"] - 1) < 0.1


def test_the_gradient_on_the_page_is_the_networks():
    mats = after("speed", "def gradient")["gradient"](4, 3, np.random.default_rng(2))
    draw = np.random.default_rng(2)
    x = torch.from_numpy(draw.standard_normal(4)).requires_grad_()
    h, layers = x, torch.from_numpy(draw.standard_normal((3, 4, 4)))
    for k, W in enumerate(layers):
        h = W @ h if k == 2 else torch.relu(W @ h)
    product = np.linalg.multi_dot(mats[::-1])
    for j in range(4):
        (wanted,) = torch.autograd.grad(h[j], x, retain_graph=True)
        assert product[:, j] == pytest.approx(wanted.numpy())
