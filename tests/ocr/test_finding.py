"""Lines are found in their images: margins, slope and contrast do not matter, and places map back."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageDraw, ImageFont

from ctckit.ocr import Recognizer
from ctckit.ocr.data.finding import Frame, cut_frame, find_frame, whole
from ctckit.ocr.data.lines import load_lines
from ctckit.ocr.data.rules import BEFORE, LineRules
from ctckit.ocr.data.scanning import ScanStyle, vary_scan
from ctckit.ocr.networks.crnn import CRNN, CRNNConfig
from ctckit.vocabulary import Vocabulary
from tests.support.line_files import write_line

PAPER, INK = 240, 20
RULES = LineRules()


def written(text="Typography of 1984", size=26, *, dark=INK, light=PAPER):
    """Return the box of a line's ink: (height, width) uint8."""
    font = ImageFont.load_default(size)
    image = Image.new("L", (size * len(text) + 40, 3 * size), 0)
    ImageDraw.Draw(image).text((20, size // 2), text, fill=255, font=font)
    ink = np.asarray(image, dtype=np.float64)[:, :]
    rows, columns = np.flatnonzero(ink.max(axis=1) > 60), np.flatnonzero(ink.max(axis=0) > 60)
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return (light + (dark - light) * ink / 255.0).round().astype(np.uint8)


def with_margins(ink, above=6, below=6, left=6, right=6, light=PAPER):
    return np.pad(ink, ((above, below), (left, right)), constant_values=light)


def turned(image, degrees, ground=PAPER):
    """Return the image turned clockwise, so that the line falls."""
    picture = Image.fromarray(image).rotate(-degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=ground)
    return np.asarray(picture)


def view(image, height=32, rules=RULES):
    return rules.view(Image.fromarray(image), height)


def difference(image, other):
    """Return the mean difference of the levels of two lines, of which one may be some columns wider."""
    assert abs(image.shape[1] - other.shape[1]) <= 4
    columns = min(image.shape[1], other.shape[1])
    return float(np.abs(image[:, :columns].astype(float) - other[:, :columns]).mean())


@settings(max_examples=25, deadline=None)
@given(*(st.integers(0, 40) for _ in range(4)))
def test_margins_do_not_matter(above, below, left, right):
    image = written()
    plain = find_frame(image)
    frame = find_frame(with_margins(image, above, below, left, right))
    assert frame.height == pytest.approx(plain.height, rel=0.03)
    assert (frame.x - left, frame.y - above) == pytest.approx((plain.x, plain.y), abs=1.0)
    assert frame.slope == 0.0


@pytest.mark.parametrize("text", ["Typography of 1984", "none", "1984", "ERROR", "lo"])
def test_finding_is_idempotent(text):
    once = view(with_margins(written(text), 20, 3, 9, 30), 48).levels
    again = find_frame(once)
    assert again.height == pytest.approx(48, rel=0.06)
    assert again.width == pytest.approx(once.shape[1], rel=0.05)
    assert abs(math.degrees(again.slope)) < 0.3


def test_letters_have_one_size_with_and_without_ascenders():
    heights = [find_frame(with_margins(written(text))).height for text in ("Typography", "noise on a sea", "1984")]
    assert max(heights) < 1.5 * min(heights)  # their ink differs by more than 2


@pytest.mark.parametrize("degrees", [-5, -3, -2, -0.7, 0, 0.7, 2, 3, 5])
def test_the_slope_is_found(degrees):
    frame = find_frame(turned(with_margins(written()), degrees))
    assert math.degrees(frame.slope) == pytest.approx(degrees, abs=0.4)
    assert frame.height == pytest.approx(find_frame(written()).height, rel=0.08)


def test_a_turned_line_is_cut_upright():
    straight = view(with_margins(written())).levels
    upright = view(turned(with_margins(written()), 3)).levels
    assert upright.shape[1] == pytest.approx(straight.shape[1], rel=0.05)
    resized = Image.fromarray(upright).resize(straight.shape[::-1])
    assert np.corrcoef(np.asarray(resized).ravel(), straight.ravel())[0, 1] > 0.7
    assert np.corrcoef((255.0 - straight).sum(axis=1), (255.0 - np.asarray(resized)).sum(axis=1))[0, 1] > 0.98


@pytest.mark.parametrize(("dark", "light"), [(100, 140), (190, 250), (0, 60), (0, 255)])
def test_levels_are_stretched(dark, light):
    plain = view(with_margins(written())).levels
    seen = view(with_margins(written(dark=dark, light=light), light=light)).levels
    assert difference(seen, plain) < 6
    assert np.percentile(seen, 90) > 250
    assert np.percentile(seen, 2) < 20


def test_a_shadow_is_evened_out():
    image = with_margins(written())
    shadow = np.linspace(1.0, 0.5, image.shape[1])[None, :] * np.linspace(1.0, 0.85, image.shape[0])[:, None]
    seen = view((image * shadow).round().astype(np.uint8))
    assert difference(seen.levels, view(image).levels) < 8


@pytest.mark.parametrize(
    "border",
    [
        lambda image: np.pad(image, ((6, 0), (0, 0)), constant_values=10),
        lambda image: np.pad(image, ((0, 9), (12, 0)), constant_values=10),
        lambda image: np.pad(image, 5, constant_values=10),
        lambda image: turned(image, 2, ground=0),
        lambda image: turned(image, -3, ground=0),
    ],
)
def test_a_dark_border_is_no_ink(border):
    image = with_margins(written(), 9, 9, 12, 12)
    seen = view(border(image))
    assert seen.frame.height == pytest.approx(find_frame(image).height, rel=0.1)
    assert (seen.levels > 200).mean() > 0.6  # it was not inverted


@pytest.mark.parametrize("text", ["became", "lo", "hier", "[note]", "Ill"])
def test_a_stem_at_the_edge_is_no_border(text):
    tight, spaced = view(written(text)), view(with_margins(written(text), 12, 12, 12, 12))
    assert difference(tight.levels, spaced.levels) < 12


def test_specks_do_not_matter():
    image = with_margins(written(), 30, 30, 30, 300).copy()
    plain = find_frame(image)
    image[3:5, 40:42] = image[-5:-3, 90:92] = image[40:42, -4:-2] = INK
    frame = find_frame(image)
    assert frame.height == pytest.approx(plain.height, rel=0.05)
    assert frame.width == pytest.approx(plain.width, rel=0.05)


def test_light_ink_is_found_as_dark_ink_is():
    image = with_margins(written(), 14, 3, 6, 40)
    assert difference(view(255 - image).levels, view(image).levels) < 4


def test_nothing_of_a_tall_letter_is_cut():
    image = with_margins(written("so an Åg"), 10, 10, 10, 10)
    image[:, 60:64] = INK  # and a stroke as high as the image
    frame = find_frame(image)
    assert frame.height >= 0.95 * len(image)


@pytest.mark.parametrize(
    "image",
    [
        np.full((32, 100), 255, np.uint8),
        np.zeros((32, 100), np.uint8),
        np.full((1, 1), 128, np.uint8),
        np.full((1, 100), 128, np.uint8),
        np.full((300, 1), 128, np.uint8),
        np.random.default_rng(0).normal(128, 20, (40, 300)).clip(0, 255).astype(np.uint8),
    ],
)
def test_without_ink_the_line_is_the_image(image):
    assert find_frame(image) == whole(image)
    levels = view(image).levels
    assert levels.shape[0] == 32


@pytest.mark.parametrize(("rows", "columns"), [(slice(20, 23), slice(30, 42)), (slice(28, 32), slice(30, 34))])
def test_the_place_of_a_dash_or_a_dot_matters(rows, columns):
    image = np.full((40, 80), PAPER, np.uint8)
    image[rows, columns] = INK
    assert find_frame(image) == whole(image)
    assert view(image, 40).levels[rows, columns].max() < 60


@settings(max_examples=60, deadline=None)
@given(arrays(np.uint8, st.tuples(st.integers(1, 30), st.integers(1, 60))))
def test_any_image_has_a_frame(image):
    seen = view(image, 16)
    assert seen.levels.dtype == np.uint8
    assert seen.levels.shape[0] == 16
    assert seen.frame.width > 0
    assert seen.frame.height > 0


@pytest.mark.parametrize("degrees", [0, -4, 3])
def test_places_map_back(degrees):
    image = turned(with_margins(written("an example of it"), 20, 9, 14, 30), degrees)
    frame = find_frame(image)
    size = (round(40 * frame.width / frame.height), 40)
    marked = np.full_like(image, 255)
    column, row = image.shape[1] // 3, image.shape[0] // 2
    marked[row - 2 : row + 3, column - 2 : column + 3] = 0
    cut = cut_frame(marked, frame, size)
    ys, xs = np.nonzero(cut < 60)
    x, y = frame.point((xs.mean() + 0.5) * frame.width / size[0], (ys.mean() + 0.5) * frame.height / size[1])
    assert (x, y) == pytest.approx((column + 0.5, row + 0.5), abs=1.0)


def test_spans_are_in_the_given_image():
    """A model that reads columns of ink: its spans are where the bars are, with other margins and turned."""
    network = CRNN(CRNNConfig(num_classes=3)).eval()
    recognizer = Recognizer(network, Vocabulary.from_characters("ab"), rules=RULES)
    image = with_margins(written("HHHHHHHH"), 25, 8, 60, 90)
    seen = recognizer.prepare(turned(image, 3))
    inked = np.flatnonzero((seen.levels < 100).any(axis=0))
    along = seen.frame.width / seen.levels.shape[1]
    (left, top), (right, bottom) = (
        seen.frame.point(column * along, seen.frame.height / 2) for column in (inked[0], inked[-1] + 1)
    )
    rows, columns = np.nonzero(turned(image, 3) < 100)
    assert (left, right) == pytest.approx((columns.min(), columns.max() + 1), abs=3)
    assert rows.min() < top < bottom < rows.max()


def test_a_point_of_a_turned_frame():
    frame = Frame(10.0, 5.0, 100.0, 20.0, math.pi / 2)
    assert frame.point(30.0, 10.0) == pytest.approx((0.0, 35.0))
    assert frame.box(0.0, 100.0) == pytest.approx((-10.0, 5.0, 10.0, 105.0))


def test_old_rules_see_the_whole_image():
    image = with_margins(written(), 30, 3, 4, 50)
    assert LineRules.from_dict({"unicode": "NFC", "invert": "auto"}).find == "no"
    assert BEFORE.find == "no"
    seen = view(image, len(image), BEFORE)
    assert np.array_equal(seen.levels, image)
    assert seen.frame == whole(image)
    assert LineRules.from_dict(RULES.to_dict()) == RULES


def test_training_and_reading_see_the_same(tmp_path):
    image = turned(with_margins(written(), 30, 3, 4, 50), 2)
    write_line(tmp_path, "x", "ab", image=image)
    (line,) = load_lines(tmp_path).lines
    recognizer = Recognizer(CRNN(CRNNConfig(num_classes=3)), Vocabulary.from_characters("ab"), rules=RULES)
    assert np.array_equal(recognizer.prepare(image).levels, line.image)
    (old,) = load_lines(tmp_path, rules=replace(RULES, find="no"), cache=tmp_path / "c").lines
    (new,) = load_lines(tmp_path, rules=RULES, cache=tmp_path / "c").lines
    assert old.width != new.width
    assert np.array_equal(new.image, line.image)


def test_scans_vary_by_their_seed():
    line = view(with_margins(written())).levels
    always = ScanStyle(share=1.0)
    first, second, third = (vary_scan(line, np.random.default_rng(seed), style=always) for seed in (1, 1, 2))
    assert np.array_equal(first, second)
    assert first.shape != third.shape or not np.array_equal(first, third)
    assert first.shape[0] == line.shape[0]
    assert vary_scan(line, np.random.default_rng(1), style=ScanStyle(share=0.0)) is line


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(1, 200), st.integers(0, 1000))
def test_any_line_can_vary(height, width, seed):
    image = np.full((height, width), 200, np.uint8)
    varied = vary_scan(image, np.random.default_rng(seed), style=ScanStyle(share=1.0, compressed=0.5))
    assert varied.shape[0] == height
    assert varied.dtype == np.uint8
