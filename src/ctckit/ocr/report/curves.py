"""A curve over the steps of training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from ctckit._page.svg import open_svg


def draw_curve(
    steps: Sequence[int], values: Sequence[float], *, title: str, percent: bool = False, logarithmic: bool = False
) -> str:
    """Return a drawing of a curve over the steps of training.

    Args:
        steps: The steps, ascending; at least one.
        values: The value at each step.
        title: The title.
        percent: Label the vertical axis in percent.
        logarithmic: Use a logarithmic vertical axis; values of zero or less are drawn at its lower end.
    """
    width, height, left, top = 400, 210, 46, 30
    right, bottom = width - 12, height - 26
    low, high = _decimal_range(values) if logarithmic else (0.0, max([*values, 1e-9]))

    def y_of(value: float) -> float:
        share = math.log(max(value, low) / low) / math.log(high / low) if logarithmic else value / high
        return bottom - share * (bottom - top)

    def x_of(step: float) -> float:
        return left + (right - left) * step / max(1, steps[-1])

    parts = [open_svg(width, height, "chart", title), f'<text class="title" x="{left}" y="16">{escape(title)}</text>']
    for tick in _ticks(low, high, logarithmic=logarithmic):
        y, label = y_of(tick), (f"{100 * tick:g} %" if percent else f"{tick:g}")
        parts.append(f'<line class="rule" x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="muted" x="{left - 6}" y="{y + 3.5:.1f}" text-anchor="end">{label}</text>')
    for share in (0.0, 0.5, 1.0):
        step = round(steps[-1] * share)
        anchor = "end" if share == 1.0 else "middle"
        parts.append(f'<text class="muted" x="{x_of(step):.1f}" y="{height - 8}" text-anchor="{anchor}">{step}</text>')
    points = " ".join(f"{x_of(step):.1f},{y_of(value):.1f}" for step, value in zip(steps, values, strict=True))
    return "".join([*parts, f'<polyline class="curve" points="{points}"/></svg>'])


def _decimal_range(values: Sequence[float]) -> tuple[float, float]:
    """Return the nearest two of 1, 2, 5 × 10ⁿ around the positive values."""
    positive = [value for value in values if value > 0] or [1e-3]
    steps = _decimal_steps(min(positive) / 10.0, 10.0 * max(positive))
    low = max(step for step in steps if step <= min(positive))
    return low, min(step for step in steps if step >= max(positive) and step > low)


def _decimal_steps(low: float, high: float) -> list[float]:
    """Return 1, 2, 5 × 10ⁿ in a range."""
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = [float(f"{m}e{exponent}") for exponent in exponents for m in (1, 2, 5)]
    return [step for step in steps if low <= step <= high]


def _ticks(low: float, high: float, *, logarithmic: bool) -> list[float]:
    if not logarithmic:
        step = float(f"{high / 4:.0e}")
        return [float(f"{index * step:.3g}") for index in range(int(high / step + 1e-9) + 1)]
    inside = _decimal_steps(low, high)
    return inside if len(inside) <= 6 else [tick for tick in inside if f"{tick:e}".startswith("1.")]
