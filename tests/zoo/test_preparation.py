"""What a network is given of a picture: what its weights, or its owner, want."""

import itertools

import numpy as np
import pytest
import torch
from PIL import Image

from modbp import data
from modbp.errors import DataError, InputError
from modbp.zoo import named
from modbp.zoo.data.preparation import Preparation
from modbp.zoo.named import find_network
from modbp.zoo.vision import load_torchvision

MODELS = load_torchvision().models
CLASSIFIERS = [
    name
    for name in MODELS.list_models(module=MODELS)
    if name not in ("resnet50", "vgg16")  # of that name the book has its own
]
SIZES = [(451, 300), (300, 451), (64, 64), (256, 256), (233, 234), (97, 500), (5, 31)]


def noise(size, seed=0):
    width, height = size
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(values)


@pytest.fixture
def bare(monkeypatch):
    """Classifiers without layers, which are there at once."""
    monkeypatch.setattr(named, "classifier", lambda *_: torch.nn.Identity())


def test_a_classifier_is_given_what_the_transforms_of_its_weights_give(bare):
    seen = set()
    for name in CLASSIFIERS:
        transforms = MODELS.get_model_weights(name).DEFAULT.transforms()
        preparation = find_network(name, None).preparation
        for size in () if preparation in seen else SIZES:
            picture = noise(size)
            assert torch.equal(preparation(picture), transforms(picture)), (name, size)
        seen.add(preparation)
    assert {(p.size, p.interpolation) for p in seen} > {
        (224, "bilinear"), (299, "bilinear"), (518, "bicubic"), (288, "bicubic"),
    }  # fmt: skip


def test_images_of_a_folder_are_given_in_the_same_way(bare, tmp_path):
    noise((300, 200)).save(tmp_path / "a.png")
    noise((200, 310), 1).save(tmp_path / "b.png")
    transforms = MODELS.get_model_weights("inception_v3").DEFAULT.transforms()
    wanted = torch.stack(
        [transforms(Image.open(tmp_path / f"{n}.png").convert("RGB")) for n in "ab"]
    )
    found = find_network("inception_v3", None)
    for transform in (found.preparation, transforms):
        images = data.images(folder=tmp_path, transform=transform)
        assert torch.equal(images.x, wanted)
    assert repr(images).startswith("2 images, 299×299 pixels: ")


def test_another_size_keeps_the_part_of_the_picture(bare):
    preparation = find_network("resnet18", None).preparation.changed(size=112)
    assert (preparation.size, preparation.shorter) == (112, 128)
    assert preparation(noise((300, 200))).shape == (3, 112, 112)
    plain = Preparation(32).changed(size=64)
    assert (plain.size, plain.shorter) == (64, None)


def test_without_a_word_colours_stay_what_they_are():
    picture = noise((20, 20))
    x = Preparation(20)(picture)
    wanted = torch.from_numpy(np.asarray(picture).copy()).permute(2, 0, 1)
    assert torch.equal(x * 255, wanted.float())


def test_the_middle_of_a_picture_that_is_not_square_is_taken():
    values = np.zeros((30, 90, 3), np.uint8)
    values[:, 30:60] = 255
    for picture in (Image.fromarray(values), Image.fromarray(values.swapaxes(0, 1))):
        assert (Preparation(30)(picture) == 1).all()


def test_words_say_what_is_done():
    words = str(Preparation(32))
    assert words == (
        "resized to 32 by bicubic, middle 32×32, colours in [0, 1], not normalised"
    )
    changed = Preparation(224, 256, "bilinear").changed(mean=(0.5,) * 3, std=(2, 1, 1))
    assert str(changed) == (
        "resized to 256 by bilinear, middle 224×224, minus (0.5, 0.5, 0.5), divided by "
        "(2, 1, 1)"
    )
    assert changed.unnormalised == Preparation(224, 256, "bilinear")


@pytest.mark.parametrize(
    "given, told",
    [
        ({"size": 0}, "size is 0; give the side in pixels"),
        ({"size": 5000}, "size is 5000"),
        ({"size": 2.5}, "size is 2.5"),
        ({"size": 64.0}, "size is 64.0"),
        ({"std": (1, 0, 1)}, r"std is \(1, 0, 1\); give three numbers above 0"),
        ({"std": (1, float("inf"), 1)}, "inf"),
        ({"std": (1, float("nan"), 1)}, "nan"),
        ({"mean": (float("inf"), 0, 0)}, "mean is .* give three numbers, one for each"),
        ({"mean": (0, 0)}, "mean is .* give three numbers"),
        ({"mean": "red"}, "mean is 'red'; give three numbers"),
        ({"std": 0.5}, "std is 0.5; give three numbers"),
    ],
)
def test_numbers_that_no_picture_can_have_are_refused(given, told):
    with pytest.raises(InputError, match=told):
        Preparation().changed(**given)


def test_a_strip_is_refused_and_its_middle_is_read(tmp_path):
    strip = Image.new("RGB", (20000, 1))
    strip.save(tmp_path / "strip.png")
    with pytest.raises(DataError, match=r"^strip: 20000×1 .* be 1004 million .* mid"):
        data.images(folder=tmp_path, size=224)
    strip.crop((9900, 0, 10100, 1)).save(tmp_path / "strip.png")
    assert data.images(folder=tmp_path, size=224).x.shape == (1, 3, 224, 224)


