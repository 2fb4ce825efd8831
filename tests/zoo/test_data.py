"""Images: which source is taken, which images come, and that all say where from."""

import hashlib
import pickle

import numpy as np
import pytest
import torch
from PIL import Image

import modbp
from modbp import data
from modbp.errors import DataError, InputError, ModbpError
from modbp.study import experiments
from modbp.zoo.data import photographs
from modbp.zoo.vision import load_torchvision


def painted(number):
    """Return the 32-pixel image of a number: its red is the number, then a gradient."""
    picture = np.zeros((32, 32, 3), np.uint8)
    picture[..., 0] = number
    picture[..., 1] = np.arange(0, 256, 8)[:, None]
    picture[..., 2] = np.arange(0, 256, 8)[None, :]
    return picture


def channels_first(picture):
    return torch.from_numpy(picture).permute(2, 0, 1)


def write_cifar10(folder, count=40):
    """Write images 0…count−1 in CIFAR-10's folder layout; number n has class n % 10."""
    for number in range(count):
        place = folder / data.CLASSES[number % 10]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(painted(number)).save(place / f"{number:05d}.png")


def write_torchvision(folder, monkeypatch, count=40):
    """Write what torchvision unpacks its download to, and let it accept that."""
    cifar10 = load_torchvision().datasets.CIFAR10
    place = folder / cifar10.base_folder
    place.mkdir(parents=True)

    def write(name, content):
        (place / name).write_bytes(pickle.dumps(content))
        checksum = hashlib.md5((place / name).read_bytes()).hexdigest()
        return [name, checksum]

    pixels = [100 + channels_first(painted(n)).flatten().numpy() for n in range(count)]
    batch = {"data": np.stack(pixels), "labels": [n % 10 for n in range(count)]}
    monkeypatch.setattr(cifar10, "test_list", [write("test_batch", batch)])
    monkeypatch.setattr(cifar10, "train_list", [write("data_batch_1", batch)])
    name, checksum = write("batches.meta", {"label_names": list(data.CLASSES)})
    meta = {"filename": name, "key": "label_names", "md5": checksum}
    monkeypatch.setattr(cifar10, "meta", meta)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty data folder."""
    monkeypatch.setenv("MODBP_DATA", str(tmp_path))
    return tmp_path


# Which source -------------------------------------------------------------------------


def test_the_best_source_is_taken_and_named(here, monkeypatch):
    assert data.root() == here
    own = here / "mine"
    write_cifar10(own, count=3)
    last = data.images(3)
    assert last.source == "photographs from scikit-image and scikit-learn"

    write_torchvision(here, monkeypatch)
    middle = data.images(indices=[0, 1, 2])
    assert middle.source == "CIFAR-10 test images"
    assert middle.x[:, 0, 0, 0].mul(255).tolist() == [100, 101, 102]

    write_cifar10(here / "cifar10" / "test")
    best = data.images(indices=[0, 1, 2])
    assert best.source == "CIFAR-10 test images (JPEG)"
    assert best.x[:, 0, 0, 0].mul(255).tolist() == [0, 1, 2]

    named = data.images(3, folder=own)
    assert named.source == "images in mine"
    assert repr(named) == "3 images, 32×32 pixels: images in mine"
    assert data.images(3, folder="photographs").source == last.source
    monkeypatch.setenv("MODBP_DATA", "")
    monkeypatch.setenv("HOME", str(here / "home"))
    assert data.root() == here / "home" / ".cache" / "modbp"


def test_a_mistyped_data_folder_is_refused_and_a_tilde_is_the_home(here, monkeypatch):
    monkeypatch.setenv("HOME", str(here))
    write_cifar10(here / "mine" / "cifar10" / "test")
    for told in (here / "mien", "~/mien", "~nobody-of-that-name/mine", "mine"):
        monkeypatch.setenv("MODBP_DATA", str(told))
        for call in (data.images, lambda: data.images(1, download=True), data.root):
            with pytest.raises(
                DataError, match=f"MODBP_DATA is {told}, where there is"
            ):
                call()
        # Whoever names another place does not need it.
        assert len(data.images(2, folder="photographs").x) == 2
        assert len(data.images(2, folder="~/mine/cifar10/test").x) == 2
    for told in ("~/mine", here / "mine"):
        monkeypatch.setenv("MODBP_DATA", str(told))
        assert data.images(1).source == "CIFAR-10 test images (JPEG)"


def test_torchvisions_cifar10_is_read_with_its_labels(here, monkeypatch):
    write_torchvision(here, monkeypatch)
    images = data.images(indices=[30, 7], split="train")
    assert images.y.tolist() == [0, 7]
    assert images.names == ("00030", "00007")
    assert images.source == "CIFAR-10 train images"
    assert torch.equal(images.x[0] * 255, channels_first(100 + painted(30)))


def test_a_download_that_fails_or_is_damaged_is_refused(here, monkeypatch):
    def no_network(*args, **kwargs):
        raise OSError("no route to host")

    monkeypatch.setattr(load_torchvision().datasets.CIFAR10, "download", no_network)
    with pytest.raises(DataError, match=r"cannot be used \(no route to host\).*MODBP"):
        data.images(1, download=True)
    write_torchvision(here, monkeypatch)
    (here / "cifar-10-batches-py" / "test_batch").write_bytes(b"damaged")
    with pytest.raises(DataError, match=r"cannot be used .*corrupted.*download=True"):
        data.images(1)


# CIFAR-10 -----------------------------------------------------------------------------


def test_the_papers_indices_are_the_published_ones():
    indices = data.paper_indices(200)
    first = [30, 2733, 9846, 3265, 4860, 9226, 7892, 4374, 5875, 6745, 3469, 706]
    assert indices[:12] == first
    assert indices[-3:] == [5182, 5209, 6178]
    assert len(set(indices)) == 200
    text = ", ".join(map(str, indices))
    assert hashlib.sha256(text.encode()).hexdigest() == (
        "86218036a64d01529048c095e14427393c40cbe192a2c4bd4e0f805901ef7aa2"
    )
    assert data.paper_indices(5) == indices[:5]
    # Number 30 is never drawn again; what would be 30 is 31.
    assert 30 not in (more := data.paper_indices(5000)[1:]) and 31 in more


def test_cifar10_comes_in_the_order_of_the_paper(here):
    write_cifar10(here / "cifar10" / "test")
    images = data.images(1)
    assert images.names == ("00030",)
    assert images.y.tolist() == [0]
    assert torch.equal(images.x[0] * 255, channels_first(painted(30)))
    assert data.images(indices=[5, 39]).y.tolist() == [5, 9]


def test_a_gap_in_cifar10_or_another_class_is_refused(here):
    place = here / "cifar10" / "test"
    write_cifar10(place)
    (place / "bird" / "00012.png").unlink()
    with pytest.raises(DataError, match=r"the 39 files are not numbered 0…38.*Restore"):
        data.images(1)
    (place / "bird" / "notes.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"the 40 files are not numbered"):
        data.images(1)
    (place / "bird").rename(place / "zebra")
    with pytest.raises(DataError, match=r"airplane, .*zebra, CIFAR-10 has .*Restore"):
        data.images(1)


def test_a_whole_split_comes_as_bytes_in_order(here):
    with pytest.raises(DataError, match=r"no CIFAR-10 .*MODBP_DATA.*--download"):
        data.dataset("train")
    write_cifar10(here / "cifar10" / "train")
    x, y, source = data.dataset("train")
    assert (x.shape, x.dtype, y.dtype) == ((40, 3, 32, 32), torch.uint8, torch.int64)
    assert x[:, 0, 0, 0].tolist() == list(range(40))
    assert y.tolist() == [number % 10 for number in range(40)]
    assert source == "CIFAR-10 train images (JPEG)"


# A folder of the user's ---------------------------------------------------------------


def test_a_folder_of_odd_sizes_is_cropped_square_in_the_middle_and_resized(tmp_path):
    wide = np.zeros((20, 60, 3), np.uint8)
    wide[:, 20:40] = (255, 0, 0)  # the middle square
    tall = np.zeros((50, 10), np.uint8)  # grey
    tall[20:30] = 51
    exact = painted(7)
    for name, content in (("a/wide", wide), ("a/tall", tall), ("b/exact", exact)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(content).save(tmp_path / f"{name}.png")
    (tmp_path / "b" / "notes.txt").write_text("not an image", "utf-8")
    (tmp_path / ".hidden").mkdir()
    Image.fromarray(exact).save(tmp_path / ".hidden" / "c.png")

    images = data.images(folder=tmp_path)
    assert images.names == ("tall", "wide", "exact")
    assert images.y.tolist() == [0, 0, 1]
    # At the edges the interpolation also sees what lies outside the square.
    middle = images.x[:2, :, 4:-4, 4:-4]
    assert (middle[0] == 0.2).all()
    assert (middle[1, 0] == 1).all() and (middle[1, 1:] == 0).all()
    assert (images.x[:2].amax(1) > 0.1).all()
    assert torch.equal(images.x[2] * 255, channels_first(exact))
    assert data.images(folder=tmp_path, size=50).x.shape == (3, 3, 50, 50)


def picture(place, value=0, size=(8, 8), mode="RGB"):
    place.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value).save(place)


def test_pictures_alone_have_no_class_and_none_is_explained_for_them(tmp_path):
    for number, name in enumerate(["b.png", "a.JPG", "c.webp"]):
        picture(tmp_path / name, (80 * number,) * 3)
    (tmp_path / "notes.txt").write_text("no picture", encoding="utf-8")
    (tmp_path / "empty").mkdir()
    images = data.images(folder=tmp_path)
    assert images.names == ("a", "b", "c") and images.y.tolist() == [-1, -1, -1]
    assert images.source == f"images in {tmp_path.name}"
    assert images.x.mean((1, 2, 3)).mul(255).round().tolist() == [80, 0, 160]
    with pytest.raises(ModbpError, match="target -1 is out of range"):
        modbp.explain(modbp.models.cifar10(), images.x, "gradient", target=images.y)
    with pytest.raises(InputError, match="have no classes. Choose predicted, or a n"):
        experiments.subject(folder=tmp_path, target="true")
    for target in ("predicted", 3):
        about = experiments.subject(folder=tmp_path, target=target)
        assert about.read([0, 1])[1].shape == (2,)
    (tmp_path / "test").mkdir()
    picture(tmp_path / "test" / "d.png")
    with pytest.raises(DataError, match="test: pictures without classes. Lay them out"):
        data.dataset("test", folder=tmp_path)


def test_pictures_beside_classes_are_left_out_and_that_is_said(tmp_path):
    for name in ("a/one.png", "b/deep/er/two.png", "loose.png", "other.png"):
        picture(tmp_path / name)
    images = data.images(folder=tmp_path)
    assert images.names == ("one", "two") and images.y.tolist() == [0, 1]
    assert images.source.endswith(" (2 beside its sub-folders left out)")


def test_what_a_mac_leaves_is_no_picture_and_no_class(tmp_path, here):
    write_cifar10(here / "cifar10" / "test")
    for folder in (tmp_path / "mine" / "cat", here / "cifar10" / "test" / "cat"):
        for name in ("._00003.png", ".DS_Store", ".hidden.jpg"):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(b"Mac OS X")
    picture(tmp_path / "mine" / "cat" / "one.png")
    picture(tmp_path / "mine" / "__MACOSX" / "cat" / "one.png")
    picture(tmp_path / "mine" / "cat" / ".thumbs" / "one.png")
    images = data.images(folder=tmp_path / "mine")
    assert images.names == ("one",) and images.y.tolist() == [0]
    assert data.images(indices=[39]).names == ("00039",)
    flat = tmp_path / "flat"
    picture(flat / "two.png")
    (flat / "._two.png").write_bytes(b"Mac OS X")
    assert data.images(folder=flat).names == ("two",)


def test_what_was_done_to_pictures_is_said_with_their_source(tmp_path):
    picture(tmp_path / "a" / "clear.png", (0, 0, 0, 0), mode="RGBA")
    picture(tmp_path / "a" / "half.png", (0, 0, 0, 51), mode="RGBA")
    picture(tmp_path / "a" / "full.png", (9, 9, 9, 255), mode="RGBA")
    picture(tmp_path / "a" / "fine.png", 65535, mode="I;16")
    images = data.images(folder=tmp_path, size=8)
    assert images.source == (
        f"images in {tmp_path.name} (1 finer than 8 bits, rounded; "
        "2 transparent, laid on white)"
    )
    assert repr(images).endswith("laid on white)")
    x = dict(zip(images.names, images.x, strict=True))
    assert (x["clear"] == 1).all() and (x["fine"] == 1).all()
    assert (x["half"] == 204 / 255).all() and (x["full"] == 9 / 255).all()


def test_a_photograph_that_was_taken_upright_is_upright(tmp_path):
    wide = np.zeros((40, 60, 3), np.uint8)
    wide[:20], wide[20:] = (250, 40, 40), (40, 40, 250)
    exif = Image.Exif()
    exif[274] = 6  # the first row of what is stored is the right side
    Image.fromarray(wide).save(tmp_path / "0.png")
    turned = Image.fromarray(np.rot90(wide).copy())
    turned.save(tmp_path / "1.jpg", exif=exif, quality=95)
    x, _ = data.images(folder=tmp_path)
    assert (x[0] - x[1]).abs().mean() < 0.02


# Photographs --------------------------------------------------------------------------


def test_photographs_are_images_and_repeat_with_other_crops():
    x, y = images = data.images(8, folder="photographs")
    assert (x.shape, x.dtype) == ((8, 3, 32, 32), torch.float32)
    assert (y.shape, y.dtype) == ((8,), torch.int64)
    assert 0 <= x.min() < 0.05 and 0.95 < x.max() <= 1
    assert images.names[::7] == ("cat Chelsea", "cat Chelsea (crop 2)")
    assert data.CLASSES[y[0]] == data.CLASSES[y[7]] == "cat"


@pytest.mark.long
def test_all_photographs_differ_and_are_squares_inside_the_picture():
    seen = {}
    for index in range(photographs.COUNT):
        picture, name = photographs.crop(index)
        assert name in data.CLASSES
        assert picture.width == picture.height >= 150
        pixels = np.asarray(picture)
        edges = (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1])
        assert all(edge.any() for edge in edges)  # outside, all would be zero
        assert pixels.std((0, 1)).max() > 20 and pixels.std(2).mean() > 4, index
        small = picture.resize((16, 16)).tobytes()
        seen[small] = photographs.title(index)
    assert len(seen) == len(set(seen.values())) == photographs.COUNT == 700


def test_any_number_of_photographs_can_be_asked_for_by_index():
    images = data.images(indices=[699, 0, 0], folder="photographs", size=8)
    assert images.names == ("flower (crop 100)", "cat Chelsea", "cat Chelsea")
    assert torch.equal(images.x[1], images.x[2])
    assert len(data.images(folder="photographs", size=8).y) == 8


def test_every_second_round_of_photographs_is_mirrored():
    def small(index, step=1):
        picture, _ = photographs.crop(index)
        return np.asarray(picture.resize((16, 16)).convert("L"), float)[:, ::step]

    for turn in (1, 2, 3):
        straight, mirrored = (
            sum(
                np.corrcoef(small(i, step).ravel(), small(7 * turn + i).ravel())[0, 1]
                for i in range(7)
            )
            for step in (1, -1)
        )
        assert abs(mirrored - straight) > 0.5
        assert (mirrored > straight) == (turn % 2 == 1)


def test_pictures_of_imagenet_come_in_a_random_order(tmp_path, monkeypatch):
    monkeypatch.setenv("MODBP_DATA", str(tmp_path))
    for label in range(20):
        place = tmp_path / "imagenet-1000" / f"n{label:02d}"
        place.mkdir(parents=True)
        Image.new("RGB", (4, 4), (label, 0, 0)).save(place / f"{label:04d}.png")
    found = data.listed(folder="imagenet", size=4)
    images = found.read()
    order = images.y.tolist()
    assert sorted(order) == list(range(20)) and order[:10] != sorted(order[:10])
    assert images.names == tuple(f"{label:04d}" for label in order)
    reds = (255 * images.x[:, 0, 0, 0]).round().int().tolist()
    assert reds == order and len(found.place.classes) == 20
    few = data.images(5, folder="imagenet", size=4)
    assert few.y.tolist() == order[:5] and "drawn by chance" in few.source
