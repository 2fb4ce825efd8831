"""The page of rules has every method, and what it says of other libraries exists."""

import re
from pathlib import Path

import pytest

from modbp import methods
from modbp.zoo.vision import load_torchvision

# Zennit imports torchvision at once, and cannot beside some builds of torch.
load_torchvision()
import captum.attr  # noqa: E402
import zennit.attribution  # noqa: E402
import zennit.composites  # noqa: E402
import zennit.rules  # noqa: E402
from captum.attr._utils import lrp_rules  # noqa: E402

PAGE = (Path(__file__).parents[2] / "book" / "rules.md").read_text(encoding="utf-8")
WHERE = {
    "Captum": (captum.attr, lrp_rules),
    "Zennit": (zennit.rules, zennit.composites, zennit.attribution),
}


def table(head):
    """Return the rows of the table whose first line starts so."""
    lines = PAGE[PAGE.index(f"\n| {head}") + 1 :].split("\n\n")[0].split("\n")
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines]


@pytest.mark.parametrize("name", methods.names())
def test_a_method_has_a_section_a_link_to_it_and_an_example(name):
    assert f"(rule-{name})=\n### {name}\n" in PAGE
    assert f"| [`{name}`](#rule-{name}) |" in PAGE
    # In a table of columns, or, where there is no matrix, an explanation.
    assert f'("{name}", ' in PAGE or f'"{name}"' in PAGE


def test_no_section_is_about_a_method_that_does_not_exist():
    assert set(re.findall(r"\(rule-(.+)\)=", PAGE)) == set(methods.names())


def test_the_names_of_other_libraries_exist():
    rows = table("Here | Elsewhere")[2:]
    assert {row[0].strip("`") for row in rows} == set(methods.names())
    checked = 0
    for _, elsewhere in rows:
        for part in elsewhere.split("; "):
            for name in re.findall(r"`(\w+)[^`]*`", part):
                modules = WHERE.get(part.split()[0], ())
                assert not modules or any(hasattr(module, name) for module in modules)
                checked += bool(modules)
    assert checked > 20
