"""The figures of the report as inline SVG. Their colors are the page's CSS variables, for light and dark screens."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from html import escape

import numpy as np
import numpy.typing as npt
from PIL import Image

from ctckit.lattices import Lattice
from ctckit.ocr.data.lines import GrayImage
from ctckit.ocr.recognizer import CharacterSpan

_SCALE = 4  # page pixels for each pixel of a line
_ROW = 12  # height of a state's row in the trellis
_MARGIN = 26  # space for the names of the states at the left
_VISIBLE = 0.004  # occupancies below this are not drawn


def image_uri(image: GrayImage) -> str:
    """Return an image as a ``data:`` URI of a PNG."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def draw_reading(
    image: GrayImage, spans: Sequence[CharacterSpan], item: Lattice, names: Sequence[str], *, frame_pixels: int
) -> str:
    """Return a drawing of a line with the spans of its characters, and below it the trellis, aligned by frame.

    Args:
        image: The line (height, width) uint8.
        spans: The place of each character.
        item: The lattice of the text that was read.
        names: (C,) the names of the classes.
        frame_pixels: Pixel columns for each frame.
    """
    height, width = image.shape[0] * _SCALE, image.shape[1] * _SCALE
    top = 20 + height + 10
    states = item.topology.num_states
    total = top + states * _ROW + 22
    cell = frame_pixels * _SCALE
    parts = [_open(_MARGIN + width + 8, total, "reading", "a text line, its character spans and its trellis")]
    parts.append(f'<g transform="translate({_MARGIN} 20)">')
    parts.append(f'<image href="{image_uri(image)}" width="{width}" height="{height}" preserveAspectRatio="none"/>')
    parts.append(f'</g><g transform="translate({_MARGIN} {top})">')
    parts += _trellis(item, names, cell)
    parts.append(_frame_ruler(len(item.alpha), cell, states * _ROW))
    parts.append(f'</g><g transform="translate({_MARGIN} 20)">')
    parts += [_span_band(span, cell, height, top - 20 + states * _ROW) for span in spans]
    parts.append("</g></svg>")
    return "".join(parts)


def _span_band(span: CharacterSpan, cell: int, image_height: int, bottom: int) -> str:
    left, width = span.start * cell, (span.end - span.start) * cell
    middle = left + width / 2
    title = escape(f"{span.character}: frames {span.start}–{span.end - 1}, p = {math.exp(span.log_prob):.3f}")
    return (
        f'<g><title>{title}</title><rect class="span" x="{left}" y="0" width="{width}" height="{image_height}"/>'
        f'<line class="guide" x1="{middle:g}" x2="{middle:g}" y1="{image_height}" y2="{bottom}"/>'
        f'<text class="read" x="{middle:g}" y="-5" text-anchor="middle">{escape(span.character)}</text></g>'
    )


def _trellis(item: Lattice, names: Sequence[str], cell: int) -> list[str]:
    frames, states = item.occupancy.shape
    blank = int(item.topology.labels[0])
    parts = [f'<rect class="field" width="{frames * cell}" height="{states * _ROW}" rx="3"/>']
    for state, label in enumerate(item.topology.labels.tolist()):
        name, kind = ("–", "muted") if label == blank else (names[label], "name")
        y = state * _ROW + _ROW / 2 + 4
        parts.append(f'<text class="{kind}" x="-8" y="{y:g}" text-anchor="end">{escape(name)}</text>')
    for t, s in np.argwhere(item.occupancy > _VISIBLE):
        kind = "blank" if item.topology.labels[s] == blank else "token"
        parts.append(
            f'<rect class="{kind}" x="{t * cell}" y="{s * _ROW}" width="{cell}" height="{_ROW}" '
            f'fill-opacity="{item.occupancy[t, s]:.2f}"/>'
        )
    points = " ".join(f"{(t + 0.5) * cell:g},{(s + 0.5) * _ROW:g}" for t, s in enumerate(item.best_path().tolist()))
    return [*parts, f'<polyline class="path" points="{points}"/>']


