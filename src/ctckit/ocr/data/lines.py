"""Text lines: read from a folder or a table, and checked.

Two layouts are supported:

* **a folder** (with its subfolders) of images, each with its text beside it: ``page1_07.png`` and ``page1_07.gt.txt``;
* **a table** ``*.tsv`` (tabs, no quoting) or ``*.csv`` (commas, quotes as in RFC 4180) with two columns, the image's
  path (relative to the table) and its text. The first row is a header if, and only if, it is ``path`` and ``text``.

Texts are UTF-8. They are normalized to Unicode NFC, and white space at both ends is removed: an image does not show it.
Images are converted to gray levels and scaled to the model's height; their proportions stay. Dark ink on light paper is
expected.
"""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from ctckit.errors import CharsetError, DataError, MissingFileError
from ctckit.ocr.networks.base import FrameCounter
from ctckit.topology import adjacent_repeats
from ctckit.vocabulary import Vocabulary

IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".tif", ".tiff", ".webp")
TEXT_SUFFIX = ".gt.txt"
_SHOWN = 5  # a message names so many files and counts the rest

GrayImage = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Line:
    """One text line.

    Attributes:
        image: (height, width) uint8, 0 black and 255 white.
        text: Its text.
        name: Its source, for messages.
    """

    image: GrayImage
    text: str
    name: str


# ---------------------------------------------------------------------------------------------------------- images


def load_image(path: str | Path) -> Image.Image:
    """Return an image file in gray levels; transparent pixels become white.

    Raises:
        DataError: If the file is missing or is not an image that Pillow can read.
    """
    path = Path(path)
    if path.is_dir():
        raise DataError(f"{path}: this is a folder, not an image. Name the images in it.")
    if not path.is_file():
        raise MissingFileError(f"{path}: there is no such image file. Check the path.")
    try:
        with Image.open(path) as opened:
            return to_gray(ImageOps.exif_transpose(opened))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: cannot be read as an image ({error}). Convert it to PNG, or remove it.") from error


def to_gray(image: Image.Image) -> Image.Image:
    """Return the image in gray levels (mode ``L``); transparent pixels become white."""
    if image.mode.startswith("I"):  # 16-bit and 32-bit gray: Pillow's conversion would clip and not scale
        levels = np.asarray(image, dtype=np.float64)
        return Image.fromarray((levels * (255.0 / 65535.0)).clip(0.0, 255.0).round().astype(np.uint8))
    if image.has_transparency_data:
        colored = image.convert("RGBA")
        paper = Image.new("RGBA", colored.size, "white")
        image = Image.alpha_composite(paper, colored)
    return image.convert("L")


def scale_to_height(image: Image.Image, height: int) -> GrayImage:
    """Return a gray image scaled to ``height`` pixels with its proportions: (height, width) uint8."""
    if image.height != height:
        width = max(1, round(image.width * height / image.height))
        image = image.resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(image, dtype=np.uint8)


# ----------------------------------------------------------------------------------------------------------- files


def read_lines(source: str | Path, *, height: int = 32) -> list[Line]:
    """Return the lines of a data set: a folder with ``*.gt.txt`` files, or a ``.tsv`` or ``.csv`` table.

    Args:
        source: The folder or the table.
        height: Every line is scaled to this height in pixels.

    Returns:
        The lines: of a folder ordered by path, of a table in its order.

    Raises:
        DataError: If a file is missing, unreadable or ambiguous; the message names it and the remedy.
    """
    source = Path(source)
    if source.is_dir():
        pairs = _pairs_in_folder(source)
    elif source.is_file():
        pairs = _pairs_in_table(source)
    else:
        raise MissingFileError(f"{source}: there is no such folder or table. Check the path.")
    return [Line(scale_to_height(load_image(path), height), text, str(path)) for path, text in pairs]


def _pairs_in_folder(folder: Path) -> list[tuple[Path, str]]:
    images = sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file())
    if not images:
        raise DataError(
            f"{folder}: no images in this folder (looked for {', '.join(IMAGE_SUFFIXES)}). "
            f"Expected name.png beside name{TEXT_SUFFIX}."
        )
    missing = [path for path in images if not _text_file(path).is_file()]
    if missing:
        raise DataError(
            f"{folder}: {len(missing)} of {len(images)} images have no text file: {_some(map(str, missing))}. "
            f"Expected {_text_file(missing[0]).name} beside {missing[0].name}."
        )
    return [(path, _clean(_read_text(_text_file(path)), str(_text_file(path)))) for path in images]


def _text_file(image: Path) -> Path:
    return image.with_name(image.stem + TEXT_SUFFIX)


