"""The playground: its arithmetic is modbp.theory's, and it is used by keyboard."""

from functools import reduce
from pathlib import Path

import numpy as np
import playground
import pytest
from conftest import long_but
from sphinx.application import Sphinx

from modbp import theory

BOOK = Path(__file__).parents[2] / "book"
STATIC = BOOK / "static"
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
INPUTS = 1000


# ---- Arithmetic

# Everything that is compared, of one chain that is repeated or not.
ANSWERS = """(inputs) => inputs.map(({ mats, again }) => {
  const T = modbpTheory, found = T.analyse(mats, mats.length);
  const h = T.hypotheses(mats, again);
  const sound = h.nonnegative && h.noZero;
  return { products: T.products(mats), gauge: sound ? T.gauge(mats) : null,
    s: found.s.at(-1), gaps: found.gaps, hypotheses: h,
    bounds: Object.fromEntries(found.bounds.map(({ name, factors, values }) =>
      [name.at(-1), { factors, last: values?.at(-1) ?? null }])),
    structure: h.nonnegative && mats[0].length === mats.at(-1)[0].length
      ? T.structure(mats.reduce(T.multiply)) : null };
})"""


def random_chain(rng):
    """Up to six matrices: whole numbers, shares, signs, or extreme entries."""
    sizes = rng.integers(1, 5, rng.integers(2, 8))
    if rng.random() < 0.3:
        sizes[:] = sizes[0]
    kind = rng.choice(["whole", "wide", "even", "signed", "shares", "signed shares"])
    again = bool(rng.random() < 0.6)
    if again:
        sizes[-1] = sizes[0]
    mats = []
    for shape in zip(sizes, sizes[1:], strict=False):
        if kind == "whole":
            A = rng.integers(0, 4, shape).astype(float)
        elif kind == "wide":
            A = 10 ** rng.uniform(-20, 20, shape)
        else:
            A = rng.uniform(-1 if "signed" in kind else 0.01, 1, shape)
        A[rng.random(shape) < rng.choice([0, 0.3, 0.6])] = 0
        if "shares" in kind:
            A[0, ~A.any(axis=0)] = 1
            A /= np.where(np.abs(A.sum(axis=0)) < 0.1, 1, A.sum(axis=0))
        if rng.random() < 0.05:
            A[:, rng.integers(shape[1])] = 0
        if rng.random() < 0.05:
            A[rng.integers(shape[0])] = 0
        mats.append(A)
    if rng.random() < 0.1 and sizes[0] == sizes[1]:
        mats = [mats[0]] * len(mats)  # a limit exists
    return mats, again


@pytest.fixture(scope="module")
def window(browser):
    page = browser.new_page()
    page.add_script_tag(path=STATIC / "playground-theory.js")
    yield page
    page.close()


@pytest.fixture(scope="module")
def answers(window):
    """Random chains, and what the page computes of each."""
    rng = np.random.default_rng(14)
    chains = [random_chain(rng) for _ in range(INPUTS)]
    asked = [
        {"mats": [A.tolist() for A in mats], "again": again} for mats, again in chains
    ]
    return list(zip(chains, window.evaluate(ANSWERS, asked), strict=True))


def close(found, expected, at_least=0.0):
    return np.allclose(found, expected, rtol=1e-9, atol=at_least)


def no_zero(mats):
    return all(A.any(axis=0).all() for A in mats)


def sound(mats):
    return no_zero(mats) and min(A.min() for A in mats) >= 0


def sums_to_one(mats):
    return all(abs(A.sum(axis=0) - 1).max() <= 1e-9 for A in mats)


def test_products_and_angles_are_those_of_the_library(answers):
    seen = 0
    for (mats, _), found in answers:
        for ours, theirs in zip(found["products"], theory.products(mats), strict=True):
            assert close(ours, theirs, at_least=1e-15 if np.min(theirs) < 0 else 0)
        if sound(mats):
            gauge = theory.gauge(mats)
            assert all(map(close, found["gauge"], gauge))
            s = theory.min_cosine(theory.products(gauge)[-1])
            assert close(found["s"], s, at_least=1e-15)
            seen += s < 0.999
        elif no_zero(mats) and theory.products(mats)[-1].any(axis=0).all():
            s = theory.min_cosine(theory.products(mats)[-1])
            assert close(found["s"], s, at_least=1e-12)
    assert seen > INPUTS / 10


