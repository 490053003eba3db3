"""A line is found in its image: its slope, its extent and its levels; and it is cut out.

A line has dark ink on a light ground (:meth:`~ctckit.ocr.data.rules.LineRules.seen` sees to that). The steps:

1. The ground is the level of the paper, block by block, so shadows do not matter. Ink is what is darker than the
   ground by more than the noise. Dark runs along the edges, from the border of a scanner, are no ink.
2. The slope is the angle at which the rows of ink begin and end most sharply: the amount of ink changes most from row
   to row.
3. The frame of the line depends on its ink alone, not on its margins. Its middle is the mean row of the ink, and its
   height is a multiple of the mean distance of the ink from there. So letters have the same size in lines with and
   without ascenders. It is larger where the ink reaches further.
4. The frame is scaled to the height of the network. Paper becomes white, and full ink black.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from ctckit.ocr.data.images import GrayImage
from ctckit.ocr.data.paper import Mask, ink_in, stretched, without_border

Places = npt.NDArray[np.float64]  # (n,) rows or columns of the pixels with ink

_WORKING = 80  # rows in which a line is looked for
_LONGEST = 4096  # and the most columns
_SMALL = 0.6  # of the height of the image; a line that is lower is looked for once more
_HALF = 3.0  # half of the frame, in mean distances of the ink from the middle; a row of capitals fills 0.67 of it
_FAR = 6.0  # ink farther away is not of the line
_RARE = 0.02  # rows with less ink, in shares of the fullest, do not make the frame larger
_APART = 1.2  # mean distances between rows of ink; what is farther away is not of the line
_ROOM = 0.05  # of the frame above and below the ink that makes it larger
_SIDE = 0.25  # margins on the left and on the right, in heights of the frame
_GAP = 2.0  # heights of the frame that part a speck from the line
_SPECK = 0.015  # ink of a speck, in squares of the height of the frame
_STEEPEST = 6.5  # degrees
_LONG = 1.5  # heights; the slope of a shorter text cannot be told
_SURE = 5.0  # heights; the slope of a text so long can be told well
_SHARPER, _SHARPER_IF_SHORT = 1.015, 1.1  # gain in sharpness that is no accident
_TURN = 0.15  # degrees; less is not turned
_SOLID = 0.85  # of its box is covered by the ink of a single mark, such as a dash
_SMALL_MARK = 0.5  # of the height of the image; the place of a mark that is lower matters
_FLAT = 0.25  # of the height of the image; the same for other short ink that is lower


@dataclass(frozen=True)
class Frame:
    """The place of a line in an image: a rectangle, turned by its slope.

    Attributes:
        x: The column of its upper left corner; it may lie outside of the image.
        y: The row of this corner.
        width: Its length along the line, in pixels of the image.
        height: Its height, in pixels of the image.
        slope: The angle of the line in radians; above 0, the line falls to the right.
    """

    x: float
    y: float
    width: float
    height: float
    slope: float = 0.0

    def point(self, along: float, down: float) -> tuple[float, float]:
        """Return the point of the image that lies so far along the line and below the upper edge of the frame.

        Example:
            >>> from ctckit.ocr.data.finding import Frame
            >>> Frame(10.0, 5.0, 100.0, 20.0).point(30.0, 10.0)
            (40.0, 15.0)
        """
        cos, sin = math.cos(self.slope), math.sin(self.slope)
        return self.x + cos * along - sin * down, self.y + sin * along + cos * down

    def box(self, left: float, right: float) -> tuple[float, float, float, float]:
        """Return the upright box (left, top, right, bottom) around a part of the frame, given along the line."""
        corners = [self.point(along, down) for along in (left, right) for down in (0.0, self.height)]
        columns, rows = zip(*corners, strict=True)
        return min(columns), min(rows), max(columns), max(rows)


def whole(image: GrayImage) -> Frame:
    """Return the frame that is the whole image."""
    height, width = image.shape
    return Frame(0.0, 0.0, float(width), float(height))


def find_frame(image: GrayImage) -> Frame:
    """Return the frame of the line in an image.

    Args:
        image: (height, width) uint8, dark ink on a light ground.

    Returns:
        The frame; the whole image if there is no ink, or ink that is no line, such as a dash.
    """
    frame = _find_in(image, whole(image))
    if frame is not None and frame.height < _SMALL * len(image):
        frame = _find_in(image, frame)  # with all its pixels, and without what is far from it
    return frame or whole(image)


def _find_in(image: GrayImage, around: Frame) -> Frame | None:
    """Return the frame of the line near another one; None if there is none."""
    left, top, right, bottom = _clipped(around.box(0.0, around.width), image, around.height / 2)
    scale = min(1.0, _WORKING / (bottom - top), _LONGEST / (right - left))
    size = max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale))
    part = Image.fromarray(image[top:bottom, left:right]).resize(size, Image.Resampling.BOX)
    ink = ink_in(np.asarray(part, dtype=np.float32))
    if ink is None:
        return None
    frame = _frame_of(ink)
    if frame is None:
        return None
    x, y = (right - left) / size[0], (bottom - top) / size[1]  # equal but for rounding
    return Frame(left + x * frame.x, top + y * frame.y, x * frame.width, y * frame.height, frame.slope)


def _clipped(box: tuple[float, float, float, float], image: GrayImage, more: float) -> tuple[int, int, int, int]:
    """Return a box, enlarged on all sides, in whole pixels of an image."""
    height, width = image.shape
    left, top = max(0, math.floor(box[0] - more)), max(0, math.floor(box[1] - more))
    right, bottom = min(width, math.ceil(box[2] + more)), min(height, math.ceil(box[3] + more))
    return min(left, width - 1), min(top, height - 1), max(right, left + 1), max(bottom, top + 1)


def _frame_of(ink: Mask) -> Frame | None:
    """Return the frame of the line that has this ink; None if it is no line."""
    rows, columns = (np.asarray(each + 0.5, dtype=np.float64) for each in np.nonzero(ink))  # the centers of the pixels
    slope = _slope(rows, columns)
    cos, sin = math.cos(slope), math.sin(slope)
    along, down = cos * columns + sin * rows, cos * rows - sin * columns
    band = _band(down)
    if band is None:
        return None
    top, bottom = band
    height = bottom - top
    inside = (down >= top) & (down <= bottom)
    left, right = _without_specks(along[inside], height)
    thickness = float(np.ptp(down[inside])) + 1.0
    if len(down) > _SOLID * thickness * (right - left) and thickness < _SMALL_MARK * len(ink):
        return None
    if right - left < 2 * height and thickness < _FLAT * len(ink):
        return None
    left, right = left - _SIDE * height, right + _SIDE * height
    x, y = cos * left - sin * top, sin * left + cos * top
    return Frame(x, y, right - left, height, slope)


def _band(down: Places) -> tuple[float, float] | None:
    """Return the upper and the lower edge of the frame, from the rows of the ink."""
    middle = float(np.median(down))
    distance = float(np.mean(np.abs(down - middle)))
    for _ in range(3):  # without what lies far away
        near = down[np.abs(down - middle) <= _FAR * max(distance, 0.5)]
        middle = float(np.mean(near))
        distance = float(np.mean(np.abs(near - middle)))
    if distance < 0.4:
        return None
    first = math.floor(near.min())
    profile = np.bincount((near - first).astype(np.int64)).astype(np.float64)
    full = np.flatnonzero(profile > _RARE * profile.max())
    parts = np.split(full, np.flatnonzero(np.diff(full) > _APART * distance) + 1)
    reached = max(parts, key=lambda rows: float(profile[rows].sum()))
    room = 2 * _ROOM * _HALF * distance
    top = min(middle - _HALF * distance, first + float(reached[0]) - room)
    bottom = max(middle + _HALF * distance, first + float(reached[-1]) + 1.0 + room)
    return top, bottom


def _without_specks(along: Places, height: float) -> tuple[float, float]:
    """Return the first and the last column of the ink, without specks far from the rest."""
    ordered = np.sort(along)
    gaps = np.flatnonzero(np.diff(ordered) > _GAP * height)
    starts, ends = np.r_[0, gaps + 1], np.r_[gaps + 1, len(ordered)]
    kept = np.flatnonzero(ends - starts > _SPECK * height**2)
    if not len(kept):
        return float(ordered[0]) - 0.5, float(ordered[-1]) + 0.5
    return float(ordered[starts[kept[0]]]) - 0.5, float(ordered[ends[kept[-1]] - 1]) + 0.5


def _slope(rows: Places, columns: Places) -> float:
    """Return the angle in radians at which the rows of ink are sharpest; 0 if that cannot be told."""
    if len(rows) > 3000:
        chosen = np.linspace(0, len(rows) - 1, 3000).astype(np.int64)
        rows, columns = rows[chosen], columns[chosen]
    best, step = 0.0, 1.0
    level = _sharpness(rows, columns, 0.0)
    candidates = np.arange(-_STEEPEST, _STEEPEST + 0.5)
    while step > 0.05:
        sharpness = [_sharpness(rows, columns, math.radians(angle)) for angle in candidates]
        best = float(candidates[int(np.argmax(sharpness))])
        step /= 4.0
        candidates = best + step * np.arange(-4.0, 5.0)
    turned = math.radians(best)
    down = math.cos(turned) * rows - math.sin(turned) * columns
    extent = 6.0 * float(np.mean(np.abs(down - np.mean(down))))
    length = float(np.ptp(columns)) / max(extent, 1.0)
    gain = _SHARPER if length > _SURE else _SHARPER_IF_SHORT
    told = length > _LONG and _TURN <= abs(best) < _STEEPEST and max(sharpness) > gain * level
    return turned if told else 0.0


def _sharpness(rows: Places, columns: Places, angle: float) -> float:
    """Return the sum of the squared changes from row to row of the number of points, turned back by an angle."""
    down = math.cos(angle) * rows - math.sin(angle) * columns
    places = down - down.min()
    above = places.astype(np.int64)
    share = places - above  # a point counts in the two rows next to it: the profile changes smoothly with the angle
    size = int(above.max()) + 5  # with two empty rows above and below
    profile = np.bincount(above + 2, 1.0 - share, size) + np.bincount(above + 3, share, size)
    return float(((profile[2:] - profile[:-2]) ** 2).sum())


def cut_frame(image: GrayImage, frame: Frame, size: tuple[int, int]) -> GrayImage:
    """Return the part of an image in a frame, upright, of a given size; paper is white, and full ink is black.

    Args:
        image: (height, width) uint8, dark ink on a light ground.
        frame: The frame.
        size: The width and the height of the result in pixels.

    Returns:
        (height, width) uint8. Outside of the image there is paper.
    """
    width, height = size
    scale = height / frame.height
    left, top, right, bottom = _clipped(frame.box(0.0, frame.width), image, 2.0 / min(scale, 1.0))
    inner = max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale))
    part = Image.fromarray(image[top:bottom, left:right]).resize(inner, Image.Resampling.BICUBIC)
    levels = stretched(without_border(np.asarray(part, dtype=np.float32)))
    x, y = inner[0] / (right - left), inner[1] / (bottom - top)
    cos, sin = math.cos(frame.slope), math.sin(frame.slope)
    along, down = frame.width / width, frame.height / height
    corner = (frame.x - left) * x, (frame.y - top) * y
    matrix = (x * cos * along, -x * sin * down, corner[0], y * sin * along, y * cos * down, corner[1])
    cut = Image.fromarray(levels).transform(
        size, Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC, fillcolor=255
    )
    return np.asarray(cut)
