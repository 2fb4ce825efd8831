"""Pictures in files: each comes as it looks, upright and on white, or is refused."""

import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from modbp.errors import DataError, ModbpError
from modbp.zoo.data.picture import notes, opened

# Sky, ground and a sun to the left: no turn and no mirror leaves it as it is.
SCENE = np.zeros((40, 60, 3), np.uint8)
SCENE[:20], SCENE[20:], SCENE[:10, :15] = (60, 120, 250), (40, 160, 50), (250, 240, 60)
RAMP = np.tile(np.linspace(0, 1, 64), (48, 1))
GREY = np.rint(RAMP * 255).astype(np.uint8)
DEEP = np.rint(RAMP * 65535).astype(np.uint16)
FINE, CLEAR = "finer than 8 bits, rounded", "transparent, laid on white"
FRAMES = "of several frames, the first shown"


def encoded(picture, kind, **options):
    """Return the bytes of a picture's file."""
    if not isinstance(picture, Image.Image):
        picture = Image.fromarray(np.ascontiguousarray(picture))
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def tiff(values, **tags):
    """Return a TIFF without Pillow's help: one strip per plane, little endian."""
    planes = len(values) if tags.get("planes") == 2 else 1
    height, width = values.shape[-2:] if planes > 1 else values.shape[:2]
    bits, data = values.itemsize * 8, values.tobytes()
    channels = planes if planes > 1 else values[0, 0].size
    kind = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    entries = {
        256: [width], 257: [height], 258: [bits] * channels, 259: [1],
        262: [tags.get("meaning", 2 if channels == 3 else 1)],
        273: [8 + number * (len(data) // planes) for number in range(planes)],
        277: [channels], 278: [height], 279: [len(data) // planes] * planes,
        284: [tags.get("planes", 1)], 339: [kind] * channels,
    }  # fmt: skip
    at = 8 + len(data) + 2 + 12 * len(entries) + 4
    table, longer = b"", b""
    for tag, numbers in entries.items():
        packed = struct.pack(f"<{len(numbers)}I", *numbers)
        if len(numbers) > 1:
            longer, packed = longer + packed, struct.pack("<I", at + len(longer))
        table += struct.pack("<HHI", tag, 4, len(numbers)) + packed
    head = struct.pack("<2sHI", b"II", 42, 8 + len(data))
    count = struct.pack("<H", len(entries))
    return head + data + count + table + bytes(4) + longer


def png_of_size(width, height):
    """Return a PNG that says how large it is, and holds next to nothing."""

    def chunk(name, content):
        check = zlib.crc32(name + content)
        return (
            struct.pack(">I", len(content)) + name + content + struct.pack(">I", check)
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = chunk(b"IDAT", zlib.compress(bytes(9)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + data + chunk(b"IEND", b"")


@pytest.fixture
def read(tmp_path):
    """What writes bytes to a file and reads the picture."""

    def read(content):
        (tmp_path / "one").write_bytes(content)
        return opened(tmp_path / "one")

    return read


# How each orientation stores a picture, by the words of the standard: where the first
# row and the first column of what is stored belong.
STORED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a, -1),
}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "MPO"])
@pytest.mark.parametrize("orientation", STORED)
def test_a_picture_is_turned_upright_once(read, kind, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    options = {} if kind in ("PNG", "TIFF") else {"quality": 95}
    if kind == "MPO":  # a telephone's, with a small one beside
        options |= {"save_all": True, "append_images": [Image.new("RGB", (9, 9))]}
    picture = read(encoded(STORED[orientation](SCENE), kind, exif=exif, **options))
    assert picture.size == (60, 40) and notes(picture) == ()
    assert np.abs(np.asarray(picture) - SCENE.astype(float)).mean() < 6


def test_a_damaged_orientation_leaves_a_picture_as_it_is_stored(read):
    for exif in (b"Exif\0\0nonsense", b"Exif\0\0MM\0*\0\0\0\x08\0\x09\x01"):
        picture = read(encoded(SCENE, "JPEG", exif=exif, quality=95))
        assert picture.size == (60, 40)


@pytest.mark.parametrize(
    "content",
    [
        encoded(DEEP, "PNG"),
        encoded(DEEP, "TIFF"),
        encoded(RAMP.astype(np.float32), "TIFF"),
        encoded(DEEP, "JPEG2000"),
        tiff(DEEP),
        tiff(65535 - DEEP, meaning=0),
        tiff(RAMP.astype(np.float32)),
        b"P5 64 48 65535\n" + DEEP.astype(">u2").tobytes(),
        b"P5 64 48 4095\n" + (DEEP // 16).astype(">u2").tobytes(),
    ],
)
def test_finer_steps_than_bytes_are_rounded_and_that_is_said(read, content):
    picture = read(content)
    assert np.abs(np.asarray(picture) - GREY[..., None].astype(float)).max() <= 1
    assert notes(picture) == (FINE,)


def test_twelve_bits_in_a_tiff_are_read_in_their_own_range(read):
    whole = np.rint(RAMP * 4095).astype(int)
    # Two values in three bytes; the tag is the third of the table, 12 bytes each.
    first, second = whole[:, ::2], whole[:, 1::2]
    three = [first >> 4, (first & 15) << 4 | second >> 8, second & 255]
    packed = np.stack(three, -1).astype(np.uint8).reshape(48, 96)
    content = bytearray(tiff(packed))
    table = 8 + packed.size + 2
    content[table + 8 : table + 12] = struct.pack("<I", 64)
    content[table + 32 : table + 36] = struct.pack("<I", 12)
    picture = read(bytes(content))
    assert np.abs(np.asarray(picture) - GREY[..., None].astype(float)).max() <= 1


def test_colours_of_sixteen_bits_lose_at_most_one_step(read):
    deep = np.stack([DEEP, DEEP[:, ::-1], DEEP // 2], -1)
    picture = np.asarray(read(tiff(deep))).astype(float)
    assert np.abs(picture - deep / 257).max() <= 1


@pytest.mark.parametrize(
    "content, told",
    [
        (tiff((RAMP * 255).astype(np.float32)), "floats from 0 to 255, where"),
        (tiff((RAMP - 0.5).astype(np.float32)), "floats from -0.5 to 0.5"),
        (tiff(np.where(RAMP > 0.5, np.nan, RAMP).astype("f4")), "floats from nan to"),
        (tiff(np.full((9, 9), np.inf, "f4")), "floats from inf to inf"),
        (tiff(DEEP // 16), "16 bits from 0 to 4095, where .* white is 65535. Stretch"),
        (tiff(DEEP.astype("u4")), "integers of 32 bits. Save it with 8 bits"),
        (tiff((DEEP // 2).astype("i2")), "integers with a sign. Save it with 8 bits"),
        (tiff((GREY // 2).astype("i1")), "integers with a sign"),
        (tiff((DEEP // 2).astype("i4")), "integers with a sign"),
        (
            tiff(np.stack([DEEP] * 3), planes=2, meaning=2),
            "16 bits per colour in separate planes. Save",
        ),
        (tiff(RAMP), "cannot be read as an image .* convert it to PNG"),
        (b"", "cannot be read as an image"),
        (b"hello", "cannot be read as an image"),
        (png_of_size(12000, 9000), "more than 89 million pixels.* Make it smaller"),
        (png_of_size(30000, 30000), "more than 89 million pixels.* Make it smaller"),
        (png_of_size(30, 30), "cannot be read as an image"),
    ],
)
def test_what_cannot_be_seen_is_refused_by_name_and_without_a_warning(
    read, content, told
):
    with pytest.raises(DataError, match=rf"one: (has )?{told}") as caught:
        read(content)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "wrong, told, mended",
    [
        (tiff(DEEP // 16), "Stretch them", tiff(DEEP // 16 * 16)),
        (tiff(DEEP // 16), "or save it with 8 bits", tiff((DEEP // 257).astype("u1"))),
        (tiff((RAMP * 255).astype("f4")), "Stretch", tiff(RAMP.astype("f4"))),
        (tiff(DEEP.astype("u4")), "Save it with 8 bits", tiff(GREY)),
        (
            tiff(np.stack([DEEP] * 3), planes=2, meaning=2),
            "Save it with 8 bits",
            tiff(np.stack([GREY] * 3), planes=2, meaning=2),
        ),
        (tiff(RAMP), "convert it to PNG", encoded(GREY, "PNG")),
        (png_of_size(12000, 9000), "Make it smaller", encoded(GREY, "PNG")),
    ],
)
def test_what_a_refusal_asks_for_helps(read, wrong, told, mended):
    with pytest.raises(DataError, match=told):
        read(wrong)
    picture = np.asarray(read(mended)).astype(float)
    assert np.abs(picture - GREY[..., None]).max() <= 1


def with_alpha(values):
    picture = Image.fromarray(SCENE).convert("RGBA")
    picture.putalpha(Image.fromarray(values.astype(np.uint8)))
    return picture


ALPHA = np.tile(np.linspace(0, 255, 60), (40, 1))
PALETTE = Image.fromarray(SCENE).quantize(4)
GREY_ALPHA = Image.merge(
    "LA", [Image.fromarray(SCENE[..., 1]), Image.new("L", (60, 40))]
)


@pytest.mark.parametrize(
    "content, place, colour",
    [
        (encoded(with_alpha(ALPHA), "PNG"), (0, 30), (255, 255, 255)),
        (encoded(with_alpha(ALPHA), "TIFF"), (59, 30), SCENE[30, 59]),
        (encoded(with_alpha(ALPHA), "WEBP", lossless=True), (0, 0), (255, 255, 255)),
        (encoded(GREY_ALPHA, "PNG"), (5, 5), (255, 255, 255)),
        (encoded(SCENE[..., 1], "PNG", transparency=160), (5, 30), (255, 255, 255)),
        (encoded(SCENE[..., 1], "PNG", transparency=160), (5, 5), (240, 240, 240)),
        (encoded(SCENE, "PNG", transparency=(40, 160, 50)), (5, 30), (255, 255, 255)),
        (encoded(SCENE[..., 0] > 50, "PNG", transparency=0), (5, 30), (255, 255, 255)),
        (encoded(DEEP, "PNG", transparency=0), (0, 0), (255, 255, 255)),
        (
            encoded(PALETTE, "PNG", transparency=PALETTE.getpixel((5, 30))),
            (5, 30),
            (255, 255, 255),
        ),
        (encoded(PALETTE, "PNG", transparency=bytes(4)), (5, 30), (255, 255, 255)),
        (
            encoded(PALETTE, "GIF", transparency=PALETTE.getpixel((5, 30))),
            (5, 30),
            (255, 255, 255),
        ),
    ],
)
def test_what_is_transparent_is_laid_on_white_and_that_is_said(
    read, content, place, colour
):
    picture = read(content)
    assert picture.mode == "RGB" and picture.getpixel(place) == tuple(colour)
    assert notes(picture)[0] == CLEAR


def test_half_of_a_colour_is_mixed_with_white(read):
    picture = read(encoded(with_alpha(np.full((40, 60), 51)), "PNG"))
    mixed = np.rint(0.2 * SCENE + 0.8 * 255)
    assert np.abs(np.asarray(picture) - mixed).max() <= 1


@pytest.mark.parametrize(
    "content, most",
    [
        (encoded(with_alpha(np.full((40, 60), 255)), "PNG"), 0),
        (encoded(SCENE, "BMP"), 0),
        (encoded(SCENE, "PPM"), 0),
        (encoded(SCENE, "WEBP", lossless=True), 0),
        (encoded(Image.fromarray(SCENE).convert("P"), "PNG"), 40),
        (encoded(PALETTE, "PNG"), 0),
        (encoded(PALETTE, "GIF"), 0),
        (encoded(Image.fromarray(SCENE).convert("CMYK"), "TIFF"), 1),
        (encoded(Image.fromarray(SCENE).convert("CMYK"), "JPEG", quality=100), 6),
        (encoded(SCENE, "JPEG", quality=100), 8),
    ],
)
def test_what_is_opaque_looks_as_before_and_nothing_is_said(read, content, most):
    picture = read(content)
    assert picture.mode == "RGB" and notes(picture) == ()
    assert np.abs(np.asarray(picture) - SCENE.astype(float)).mean() <= most


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_of_several_frames_the_first_is_shown_and_that_is_said(read, kind):
    frames = [Image.fromarray(SCENE), Image.fromarray(SCENE[::-1].copy())]
    options = {"lossless": True} if kind == "WEBP" else {}
    content = encoded(
        frames[0], kind, save_all=True, append_images=frames[1:], **options
    )
    picture = read(content)
    assert notes(picture) == (FRAMES,)
    assert np.abs(np.asarray(picture) - SCENE.astype(float)).mean() < 1


KINDS = ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP", "PPM", "JPEG2000"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_was_cut_off_is_refused(read, kind):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    content = encoded(noise, kind)
    for part in (0.3, 0.6, 0.9):
        with pytest.raises(DataError, match="one: cannot be read as an image"):
            read(content[: int(part * len(content))])


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_is_read_or_refused_by_name(read, kind, capfd):
    draw = np.random.default_rng(1)
    exif = Image.Exif()
    exif[274], exif[271] = 6, "maker"
    options = {"exif": exif} if kind in ("JPEG", "PNG", "WEBP", "TIFF") else {}
    whole = np.frombuffer(encoded(SCENE, kind, **options), np.uint8)
    for number in range(60):
        content = whole.copy()
        # Every second time near the beginning, where more is decided.
        among = 200 if number % 2 else len(content)
        places = draw.integers(0, min(among, len(content)), 3)
        content[places] = draw.integers(0, 256, 3)
        try:
            read(content.tobytes())
        except ModbpError as error:
            assert "\n" not in str(error)


def test_the_filters_of_warnings_are_as_they_were(read):
    before = list(warnings.filters)
    read(encoded(SCENE, "PNG"))
    with pytest.raises(DataError):
        read(png_of_size(30000, 30000))
    assert warnings.filters == before