def test_one_minus_s_is_that_of_the_library_far_below_rounding(answers):
    seen = 0
    for (mats, _), found in answers:
        positive = np.concatenate([A[A > 0] for A in mats])
        even = positive.size and positive.max() < 1e4 * positive.min()
        if sound(mats) and even and min(A.shape[1] for A in mats) > 1:
            gaps = theory.gaps(mats)
            # A factor of rank one leaves nothing but rounding.
            falls = np.diff(np.maximum(gaps, -1e6), prepend=0)
            known = np.cumprod(falls > -20).astype(bool)
            ours = np.array(found["gaps"], float)[known]
            assert close(10**ours, 10 ** gaps[known])
            seen += gaps[known].min(initial=0) < -4
    assert seen > 20


def test_factors_and_bounds_are_those_of_the_library(answers):
    seen = dict.fromkeys("ABC", 0)
    for (mats, _), found in answers:
        bounds = found["bounds"]
        if not sound(mats):
            signed = no_zero(mats) and sums_to_one(mats)
            assert bounds["A"]["factors"] is bounds["C"]["factors"] is None
            assert (bounds["B"]["factors"] is not None) == signed
            if signed:
                delta = [theory.dobrushin(A) for A in mats]
                assert close(bounds["B"]["factors"], delta, at_least=1e-15)
            continue
        conserving = mats if sums_to_one(mats) else theory.gauge(mats)
        factors = {
            "B": [theory.dobrushin(A) for A in conserving],
            "C": [theory.birkhoff(A) for A in mats],
        }
        limits = {
            "B": theory.theorem_b_bound(mats),
            "C": theory.theorem_c_bound(mats),
        }
        for name, expected in factors.items():
            assert close(bounds[name]["factors"], expected, at_least=1e-15)
            # Below that, what is left of the difference of two columns is rounding.
            if min(expected) > 1e-6:
                assert close(10 ** bounds[name]["last"], limits[name])
                seen[name] += 1
        found_products = theory.products(mats)
        if min(M.max(axis=0).min() for M in found_products) > 1e-140:
            before = zip(found_products, mats[1:], strict=False)
            overlaps = [theory.overlap(M, A) for M, A in before]
            assert close(bounds["A"]["factors"][1:], overlaps)
            first = 1 - theory.min_cosine(mats[0])
            if 1e-6 < first and max(overlaps, default=0) < 1 - 1e-6:
                bound = first * np.prod(1 - np.array(overlaps))
                assert close(10 ** bounds["A"]["last"], bound, at_least=1e-12)
                seen["A"] += 1
    assert min(seen.values()) > INPUTS / 10


def test_hypotheses_are_exactly_those_of_the_library(answers):
    seen = {}
    for (mats, again), found in answers:
        h = found["hypotheses"]
        assert h["nonnegative"] == (min(A.min() for A in mats) >= 0)
        assert h["noZero"] == no_zero(mats)
        assert h["shares"] == sums_to_one(mats)
        if not h["nonnegative"]:
            continue
        for ours, theirs in zip(h["mixed"], map(theory.mixing, mats), strict=True):
            assert tuple(ours["zero"]) == theirs.zero
            assert tuple(map(tuple, ours["orthogonal"])) == theirs.orthogonal
            assert ours["holds"] == bool(theirs)
        if found["structure"]:
            block = reduce(np.matmul, mats)
            ours, theirs = found["structure"], theory.structure(block)
            assert ours["conditionE"] == theirs.condition_e
            assert ours["constantConverges"] == theirs.constant_converges
            for mine, component in zip(ours["classes"], theirs.components, strict=True):
                assert tuple(mine["indices"]) == component.indices
                assert mine["final"] == component.final
                assert mine["primitive"] == component.primitive
                assert close(mine["radius"], component.radius)
            # An eigenvector of extreme entries has zeros by rounding.
            entries = block[block > 0]
            if theirs.radius > 0 and entries.max() < 1e6 * entries.min():
                _, w = theory.left_perron(block)
                assert ours["positivePerron"] == bool((w > 0).all())
                key = "positivePerron", ours["positivePerron"]
                seen[key] = seen.get(key, 0) + 1
        mix = all(map(theory.mixing, mats))
        by_size = {}
        for A in mats:
            by_size.setdefault(A.shape, []).append(A)
        limit = all((group[0] == A).all() for group in by_size.values() for A in group)
        facts = dict.fromkeys(("published", "theoremB", "theoremC", "converges"))
        if again:
            facts["published"] = sound(mats) and limit and mix
            facts["theoremB"] = sound(mats) and sums_to_one(mats) and mix
            facts["theoremC"] = sound(mats) and min(A.min() for A in mats) > 0
        if again and sound(mats):
            facts["converges"] = theory.structure(block).constant_converges
        for fact in facts.items():
            assert h[fact[0]] == fact[1]
            seen[fact] = seen.get(fact, 0) + 1
    # Each answer to each question, often enough.
    assert len(seen) == 4 * 3 + 2 and min(seen.values()) > 5


