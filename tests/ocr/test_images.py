"""Images of every kind: gray levels as a person sees them, or an error of ours."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from ctckit.errors import CTCKitError, DataError, InvalidInputError, MissingFileError
from ctckit.ocr.data.images import MAX_WIDTH, is_blank, load_image, scale_to_height, to_gray
from ctckit.ocr.model_folder import save_model
from ctckit.ocr.networks.crnn import CRNN, CRNNConfig
from ctckit.ocr.recognizer import Recognizer
from ctckit.vocabulary import Vocabulary
from tests.support.line_files import TINY

INK = np.zeros((32, 60), bool)
INK[8:24, 10:50:8] = True
GRAY = np.where(INK, 40, 220).astype(np.uint8)


@pytest.fixture(scope="module")
def recognizer():
    return Recognizer(CRNN(CRNNConfig(num_classes=3, **TINY)), Vocabulary.from_characters("ab"))


def shows_ink(image, *, dark=100, light=180):
    levels = np.asarray(image)
    return bool((levels[INK] <= dark).all() and (levels[~INK] >= light).all())


def levels(ink, paper, kind):
    return np.where(INK, ink, paper).astype(kind)


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("8 bits", lambda: Image.fromarray(GRAY)),
        ("1 bit", lambda: Image.fromarray(~INK)),
        ("colors", lambda: Image.fromarray(GRAY).convert("RGB")),
        ("CMYK", lambda: Image.fromarray(GRAY).convert("RGB").convert("CMYK")),
        ("YCbCr", lambda: Image.fromarray(GRAY).convert("RGB").convert("YCbCr")),
        ("HSV", lambda: Image.fromarray(GRAY).convert("RGB").convert("HSV")),
        ("LAB", lambda: to_lab(Image.fromarray(GRAY).convert("RGB"))),
        ("a palette", lambda: Image.fromarray(GRAY).convert("P")),
        ("16 bits", lambda: Image.fromarray(levels(9000, 60000, np.uint16))),
        ("12 of 16 bits", lambda: Image.fromarray(levels(300, 4000, np.uint16))),
        ("10 of 16 bits", lambda: Image.fromarray(levels(90, 1000, np.uint16))),
        ("8 of 16 bits", lambda: Image.fromarray(levels(20, 250, np.uint16))),
        ("32 bits", lambda: Image.fromarray(levels(9000, 60000, np.int32))),
        ("24 of 32 bits", lambda: Image.fromarray(levels(9000, 2**24 - 1, np.int32))),
        ("floats 0..1", lambda: Image.fromarray(levels(0.1, 0.95, np.float32))),
        ("floats 0..255", lambda: Image.fromarray(levels(20, 250, np.float32))),
        ("floats 0..65535", lambda: Image.fromarray(levels(9000, 60000, np.float32))),
        ("black on nothing", lambda: on_nothing((0, 0, 0))),
        ("white on nothing", lambda: on_nothing((255, 255, 255))),
        ("light gray on nothing", lambda: on_nothing((250, 250, 250))),
        ("white on nothing, gray and alpha", lambda: on_nothing((255, 255, 255)).convert("LA")),
    ],
)
def test_ink_is_dark_and_paper_is_light(name, make):
    assert shows_ink(to_gray(make()))


def on_nothing(color):
    pixels = np.zeros((*INK.shape, 4), np.uint8)
    pixels[..., :3] = 7  # nobody sees it
    pixels[INK] = (*color, 255)
    return Image.fromarray(pixels)


def to_lab(image):
    profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    return ImageCms.applyTransform(image, ImageCms.buildTransform(*profiles, "RGB", "LAB"))


def test_one_transparent_level_of_16_bits_is_paper(tmp_path):
    """PNG's tRNS: here the level 0 is transparent, so nothing is black but the ink."""
    file = io.BytesIO()
    Image.fromarray(levels(9000, 0, np.uint16)).save(file, "png")
    png = file.getvalue()
    chunk = b"tRNS" + struct.pack(">H", 0)
    at = png.index(b"IDAT") - 4
    (tmp_path / "a.png").write_bytes(
        png[:at] + struct.pack(">I", 2) + chunk + struct.pack(">I", zlib.crc32(chunk)) + png[at:]
    )
    assert shows_ink(load_image(tmp_path / "a.png"))
    with Image.open(tmp_path / "a.png") as opened:
        assert shows_ink(to_gray(opened))