def _pairs_in_table(table: Path) -> list[tuple[Path, str]]:
    if table.suffix.lower() not in (".tsv", ".csv"):
        raise DataError(f"{table}: expected a folder, a .tsv (tabs) or a .csv (commas) table; found {table.suffix!r}.")
    rows = _rows(table)
    if rows and [cell.strip().lower() for cell in rows[0][1]] == ["path", "text"]:
        rows = rows[1:]
    if not rows:
        raise DataError(f"{table}: the table has no rows. Expected one line image and its text in each row.")
    for number, cells in rows:
        if len(cells) != 2:
            raise DataError(
                f"{table}, line {number}: found {len(cells)} columns, expected 2: path and text."
                + (' Put a text with commas between quotes ("...").' if table.suffix.lower() == ".csv" else "")
            )
    return [(table.parent / cells[0].strip(), _clean(cells[1], f"{table}, line {number}")) for number, cells in rows]


def _rows(table: Path) -> list[tuple[int, list[str]]]:
    """Return the rows of the table that are not empty, with their line numbers."""
    lines = list(io.StringIO(_read_text(table), newline=""))  # str.splitlines would split inside texts
    if table.suffix.lower() == ".tsv":
        reader: Any = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
    else:
        reader = csv.reader(lines, strict=True)
    try:
        return [(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]
    except csv.Error as error:
        raise DataError(f"{table}, line {reader.line_num}: not a valid table ({error}). Check the quotes.") from error


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not UTF-8 text (byte {error.start}). Save it as UTF-8.") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from error


def _clean(text: str, where: str) -> str:
    text = unicodedata.normalize("NFC", text.strip())
    if not text:
        raise DataError(f"{where}: the text is empty. Expected the text of the line; or remove the line.")
    if len(text.splitlines()) > 1:
        raise DataError(f"{where}: {len(text.splitlines())} lines of text; expected one. Split the image into lines.")
    return text


# ---------------------------------------------------------------------------------------------------------- checks


def charset_of(lines: Iterable[Line]) -> str:
    """Return all characters of the texts, sorted.

    Example:
        >>> charset_of([Line(np.zeros((32, 9), np.uint8), "papa", "a")])
        'ap'
    """
    return "".join(sorted({character for line in lines for character in line.text}))


def check_lines(lines: Sequence[Line], vocabulary: Vocabulary, config: FrameCounter) -> None:
    """Check that a model can be trained on the lines.

    Args:
        lines: The lines.
        vocabulary: The classes of the model.
        config: The network or its configuration, which knows the frames of a line.

    Raises:
        CharsetError: If texts hold characters outside the vocabulary; the message names them and the files.
        DataError: If an image is too narrow for its text; the message gives the arithmetic.
    """
    known = frozenset(vocabulary.tokens)
    unknown = {line.name: sorted(set(line.text) - known) for line in lines}
    unknown = {name: characters for name, characters in unknown.items() if characters}
    if unknown:
        characters = sorted({character for found in unknown.values() for character in found})
        raise CharsetError(
            f"{len(unknown)} of {len(lines)} texts hold characters outside the charset: "
            f"{' '.join(map(repr, characters))}, in {_some(unknown)}. "
            "Correct the texts, or train a model with a charset that contains them."
        )
    narrow = [line for line in lines if config.frames(line.image.shape[1]) < frames_needed(line.text)]
    if narrow:
        raise DataError(
            f"{len(narrow)} of {len(lines)} images are too narrow for their text: "
            f"{_some((_too_narrow(line, config) for line in narrow), '; ')}. Check the texts, or remove the lines."
        )


def frames_needed(text: str) -> int:
    """Return the number of frames that a text needs: one per character, and one per blank between equal neighbors.

    Example:
        >>> frames_needed("apple")
        6
    """
    return len(text) + adjacent_repeats(list(text))


def _too_narrow(line: Line, config: FrameCounter) -> str:
    height, width = line.image.shape
    repeats = adjacent_repeats(list(line.text))
    return (
        f"{line.name} is {width} pixels wide at height {height}, which gives {config.frames(width)} frames; its "
        f"{len(line.text)} characters with {repeats} adjacent repeats need {frames_needed(line.text)}"
    )


def _some(items: Iterable[str], separator: str = ", ") -> str:
    items = list(items)
    more = f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return separator.join(items[:_SHOWN]) + more


def split_lines(lines: Sequence[Line], share: float, *, seed: int) -> tuple[list[Line], list[Line]]:
    """Split into training and validation lines; the same seed gives the same split.

    Args:
        lines: The lines.
        share: Share for validation, 0 <= share < 1; above 0, at least one line.
        seed: Seeds the random choice.

    Raises:
        DataError: If the share is out of range or leaves no line to train on.
    """
    if not 0.0 <= share < 1.0:
        raise DataError(f"the validation share is {share}; expected 0 <= share < 1.")
    count = max(1, round(share * len(lines))) if share else 0
    if count >= len(lines):
        raise DataError(
            f"{len(lines)} lines with a validation share of {share} leave none to train on. Add lines, or use 0."
        )
    chosen = set(np.random.default_rng(seed).permutation(len(lines))[:count].tolist())
    train = [line for index, line in enumerate(lines) if index not in chosen]
    return train, [lines[index] for index in sorted(chosen)]
