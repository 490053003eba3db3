"""Matrices drawn in characters. Knows nothing of lattices or texts, so that every room can use it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

SHADES = " ·░▒▓█"  # from 0 to 1
MOST_ROWS = 5  # of a timeline


def shade(values: npt.NDArray[np.float64]) -> str:
    """One character for each value in 0..1."""
    levels = np.ceil(np.clip(values, 0.0, 1.0) * (len(SHADES) - 1) - 1e-9)
    levels[values <= 0.005] = 0
    return "".join(SHADES[int(level)] for level in levels)


def pooled(matrix: npt.NDArray[np.float64], width: int) -> tuple[npt.NDArray[np.float64], int]:
    """(rows, columns ≤ width): neighbouring columns merged by their maximum, and how many make one."""
    columns = matrix.shape[1]
    group = max(1, -(-columns // width))
    padded = np.pad(matrix, ((0, 0), (0, -columns % group)))
    return padded.reshape(len(matrix), -1, group).max(axis=2), group


def ruler(columns: int, group: int, start: int = 0) -> str:
    """Frame numbers above the columns: that of the first, then every tenth."""
    line = [" "] * columns
    for column in range(0, columns, 10):
        number = str(start + column * group)
        if column + len(number) <= columns:
            line[column : column + len(number)] = number
    return "".join(line)


def grid(rows: npt.NDArray[np.float64], names: Sequence[str], *, width: int, head: str) -> list[str]:
    """Lines of text: a ruler, then each row with its name, shaded.

    Args:
        rows: (R, T) values in 0..1.
        names: R row names.
        width: Most columns for the values.
        head: What stands above the names.
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
    """Lines of text: a ruler, names at their frames, and how sure each is; at most five rows of ``width`` frames.

    Args:
        names: N strings.
        starts: N first frames, ascending.
        ends: N times one past the last.
        sure: N values in 0..1; NaN draws nothing. None: no such line.
        width: Most columns.
    """
    if not names:
        return []
    first, last = starts[0], max(ends)
    first = 0 if first < width else first // 10 * 10
    columns = min(last - first, MOST_ROWS * width)
    written, shades = _names_row(names, starts, ends, first, columns), np.zeros(columns)
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


def _names_row(names: Sequence[str], starts: Sequence[int], ends: Sequence[int], first: int, columns: int) -> str:
    row = [" "] * columns
    following = [*starts[1:], max(ends) + columns]
    for name, start, end, behind in zip(names, starts, ends, following, strict=True):
        if start - first >= columns:
            break
        cut = name[: behind - start]
        shown = cut + "─" * (end - start - len(cut))
        row[start - first : start - first + len(shown)] = shown
    return "".join(row[:columns])