# A transform of the user's --------------------------------------------------------


def transforms(*steps):
    from torchvision import transforms as known

    named = {"resize": known.Resize(40), "crop": known.CenterCrop(32)}
    named |= {"tensor": known.ToTensor(), "bytes": known.PILToTensor()}
    named |= {"normal": known.Normalize((0.5, 0.4, 0.3), (0.2, 0.3, 0.4))}
    named |= {"grey": known.Grayscale(), "flip": known.RandomHorizontalFlip()}
    return known.Compose([named.get(step, step) for step in steps])


def test_a_transform_is_what_decides():
    transform = transforms("resize", "crop", "tensor", "normal")
    preparation, picture = Preparation.by(transform), noise((90, 60))
    assert preparation.size == 32 and Preparation.by(preparation) is preparation
    assert torch.equal(preparation(picture), transform(picture))
    assert str(preparation).startswith("prepared by a transform of its own, Compose( R")
    with pytest.raises(InputError, match="size and std cannot be chosen where a tran"):
        preparation.changed(size=5, std=(1, 1, 1))
    assert preparation.changed() == preparation


def test_a_figure_shows_the_colours_whatever_the_network_is_given():
    picture = noise((90, 60))
    plain = transforms("resize", "crop", "tensor")(picture)[None]
    for preparation in (
        Preparation.by(transforms("resize", "crop", "tensor")),
        Preparation.by(transforms("resize", "crop", "tensor", "normal")),
    ):
        torch.testing.assert_close(preparation.shown(picture), plain)
    normal = Preparation(32, 40, "bilinear", (0.5, 0.4, 0.3), (0.2, 0.3, 0.4))
    assert torch.equal(normal.shown(picture), plain)

    grey = Preparation.by(transforms("grey", "resize", "crop", "tensor"))
    assert grey(picture).shape == (1, 32, 32)
    assert grey.shown(picture).shape == (1, 3, 32, 32)

    def scaled(picture):  # each by its own spread, which black has none of
        x = plain[0] if picture.size == (90, 60) else torch.zeros(3, 32, 32)
        return (x - x.mean()) / (x.std() + 1e-6)

    shown = Preparation(32, transform=scaled).shown(picture)
    assert (shown.min(), shown.max()) == (0, 1)


def test_a_transform_that_writes_into_its_picture_leaves_the_users_alone():
    def transform(picture):
        picture.thumbnail((16, 16))
        return transforms("resize", "crop", "tensor")(picture)

    picture = noise((90, 60))
    Preparation.by(transform)(picture)
    assert picture.size == (90, 60)


COUNTED = itertools.count(0.0)


@pytest.mark.parametrize(
    "transform, told",
    [
        (transforms("resize", "crop", "flip", "tensor"), "is random: one picture"),
        (transforms("resize", "crop", "bytes"), "gives torch.uint8; it has to"),
        (transforms("resize", "crop"), "gives Image; it has to give a tensor"),
        (lambda picture: torch.rand(1, 3, 8, 8), r"gives shape \[1, 3, 8, 8\]"),
        (lambda picture: {"x": 1}, "gives dict"),
        (lambda picture: torch.full((3, 8, 8), torch.nan), "gives values that are not"),
        (
            lambda picture: torch.full((3, 8, 8), next(COUNTED)),
            "is random: one picture",
        ),
        (np.asarray, "gives uint8"),
        (lambda picture: picture.nothing, "stopped with AttributeError"),
        ("resize", "stopped with TypeError"),
    ],
)
def test_what_is_no_transform_for_testing_is_refused(transform, told):
    with pytest.raises(InputError, match=rf"^the transform of mine {told}"):
        Preparation.by(transform, "mine")


def test_images_of_several_shapes_are_refused_and_a_crop_helps(tmp_path):
    noise((90, 60)).save(tmp_path / "a.png")
    noise((60, 60)).save(tmp_path / "b.png")
    with pytest.raises(DataError, match="images of 2 shapes. Let it cut out squares"):
        data.images(folder=tmp_path, transform=transforms("resize", "tensor"))
    cropped = transforms("resize", "crop", "tensor")
    assert data.images(folder=tmp_path, transform=cropped).x.shape == (2, 3, 32, 32)
    with pytest.raises(InputError, match="give `size`, or `transform`"):
        data.images(folder=tmp_path, transform=cropped, size=64)


def test_colours_are_what_a_network_was_given_before_they_were_normalised():
    picture = Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3) * 5)
    preparation = Preparation(4, mean=(0.1, 0.2, 0.3), std=(0.5, 2, 4))
    x, plain = preparation(picture)[None], preparation.unnormalised(picture)[None]
    torch.testing.assert_close(preparation.colours(x), plain)
    own = Preparation(4, transform=preparation)
    with pytest.raises(InputError, match=r"by the preparation's shown\(picture\)"):
        own.colours(x)
    assert own.shown(picture).shape == (1, 3, 4, 4)
