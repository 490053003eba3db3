"""Cuts lines out of pages: rectified along the baseline, and masked by the outline.

A line has a curve, its smoothed baseline c(u), u the length along it, and a unit normal n(u) towards the tops of the
letters. Row y and column x of the cut-out are the page at c(x) + (top − y) · n(x), where ``top`` is the distance of the
highest point of the outline from the curve. So a line of any direction comes out upright, and a curved one straight.
Outside of the outline, and in the dark border of a scanner, the cut-out has the color of the paper.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from ctckit.errors import DataError
from ctckit.ocr.data.pages.layout import PageLine, Points
from ctckit.ocr.data.paper import border_in

Array = npt.NDArray[np.float64]

_CUBIC = Image.Resampling.BICUBIC
_STEP = 8.0  # pixels between two points of the curve
_SMOOTH = 0.5  # standard deviation of the smoothing, in heights of the line
_LARGEST = 32_767  # pixels of a cut-out in one direction
_GLANCE = 64  # rows that are enough to tell the border of a scanner
_ABOVE, _BELOW = 0.8, 0.3  # of the distance between lines, for a line with a baseline alone


@dataclass(frozen=True)
class CutLine:
    """The image of a line, and where it was on its page.

    Attributes:
        image: The image in gray levels (mode ``L``).
        columns: (n,) columns of the image, ascending from 0 to its width.
        upper: (n, 2) the points of the page at the upper ends of these columns.
        lower: (n, 2) those at their lower ends.
    """

    image: Image.Image
    columns: npt.NDArray[np.int64]
    upper: Array
    lower: Array

    def outline(self, left: float, right: float) -> Points:
        """Return the polygon on the page that holds the columns ``[left, right)`` of the image."""
        inner = self.columns[(self.columns > left) & (self.columns < right)].astype(np.float64)
        columns = np.array([left, *inner, right], dtype=np.float64)
        around = np.concatenate([self._at(columns, self.upper), self._at(columns, self.lower)[::-1]])
        return tuple((float(x), float(y)) for x, y in around)

    def _at(self, columns: Array, edge: Array) -> Array:
        return np.stack([np.interp(columns, self.columns, edge[:, axis]) for axis in (0, 1)], axis=1)


def cut_line(page: Image.Image, line: PageLine) -> CutLine:
    """Return the image of a line: upright, straight, and with nothing of the lines around it.

    Args:
        page: The page in gray levels (mode ``L``).
        line: The line, in pixels of the page, with an outline.

    Raises:
        DataError: If the line has no outline, lies outside of the page, or is too large.
    """
    outline = _without_repeats(np.array(line.outline, dtype=np.float64).reshape(-1, 2))
    if len(outline) < 3:
        raise DataError("the line has no coordinates. Draw its polygon or its baseline.")
    columns, curve, ups = _curve(_reading_direction(_baseline(line, outline), outline), outline)
    above = _heights(_densified(outline), curve, ups)
    top, bottom = float(above.max()), float(-above.min())
    width, height = int(columns[-1]), round(top + bottom)
    if width < 1 or height < 1 or max(width, height) > _LARGEST:
        raise DataError(f"the line is {width} × {height} pixels; expected 1 to {_LARGEST}. Check its coordinates.")
    upper, lower = curve + top * ups, curve - bottom * ups
    corner, masked = _masked(page, outline, np.concatenate([upper, lower]))
    image = masked.transform(
        (width, height), Image.Transform.MESH, _mesh(columns, upper - corner, lower - corner, height), _CUBIC
    )
    return CutLine(image, columns, upper, lower)


def _mesh(columns: npt.NDArray[np.int64], upper: Array, lower: Array, height: int) -> list[Any]:
    """Return the boxes between two columns, with their four corners on the page, as Pillow takes them."""
    return [
        ((left, 0, right, height), (*upper[n], *lower[n], *lower[n + 1], *upper[n + 1]))
        for n, (left, right) in enumerate(pairwise(columns.tolist()))
    ]


def _without_repeats(points: Array) -> Array:
    if not len(points):
        return points
    kept: Array = points[np.r_[True, np.any(np.diff(points, axis=0) != 0, axis=1)]]
    return kept


def _baseline(line: PageLine, outline: Array) -> Array:
    """Return the points of the baseline; without one, the lower edge of the outline's box, turned as the line is."""
    baseline = _without_repeats(np.array(line.baseline, dtype=np.float64).reshape(-1, 2))
    if len(baseline) >= 2:
        return baseline
    angle = np.deg2rad(line.turned)
    along, down = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    left, right = (outline @ along).min(), (outline @ along).max()
    edge: Array = np.array([left * along, right * along]) + (outline @ down).max() * down
    return edge


