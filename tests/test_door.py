"""The door: what it hands on, and that nothing is loaded before it is used."""

import ast
from importlib import metadata
from pathlib import Path

import pytest

import modbp

NOUNS = {
    *(
        "chain",
        "explain",
        "supported",
        "csc",
        "sanity",
        "methods",
        "rules",
        "deeplift",
        "models",
    ),
    *("data", "figures", "widgets", "theory", "surrogate", "similarity", "patterns"),
    *("errors", "ModbpError", "Chain", "CSCResult", "Bits", "bits", "__version__"),
    *("audit", "audits", "AuditResult"),
}


def test_the_door_hands_on_its_nouns_and_no_others():
    assert set(modbp.__all__) == NOUNS
    assert set(dir(modbp)) >= NOUNS


@pytest.mark.parametrize("noun", sorted(NOUNS))
def test_every_noun_is_there(noun):
    assert getattr(modbp, noun) is not None


def test_a_name_that_does_not_exist_is_an_attribute_error():
    with pytest.raises(AttributeError, match="nonsense"):
        modbp.nonsense  # noqa: B018


@pytest.mark.parametrize("package", [modbp, modbp.figures], ids=["modbp", "figures"])
def test_editors_are_told_the_same_as_the_interpreter(package):
    tree = ast.parse(Path(package.__file__).read_text(encoding="utf-8"))
    late = next(node for node in tree.body if isinstance(node, ast.If))
    eager, told = set(), {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module.startswith("modbp"):
            for alias in node.names:
                if node not in late.body:
                    eager.add(alias.name)
                    continue
                assert alias.asname == alias.name, "without `as`, editors hide it"
                told[alias.name] = node.module
    assert {*told, *eager} == {*package.__all__} - {"__version__"}
    for name, place in told.items():
        home = __import__(place, fromlist=[name])
        assert getattr(home, name) is getattr(package, name)


def test_a_function_and_its_module_do_not_hide_each_other():
    import modbp.backprop.explain
    import modbp.measures.csc

    assert callable(modbp.csc) and callable(modbp.explain) and callable(modbp.chain)
    assert modbp.measures.csc.csc is modbp.csc
    assert modbp.backprop.explain.explain is modbp.explain


def test_the_function_audit_is_not_hidden_by_its_room():
    """Hence its room's other name: a package `audit` would stand in its place."""
    import modbp.audits.audit

    assert modbp.audits.audit is modbp.audit and callable(modbp.audit)


def test_the_version_is_that_of_the_distribution():
    assert modbp.__version__ == metadata.version("explanations-that-forget")
