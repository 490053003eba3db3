"""What a page is: an image, and lines with their outlines, baselines and texts.

Coordinates are those of the file, in its own unit: x to the right, y downwards. They become pixels by the ratio of the
image's size to the size that the file gives the page.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

Point = tuple[float, float]
Points = tuple[Point, ...]


@dataclass(frozen=True)
class PageLine:
    """One line of a page.

    Attributes:
        name: The ID of the line in the file, or its number.
        text: Its text; None if the file has none.
        outline: The polygon around it, at least 3 points: if the file has a box only, its corners. () if the file has
            a baseline only.
        baseline: The points on which its letters stand, in reading direction; () if the file has none.
        turned: Degrees by which the letters are turned clockwise, of a line without a baseline.
    """

    name: str
    text: str | None
    outline: Points
    baseline: Points = ()
    turned: float = 0.0

    def scaled(self, x: float, y: float) -> PageLine:
        """Return the line with other units: x and y of all points multiplied by these factors."""
        return replace(self, outline=_scaled(self.outline, x, y), baseline=_scaled(self.baseline, x, y))


@dataclass(frozen=True)
class Page:
    """One page of a file.

    Attributes:
        image: The name of its image, as the file gives it; "" if it gives none.
        width: The width of the page, in the unit of its coordinates; 0 if the file does not say it.
        height: The height of the page, likewise.
        lines: Its lines in reading order.
    """

    image: str
    width: float
    height: float
    lines: tuple[PageLine, ...]


def _scaled(points: Points, x: float, y: float) -> Points:
    return tuple((x * px, y * py) for px, py in points)


@dataclass(frozen=True)
class Glyph:
    """A character that was read on a page.

    Attributes:
        text: The character.
        outline: The polygon around it, in the unit of the file.
        confidence: Its probability, 0..1.
    """

    text: str
    outline: Points
    confidence: float


@dataclass(frozen=True)
class Word:
    """A word that was read on a page.

    Attributes:
        text: The word, in logical order.
        glyphs: Its characters from left to right, at least one.
    """

    text: str
    glyphs: tuple[Glyph, ...]

    @property
    def confidence(self) -> float:
        """The geometric mean of the probabilities of its characters, 0..1."""
        return math.prod(glyph.confidence for glyph in self.glyphs) ** (1.0 / len(self.glyphs))

    @property
    def outline(self) -> Points:
        """The polygon around it: the upper edges of its characters, then the lower ones."""
        upper = [point for glyph in self.glyphs for point in glyph.outline[: len(glyph.outline) // 2]]
        lower = [point for glyph in reversed(self.glyphs) for point in glyph.outline[len(glyph.outline) // 2 :]]
        return tuple(upper + lower)
