"""A line with the spans of its characters, above its trellis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

import numpy as np

from ctckit._page.svg import open_svg
from ctckit.lattices import Lattice
from ctckit.ocr.data.images import GrayImage
from ctckit.ocr.recognizer import CharacterSpan
from ctckit.ocr.report.images import image_uri

_HEIGHT = 128  # page pixels of a line
_ROW = 12  # height of a state's row in the trellis
_MARGIN = 26  # space for the names of the states at the left
_VISIBLE = 0.004  # occupancies below this are not drawn


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
    scale = max(1, round(_HEIGHT / image.shape[0]))  # page pixels for each pixel of the line
    height, width = image.shape[0] * scale, image.shape[1] * scale
    top = 20 + height + 10
    states = item.topology.num_states
    total = top + states * _ROW + 22
    cell = frame_pixels * scale
    parts = [open_svg(_MARGIN + width + 8, total, "reading", "a text line, its character spans and its trellis")]
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
    name = escape(span.character.replace(" ", "␣"))
    title = escape(f"{span.character}: frames {span.start}–{span.end - 1}, p = {math.exp(span.log_prob):.3f}")
    return (
        f'<g><title>{title}</title><rect class="span" x="{left}" y="0" width="{width}" height="{image_height}"/>'
        f'<line class="guide" x1="{middle:g}" x2="{middle:g}" y1="{image_height}" y2="{bottom}"/>'
        f'<text class="read" x="{middle:g}" y="-5" text-anchor="middle">{name}</text></g>'
    )


def _trellis(item: Lattice, names: Sequence[str], cell: int) -> list[str]:
    frames, states = item.occupancy.shape
    blank = int(item.topology.labels[0])
    parts = [f'<rect class="field" width="{frames * cell}" height="{states * _ROW}" rx="3"/>']
    for state, label in enumerate(item.topology.labels.tolist()):
        name, kind = ("–", "muted") if label == blank else (names[label].replace(" ", "␣"), "name")
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
