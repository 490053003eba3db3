"""A reliability diagram: confidences, and how often they are right."""

from __future__ import annotations

from html import escape

from ctckit._page.page import percent
from ctckit._page.svg import open_svg
from ctckit.ocr.judging.calibration import Calibration, CalibrationBin

_WIDTH, _HEIGHT = 400, 290
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 388, 30, 230  # the sides of the diagram
_BELOW = 34  # the height of the bars that show the number of readings


def draw_reliability(calibration: Calibration, *, title: str) -> str:
    """Return a drawing: over the confidence, the share that is right; below it, the number of readings.

    Args:
        calibration: The bins.
        title: The title.
    """
    most = max(each.count for each in calibration.bins)
    return "".join(
        (
            open_svg(_WIDTH, _HEIGHT, "chart", title),
            f'<text class="title" x="{_LEFT}" y="16">{escape(title)}</text>',
            *map(_rulers, (0.0, 0.25, 0.5, 0.75, 1.0)),
            *(_bars(each, most) for each in calibration.bins if each.count),
            f'<line class="guide" x1="{_LEFT}" y1="{_BOTTOM}" x2="{_RIGHT}" y2="{_TOP}"/></svg>',
        )
    )


def _x(share: float) -> float:
    return _LEFT + share * (_RIGHT - _LEFT)


def _y(share: float) -> float:
    return _BOTTOM - share * (_BOTTOM - _TOP)


def _rulers(share: float) -> str:
    y, anchor, label = _y(share), "end" if share == 1.0 else "middle", f"{100 * share:g} %"
    return (
        f'<line class="rule" x1="{_LEFT}" x2="{_RIGHT}" y1="{y:g}" y2="{y:g}"/>'
        f'<text class="muted" x="{_LEFT - 6}" y="{y + 3.5:g}" text-anchor="end">{label}</text>'
        f'<text class="muted" x="{_x(share):g}" y="{_HEIGHT - 8}" text-anchor="{anchor}">{label}</text>'
    )


def _bars(each: CalibrationBin, most: int) -> str:
    left, right, said = _x(each.low) + 1, _x(each.high) - 1, _y(each.confidence)
    place = f'x="{left:g}" width="{right - left:g}"'
    told = (
        f"confidence {percent(each.low, 0)} to {percent(each.high, 0)}: {each.count:,} readings, {percent(each.right)} "
        f"right, mean confidence {percent(each.confidence)}"
    )
    return (
        f"<g><title>{escape(told)}</title>"
        f'<rect class="share" {place} y="{_y(each.right):g}" height="{_BOTTOM - _y(each.right):g}"/>'
        f'<rect class="count" {place} y="{_BOTTOM + 2}" height="{max(1.0, _BELOW * each.count / most):g}"/>'
        f'<line class="said" x1="{left:g}" x2="{right:g}" y1="{said:g}" y2="{said:g}"/></g>'
    )
