"""Files and texts of language models: reading, decompression, batches of lines, progress."""

from __future__ import annotations

import mmap
import sys
import zlib
from collections.abc import Iterable, Iterator, Sequence, Sized
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from ctckit.errors import DataError, InvalidInputError, MissingFileError

BATCH = 4096  # lines

_OWN = b"CTCKITLM"
_KENLM = b"mmap lm http://kheafield.com/code"
_COMPRESSED = {b"\x1f\x8b": "gzip", b"\xfd7zXZ\x00": "lzma", b"BZh": "bz2"}  # first bytes: module


def is_own_file(path: Path) -> bool:
    """Tell whether a file is a model in ctckit's own format."""
    return _begin(path, len(_OWN)) == _OWN


def contents(path: Path) -> npt.NDArray[np.uint8]:
    """Return the bytes of a text file: memory-mapped, or decompressed if it is compressed."""
    begin = _begin(path, len(_KENLM))
    if begin == _KENLM:
        raise DataError(
            f"{path}: this is KenLM's binary format, which only the KenLM that wrote it reads. Load the ARPA file that "
            "it was built from; in ctckit's format it loads as fast: ctckit lm convert MODEL.arpa MODEL.ctclm"
        )
    if not begin:
        raise DataError(f"{path}: the file is empty.")
    with _opened(path) as file:
        if _compression_of(begin) is None:
            return np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), np.uint8)
        try:
            return np.frombuffer(file.read(), np.uint8)
        except _damage_errors() as error:
            raise _unreadable(path, error) from error


def lines_of(path: Path) -> Iterator[str]:
    """Yield the lines of a text file in UTF-8, without line ends; compressed files are decompressed."""
    with _opened(path) as file:
        number = 0
        try:
            for number, line in enumerate(file, 1):
                yield line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise DataError(f"{path}, line {number}: not UTF-8 ({error.reason}).") from None
        except _damage_errors() as error:
            raise _unreadable(path, error) from error


def compressed(text: bytes, path: Path) -> bytes:
    """Return the text, compressed as the file's name says."""
    content = text
    if path.suffix.lower() == ".gz":
        content = import_module("gzip").compress(text, 6, mtime=0)
    elif path.suffix.lower() == ".xz":
        content = import_module("lzma").compress(text)
    return content


def is_arpa_name(path: Path) -> bool:
    """Tell whether the name is that of an ARPA file."""
    return path.name.lower().endswith((".arpa", ".arpa.gz", ".arpa.xz"))


def batches(lines: Iterable[str | Sequence[str]], characters: bool, *, progress: bool) -> Iterator[tuple[bool, bytes]]:
    """Yield the text in batches of lines.

    Returns:
        Pairs: whether the entries are characters, else they are separated by single spaces; and the lines in UTF-8,
        each with a line feed at its end.
    """
    waiting: list[str] = []
    split = characters
    first = 0
    for number, line in enumerate(_tracked(lines, progress)):
        whole = isinstance(line, str)
        if waiting and ((whole and characters) != split or len(waiting) == BATCH):
            yield split, _encoded(waiting, first)
            waiting.clear()
        if not waiting:
            split, first = whole and characters, number
        waiting.append(" ".join(line.split()) if isinstance(line, str) else _joined(line, number))
    if waiting:
        yield split, _encoded(waiting, first)


def spinner(what: str, shown: bool) -> AbstractContextManager[Any]:
    """Show a spinner on standard error while the block runs, if that is a terminal."""
    if not shown or not sys.stderr.isatty():
        return nullcontext()
    from rich.console import Console

    return Console(stderr=True).status(what)


def _tracked(lines: Iterable[str | Sequence[str]], shown: bool) -> Iterable[str | Sequence[str]]:
    if not shown or not sys.stderr.isatty():
        return lines
    from rich.console import Console
    from rich.progress import track

    total = len(lines) if isinstance(lines, Sized) else None
    return track(lines, "reading", total=total, console=Console(stderr=True), transient=True)


def _joined(entries: Sequence[str], number: int) -> str:
    for position, each in enumerate(entries):
        if not isinstance(each, str) or each.split() != [each]:
            raise InvalidInputError(
                f"lines[{number}][{position}] is {each!r}; expected a string that is not empty and has no white space."
            )
    return " ".join(entries)


def _encoded(lines: list[str], first: int) -> bytes:
    try:
        return ("\n".join(lines) + "\n").encode()
    except UnicodeEncodeError as error:
        number = first + "\n".join(lines)[: error.start].count("\n")
        raise DataError(f"lines[{number}] cannot be written as UTF-8: {error.reason}.") from None


def _begin(path: Path, size: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(size)
    except OSError as error:
        raise _unreadable(path, error) from error


def _compression_of(begin: bytes) -> str | None:
    return next((module for mark, module in _COMPRESSED.items() if begin.startswith(mark)), None)


def _opened(path: Path) -> IO[bytes]:
    module = _compression_of(_begin(path, len(_KENLM)))
    file: IO[bytes] = import_module(module).open(path, "rb") if module else path.open("rb")
    return file


def _damage_errors() -> tuple[type[Exception], ...]:
    """Return the exceptions that a damaged compressed file raises."""
    return OSError, EOFError, zlib.error, import_module("lzma").LZMAError


def _unreadable(path: Path, error: Exception) -> DataError:
    reason = getattr(error, "strerror", None) or error
    kind = MissingFileError if isinstance(error, FileNotFoundError) else DataError
    return kind(f"{path}: cannot be read ({reason}).")