def test_white_things_on_nothing_with_something_dark_stay_on_white_paper():
    """Only what could not be seen at all is turned."""
    pixels = np.zeros((32, 60, 4), np.uint8)
    pixels[4:8, :, :] = (255, 255, 255, 255)
    pixels[20:24, :, :] = (0, 0, 0, 255)
    found = np.asarray(to_gray(Image.fromarray(pixels)))
    assert found[5, 0] == found[0, 0] == 255
    assert found[21, 0] == 0


def test_exif_orientation_turns_files_and_images_alike(tmp_path, recognizer):
    upright = Image.fromarray(GRAY)
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.png", exif=exif)
    with Image.open(tmp_path / "turned.png") as opened:
        assert opened.size == (32, 60)
        assert shows_ink(to_gray(opened))
        inputs = [opened.copy(), tmp_path / "turned.png", upright, GRAY]
    prepared = [recognizer.prepare(image) for image in inputs]
    assert all(np.array_equal(each.levels, GRAY) and each.width == 60 for each in prepared)
    assert ImageOps.exif_transpose(Image.open(tmp_path / "turned.png")).size == (60, 32)


# --- what cannot be read


def damaged(tmp_path, kind):
    path = tmp_path / f"a.{kind}"
    size = (64, 64)
    Image.new("RGB", size, "white").save(path)
    content = path.read_bytes()
    return path, content


@pytest.mark.parametrize("kind", ["png", "tif", "jpg", "bmp", "webp", "avif", "dds", "pcx", "tga", "gif", "ico", "ppm"])
def test_damaged_files_of_every_format(tmp_path, kind):
    """Cut, and with bytes changed at random: an image, or an error of ours that names the file."""
    if kind == "avif" and ".avif" not in Image.registered_extensions():
        pytest.skip("this Pillow has no AVIF")
    path, content = damaged(tmp_path, kind)
    rng = np.random.default_rng(0)
    errors = []
    for n in range(60):
        broken = bytearray(content[: rng.integers(1, len(content))] if n % 2 else content)
        for _ in range(8):
            broken[rng.integers(len(broken))] = rng.integers(256)
        path.write_bytes(bytes(broken))
        try:
            assert load_image(path).mode == "L"
        except DataError as error:
            errors.append(str(error))
    assert errors
    assert all(error.startswith(f"{path}: ") for error in errors)


@pytest.mark.parametrize(
    "raised", [RuntimeError("x"), KeyError("x"), struct.error("x"), NotImplementedError(), MemoryError()]
)
def test_whatever_a_reader_raises_is_a_data_error(tmp_path, monkeypatch, raised):
    Image.new("L", (8, 8)).save(tmp_path / "a.png")

    def fail(*_, **__):
        raise raised

    monkeypatch.setattr(Image.Image, "convert", fail)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", fail)
    with pytest.raises(DataError, match=r"a\.png: .*(x|NotImplementedError|MemoryError).*Convert it to PNG"):
        load_image(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (PermissionError(13, "Permission denied"), r"a\.png: cannot be read as an image \(Permission denied\)"),
        (OSError(36, "File name too long"), r"a\.png: cannot be read as an image \(File name too long\)"),
        (ValueError("embedded null byte"), r"a\.png: cannot be read as an image \(embedded null byte\)"),
    ],
)
def test_files_that_cannot_be_opened(tmp_path, monkeypatch, error, message):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(Image, "open", fail)
    with pytest.raises(DataError, match=message):
        load_image(tmp_path / "a.png")


@pytest.mark.parametrize("name", ["x" * 5000 + ".png", "a\0b.png"])
def test_names_that_no_file_can_have(name):
    with pytest.raises(DataError, match=r"\.png: "):
        load_image(name)


def test_a_missing_image_and_a_folder(tmp_path):
    with pytest.raises(MissingFileError, match=r"none\.png: there is no such image file\. Check the path\."):
        load_image(tmp_path / "none.png")
    with pytest.raises(DataError, match=r"this is a folder, not an image\. Name the images in it\."):
        load_image(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_image_without_permission(tmp_path):
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    (tmp_path / "a.png").chmod(0)
    with pytest.raises(DataError, match=r"a\.png: cannot be read as an image \(Permission denied\)"):
        load_image(tmp_path / "a.png")


LEVELS = r"images\[0\]: the image has levels below 0 or not finite; expected 0 for black"


def closed():
    image = Image.new("L", (8, 8))
    image.close()
    return image


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (closed, r"images\[0\]: cannot be read as an image \(Operation on closed image\)"),
        (lambda: Image.new("L", (0, 5)), r"images\[0\]: the image has 0 × 5 pixels; expected at least one of each"),
        (
            lambda: Image.fromarray(np.full((4, 4), np.nan, np.float32)),
            r"images\[0\]: the image has levels below 0 or not",
        ),
        (
            lambda: Image.fromarray(np.full((4, 4), np.inf, np.float32)),
            r"images\[0\]: the image has levels below 0 or not",
        ),
        (lambda: Image.fromarray(np.full((4, 4), -1, np.int32)), LEVELS),
    ],
)
def test_images_that_cannot_be_read(recognizer, make, message):
    with pytest.raises(DataError, match=message):
        recognizer.read([make()])


