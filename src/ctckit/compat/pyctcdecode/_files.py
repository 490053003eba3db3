"""Files and folders that are whole or not there."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ctckit import _files
from ctckit.compat.pyctcdecode import _checks

KENLM_BINARY = b"mmap lm http://kheafield.com/code"


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name to write to; it takes the place of ``path`` if nothing went wrong."""
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
        unfinished = Path(folder) / path.name
        yield unfinished
        os.replace(unfinished, path)


def write_text(path: Path, content: str, encoding: str | None = None) -> None:
    """Writes a text file, in UTF-8 unless told otherwise."""
    _files.write_atomically(path, content.encode(encoding or "utf-8"))


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A temporary folder to fill; it becomes ``path`` if nothing went wrong.

    Raises:
        DataError: If there is such a folder, and something in it.
    """
    if path.exists() and os.listdir(path):
        raise _checks.exists(path)
    with replacing(path) as unfinished:
        unfinished.mkdir()
        yield unfinished


def is_kenlm_binary(path: str | os.PathLike[str]) -> bool:
    """Whether a file is there and in KenLM's own format."""
    try:
        with open(path, "rb") as file:
            return file.read(len(KENLM_BINARY)) == KENLM_BINARY
    except OSError:
        return False
