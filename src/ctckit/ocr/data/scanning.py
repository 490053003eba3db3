"""Training lines vary as scans of one line do: another frame, slope, light, noise and compression.

A line is found in its image (:mod:`ctckit.ocr.data.finding`), but not exactly. So a network is trained on frames that
are a little larger or smaller, moved, turned or unevenly lit, and on what is left of faint ink and of compression when
the levels have been stretched.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from ctckit.ocr.data.images import GrayImage


@dataclass(frozen=True)
class ScanStyle:
    """The ranges of a scan. Values are drawn uniformly; lengths are shares of the height.

    Attributes:
        share: The share of the lines that vary; the others stay as they are.
        zoom: How large the letters become; columns and rows alike.
        shift: The most that the line moves up or down.
        slope: The most that the line falls or rises, in radians; and ``rise``:
        rise: The most that it falls or rises from its first to its last column.
        sides: The columns at each side that are added, or taken away below 0.
        shade: The most levels that one end or edge is darker than the other.
        noise: The most standard deviation of the noise, in levels.
        compressed: The share of the varied lines that go through JPEG.
        quality: The quality of the JPEG.
    """

    share: float = 0.5
    zoom: tuple[float, float] = (0.88, 1.12)
    shift: float = 0.06
    slope: float = 0.04
    rise: float = 0.2
    sides: tuple[float, float] = (-0.2, 0.6)
    shade: float = 50.0
    noise: float = 30.0
    compressed: float = 0.2
    quality: tuple[int, int] = (15, 60)


SCANS = ScanStyle()


def vary_scan(image: GrayImage, rng: np.random.Generator, *, style: ScanStyle = SCANS) -> GrayImage:
    """Return a line as another scan of it would be.

    Args:
        image: (height, width) uint8, dark ink on light paper.
        rng: Random numbers; the same ones give the same scan.
        style: The ranges.

    Returns:
        (height, another width) uint8.

    Example:
        >>> import numpy as np
        >>> from ctckit.ocr.data.scanning import vary_scan
        >>> line = np.full((32, 200), 255, np.uint8)
        >>> vary_scan(line, np.random.default_rng(0)).shape[0]
        32
    """
    if rng.random() >= style.share:
        return image
    levels = _reframed(image, rng, style).astype(np.float32)
    levels -= _shade(levels.shape, rng, style)
    levels += np.float32(style.noise * rng.random() ** 2) * rng.standard_normal(levels.shape, dtype=np.float32)
    result: GrayImage = levels.clip(0.0, 255.0).round().astype(np.uint8)
    return _compressed(result, rng, style) if rng.random() < style.compressed else result


def _reframed(image: GrayImage, rng: np.random.Generator, style: ScanStyle) -> GrayImage:
    height, width = image.shape
    zoom, shift = rng.uniform(*style.zoom), rng.uniform(-style.shift, style.shift) * height
    steepest = min(style.slope, style.rise * height / width)
    slope = math.tan(rng.uniform(-steepest, steepest))
    before, after = rng.uniform(*style.sides, size=2) * height
    if before + after < -0.5 * width:
        before = after = 0.0
    new_width = max(1, round(width * zoom + before + after))
    # Pillow maps pixels of the result to pixels of the image: x' = a x + b y + c, y' = d x + e y + f.
    a = 1.0 / zoom
    middle = height / 2 * (1.0 - a) + shift - slope * width / 2
    affine = (a, 0.0, -before * a, slope * a, a, middle - slope * before * a)
    paper = int(np.percentile(image[::2, ::2], 80.0))
    picture = Image.fromarray(image).transform(
        (new_width, height), Image.Transform.AFFINE, affine, Image.Resampling.BILINEAR, fillcolor=paper
    )
    return np.asarray(picture)


def _shade(shape: tuple[int, ...], rng: np.random.Generator, style: ScanStyle) -> npt.NDArray[np.float32]:
    """Return how much darker each pixel becomes: a slope of the light, in any direction."""
    down, along = (np.linspace(-0.5, 0.5, size, dtype=np.float32) for size in shape)
    angle, most = rng.uniform(0.0, 2.0 * math.pi), style.shade * rng.random() ** 2
    plane = np.float32(math.sin(angle)) * down[:, None] + np.float32(math.cos(angle)) * along[None, :]
    return np.asarray(np.float32(most) * (plane - plane.min()), dtype=np.float32)


def _compressed(image: GrayImage, rng: np.random.Generator, style: ScanStyle) -> GrayImage:
    content = io.BytesIO()
    Image.fromarray(image).save(content, "JPEG", quality=int(rng.integers(*style.quality)))
    return np.asarray(Image.open(content))
