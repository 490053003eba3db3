"""Situations: one line of text as scanners, cameras and hands give it."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image

from benchmarks.ocr.printed import Ink, on_paper

Situation = Callable[[Ink, np.random.Generator], Image.Image]


def _picture(levels: np.ndarray) -> Image.Image:
    return Image.fromarray(levels.clip(0, 255).round().astype(np.uint8))


def _with_margins(ink: np.ndarray, above: int, below: int, left: int, right: int) -> np.ndarray:
    return np.pad(ink, ((above, below), (left, right)))


def margins(least: int, most: int, *, dark: float = 20, light: float = 240) -> Situation:
    """Margins of so many pixels on all sides."""

    def make(ink: Ink, rng: np.random.Generator) -> Image.Image:
        sides = rng.integers(least, most + 1, size=4)
        return _picture(on_paper(_with_margins(ink.levels, *map(int, sides)), dark=dark, light=light))

    return make


def sides(above: int, below: int, left: int, right: int) -> Situation:
    """These margins."""
    return lambda ink, rng: _picture(on_paper(_with_margins(ink.levels, above, below, left, right), dark=20, light=240))


def tight(ink: Ink, rng: np.random.Generator) -> Image.Image:
    """The box of the ink."""
    rows, columns = np.flatnonzero(ink.levels.max(axis=1) > 40), np.flatnonzero(ink.levels.max(axis=0) > 40)
    part = ink.levels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return _picture(on_paper(part, dark=20, light=240))


def turned(angle: float, ground: int = 240) -> Situation:
    """Turned by degrees."""

    def make(ink: Ink, rng: np.random.Generator) -> Image.Image:
        picture = margins(6, 6)(ink, rng)
        return picture.rotate(angle, Image.Resampling.BICUBIC, expand=True, fillcolor=ground)

    return make


def inverted(ink: Ink, rng: np.random.Generator) -> Image.Image:
    """Light ink on dark ground."""
    return Image.eval(margins(4, 8)(ink, rng), lambda level: 255 - level)


def noisy(deviation: float, *, dark: float = 20, light: float = 240) -> Situation:
    """With the noise of a camera."""

    def make(ink: Ink, rng: np.random.Generator) -> Image.Image:
        levels = np.asarray(margins(4, 8, dark=dark, light=light)(ink, rng), dtype=np.float64)
        return _picture(levels + rng.normal(0.0, deviation, levels.shape))

    return make


def unevenly_lit(ink: Ink, rng: np.random.Generator) -> Image.Image:
    """In a shadow that falls from one corner to the other."""
    levels = np.asarray(margins(4, 8)(ink, rng), dtype=np.float64)
    across, down = np.linspace(1.0, 0.45, levels.shape[1]), np.linspace(1.0, 0.85, levels.shape[0])
    return _picture(levels * across * down[:, None])


def compressed(ink: Ink, rng: np.random.Generator) -> Image.Image:
    """As a JPEG of low quality."""
    content = io.BytesIO()
    margins(4, 8)(ink, rng).save(content, "JPEG", quality=15)
    return Image.open(io.BytesIO(content.getvalue())).convert("L")


def enlarged(ink: Ink, rng: np.random.Generator) -> Image.Image:
    """Scanned with three times the resolution."""
    picture = margins(4, 30)(ink, rng)
    return picture.resize((3 * picture.width, 3 * picture.height), Image.Resampling.BICUBIC)


def bordered(ink: Ink, rng: np.random.Generator) -> Image.Image:
    """With the dark border of a scanner at two edges."""
    levels = np.asarray(margins(10, 14)(ink, rng)).copy()
    levels[: int(rng.integers(3, 8))] = 15
    levels[:, : int(rng.integers(3, 12))] = 15
    return _picture(levels)


def specked(ink: Ink, rng: np.random.Generator) -> Image.Image:
    """With specks of dirt in wide margins."""
    levels = np.asarray(margins(20, 24)(ink, rng)).copy()
    for _ in range(4):
        y, x = int(rng.integers(0, levels.shape[0] - 2)), int(rng.integers(0, levels.shape[1] - 2))
        if min(y, levels.shape[0] - y) < 16:
            levels[y : y + 2, x : x + 2] = 30
    return _picture(levels)


SITUATIONS: dict[str, Situation] = {
    "margins of 4 to 8 pixels, as in training": margins(4, 8),
    "no margins": margins(0, 0),
    "margins of 14 pixels": margins(14, 14),
    "margins of 30 pixels": margins(30, 30),
    "the box of the ink": tight,
    "24 pixels below": sides(2, 24, 6, 6),
    "24 pixels above": sides(24, 0, 6, 6),
    "no margin on the left": sides(6, 6, 0, 60),
    "600 pixels of paper after the line": sides(6, 6, 6, 600),
    "ink 100 on paper 140": margins(4, 8, dark=100, light=140),
    "ink 190 on paper 240": margins(4, 8, dark=190, light=240),
    "ink 20 on paper 90": margins(4, 8, dark=20, light=90),
    "light on dark": inverted,
    "turned by 2°": turned(2),
    "turned by −2°": turned(-2),
    "turned by 4°": turned(4),
    "turned by −4°": turned(-4),
    "turned by 2°, black corners": turned(2, 0),
    "noise of 20 levels": noisy(20),
    "ink 100 on paper 140, noise of 6 levels": noisy(6, dark=100, light=140),
    "a shadow": unevenly_lit,
    "JPEG of quality 15": compressed,
    "three times the resolution": enlarged,
    "a dark border": bordered,
    "specks in the margins": specked,
}
