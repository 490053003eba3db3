"""The inputs of ``ctckit read --shards``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from ctckit._files import files_under
from ctckit.bulk.inputs import Inputs
from ctckit.errors import DataError
from ctckit.ocr.data.images import IMAGE_SUFFIXES
from ctckit.ocr.data.pages.files import PAGE_SUFFIX, find_image, read_pages


def inputs_to_read(given: Sequence[Path]) -> Inputs:
    """Return the images of lines and the pages; in folders without the images of the pages, and other XML files."""
    excluded = frozenset(path for folder in given if folder.is_dir() for path in _not_lines(files_under(folder)))
    return Inputs(given, (*IMAGE_SUFFIXES, PAGE_SUFFIX), excluded)


def _not_lines(files: Iterable[Path]) -> Iterable[Path]:
    for path in files:
        if path.suffix.lower() != PAGE_SUFFIX:
            continue
        with suppress(DataError):  # its row says it
            pages = read_pages(path)
            yield from () if pages else [path]
            for page in pages:
                with suppress(DataError):
                    yield find_image(path, page.image)