def _reading_direction(baseline: Array, outline: Array) -> Array:
    """Return the baseline from left to right, as the letters stand.

    The baselines of a right-to-left script may be drawn in its reading direction. A line above a baseline that runs to
    the left is of this kind; a line below it stands on its head.
    """
    run = baseline[-1] - baseline[0]
    if run[0] >= 0 or abs(run[0]) <= abs(run[1]):
        return baseline
    middle = baseline.mean(axis=0)
    return baseline[::-1] if _centroid(outline)[1] < middle[1] else baseline


def _centroid(polygon: Array) -> Array:
    after = np.roll(polygon, -1, axis=0)
    cross = polygon[:, 0] * after[:, 1] - after[:, 0] * polygon[:, 1]
    total = cross.sum()
    weighted: Array = ((polygon + after) * cross[:, None]).sum(axis=0) / (3.0 * total if total else np.inf)
    return weighted if abs(total) > 1e-9 else np.asarray(polygon.mean(axis=0))


def _area(polygon: Array) -> float:
    after = np.roll(polygon, -1, axis=0)
    return abs(float((polygon[:, 0] * after[:, 1] - after[:, 0] * polygon[:, 1]).sum())) / 2.0


def _length(points: Array) -> float:
    return float(np.hypot(*np.diff(points, axis=0).T).sum())


def _curve(baseline: Array, outline: Array) -> tuple[npt.NDArray[np.int64], Array, Array]:
    """Return points on the smoothed baseline: their columns in the cut-out, the points and the unit normals there.

    The columns (n,) are about ``_STEP`` apart, the points and the normals are (n, 2). The baseline is continued
    straight on as far as the outline reaches.
    """
    height = _area(outline) / max(_length(baseline), 1.0)
    points = _resampled(_continued(baseline, outline, reach=2.0 * height))
    points = _smoothed(points, _SMOOTH * height / _STEP)
    length = _length(points)
    width = max(1, round(length))
    columns = np.unique(np.round(np.linspace(0, width, round(width / _STEP) + 2)).astype(np.int64))
    points = _at(points, columns.astype(np.float64) * length / width)
    tangents = np.gradient(points, axis=0)
    tangents /= np.maximum(np.hypot(*tangents.T), 1e-9)[:, None]
    return columns, points, np.stack([tangents[:, 1], -tangents[:, 0]], axis=1)


def _continued(baseline: Array, outline: Array, reach: float) -> Array:
    """Return the baseline with a point more at either end, where the outline reaches beyond it.

    Its direction there is that of the last ``reach`` pixels, because the last points are often set carelessly.
    """
    ends = []
    for points in (baseline, baseline[::-1]):
        inner = _point_at(points, min(reach, _length(points)))
        outward = (points[0] - inner) / max(float(np.hypot(*(points[0] - inner))), 1e-9)
        near = _nearest(outline, points) == 0
        beyond = float(((outline[near] - points[0]) @ outward).max(initial=0.0))
        ends.append(points[0] + beyond * outward)
    return _without_repeats(np.concatenate([ends[:1], baseline, ends[1:]]))


def _point_at(points: Array, distance: float) -> Array:
    point: Array = _at(points, np.array([distance]))[0]
    return point


def _at(points: Array, distances: Array) -> Array:
    """Return the points at these distances along a line of segments."""
    along = np.r_[0.0, np.cumsum(np.hypot(*np.diff(points, axis=0).T))]
    return np.stack([np.interp(distances, along, points[:, axis]) for axis in (0, 1)], axis=1)


def _resampled(points: Array) -> Array:
    length = _length(points)
    return _at(points, np.linspace(0.0, length, max(2, round(length / _STEP) + 1)))


def _smoothed(points: Array, deviation: float) -> Array:
    """Return the points, averaged along the line; the ends stay."""
    radius = min(int(3.0 * deviation), len(points) - 1)
    if radius < 1:
        return points
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / deviation) ** 2)
    before = 2.0 * points[0] - points[radius:0:-1]
    after = 2.0 * points[-1] - points[-2 : -radius - 2 : -1]
    padded = np.concatenate([before, points, after])
    return np.stack([np.convolve(padded[:, axis], weights / weights.sum(), "valid") for axis in (0, 1)], axis=1)


