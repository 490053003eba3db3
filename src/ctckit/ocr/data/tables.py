"""A table of paths and texts: ``.tsv`` or ``.csv``."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ctckit.errors import DataError
from ctckit.ocr.data.images import IMAGE_SUFFIXES
from ctckit.ocr.data.pairs import Found, ImageFile, Pair, Skipped
from ctckit.ocr.data.texts import read_text

TABLE_SUFFIXES = (".tsv", ".csv")
_PATH_WORDS = {"path", "file", "filename", "filepath", "image", "imagename", "imagepath", "img", "name", "picture"}
_TEXT_WORDS = {
    "text",
    "word",
    "label",
    "transcription",
    "transcript",
    "truth",
    "groundtruth",
    "gt",
    "sentence",
    "caption",
}
_TEXT_WORDS |= {"target", "string", "plate", "value", "content", "ocr"}


def pairs_in_table(table: Path) -> Iterator[Found]:
    """Yield the lines of a table in its order.

    Raises:
        DataError: If it cannot be read as a table.
    """
    rows = _rows(table)
    columns = _header(table, rows[0][1]) if rows else None
    rows = rows[1:] if columns else rows
    if not rows:
        raise DataError(f"{table}: the table has no rows. Expected one line image and its text in each row.")
    path, text, count = columns or (0, 1, 2)
    if columns is None:
        _expect_order(table, rows)
    for number, cells in rows:
        where = f"{table}, line {number}"
        if len(cells) != count:
            yield Skipped(where, "another number of columns", f"{where}: {_wrong_count(table, len(cells), count)}")
        else:
            yield Pair(ImageFile(_image_of(table, cells[path].strip())), cells[text], where)


def _wrong_count(table: Path, found: int, expected: int) -> str:
    quotes = ' Put a text with commas between quotes ("...").' if table.suffix.lower() == ".csv" else ""
    names = ": path and text" if expected == 2 else ", as in the header"
    return f"found {found} columns, expected {expected}{names}.{quotes}"


def _header(table: Path, cells: Sequence[str]) -> tuple[int, int, int] | None:
    """Return the columns of path and text, and the number of columns, if the first row is a header."""
    paths, texts = columns_of_paths(cells), columns_of_texts(cells)
    if not paths or not texts or len(cells) != len(set(map(str.lower, cells))):
        return None
    cell = cells[paths[0]].strip()
    if Path(cell).suffix.lower() in IMAGE_SUFFIXES or os.path.isfile(_image_of(table, cell)):
        return None
    return paths[0], texts[0], len(cells)


def columns_of_paths(names: Sequence[str]) -> list[int]:
    """Return the columns whose names say that they hold images or their paths."""
    words = map(_words_of, names)
    return [n for n, each in enumerate(words) if each & _PATH_WORDS and not each & _TEXT_WORDS]


def columns_of_texts(names: Sequence[str]) -> list[int]:
    """Return the columns whose names say that they hold texts."""
    return [n for n, each in enumerate(map(_words_of, names)) if each & _TEXT_WORDS]


def _words_of(cell: str) -> set[str]:
    """Return the words of a column's name: those of ``imagePath``, ``image_path`` and ``image paths`` are the same."""
    return {word.lower().removesuffix("s") for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", cell)}


def _expect_order(table: Path, rows: Sequence[tuple[int, list[str]]]) -> None:
    """Refuse a table whose second column holds the paths: every text would be taken for a path."""
    pairs = [cells for _, cells in rows if len(cells) == 2]
    if pairs and all(_is_image(table, second) and not _is_image(table, first) for first, second in pairs):
        raise DataError(
            f"{table}: the paths are in the second column; expected path and text. Swap the columns, or add a header "
            "(text and path)."
        )


def _is_image(table: Path, cell: str) -> bool:
    return os.path.isfile(_image_of(table, cell.strip()))


def _image_of(table: Path, cell: str) -> Path:
    r"""Return the image that a cell names, which may be written for Windows: ``images\one.png``."""
    path = table.parent / cell
    other = table.parent / cell.replace("\\", "/")
    return other if not os.path.exists(path) and os.path.exists(other) else path


def _rows(table: Path) -> list[tuple[int, list[str]]]:
    """Return the rows of the table that are not empty, with their line numbers."""
    lines = list(io.StringIO(read_text(table), newline=""))  # str.splitlines would split inside texts
    if table.suffix.lower() == ".tsv":
        reader: Any = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
    else:
        reader = csv.reader(lines, strict=True)
    try:
        return [(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]
    except csv.Error as error:
        raise DataError(f"{table}, line {reader.line_num}: not a valid table ({error}). Check the quotes.") from error
