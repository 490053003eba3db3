"""Distortions of line images, so that a network reads more hands, pens and papers than it was trained on.

An image is (height, width) uint8, 0 black and 255 white, with dark ink on light paper. There are two kinds:

- A *bend* moves places. It maps places of the result to places of the image; all bends of a line are one resampling.
- A *shade* changes gray levels and keeps the shape.

``BENDS`` and ``SHADES`` have them by name, with the share of the lines that each one distorts. All lengths are shares
of the height, so that they do not depend on the resolution.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from ctckit.ocr.data.images import GrayImage

Places = npt.NDArray[np.float32]  # (rows, columns, 2): x and y in pixels, of the corners of a mesh
Levels = npt.NDArray[np.float32]  # (height, width): gray levels, 0..255
Bend = Callable[[Places, int, np.random.Generator], Places]
Shade = Callable[[Levels, float, np.random.Generator], Levels]

_CELL = 0.5  # height of a cell of the mesh


def shear(places: Places, height: int, rng: np.random.Generator) -> Places:
    """Slant the line by up to 0.3 pixels a row, about 17°, to either side."""
    x, y = places[..., 0], places[..., 1]
    return np.stack((x + np.float32(rng.uniform(-0.3, 0.3)) * (y - height / 2), y), axis=2)


def turn(places: Places, height: int, rng: np.random.Generator) -> Places:
    """Let the line rise or fall by up to 0.02 pixels a column, about 1°, and at most by an eighth of the height."""
    x, y = places[..., 0], places[..., 1]
    middle = (x.min() + x.max()) / 2
    steepest = min(0.02, height / 8 / max(1.0, float(middle)))
    return np.stack((x, y + np.float32(rng.uniform(-steepest, steepest)) * (x - middle)), axis=2)


def zoom(places: Places, height: int, rng: np.random.Generator) -> Places:
    """Make the letters up to 12 % higher or lower, and move them up or down by up to 6 % of the height."""
    x, y = places[..., 0], places[..., 1]
    factor, shift = rng.uniform(0.88, 1.12), rng.uniform(-0.06, 0.06)
    return np.stack((x, np.float32(factor) * (y - height / 2) + np.float32((0.5 + shift) * height)), axis=2)


def elastic(places: Places, height: int, rng: np.random.Generator) -> Places:
    """Move the corners of the mesh at random, by 3 % of the height (standard deviation)."""
    moves: Places = np.float32(0.03 * height) * rng.standard_normal(places.shape, dtype=np.float32)
    return places + moves


def thickness(levels: Levels, paper: float, rng: np.random.Generator) -> Levels:
    """Make strokes thicker or thinner, by up to one pixel on each side: a gray dilation or erosion, in part."""
    thicker, share = rng.random() < 0.5, np.float32(rng.uniform(0.2, 1.0))
    choose = np.minimum if thicker else np.maximum
    result = levels.copy()
    result[1:] = choose(levels[1:], levels[:-1])
    result[:, 1:] = choose(result[:, 1:], result[:, :-1])
    difference: Levels = result - levels
    return levels + share * difference


def blur(levels: Levels, paper: float, rng: np.random.Generator) -> Levels:
    """Blur by a Gaussian of 0.3 to 1.2 pixels."""
    picture = Image.fromarray(levels.astype(np.uint8)).filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.2)))
    return np.asarray(picture, dtype=np.float32)


def background(levels: Levels, paper: float, rng: np.random.Generator) -> Levels:
    """Give the paper a shadow and stains: up to 25 levels darker or lighter, changing slowly."""
    shadow: Levels = np.float32(rng.uniform(5.0, 25.0)) * _slow_noise(levels.shape, 1.0, rng)
    return levels + shadow


def show_through(levels: Levels, paper: float, rng: np.random.Generator) -> Levels:
    """Add the line itself, mirrored, as if it were on the back of the page, with 10 % to 40 % of its ink."""
    back = np.roll(levels[:, ::-1], rng.integers(levels.shape[0]), axis=0)
    ink: Levels = np.minimum(back - np.float32(paper), 0.0)
    return levels + np.float32(rng.uniform(0.1, 0.4)) * ink


def contrast(levels: Levels, paper: float, rng: np.random.Generator) -> Levels:
    """Keep 40 % to 100 % of the contrast, at any brightness that has room for it."""
    kept, light = rng.uniform(0.4, 1.0), rng.uniform(0.0, 1.0)
    return np.float32(kept) * levels + np.float32(255.0 * light * (1.0 - kept))


def fading(levels: Levels, paper: float, rng: np.random.Generator) -> Levels:
    """Take ink away in some places: up to 80 % of it, changing slowly."""
    kept: Levels = np.clip(1.0 + _slow_noise(levels.shape, 0.5, rng), 1.0 - np.float32(rng.uniform(0.3, 0.8)), 1.0)
    result: Levels = np.float32(paper) + kept * (levels - np.float32(paper))
    return result


def gaps(levels: Levels, paper: float, rng: np.random.Generator) -> Levels:
    """Cover one to four places with paper, each 10 % to 50 % of the height wide and high."""
    height, width = levels.shape
    result = levels.copy()
    for _ in range(rng.integers(1, 5)):
        rows, columns = (rng.uniform(0.1, 0.5, size=2) * height).astype(int) + 1
        top, left = rng.integers(height), rng.integers(width)
        result[top : top + rows, left : left + columns] = paper
    return result


def noise(levels: Levels, paper: float, rng: np.random.Generator) -> Levels:
    """Add noise to each pixel, with a standard deviation of up to 10 levels."""
    size = levels.size
    draws = np.frombuffer(rng.bytes(2 * size), dtype=np.uint8).astype(np.float32)
    triangular = (draws[:size] - draws[size:]).reshape(levels.shape)  # standard deviation: 256 / √6
    return levels + np.float32(rng.uniform(0.0, 10.0) * 6.0**0.5 / 256.0) * triangular


#: The bends by name: the share of the lines, and the function. ``stretch`` is the first, because it sets the width.
BENDS: dict[str, tuple[float, Bend]] = {
    "shear": (0.6, shear),
    "turn": (0.4, turn),
    "zoom": (0.6, zoom),
    "elastic": (0.6, elastic),
}

#: The shades by name: the share of the lines, and the function. They are applied in this order.
SHADES: dict[str, tuple[float, Shade]] = {
    "show-through": (0.1, show_through),
    "thickness": (0.3, thickness),
    "fading": (0.2, fading),
    "gaps": (0.2, gaps),
    "blur": (0.25, blur),
    "background": (0.25, background),
    "contrast": (0.5, contrast),
    "noise": (0.5, noise),
}

STRETCH = (0.6, 0.85, 1.18)  # the share of the lines, and how wide they become
NAMES: frozenset[str] = frozenset({"stretch", *BENDS, *SHADES})


def distort_image(image: GrayImage, rng: np.random.Generator, *, names: Collection[str] = NAMES) -> GrayImage:
    """Return a distorted line.

    Args:
        image: (height, width) uint8, with dark ink.
        rng: Random numbers.
        names: The distortions that are used, each on some of the lines.

    Returns:
        (height, width × 0.85..1.18) uint8.

    Example:
        >>> import numpy as np
        >>> from ctckit.ocr.data.distortions import distort_image
        >>> image = np.full((32, 100), 255, np.uint8)
        >>> distort_image(image, np.random.default_rng(0)).shape[0]
        32
    """
    paper = float(np.percentile(image[::2, ::2], 80))
    levels = _bent(image, paper, rng, names).astype(np.float32)
    for name, (share, shade) in SHADES.items():
        if name in names and rng.random() < share:
            levels = shade(levels, paper, rng)
    return levels.clip(0.0, 255.0).round().astype(np.uint8)


def _bent(image: GrayImage, paper: float, rng: np.random.Generator, names: Collection[str]) -> GrayImage:
    height, width = image.shape
    share, least, most = STRETCH
    stretched = "stretch" in names and rng.random() < share
    new_width = max(1, round(width * rng.uniform(least, most))) if stretched else width
    bends = [bend for name, (share, bend) in BENDS.items() if name in names and rng.random() < share]
    if not bends and not stretched:
        return image
    xs, ys = _edges(new_width, height), _edges(height, height)
    places = np.stack(np.meshgrid(xs, ys), axis=2).astype(np.float32)
    places[..., 0] *= np.float32(width / new_width)
    for bend in bends:
        places = bend(places, height, rng)
    # Pillow takes the corners of each cell in the image: upper left, lower left, lower right, upper right
    corners = np.concatenate((places[:-1, :-1], places[1:, :-1], places[1:, 1:], places[:-1, 1:]), axis=2).tolist()
    mesh = [
        ((xs[column], ys[row], xs[column + 1], ys[row + 1]), tuple(corners[row][column]))
        for row in range(len(ys) - 1)
        for column in range(len(xs) - 1)
    ]
    picture = Image.fromarray(image).transform(
        (new_width, height), Image.Transform.MESH, mesh, Image.Resampling.BILINEAR, fillcolor=round(paper)
    )
    return np.asarray(picture)


def _edges(length: int, height: int) -> list[int]:
    """Return where the cells of the mesh begin and end along an axis, in pixels."""
    cells = max(1, round(length / max(4.0, _CELL * height)))
    return [round(length * cell / cells) for cell in range(cells + 1)]


def _slow_noise(shape: tuple[int, int], cell: float, rng: np.random.Generator) -> Levels:
    """Return noise (height, width) that changes over ``cell`` heights; about 99 % of it in −1..1."""
    height, width = shape
    rows, columns = (max(2, round(size / (cell * height)) + 1) for size in shape)
    coarse = Image.fromarray(rng.standard_normal((rows, columns), dtype=np.float32) / np.float32(2.5))
    return np.asarray(coarse.resize((width, height), Image.Resampling.BILINEAR))