@pytest.mark.parametrize("name", sorted(theory.COUNTEREXAMPLES))
def test_a_known_sequence_ends_as_the_library_says(window, name):
    example = theory.COUNTEREXAMPLES[name]
    A = example.matrix()
    if max(A.shape) > 4 or not (A == example.matrix(9)).all():
        return
    found = window.evaluate(
        "(A) => modbpTheory.hypotheses([A], true).converges", A.tolist()
    )
    assert found == (example.limit_squared == 1)


# ---- What is typed

READ = """(text) => { try { return modbpTheory.readMatrix(text); }
  catch (error) { return error.message; } }"""


@pytest.mark.parametrize(
    ("text", "matrix"),
    [
        ("1 2\n3 4", [[1, 2], [3, 4]]),
        ("1/3, 0.5\n 2 / 4 , −1e-3\n", [[1 / 3, 0.5], [0.5, -1e-3]]),
        ("[[2, 1], [1, 2]]", [[2, 1], [1, 2]]),
        ("1 0; 0 1", [[1, 0], [0, 1]]),
        (".5", [[0.5]]),
    ],
)
def test_a_matrix_is_read_in_many_hands(window, text, matrix):
    assert window.evaluate(READ, text) == matrix


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("", "Type its rows"),
        ("1 2\n3", "row 2 has 1 numbers and row 1 has 2"),
        ("1 x", "“x” in row 1 is no number. Write 2, 0.5, 1e-3 or 1/3."),
        ("1/0", "divides by zero"),
        ("1e30", "too large"),
        ("1e-400/1e10 1", "too small"),
        ("1 2 3 4 5", "up to 4 × 4"),
    ],
)
def test_what_cannot_be_read_gets_a_remedy(window, text, remedy):
    found = window.evaluate(READ, text)
    assert (remedy in found) != (text == "1e-400/1e10 1")


# ---- The directive


