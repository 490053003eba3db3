"""Files and folders that are written atomically: either complete or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ctckit import _files
from ctckit.compat.pyctcdecode import _checks


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name to write to. Without an error, that file replaces ``path``."""
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
        unfinished = Path(folder) / path.name
        yield unfinished
        os.replace(unfinished, path)


def write_text(path: Path, content: str, encoding: str | None = None) -> None:
    """Write a text file, by default in UTF-8."""
    _files.write_atomically(path, content.encode(encoding or "utf-8"))


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder to fill. Without an error, it becomes ``path``.

    Raises:
        DataError: If the folder exists and is not empty.
    """
    if path.exists() and os.listdir(path):
        raise _checks.exists(path)
    with replacing(path) as unfinished:
        unfinished.mkdir()
        yield unfinished
