"""What a page is: an image, and lines with their outlines, baselines and texts.

Coordinates are those of the file, in its own unit: x to the right, y downwards. They become pixels by the ratio of the
image's size to the size that the file gives the page.
"""

from __future__ import annotations

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

    def in_pixels(self, width: int, height: int) -> Page:
        """Return the page with its coordinates in pixels of an image of this size."""
        if not self.width or not self.height or (self.width, self.height) == (width, height):
            return replace(self, width=width, height=height)
        x, y = width / self.width, height / self.height
        return replace(self, width=width, height=height, lines=tuple(line.scaled(x, y) for line in self.lines))


def _scaled(points: Points, x: float, y: float) -> Points:
    return tuple((x * px, y * py) for px, py in points)