def _densified(polygon: Array) -> Array:
    closed = np.concatenate([polygon, polygon[:1]])
    return _resampled(closed) if _length(closed) else polygon


def _nearest(points: Array, curve: Array) -> npt.NDArray[np.int64]:
    """Return the number of the nearest point of the curve for each point."""
    return np.array([np.argmin(((curve - point) ** 2).sum(axis=1)) for point in points], dtype=np.int64)


def _heights(points: Array, curve: Array, ups: Array) -> Array:
    """Return the distances of points from the curve: above it positive, below it negative."""
    nearest = _nearest(points, curve)
    return np.asarray(((points - curve[nearest]) * ups[nearest]).sum(axis=1))


def _masked(page: Image.Image, outline: Array, reached: Array) -> tuple[Array, Image.Image]:
    """Return the part of the page around the line, with paper elsewhere, and its corner on the page."""
    low = np.floor(np.minimum(reached.min(axis=0), outline.min(axis=0))).astype(int) - 2
    high = np.ceil(np.maximum(reached.max(axis=0), outline.max(axis=0))).astype(int) + 3
    left, upper = (max(0, int(edge)) for edge in low)
    right, lower = (min(int(edge), size) for edge, size in zip(high, page.size, strict=True))
    if left >= right or upper >= lower:
        raise DataError(
            f"the line lies outside of the image, which has {page.width} × {page.height} pixels. Check that the image "
            "is the one of the file."
        )
    part = page.crop((left, upper, right, lower))
    mask = _mask(part, outline - (left, upper))
    inside = np.asarray(part)[np.asarray(mask) > 0]
    paper = int(np.median(inside)) if inside.size else 255
    whole = Image.new("L", tuple((high - low).tolist()), paper)
    whole.paste(part, (left - int(low[0]), upper - int(low[1])), mask)
    return low.astype(np.float64), whole


def _mask(part: Image.Image, outline: Array) -> Image.Image:
    """Return 255 inside of the outline, but 0 in the border of a scanner: masked, it would be a stroke of the line."""
    mask = Image.new("L", part.size, 0)
    ImageDraw.Draw(mask).polygon([(x, y) for x, y in outline.tolist()], fill=255)
    times = max(1, part.height // _GLANCE)
    border = Image.fromarray(border_in(np.asarray(part.reduce(times), dtype=np.float32)))
    box = (0.0, 0.0, part.width / times, part.height / times)
    mask.paste(0, mask=border.resize(part.size, Image.Resampling.NEAREST, box))
    return mask


def with_outlines(lines: tuple[PageLine, ...]) -> tuple[PageLine, ...]:
    """Return the lines of a page; one that has a baseline alone gets an outline around it.

    It reaches 0.8 of the distance between lines above the baseline and 0.3 below it. The distance is the median, over
    the lines, of the distance to the nearest other one.
    """
    alone = [line for line in lines if not line.outline and line.baseline]
    if not alone:
        return lines
    distance = _distance_of_lines([np.array(line.baseline) for line in lines if line.baseline])
    return tuple(_with_outline(line, distance) if line in alone else line for line in lines)


def _distance_of_lines(baselines: list[Array]) -> float:
    distances = []
    for n, baseline in enumerate(baselines):
        middle = _point_at(baseline, _length(baseline) / 2.0)
        others = [_at(each, np.linspace(0.0, _length(each), 50)) for k, each in enumerate(baselines) if k != n]
        gaps = [float(np.hypot(*(each - middle).T).min()) for each in others]
        distances += [min(gaps)] if gaps else [_length(baseline) / 10.0]
    return max(4.0, float(np.median(distances)))


def _with_outline(line: PageLine, distance: float) -> PageLine:
    curve = np.array(line.baseline, dtype=np.float64)
    tangents = np.gradient(curve, axis=0)
    tangents /= np.maximum(np.hypot(*tangents.T), 1e-9)[:, None]
    ups = np.stack([tangents[:, 1], -tangents[:, 0]], axis=1)
    around = np.concatenate([curve + _ABOVE * distance * ups, (curve - _BELOW * distance * ups)[::-1]])
    return PageLine(line.name, line.text, tuple(map(tuple, around.tolist())), line.baseline, line.turned)