def _frame_ruler(frames: int, cell: int, y: int) -> str:
    marks = "".join(
        f'<text class="muted" x="{(t + 0.5) * cell:g}" y="{y + 14}" text-anchor="middle">{t}</text>'
        for t in range(0, frames, 5)
    )
    return f"<g>{marks}</g>"


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
    positive = [value for value in values if value > 0]
    low = min(positive, default=1e-3) if logarithmic else 0.0
    high = max([*values, low * 1.01, 1e-9])

    def y_of(value: float) -> float:
        share = math.log(max(value, low) / low) / math.log(high / low) if logarithmic else value / high
        return bottom - share * (bottom - top)

    def x_of(step: float) -> float:
        return left + (right - left) * step / steps[-1]

    parts = [_open(width, height, "chart", title), f'<text class="title" x="{left}" y="16">{escape(title)}</text>']
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


def _ticks(low: float, high: float, *, logarithmic: bool) -> list[float]:
    if not logarithmic:
        step = float(f"{high / 4:.0e}")
        return [float(f"{index * step:.3g}") for index in range(int(high / step + 1e-9) + 1)]
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    decades = [float(f"{m}e{exponent}") for exponent in exponents for m in (1, 2, 5)]
    inside = [tick for tick in decades if low <= tick <= high]
    return inside if len(inside) <= 6 else [tick for tick in inside if f"{tick:e}".startswith("1.")]


def draw_confusion(counts: npt.NDArray[np.int64], names: Sequence[str]) -> str:
    """Return a drawing of a confusion matrix: rows are the truth, columns the reading; the diagonal is pale.

    Args:
        counts: (K, K) counts; the last row counts insertions, the last column deletions.
        names: K names.
    """
    cell, left, top = 38, 66, 50
    size = len(names)
    parts = [_open(left + size * cell + 10, top + size * cell + 10, "confusion", "confusion of digits")]
    parts.append(f'<text class="muted" x="{left + size * cell / 2}" y="14" text-anchor="middle">read as</text>')
    worst = max(1, int((counts - np.diag(np.diag(counts))).max()))
    for index, name in enumerate(names):
        middle = (index + 0.5) * cell
        parts.append(f'<text class="name" x="{left + middle}" y="{top - 8}" text-anchor="middle">{escape(name)}</text>')
        parts.append(
            f'<text class="name" x="{left - 10}" y="{top + middle + 4}" text-anchor="end">{escape(name)}</text>'
        )
    for row, column in np.ndindex(size, size):
        if row == column == size - 1:
            continue
        parts.append(_confusion_cell(int(counts[row, column]), left + column * cell, top + row * cell, cell, worst))
        if row == column:
            parts[-1] = parts[-1].replace('class="wrong"', 'class="right"').replace("wrong-text", "right-text")
    return "".join([*parts, "</svg>"])


def _confusion_cell(count: int, x: float, y: float, cell: int, worst: int) -> str:
    opacity = 0.0 if not count else 0.18 + 0.82 * min(1.0, count / worst)
    text = f'<text class="wrong-text" x="{x + cell / 2}" y="{y + cell / 2 + 4}" text-anchor="middle">{count}</text>'
    return (
        f'<rect class="field" x="{x + 1}" y="{y + 1}" width="{cell - 2}" height="{cell - 2}" rx="3"/>'
        f'<rect class="wrong" x="{x + 1}" y="{y + 1}" width="{cell - 2}" height="{cell - 2}" rx="3" '
        f'fill-opacity="{opacity:.2f}"/>' + (text if count else "")
    )


def _open(width: float, height: float, kind: str, label: str) -> str:
    return (
        f'<svg class="{kind}" viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" role="img" '
        f'aria-label="{escape(label, quote=True)}">'
    )
