"""Chapters where the large networks' weights are not: what they show, and say."""

import re
import shutil

import chapters
import pytest
from study import page_values

from modbp import data, models
from modbp.study import experiments, page
from modbp.zoo.models import shipped

LARGE = ("resnet50", "vgg16")
STORED = experiments.read("pages")
# Cells of each chapter that fall back; no other chapter has any.
FALLING_BACK = {"cascade": 2, "convergence": 1, "networks": 2, "repairs": 1}
FALLING_BACK |= {"resnet": 6}
NEEDS = re.compile(rf"""(models\.|subject\(")({"|".join(LARGE)})\b""")


def test_no_other_chapter_needs_them():
    code = {name: "\n".join(chapters.sources(name)) for name in chapters.names()}
    use = re.compile("page import .*(live|measured)")
    using = [name for name in code if use.search(code[name])]
    assert using == list(FALLING_BACK)
    for name in code.keys() - FALLING_BACK.keys():
        assert not NEEDS.search(code[name]), f"{name} would stop without the weights"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An installed package, whose data folder has the images, but no weights yet."""
    images, package, place = data.root(), tmp_path / "package", tmp_path / "data"
    for folder in (package, place):
        folder.mkdir()
    for path in [
        *models.SHIPPED.glob("*.json"),
        *(models.SHIPPED / f"{name}.safetensors" for name in ("cifar10", "vit")),
    ]:
        shutil.copy(path, package)
    for path in images.iterdir():
        if path.name != "weights":
            (place / path.name).symlink_to(path)
    monkeypatch.setenv("MODBP_DATA", str(place))
    monkeypatch.setenv("JUPYTER_BOOK_BUILD", "1")
    monkeypatch.delenv("MODBP_WEIGHTS_URL", raising=False)
    for module in (models, shipped):
        monkeypatch.setattr(module, "SHIPPED", package)
    return place


def fallen_back(chapter):
    return sum(text.count(page.FALLBACK) for text, _ in chapters.run(chapter))


@pytest.mark.long
@pytest.mark.parametrize("chapter", FALLING_BACK)
def test_without_them_a_chapter_shows_what_is_stored_and_says_so(here, chapter):
    assert fallen_back(chapter) == FALLING_BACK[chapter]


@pytest.mark.long
@pytest.mark.parametrize("chapter", FALLING_BACK)
def test_with_the_files_put_in_by_hand_all_runs_and_finds_what_is_stored(
    here, chapter, monkeypatch
):
    (here / "weights").mkdir()
    for name in LARGE:
        file = page_values.ROOT / "modbp" / "zoo" / "weights" / f"{name}.safetensors"
        (here / "weights" / file.name).symlink_to(file)
    with page_values.noted() as found:
        assert fallen_back(chapter) == 0
    if STORED["provenance"]["images"] == data.images(1).source:
        names = [name for name in STORED["results"] if name.startswith(f"{chapter}:")]
        assert list(found) == names
        for name in names:
            check(found[name], STORED["results"][name])


def check(found, stored):
    """Compare values that another machine rounds differently."""
    if isinstance(stored, dict):
        assert found.keys() == stored.keys()
        found, stored = list(found.values()), list(stored.values())
    if isinstance(stored, list):
        for pair in zip(found, stored, strict=True):
            check(*pair)
    elif isinstance(stored, str):
        assert found == stored
    else:
        assert found == pytest.approx(stored, rel=0.02, abs=1e-12)


def test_what_is_stored_is_of_the_images_that_pages_speak_of():
    assert STORED["provenance"]["images"].startswith("CIFAR-10 test images")


def test_a_cell_says_what_it_shows(monkeypatch, capsys):
    monkeypatch.setattr(models, "available", lambda name: False)
    name, value = next(iter(STORED["results"].items()))
    assert page.measured(name, "vgg16", None) == value
    assert not page.live("resnet50")
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(page.FALLBACK) and "models.vgg16()" in first
    assert second.startswith(page.FALLBACK) and "models.resnet50()" in second


def test_a_cell_computes_where_it_can(capsys):
    assert page.measured("", "cifar10", divmod, 7, 4) == [1, 3]
    assert capsys.readouterr().out == ""
