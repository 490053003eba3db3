"""Drawings of matrices in characters. The module knows no lattices and no texts, so that every package can use it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
import numpy.typing as npt

SHADES = " ·░▒▓█"  # from 0 to 1
MOST_LINES = 5  # of a timeline


def shade(values: npt.NDArray[np.float64]) -> str:
    """Return one character for each value in 0..1."""
    levels = np.ceil(np.clip(values, 0.0, 1.0) * (len(SHADES) - 1) - 1e-9)
    levels[values <= 0.005] = 0
    return "".join(SHADES[int(level)] for level in levels)


def html(drawing: str) -> str:
    """Return a drawing as HTML, for notebooks: characters of one width, and lines that touch."""
    return f'<pre style="line-height: 1.2">{escape(drawing)}</pre>'


def pooled(matrix: npt.NDArray[np.float64], width: int) -> tuple[npt.NDArray[np.float64], int]:
    """Return the matrix with neighboring columns merged by their maximum, at most ``width``, and how many make one."""
    columns = matrix.shape[1]
    group = max(1, -(-columns // width))
    padded = np.pad(matrix, ((0, 0), (0, -columns % group)))
    return padded.reshape(len(matrix), -1, group).max(axis=2), group


def ruler(columns: int, group: int, start: int = 0) -> str:
    """Return the frame numbers above the columns: the first one, then every tenth."""
    line = [" "] * columns
    for column in range(0, columns, 10):
        number = str(start + column * group)
        if column + len(number) <= columns:
            line[column : column + len(number)] = number
    return "".join(line)


def grid(rows: npt.NDArray[np.float64], names: Sequence[str], *, width: int, head: str) -> list[str]:
    """Return lines of text: a ruler, then each row of the matrix with its name, shaded.

    Args:
        rows: (R, T) values in 0..1.
        names: R row names.
        width: Largest number of columns for the values.
        head: The text above the names.
    """
    cells, group = pooled(rows, width)
    margin = max(map(len, [head, *names]))
    lines = [f"{head:>{margin}} {ruler(cells.shape[1], group)}".rstrip()]
    lines += [f"{name:>{margin}} {shade(row)}".rstrip() for name, row in zip(names, cells, strict=True)]
    if group > 1:
        lines.append(f"{'':>{margin}} (one column is {group} frames)")
    return lines


def timeline(
    names: Sequence[str], starts: Sequence[int], ends: Sequence[int], sure: Sequence[float] | None, *, width: int
) -> list[str]:
    """Return lines of text: a ruler, names at their frames, and confidences; at most five lines of ``width`` frames.

    Args:
        names: N strings.
        starts: N first frames, ascending.
        ends: N ends, one past the last frame.
        sure: N values in 0..1; NaN draws nothing. None: the drawing has no confidences.
        width: Largest number of columns.
    """
    if not names:
        return []
    first, last = starts[0], max(ends)
    first = 0 if first < width else first // 10 * 10
    columns = min(last - first, MOST_LINES * width)
    written, shades = _names_line(names, starts, ends, first, columns), np.zeros(columns)
    for start, end, value in zip(starts, ends, sure or [], strict=False):
        shades[max(0, start - first) : max(0, end - first)] = np.nan_to_num(value)
    lines = []
    for at in range(0, columns, width):
        end = min(at + width, columns)
        lines.append(f"frame {ruler(end - at, 1, first + at)}".rstrip())
        lines.append(f"      {written[at:end]}".rstrip())
        lines += [] if sure is None else [f" sure {shade(shades[at:end])}".rstrip()]
    if last > first + columns:
        lines.append(f"      … {last - first - columns} more frames")
    return lines


def _names_line(names: Sequence[str], starts: Sequence[int], ends: Sequence[int], first: int, columns: int) -> str:
    line = [" "] * columns
    following = [*starts[1:], max(ends) + columns]
    for name, start, end, behind in zip(names, starts, ends, following, strict=True):
        if start - first >= columns:
            break
        cut = name[: behind - start]
        shown = cut + "─" * (end - start - len(cut))
        line[start - first : start - first + len(shown)] = shown
    return "".join(line[:columns])
