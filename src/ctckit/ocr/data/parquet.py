"""Parquet: files with the images of lines and their texts, as data sets on hubs have them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from ctckit.errors import DataError, MissingDependencyError
from ctckit.ocr.data.images import image_from_bytes
from ctckit.ocr.data.pairs import Found, Pair, Skipped
from ctckit.ocr.data.tables import columns_of_paths, columns_of_texts

if TYPE_CHECKING:
    import pyarrow.parquet

PARQUET_SUFFIX = ".parquet"


@dataclass(frozen=True)
class ImageInParquet:
    """A picture in a Parquet file.

    Attributes:
        path: The file.
        column: The name of the column with the images.
        group: The row group.
        row: The row in the group.
        number: The row in the file, from 0.
    """

    path: Path
    column: str
    group: int
    row: int
    number: int

    @property
    def name(self) -> str:
        """The file and the row."""
        return f"{self.path}, row {self.number + 1}"

    def load(self) -> Image.Image:
        """Return the image in gray levels (mode ``L``)."""
        return image_from_bytes(self._content(), self.name)

    def digest(self) -> bytes:
        """Return a digest of the image file."""
        return hashlib.blake2b(self._content(), digest_size=16).digest()

    @property
    def shared(self) -> tuple[Path, int]:
        """The row group."""
        return self.path, self.group

    def _content(self) -> bytes:
        content = _images(self.path, self.column, self.group)[self.row].as_py()
        if isinstance(content, dict):
            content = content.get("bytes")
        if not content:
            raise DataError(f"{self.name}: the row has no image. Expected the bytes of an image file.")
        return bytes(content)


@lru_cache(maxsize=8)  # rows come one after the other
def _images(path: Path, column: str, group: int) -> Any:
    return _opened(path).read_row_group(group, columns=[column]).column(column)


def _opened(path: Path) -> pyarrow.parquet.ParquetFile:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise MissingDependencyError("reading Parquet files", "pyarrow", "parquet") from None
    try:
        return parquet.ParquetFile(path)
    except (ArrowException, OSError) as error:
        raise DataError(f"{path}: cannot be read as Parquet ({error}). Download it again, or remove it.") from error


def pairs_in_parquet(path: Path) -> Iterator[Found]:
    """Yield the lines of a Parquet file in its order.

    Raises:
        DataError: If it cannot be read, or has no columns of images and texts.
        MissingDependencyError: If pyarrow is not installed.
    """
    file = _opened(path)
    images, texts = _columns(path, file)
    number = 0
    for group in range(file.num_row_groups):
        for row, text in enumerate(file.read_row_group(group, columns=[texts]).column(texts).to_pylist()):
            picture = ImageInParquet(path, images, group, row, number)
            number += 1
            if text is None:
                yield Skipped(picture.name, "the text is empty", f"{picture.name}: the row has no text. Remove it.")
            else:
                yield Pair(picture, text, picture.name)


def _columns(path: Path, file: pyarrow.parquet.ParquetFile) -> tuple[str, str]:
    """Return the names of the columns of images and texts: by their types, and by their names if several have them."""
    fields = list(file.schema_arrow)
    images = _chosen([field.name for field in fields if _holds_bytes(field.type)], columns_of_paths)
    texts = _chosen([field.name for field in fields if _is_text(field.type)], columns_of_texts)
    if images is None or texts is None:
        found = ", ".join(f"{field.name} ({field.type})" for field in fields)
        raise DataError(
            f"{path}: expected one column of images (bytes, or a struct with bytes), image, and one of texts, "
            f"text; found {found}. Rename the columns."
        )
    return images, texts


def _chosen(names: list[str], by_name: Any) -> str | None:
    if len(names) == 1:
        return names[0]
    named = by_name(names)
    return names[named[0]] if named else None


def _holds_bytes(kind: Any) -> bool:
    from pyarrow import types

    if types.is_struct(kind):
        return any(field.name == "bytes" and _holds_bytes(field.type) for field in kind)
    return bool(types.is_binary(kind) or types.is_large_binary(kind))


def _is_text(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_string(kind) or types.is_large_string(kind))
