"""Where lines come from: a folder or a table. Finds the image and the text of each line, and what cannot be used.

* **A folder**, with its subfolders, also linked ones: ``page1_07.png`` and its text ``page1_07.gt.txt``. A processed
  image ``page1_07.bin.png`` (also ``.nrm``, ``.dew``) has the text of ``page1_07``. What macOS and file servers add
  (``._page1_07.png``, ``__MACOSX/``, ``@eaDir/``) is passed over.
* **A table** ``*.tsv`` (tabs, no quoting) or ``*.csv`` (commas, quotes as in RFC 4180) with two columns, the image's
  path (relative to the table) and its text. A first row such as ``path,text`` or ``filename,words`` is a header; then
  there may be more columns, in any order.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ctckit.errors import DataError, MissingFileError
from ctckit.ocr.data.texts import normalize_text, read_text, unusable_because

IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".tif", ".tiff", ".webp")
TEXT_SUFFIX = ".gt.txt"
_PROCESSED = (".bin", ".nrm", ".dew")  # "binarized", "normalized", "dewarped", between a line's name and its suffix
_NOT_OURS = ("__MACOSX", "@eaDir", ".ipynb_checkpoints")
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


@dataclass(frozen=True)
class Skipped:
    """A line that cannot be used.

    Attributes:
        name: Its image, or its text file, or its row in the table.
        reason: The kind of reason, one of a few: "no text file", "the image cannot be read".
        detail: The whole message.
    """

    name: str
    reason: str
    detail: str


@dataclass(frozen=True)
class Pair:
    """The image and the text of a line.

    Attributes:
        image: The path of the image.
        text: Its text, normalized.
        written: Its text as it is in the file.
    """

    image: Path
    text: str
    written: str


Found = Pair | Skipped


def find_pairs(source: Path) -> list[Found]:
    """Return the lines of a folder, ordered by path, or of a table in its order.

    Raises:
        DataError: If the folder holds no lines, or the table cannot be read as a table.
    """
    if os.path.isdir(source):
        return _pairs_in_folder(source)
    if os.path.isfile(source):
        return list(_pairs_in_table(source))
    raise MissingFileError(f"{source}: there is no such folder or table. Check the path.")


def _pair(image: Path, written: str, where: str) -> Found:
    reason = unusable_because(written)
    if reason is not None:
        return Skipped(where, reason.partition(".")[0].partition(":")[0].partition(";")[0], f"{where}: {reason}")
    return Pair(image, normalize_text(written), written)


# --------------------------------------------------------------------------------------------------------- folders


def _pairs_in_folder(folder: Path) -> list[Found]:
    files = sorted(_files_under(folder))
    images = [path for path in files if path.suffix.lower() in IMAGE_SUFFIXES]
    if not images:
        raise DataError(
            f"{folder}: no images in this folder (looked for {', '.join(IMAGE_SUFFIXES)}). "
            f"Expected name.png beside name{TEXT_SUFFIX}."
        )
    texts = dict.fromkeys(path for path in files if path.name.endswith(TEXT_SUFFIX))
    found: list[Found] = []
    used: dict[Path, Path] = {}
    for image in sorted(images, key=lambda path: (path.suffixes[:-1] != [] and path.suffixes[-2] in _PROCESSED, path)):
        text = next((path for path in _text_files(image) if path in texts), None)
        if text in used:
            detail = f"{image}: {text.name} is the text of {used[text].name} already. Keep one image of each line."
            found.append(Skipped(str(image), "another image has the same text file", detail))
            continue
        if text is not None:
            used[text] = image
        found.append(_pair_in_folder(image, text))
    return sorted([*found, *_without_image(texts, used)], key=_place)


def _files_under(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder and its subfolders; a linked folder is entered, but not twice in one path."""
    for parent, folders, files in os.walk(folder, followlinks=True):
        here = os.path.realpath(parent)
        folders[:] = [each for each in folders if each not in _NOT_OURS and not _is_loop(Path(parent, each), here)]
        yield from (Path(parent, file) for file in files if not file.startswith("._"))


def _is_loop(folder: Path, parent: str) -> bool:
    return folder.is_symlink() and Path(parent).is_relative_to(os.path.realpath(folder))


def _text_files(image: Path) -> list[Path]:
    stem = image.stem
    stems = [stem, *(stem.removesuffix(mark) for mark in _PROCESSED if stem.endswith(mark))]
    return [image.with_name(each + TEXT_SUFFIX) for each in stems]


def _pair_in_folder(image: Path, text: Path | None) -> Found:
    if text is None:
        expected = _text_files(image)[-1].name
        return Skipped(str(image), "no text file", f"{image}: no text file. Expected {expected} beside {image.name}.")
    try:
        return _pair(image, read_text(text), str(text))
    except DataError as error:
        return Skipped(str(text), "the text cannot be read", str(error))


def _without_image(texts: Sequence[Path] | dict[Path, None], used: dict[Path, Path]) -> Iterator[Skipped]:
    for text in texts:
        if text not in used:
            looked = f"no image beside this text (looked for {', '.join(IMAGE_SUFFIXES)})"
            yield Skipped(str(text), "no image", f"{text}: {looked}. Add it, or remove the text.")


def _place(found: Found) -> str:
    return str(found.image) if isinstance(found, Pair) else found.name


# ---------------------------------------------------------------------------------------------------------- tables


def _pairs_in_table(table: Path) -> Iterator[Found]:
    if table.suffix.lower() not in (".tsv", ".csv"):
        raise DataError(f"{table}: expected a folder, a .tsv (tabs) or a .csv (commas) table; found {table.suffix!r}.")
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
            yield _pair(_image_of(table, cells[path].strip()), cells[text], where)


def _wrong_count(table: Path, found: int, expected: int) -> str:
    quotes = ' Put a text with commas between quotes ("...").' if table.suffix.lower() == ".csv" else ""
    names = ": path and text" if expected == 2 else ", as in the header"
    return f"found {found} columns, expected {expected}{names}.{quotes}"


def _header(table: Path, cells: Sequence[str]) -> tuple[int, int, int] | None:
    """Return the columns of path and text, and the number of columns, if the first row is a header."""
    words = [_words_of(cell) for cell in cells]
    paths = [n for n, each in enumerate(words) if each & _PATH_WORDS and not each & _TEXT_WORDS]
    texts = [n for n, each in enumerate(words) if each & _TEXT_WORDS]
    if not paths or not texts or len(cells) != len(set(map(str.lower, cells))):
        return None
    cell = cells[paths[0]].strip()
    if Path(cell).suffix.lower() in IMAGE_SUFFIXES or os.path.isfile(_image_of(table, cell)):
        return None
    return paths[0], texts[0], len(cells)


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
