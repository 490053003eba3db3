"""Synthetic lines of handwritten digits, composed of 1,797 real digits.

The digits (8x8 gray levels, written by 13 people) are split into three slices **by index**, so that no image is in two
of them: ``train`` 0..1291, ``validation`` 1292..1436 (a part of the training digits, for the choice of settings),
``test`` 1437..1796. A line is made in these steps: choose digits; warp each one (scale, slant, rotation, an elastic
bend); threshold the smooth ink field at a random level, which varies the stroke width; place the digits side by side
with random gaps (with a negative gap they touch) and random baselines; then add paper, contrast and noise.

All random numbers come from one seeded generator: the same seed gives the same lines.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional as F

from ctckit.errors import InvalidInputError
from ctckit.ocr.data.batches import Batch, make_batch
from ctckit.ocr.data.digits import load_digits
from ctckit.ocr.data.lines import GrayImage, Line
from ctckit.vocabulary import Vocabulary

CHARSET = "0123456789"
SLICES: dict[str, tuple[int, int]] = {
    "train": (0, 1292),
    "validation": (1292, 1437),
    "train+validation": (0, 1437),
    "test": (1437, 1797),
}
TEST_SEED = 20_061

_HEIGHT = 32
_PATCH = 48  # columns of the window for one digit: the widest slanted digit fits
_CELLS = 8  # a source digit has 8 x 8 cells
_PAD = 2  # empty cells around it, so that the ink field is zero at the border of the window
_ZOOM = 4  # samples of the smooth field per cell
_INK = 0.35  # a column belongs to the digit if its darkest pixel has at least this much ink

Range = tuple[float, float]
FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class StringStyle:
    """The ranges of a string's appearance; values are drawn uniformly unless stated otherwise.

    Attributes:
        digits: The fewest and the most digits in a string.
        height: Height of a digit in pixels, on a line of 32; one draw for a string, and ±8 % for each digit.
        aspect: Width of a digit relative to its height; 1 is as written.
        slant: Horizontal shift per pixel of height; one draw for a string, and a quarter of the range for each digit.
        rotation: Rotation of each digit in radians.
        gap: Empty columns between the ink of neighbors; below zero they overlap.
        baseline: Vertical offset of each digit in pixels.
        level: Ink level of the threshold for strokes: low gives bold strokes, high thin ones.
        edge: Steepness of a stroke's edge: low is blurred, high is sharp.
        bend: Standard deviation of the elastic displacement in source cells.
        paper: Gray level of the paper, 0..1.
        contrast: Difference between paper and full ink, 0..1.
        noise: Standard deviation of the pixel noise, 0..1.
        margin: Empty columns before the first and after the last digit.
    """

    digits: tuple[int, int] = (3, 8)
    height: Range = (18.0, 26.0)
    aspect: Range = (0.8, 1.15)
    slant: Range = (-0.3, 0.3)
    rotation: Range = (-0.08, 0.08)
    gap: Range = (-1.5, 6.0)
    baseline: Range = (-2.0, 2.0)
    level: Range = (0.3, 0.5)
    edge: Range = (7.0, 16.0)
    bend: float = 0.12
    paper: Range = (0.82, 1.0)
    contrast: Range = (0.5, 0.82)
    noise: Range = (0.0, 0.08)
    margin: tuple[int, int] = (3, 10)


#: The appearance of the held-out strings.
TEST_STYLE = StringStyle()

#: The appearance of the training strings: every range is wider than the test's, because 1,437 digits are few.
TRAIN_STYLE = StringStyle(
    height=(16.0, 28.0),
    aspect=(0.65, 1.3),
    slant=(-0.45, 0.45),
    rotation=(-0.22, 0.22),
    gap=(-2.5, 7.0),
    baseline=(-3.0, 3.0),
    level=(0.22, 0.58),
    edge=(5.0, 18.0),
    bend=0.32,
    paper=(0.75, 1.0),
    contrast=(0.4, 0.9),
    noise=(0.0, 0.12),
)


@dataclass(frozen=True)
class DigitImages:
    """The images of one slice of the digits.

    Attributes:
        fields: Smooth ink fields, (n, 48, 48) float32, 0 paper and 1 full ink.
        labels: Their values 0..9, (n,) int64.
        indices: Their positions in ``ctckit.ocr.data.digits``, (n,) int64.
    """

    fields: FloatArray
    labels: npt.NDArray[np.int64]
    indices: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)


@lru_cache(maxsize=1)
def _all_digits() -> tuple[FloatArray, npt.NDArray[np.int64]]:
    levels, values = load_digits()
    images = torch.from_numpy(levels.astype(np.float32) / 16.0)
    padded = F.pad(images, (_PAD, _PAD, _PAD, _PAD))[:, None]
    fields = F.interpolate(padded, scale_factor=_ZOOM, mode="bicubic", align_corners=False)[:, 0]
    return fields.numpy(), values.astype(np.int64)


def load_digit_slice(name: str) -> DigitImages:
    """Return one slice of the digits: ``"train"``, ``"validation"``, ``"train+validation"`` or ``"test"``.

    Raises:
        InvalidInputError: For any other name.

    Example:
        >>> from ctckit.ocr.data.synthetic import load_digit_slice
        >>> len(load_digit_slice("test"))
        360
    """
    if name not in SLICES:
        raise InvalidInputError(f"name is {name!r}; expected one of {', '.join(map(repr, SLICES))}.")
    start, end = SLICES[name]
    fields, labels = _all_digits()
    return DigitImages(fields[start:end], labels[start:end], np.arange(start, end))


def compose_strings(
    digits: DigitImages, count: int, *, seed: int | Sequence[int], style: StringStyle = TEST_STYLE
) -> list[Line]:
    """Return ``count`` synthetic lines, 32 pixels high, dark ink on light paper.

    Args:
        digits: The digits to choose from, each with the same probability.
        count: The number of lines.
        seed: Seeds the generator; the same seed, digits and style give the same lines.
        style: The ranges of the appearance.

    Returns:
        ``count`` lines; ``line.image`` is (32, width) uint8, ``line.text`` has the digits.

    Example:
        >>> from ctckit.ocr.data.synthetic import compose_strings, load_digit_slice
        >>> lines = compose_strings(load_digit_slice("test"), 2, seed=0)
        >>> lines[0].image.shape[0]
        32
    """
    rng = np.random.default_rng(seed)
    lengths = rng.integers(style.digits[0], style.digits[1] + 1, size=count)
    chosen = rng.integers(0, len(digits), size=int(lengths.sum()))
    return _compose(digits, chosen, lengths, rng, style)


def compose_texts(
    digits: DigitImages, texts: Sequence[str], *, seed: int | Sequence[int], style: StringStyle = TEST_STYLE
) -> list[Line]:
    """Return a synthetic line for each text; each of its digits is a random image of this digit.

    Args:
        digits: The digits to choose from.
        texts: Strings of the digits 0 to 9, none of them empty.
        seed: Seeds the generator; the same seed, digits, texts and style give the same lines.
        style: The ranges of the appearance; its number of digits is not used.

    Returns:
        A line for each text, as ``compose_strings`` makes them.

    Raises:
        InvalidInputError: If a text is empty or has a character that is not a digit of ``digits``.

    Example:
        >>> from ctckit.ocr.data.synthetic import compose_texts, load_digit_slice
        >>> [line.text for line in compose_texts(load_digit_slice("test"), ["1984", "7"], seed=0)]
        ['1984', '7']
    """
    rng = np.random.default_rng(seed)
    written = {CHARSET[label]: np.flatnonzero(digits.labels == label) for label in set(digits.labels.tolist())}
    for number, text in enumerate(texts):
        if not text or not set(text) <= set(written):
            raise InvalidInputError(f"texts[{number}] is {text!r}; expected one or more of {''.join(sorted(written))}.")
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    chosen = np.array([rng.choice(written[character]) for text in texts for character in text], dtype=np.int64)
    return _compose(digits, chosen, lengths, rng, style)


def _compose(
    digits: DigitImages,
    chosen: npt.NDArray[np.int64],
    lengths: npt.NDArray[np.int64],
    rng: np.random.Generator,
    style: StringStyle,
) -> list[Line]:
    """Return lines of ``lengths`` digits each, which take the digits of ``chosen`` in order."""
    ink = _draw_digits(digits.fields[chosen], lengths, rng, style)
    first, last = _ink_extent(ink)
    gaps = rng.uniform(*style.gap, size=len(chosen)).round().astype(np.int64)
    margins = rng.integers(style.margin[0], style.margin[1] + 1, size=(len(lengths), 2))
    ends = np.cumsum(lengths)
    lines = []
    for item, (start, end) in enumerate(zip(ends - lengths, ends, strict=True)):
        part = slice(int(start), int(end))
        line = _place_side_by_side(ink[part], first[part], last[part], gaps[part], margins[item])
        text = "".join(CHARSET[label] for label in digits.labels[chosen[part]])
        lines.append(Line(image=_print_on_paper(line, rng, style), text=text, name=f"string {item}"))
    return lines


def held_out_strings(count: int = 1000, *, seed: int = TEST_SEED) -> list[Line]:
    """Return the fixed held-out strings; no training string contains their digit images."""
    return compose_strings(load_digit_slice("test"), count, seed=seed, style=TEST_STYLE)


def _draw_digits(
    fields: FloatArray, lengths: npt.NDArray[np.int64], rng: np.random.Generator, style: StringStyle
) -> FloatArray:
    """Warp each field into a window of 32 x 48 pixels and threshold it; return ink, 0..1."""
    n = len(fields)

    def per_string(bounds: Range) -> FloatArray:
        return np.repeat(rng.uniform(*bounds, size=len(lengths)), lengths).astype(np.float32)

    def per_digit(bounds: Range) -> FloatArray:
        return rng.uniform(*bounds, size=n).astype(np.float32)

    height = per_string(style.height) * per_digit((0.92, 1.08))
    width = height * per_string(style.aspect) * per_digit((0.93, 1.07))
    slant = per_string(style.slant) + per_digit((style.slant[0] / 4, style.slant[1] / 4))
    turn = per_digit(style.rotation)
    baseline = per_digit(style.baseline)
    bend = rng.normal(0.0, style.bend, size=(n, 2, 4, 4)).astype(np.float32)
    level, edge = per_string(style.level) + per_digit((-0.04, 0.04)), per_string(style.edge)

    grid = _source_points(height, width, slant, turn, baseline)
    down, across = _spline(_HEIGHT), _spline(_PATCH)
    grid += (down @ torch.from_numpy(bend) @ across.T).permute(0, 2, 3, 1)
    grid /= _CELLS / 2 + _PAD  # grid_sample measures from -1 to 1 over the whole field
    sampled = F.grid_sample(torch.from_numpy(fields)[:, None], grid, align_corners=False)[:, 0]
    ink: FloatArray = (
        torch.sigmoid((sampled - torch.from_numpy(level)[:, None, None]) * torch.from_numpy(edge)[:, None, None])
        .sub_(0.03)
        .clamp_(0.0)
        .numpy()
    )
    return ink


def _source_points(
    height: FloatArray, width: FloatArray, slant: FloatArray, turn: FloatArray, baseline: FloatArray
) -> torch.Tensor:
    """Return the source point of each window pixel, in cells from the center: (n, 32, 48, 2), x before y."""
    y = torch.arange(_HEIGHT, dtype=torch.float32) - (_HEIGHT - 1) / 2
    x = torch.arange(_PATCH, dtype=torch.float32) - (_PATCH - 1) / 2

    def column(values: FloatArray) -> torch.Tensor:
        return torch.from_numpy(values)[:, None, None]

    rows = y[None, :, None] - column(baseline)
    columns = x[None, None, :] + column(slant) * rows
    cos, sin = column(np.cos(turn)), column(np.sin(turn))
    source_x = (cos * columns + sin * rows) * (_CELLS / column(width))
    source_y = (cos * rows - sin * columns) * (_CELLS / column(height))
    return torch.stack((source_x, source_y), dim=-1)


@lru_cache(maxsize=2)
def _spline(pixels: int) -> torch.Tensor:
    """Return the matrix (pixels, 4) of a smooth interpolation from 4 control points to pixels."""
    controls = torch.eye(4)[None]
    return F.interpolate(controls[:, None], size=(pixels, 4), mode="bicubic", align_corners=True)[0, 0].contiguous()


def _ink_extent(ink: FloatArray) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the first and the last column with ink of each digit; the middle column for a digit without ink."""
    inked = ink.max(axis=1) >= _INK
    inked[~inked.any(axis=1), _PATCH // 2] = True
    return inked.argmax(axis=1), _PATCH - 1 - inked[:, ::-1].argmax(axis=1)


def _place_side_by_side(
    ink: FloatArray,
    first: npt.NDArray[np.int64],
    last: npt.NDArray[np.int64],
    gaps: npt.NDArray[np.int64],
    margins: npt.NDArray[np.int64],
) -> FloatArray:
    widths = last - first + 1
    # The position of each digit's first column with ink; the gap follows its digit.
    positions = margins[0] + np.concatenate(([0], np.cumsum(widths + gaps)[:-1]))
    total = int(positions[-1] + widths[-1] + margins[1])
    line = np.zeros((_HEIGHT, total + 2 * _PATCH), dtype=np.float32)
    for patch, position, start in zip(ink, positions, first, strict=True):
        left = int(position - start) + _PATCH
        window = line[:, left : left + _PATCH]
        np.maximum(window, patch, out=window)
    return line[:, _PATCH : _PATCH + total]


def _print_on_paper(ink: FloatArray, rng: np.random.Generator, style: StringStyle) -> GrayImage:
    paper, contrast, noise = rng.uniform(*style.paper), rng.uniform(*style.contrast), rng.uniform(*style.noise)
    shade = np.linspace(rng.uniform(-0.06, 0.06), 0.0, ink.shape[1], dtype=np.float32)
    grain = rng.standard_normal(ink.shape, dtype=np.float32)
    gray = np.clip(paper + shade - np.float32(contrast) * ink + np.float32(noise) * grain, 0.0, 1.0)
    levels: GrayImage = (gray * 255.0).round().astype(np.uint8)
    return levels


class DigitBatches:
    """Batches of synthetic digit strings, new ones for each step, grouped by width.

    Args:
        digits: The digits to choose from.
        vocabulary: Encodes the digits.
        batch_size: Lines in a batch.
        seed: Seeds all random numbers.
        style: The ranges of the appearance.
    """

    batches_per_epoch = 100
    _POOL = 8  # batches composed at once: their lines are sorted by width, which saves padding

    def __init__(
        self,
        digits: DigitImages,
        vocabulary: Vocabulary,
        *,
        batch_size: int = 64,
        seed: int = 0,
        style: StringStyle = TRAIN_STYLE,
    ) -> None:
        self._digits = digits
        self._vocabulary = vocabulary
        self._batch_size = batch_size
        self._seed = seed
        self._style = style
        self._pool = lru_cache(maxsize=1)(self._compose_pool)

    @property
    def settings(self) -> dict[str, Any]:
        """What the batches depend on: the options, and the digits."""
        digest = hashlib.sha256(self._digits.fields.tobytes() + self._digits.labels.tobytes()).hexdigest()[:16]
        options = {"batch_size": self._batch_size, "order_seed": self._seed, "digits": digest}
        return {**options, **{f"style.{name}": value for name, value in asdict(self._style).items()}}

    def batch(self, step: int) -> Batch:
        """Return the batch of this step."""
        pool, position = divmod(step, self._POOL)
        return make_batch(self._pool(pool)[position], self._vocabulary)

    def _compose_pool(self, pool: int) -> list[list[Line]]:
        seed = (self._seed, pool)
        lines = compose_strings(self._digits, self._POOL * self._batch_size, seed=seed, style=self._style)
        lines.sort(key=lambda line: line.image.shape[1])
        order = np.random.default_rng((*seed, 1)).permutation(self._POOL)
        return [lines[index * self._batch_size : (index + 1) * self._batch_size] for index in order]
