"""The confusion matrix of the report as inline SVG."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
import numpy.typing as npt

from ctckit._page.svg import open_svg


def draw_confusion(counts: npt.NDArray[np.int64], names: Sequence[str]) -> str:
    """Return a drawing of a confusion matrix: rows are the truth, columns the reading; the diagonal is pale.

    Args:
        counts: (K, K) counts; the last row counts insertions, the last column deletions.
        names: K names.
    """
    cell, left, top = 38, 66, 50
    size = len(names)
    parts = [open_svg(left + size * cell + 10, top + size * cell + 10, "confusion", "confusion of digits")]
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
