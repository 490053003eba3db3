"""Paper and ink: the light on a line is evened out, borders of scanners are removed, and levels are stretched.

All gray levels are those of dark ink on light paper.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from ctckit.ocr.data.images import GrayImage

Levels = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

_POINTS = 2000  # pixels that the light is computed from
_BLOCK = 0.5  # heights; blocks in which the paper may differ from the light
_PAPER = 80.0  # percentile of the levels of a block: ink covers less than the rest
_DARKEST_PAPER = 16.0  # levels
_NOISES = 4.0  # standard deviations of the noise that ink differs from paper
_FAINT = 0.35  # and at least this share of full ink
_FULL = 85.0  # percentile of the darkness of ink
_LEAST_INK = 16.0  # levels of full ink; less is paper
_FEWEST, _LEAST_SHARE = 6, 2e-4  # pixels of ink, and their share of the image; fewer are noise
_BLACK = 0.25  # a border is nearly as dark as ink, not as a shadow: of the difference between paper and ink
_BETWEEN = 0.02  # share of the dark columns along a border that may reach the opposite edge
_LOWER = 0.85  # of the height of the image, at least, is the height of a border at a side
_BEYOND = 0.08  # heights of the image that it reaches beyond the line
_STEM = 0.25  # heights of the image; stems are thinner


def ink_in(levels: Levels) -> Mask | None:
    """Return where there is ink; None if there is none.

    Args:
        levels: (height, width) float32.

    Returns:
        (height, width) bool.
    """
    darkness, full, least = _darkness(without_border(levels))
    return darkness > least if full else None


def stretched(levels: Levels) -> GrayImage:
    """Return gray levels in even light, paper white and full ink black; as they are if there is no ink.

    Args:
        levels: (height, width) float32, 0..255.
    """
    darkness, full, _ = _darkness(levels)
    result = 255.0 - darkness * (255.0 / full) if full else levels
    return result.clip(0.0, 255.0).round().astype(np.uint8)


def _darkness(levels: Levels) -> tuple[Levels, float, float]:
    """Return how much darker than the paper each pixel is, full ink is (0 if there is none), and ink is at least."""
    lit = _lit(levels)
    darkness = float(np.median(lit)) - lit
    least = _NOISES * _noise(lit)
    inked = darkness[darkness > max(least, _LEAST_INK / 2)]
    full = float(np.percentile(inked, _FULL)) if inked.size else 0.0
    least = max(least, _FAINT * full)
    enough = np.count_nonzero(darkness > least) >= max(_FEWEST, _LEAST_SHARE * levels.size)
    return darkness, full if enough and full >= _LEAST_INK else 0.0, least


def _lit(levels: Levels) -> Levels:
    """Return the levels as they are in even light: divided by the level of the paper at each pixel."""
    ground = _local_paper(levels - (surface := _surface(levels))) + surface
    return np.asarray(levels * (float(np.median(ground)) / np.maximum(ground, _DARKEST_PAPER)), dtype=np.float32)


def _surface(levels: Levels) -> Levels:
    """Return the level of the paper as a polynomial of the second degree in the row and the column."""
    height, width = levels.shape
    y, x = np.linspace(-1.0, 1.0, height, dtype=np.float32), np.linspace(-1.0, 1.0, width, dtype=np.float32)
    thin = max(1, levels.size // _POINTS)
    chosen = np.arange(0, levels.size, thin)
    rows, columns, values = y[chosen // width], x[chosen % width], levels.ravel()[::thin]
    points = np.stack([np.ones_like(rows), columns, rows, rows * columns, columns**2, rows**2]).astype(np.float64)
    paper = values >= np.median(values)
    for _ in range(3):  # each time without what is darker than the surface: ink
        of_paper = points[:, paper]
        moments, sums = np.einsum("ip,jp->ij", of_paper, of_paper), np.einsum("ip,p->i", of_paper, values[paper])
        weights = np.linalg.solve(moments + 1e-3 * np.eye(6), sums)
        error = values - np.einsum("i,ip->p", weights, points)  # einsum has the same bits with any number of threads
        paper = error > -2.0 * max(1.0, float(np.median(np.abs(error[paper]))))
    base, along, down, both, along_2, down_2 = weights.astype(np.float32)
    of_rows, of_columns = base + down * y + down_2 * y**2, along * x + along_2 * x**2
    return np.asarray(of_rows[:, None] + of_columns[None, :] + both * np.outer(y, x), dtype=np.float32)


def _local_paper(levels: Levels) -> Levels:
    """Return a high percentile of each block of the levels, smoothed."""
    height, width = levels.shape
    size = max(4, round(_BLOCK * min(height, width)))
    rows, columns = max(1, round(height / size)), max(1, round(width / size))
    of_rows, of_columns = (
        np.linspace(0, n, k, endpoint=False).astype(np.int64)[:, None] + np.arange(-(-n // k))
        for n, k in ((height, rows), (width, columns))
    )
    parts = levels[of_rows.clip(max=height - 1)[:, None, :, None], of_columns.clip(max=width - 1)[None, :, None, :]]
    parts = parts.reshape(rows, columns, -1)
    place = int(_PAPER / 100.0 * (parts.shape[2] - 1))
    blocks = np.ascontiguousarray(np.partition(parts, place, axis=2)[:, :, place])
    return np.asarray(Image.fromarray(blocks).resize((width, height), Image.Resampling.BICUBIC))


def _noise(levels: Levels) -> float:
    """Return the standard deviation of the noise of the paper: most neighbors are paper."""
    if levels.shape[1] < 2:
        return 0.0
    return float(np.median(np.abs(np.diff(levels, axis=1)))) / (0.6745 * math.sqrt(2.0))


def without_border(levels: Levels) -> Levels:
    """Return gray levels (height, width) float32 with paper instead of the border of a scanner."""
    border = border_in(levels)
    return np.where(border, np.float32(np.percentile(levels, _PAPER)), levels) if border.any() else levels


def border_in(levels: Levels) -> Mask:
    """Return where the border of a scanner is, with the pixels next to it.

    The corners beside a turned line are borders too, if they are as dark as ink.

    Args:
        levels: (height, width) float32.

    Returns:
        (height, width) bool.
    """
    paper, black = (float(each) for each in np.percentile(levels, (_PAPER, 2.0)))
    border = _dark_runs(levels < black + _BLACK * (paper - black))
    if not border.any():
        return border
    return np.asarray(Image.fromarray(border.astype(np.uint8)).filter(ImageFilter.MaxFilter(3)), dtype=bool)


def _dark_runs(dark: Mask) -> Mask:
    """Return which of the dark pixels are the border of a scanner, or the corners beside a turned line."""
    columns = np.flatnonzero(~dark.all(axis=0))
    if not len(columns):
        return np.zeros_like(dark)
    inner = dark[:, columns[0] : columns[-1] + 1]
    border = np.zeros_like(dark)
    border[:, columns[0] : columns[-1] + 1] = _runs_from_above(inner) | _runs_from_above(inner[::-1])[::-1]
    return border | _runs_from_left(dark, border) | _runs_from_left(dark[:, ::-1], border[:, ::-1])[:, ::-1]


def _runs_from_above(dark: Mask) -> Mask:
    """Return the dark runs from the upper edge, where they are side by side for longer than letters are.

    Where some of them reach the lower edge, they are the ground between light letters.
    """
    height, width = dark.shape
    runs: Mask = np.logical_and.accumulate(dark, axis=0)
    edges = np.flatnonzero(np.diff(np.r_[False, runs[0], False].astype(np.int8)))
    wide = np.zeros(width, dtype=bool)
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        wide[start:end] = end - start > max(height, width / 4) and runs[-1, start:end].mean() < _BETWEEN
    return runs & wide


def _runs_from_left(dark: Mask, border: Mask) -> Mask:
    """Return the dark runs from the left edge, unless they may be the stem of the first letter.

    They are no stem if there is a border above or below, or they reach beyond the line both above and below it, or they
    are wider than a stem.
    """
    height = len(dark)
    runs: Mask = np.logical_and.accumulate(dark, axis=1)
    rows = np.flatnonzero((dark & ~runs & ~border).any(axis=1))
    if runs[:, 0].mean() < _LOWER or not len(rows):
        return np.zeros_like(dark)
    beyond = min(rows[0], height - 1 - rows[-1]) > _BEYOND * height
    is_border = beyond or bool(border.any()) or float(np.median(runs.sum(axis=1))) > _STEM * height
    return runs if is_border else np.zeros_like(dark)
