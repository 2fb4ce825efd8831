"""The book's trained weights: found, fetched, or refused with where to put the file."""

import re
import shutil
import tomllib

import pytest
import torch

from modbp import models
from modbp.errors import DataError, UnknownName, WeightsError
from modbp.zoo.models import shipped, weights

FILE = "vgg16.safetensors"
CLONE = models.SHIPPED / FILE
if not CLONE.is_file():
    pytest.skip("needs a clone, with all weights", allow_module_level=True)


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A package without the large weights and without an address; returns its cache."""
    package = tmp_path / "package"
    package.mkdir()
    for path in models.SHIPPED.glob("*.json"):
        shutil.copy(path, package)
    monkeypatch.setattr(shipped, "SHIPPED", package)
    monkeypatch.setenv("MODBP_DATA", str(tmp_path))
    monkeypatch.delenv("MODBP_WEIGHTS_URL", raising=False)
    monkeypatch.setattr(shipped, "ADDRESS", "")
    return tmp_path / "weights"


def message():
    with pytest.raises(WeightsError) as caught:
        models.vgg16()
    return str(caught.value)


def same():
    """Whether what is loaded now are the book's weights."""
    fresh = models.build("vgg16")
    models.load(fresh, CLONE)
    found = models.vgg16()
    pairs = zip(fresh.parameters(), found.parameters(), strict=True)
    return all(torch.equal(one, other) for one, other in pairs)


def test_a_clone_has_them_all():
    assert all(models.available(name) for name in models.names())
    with pytest.raises(UnknownName):
        models.available("vgg19")


def test_the_wheel_has_the_small_networks_alone():
    text = (models.SHIPPED.parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    wheel = tomllib.loads(text)["tool"]["hatch"]["build"]["targets"]["wheel"]
    ours = {n for n, on in models.TRAINED.items() if on == "cifar10"}
    large = ours - {"cifar10", "vit"}
    wanted = {f"modbp/zoo/weights/{name}.safetensors" for name in large}
    assert {*wheel["exclude"]} == wanted


def test_without_an_address_the_message_says_where_to_put_the_file(installed):
    assert not models.available("vgg16") and not installed.exists()
    told = message()
    assert "no address" in told and "weights=None" in told
    # Done as told, word for word.
    pattern = r"put (\S+) from the folder (\S+) of the repository into (\S+)\. "
    name, source, target = re.search(pattern, told).groups()
    repository = models.SHIPPED.parents[2]
    installed.mkdir()
    assert target == str(installed)
    shutil.copy(repository / source / name, target)
    assert models.available("vgg16") and same()


def test_another_file_in_that_place_is_refused_by_its_hash(installed):
    installed.mkdir()
    content = bytearray(CLONE.read_bytes())
    content[-1] ^= 1
    (installed / FILE).write_bytes(content)
    # It is there, so a chapter runs live, and stops: a wrong file does not pass unseen.
    assert models.available("vgg16")
    told = message()
    assert "checksum" in told and str(installed / FILE) in told and "Delete it" in told
    (installed / FILE).unlink()
    assert re.search(r"put \S+ from", told)[0] in message()


def test_they_are_fetched_once_and_whole(installed, monkeypatch, capsys):
    monkeypatch.setenv("MODBP_WEIGHTS_URL", models.SHIPPED.as_uri() + "/")
    assert models.available("vgg16") and same()
    assert [path.name for path in installed.iterdir()] == [FILE]
    monkeypatch.setattr(shipped, "urlopen", None)
    assert same()
    told = capsys.readouterr()
    assert told.out == "" and told.err.count("fetching file:///") == 1


def test_the_address_of_the_book_serves_where_none_is_given(installed, monkeypatch):
    monkeypatch.setattr(shipped, "ADDRESS", models.SHIPPED.as_uri())
    assert models.available("vgg16")


class Answer:
    """A server's answer that breaks off."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def read(self):
        raise ConnectionResetError("reset by peer")


@pytest.mark.parametrize("kind", ["nowhere", "no address", "breaks off", "another"])
def test_what_cannot_be_fetched_leaves_nothing(installed, monkeypatch, tmp_path, kind):
    place = tmp_path / "elsewhere"
    place.mkdir()
    base = "weights" if kind == "no address" else place.as_uri()
    if kind == "another":
        (place / FILE).write_bytes(b"not these")
    if kind == "breaks off":
        monkeypatch.setattr(shipped, "urlopen", lambda *_, **__: Answer())
    monkeypatch.setenv("MODBP_WEIGHTS_URL", base)
    told = message()
    assert base in told and not installed.exists() and not models.available("vgg16")
    if kind == "another":
        assert "checksum" in told
    else:
        assert f"put {FILE} from the folder modbp/zoo/weights" in told


def test_a_data_folder_that_is_not_there_is_named(installed, monkeypatch, tmp_path):
    monkeypatch.setenv("MODBP_DATA", str(tmp_path / "none"))
    with pytest.raises(DataError, match="MODBP_DATA"):
        models.available("vgg16")


def test_weights_of_another_network_name_whose_they_are():
    content = CLONE.read_bytes()
    with pytest.raises(WeightsError, match="^those of vgg16: layer entry"):
        weights.fill(models.build("cifar10"), content, "those of vgg16")
