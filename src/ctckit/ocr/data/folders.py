"""A folder of line images with their texts, and of pages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ctckit._files import files_under
from ctckit.errors import DataError
from ctckit.ocr.data.images import IMAGE_SUFFIXES
from ctckit.ocr.data.page_lines import pages_among
from ctckit.ocr.data.pairs import Found, ImageFile, Pair, Skipped
from ctckit.ocr.data.parquet import PARQUET_SUFFIX, pairs_in_parquet
from ctckit.ocr.data.texts import read_text

TEXT_SUFFIX = ".gt.txt"
_PROCESSED = (".bin", ".nrm", ".dew")  # "binarized", "normalized", "dewarped", between a line's name and its suffix


def pairs_in_folder(folder: Path) -> list[Found]:
    """Return the lines of a folder, ordered by path.

    Raises:
        DataError: If it holds no lines.
    """
    files = sorted(files_under(folder))
    pages = pages_among(files)
    rows = [row for path in files if path.suffix.lower() == PARQUET_SUFFIX for row in _rows(path)]
    images = [path for path in files if path.suffix.lower() in IMAGE_SUFFIXES and path not in pages.images]
    if not images and not pages.pages and not pages.broken and not rows:
        raise DataError(
            f"{folder}: no images in this folder (looked for {', '.join(IMAGE_SUFFIXES)}). "
            f"Expected name.png beside name{TEXT_SUFFIX}, or pages: ALTO or PAGE XML beside their images."
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
    alone = sorted([*found, *_without_image(texts, used)], key=_place)
    return [*alone, *pages.pairs(), *rows]


def _rows(path: Path) -> Iterator[Found]:
    try:
        yield from pairs_in_parquet(path)
    except DataError as error:
        yield Skipped(str(path), "the table cannot be read", str(error))


def _text_files(image: Path) -> list[Path]:
    stem = image.stem
    stems = [stem, *(stem.removesuffix(mark) for mark in _PROCESSED if stem.endswith(mark))]
    return [image.with_name(each + TEXT_SUFFIX) for each in stems]


def _pair_in_folder(image: Path, text: Path | None) -> Found:
    if text is None:
        expected = _text_files(image)[-1].name
        return Skipped(str(image), "no text file", f"{image}: no text file. Expected {expected} beside {image.name}.")
    try:
        return Pair(ImageFile(image), read_text(text), str(text))
    except DataError as error:
        return Skipped(str(text), "the text cannot be read", str(error))


def _without_image(texts: Sequence[Path] | dict[Path, None], used: dict[Path, Path]) -> Iterator[Skipped]:
    for text in texts:
        if text not in used:
            looked = f"no image beside this text (looked for {', '.join(IMAGE_SUFFIXES)})"
            yield Skipped(str(text), "no image", f"{text}: {looked}. Add it, or remove the text.")


def _place(found: Found) -> str:
    return found.picture.name if isinstance(found, Pair) else found.name