def test_all_images_that_cannot_be_read_are_named(recognizer, tmp_path):
    (tmp_path / "bad.png").write_text("nothing")
    images = [GRAY, tmp_path / "none.png", tmp_path / "bad.png", closed()]
    with pytest.raises(
        DataError, match=r"3 of 4 images cannot be read:\n.*none\.png: .*\n.*bad\.png: .*\n.*images\[3\]: "
    ):
        recognizer.read(images)


@pytest.mark.parametrize("options", [{"batch_size": 0}, {"batch_size": -1}, {"batch_size": 2.5}, {"max_width": 0}])
def test_options_of_reading(recognizer, options):
    (name,) = options
    with pytest.raises(InvalidInputError, match=rf"{name} is .*; expected a positive integer"):
        recognizer.read([GRAY], **options)


def test_images_may_come_one_after_another_but_must_be_several(recognizer):
    assert len(recognizer.read(GRAY for _ in range(3))) == 3
    for nothing in (5, None):
        with pytest.raises(InvalidInputError, match=r"images is a \w+; expected a list of images"):
            recognizer.read(nothing)


# --- the limit of width


def test_a_thin_strip_is_refused_before_it_takes_memory(tmp_path, recognizer):
    Image.new("L", (1_000_000, 2), 255).save(tmp_path / "strip.png")
    message = (
        r"strip\.png: the image is 1000000 × 2 pixels, 16000000 × 32 when scaled to the height of the model; at most "
        r"8192 columns are read\. Cut it into lines, or set a larger max_width"
    )
    with pytest.raises(DataError, match=message):
        recognizer.read([tmp_path / "strip.png"])
    with pytest.raises(DataError, match=r"images\[0\]: the image is 9000 × 32 pixels"):
        recognizer.read([np.zeros((32, 9000), np.uint8)])


def test_the_limit_of_width_can_be_changed(recognizer):
    wide = np.tile(GRAY, (1, 200))
    assert wide.shape[1] > MAX_WIDTH
    assert recognizer.read([wide], max_width=12_000)[0].log_prob <= 0
    with pytest.raises(DataError, match=r"at most 50 columns"):
        recognizer.read([GRAY], max_width=50)
    assert scale_to_height(Image.fromarray(wide), 16, max_width=6000).shape == (16, 6000)


# --- nothing to read


def test_a_blank_image_reads_as_nothing(recognizer):
    recognizer.model.classes.bias.data[1] = 20.0  # it sees an "a" everywhere
    try:
        for blank in (np.full((32, 80), 255, np.uint8), np.full((40, 80), 3, np.uint8), np.full((32, 1), 90, np.uint8)):
            assert is_blank(blank)
            (reading,) = recognizer.read([blank])
            assert (reading.text, reading.confidence, reading.spans) == ("", 0.0, ())
        assert recognizer.read([GRAY])[0].text
    finally:
        recognizer.model.classes.bias.data[1] = 0.0


def test_spaces_alone_and_nothing_are_no_confident_readings():
    spaces = Recognizer(CRNN(CRNNConfig(num_classes=3, **TINY)), Vocabulary.from_characters(" b"))
    for loudest in (0, 1):
        spaces.model.classes.bias.data = torch_bias(loudest)
        for readings in (spaces.read([GRAY]), *spaces.read_n_best([GRAY], 3)):
            assert (readings[0].text, readings[0].confidence, readings[0].spans) == ("", 0.0, ())
            assert readings[0].log_prob > -1.0
            assert len({reading.text for reading in readings}) == len(readings)


def torch_bias(loudest):
    import torch

    bias = torch.zeros(3)
    bias[loudest] = 30.0
    return bias


def test_what_save_model_cannot_write_is_an_error_of_ours(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CTCKitError):
        save_model(tmp_path / "file" / "m", CRNN(CRNNConfig(num_classes=3, **TINY)), Vocabulary.from_characters("ab"))