def test_only_its_own_pages_load_it(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    settings = f"extensions = ['playground']\nhtml_static_path = [{str(STATIC)!r}]\n"
    (source / "conf.py").write_text(settings, encoding="utf-8")
    toctree = "Index\n=====\n\n.. toctree::\n\n   with\n"
    (source / "index.rst").write_text(toctree, encoding="utf-8")
    (source / "with.rst").write_text(
        "With\n====\n\n.. playground:: F3\n", encoding="utf-8"
    )
    out = tmp_path / "html"
    arguments = source, source, out, out / ".doctrees", "html"
    Sphinx(*arguments, status=None, warningiserror=True).build()
    pages = {n: (out / f"{n}.html").read_text("utf-8") for n in ("index", "with")}
    assert pages["with"].count('class="modbp-playground" data-start="F3"') == 1
    for name in (*playground.FILES, "playground.css"):
        assert name in pages["with"] and name not in pages["index"]
        assert (out / "_static" / name).exists()


# ---- The page


@pytest.fixture
def page(browser):
    """A page with nothing but a playground, and its script errors."""
    page = browser.new_page(viewport=DESK)
    page.trouble = []
    page.on("pageerror", lambda error: page.trouble.append(str(error)))
    parts = [
        f"<script>{(STATIC / n).read_text('utf-8')}</script>" for n in playground.FILES
    ]
    style = f"<style>{(STATIC / 'playground.css').read_text('utf-8')}</style>"
    page.set_content(f"<html lang=en>{style}{playground.html('F3')}{''.join(parts)}")
    yield page
    assert page.trouble == []
    page.close()


def said(page):
    return page.locator("[role=status]").inner_text()


def test_it_begins_with_the_counterexample(page):
    assert "s = 0.46778" in said(page) and "s stays below one" in said(page)
    assert "these matrices refute it" in page.inner_text(".hypotheses")


FEW = long_but(lambda preset: preset["key"] in ("F3", "zero"), playground.PRESETS)


@pytest.mark.parametrize("preset", FEW, ids=lambda p: p["key"])
def test_every_example_is_shown(page, preset):
    page.get_by_label("Start from").select_option(label=preset["name"])
    assert page.locator("textarea").count() == len(preset["matrices"])
    has_zero = preset["key"] == "zero"
    told = "M₄ has a zero column" if has_zero else f"n = {preset['n']}: s = "
    assert told in said(page)
    assert "NaN" not in page.inner_html(".modbp-playground")
    assert page.locator("svg[role=img]").count() == (0 if has_zero else 2)
    for picture in page.locator("svg[role=img]").all():
        assert len(picture.get_attribute("aria-label")) > 40


def test_it_is_used_by_keyboard_alone(page):
    page.get_by_label("Start from").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Control+a")
    page.keyboard.type("1/3 1\n2/3 0")
    assert "s tends to one" in said(page)
    page.keyboard.press("Tab")  # Add a matrix
    page.keyboard.press("Enter")
    assert page.locator("textarea").count() == 2
    page.keyboard.press("Control+a")  # it has the focus
    page.keyboard.type("1 2 3")
    alert = page.locator("[role=alert]")
    assert "A1 has 2 columns, but A2 has 1 rows" in alert.inner_text()
    page.keyboard.press("Control+a")
    page.keyboard.type("1 0\n0 oops")
    assert "A2: “oops” in row 2" in alert.inner_text()
    assert page.locator("[aria-invalid]").count() == 1 and said(page) == ""
    page.keyboard.press("Control+a")
    page.keyboard.type("1 0\n0 1")
    assert not alert.is_visible() and "n = 4" in said(page)
    page.get_by_label("Factors n").focus()
    page.keyboard.press("ArrowRight")
    assert "n = 5" in said(page)


def test_the_address_keeps_the_matrices(page):
    page.get_by_label("Start from").select_option(label="2 × 3 and 3 × 2 in turn")
    before, href = said(page), page.get_by_role("link").get_attribute("href")
    page.get_by_label("Start from").select_option(index=1)
    assert said(page) != before
    page.evaluate("(hash) => { location.hash = hash }", href)
    page.wait_for_function(
        "(text) => document.body.innerText.includes(text)", arg=before
    )


@pytest.mark.parametrize("key", ["F3", "F5", "turns", "once"])
def test_it_fits_a_phone_with_letters_that_can_be_read(page, key):
    page.set_viewport_size(PHONE)
    preset = next(each for each in playground.PRESETS if each["key"] == key)
    page.get_by_label("Start from").select_option(label=preset["name"])
    page.wait_for_timeout(100)
    wide = "document.documentElement.scrollWidth - window.innerWidth"
    assert page.evaluate(wide) <= 0
    heights = page.evaluate(
        """() => [...document.querySelectorAll("svg text")].map((text) =>
        parseFloat(getComputedStyle(text).fontSize) * text.getScreenCTM().a)"""
    )
    assert len(heights) > 5 and min(heights) >= 9


def test_without_a_script_the_example_stays(browser):
    page = browser.new_page(java_script_enabled=False)
    page.set_content(playground.html("F3"))
    assert "0.2000, 0.3600" in page.inner_text("body")
    page.close()
