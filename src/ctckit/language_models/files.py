"""Files and texts that language models come from and go to: unpacked, in batches, with progress."""

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

from ctckit.errors import DataError, InvalidInputError

BATCH = 4096  # lines

_OWN = b"CTCKITLM"
_KENLM = b"mmap lm http://kheafield.com/code"
_PACKED = {b"\x1f\x8b": "gzip", b"\xfd7zXZ\x00": "lzma", b"BZh": "bz2"}  # first bytes: module


def is_own_file(path: Path) -> bool:
    """Whether this is a model in ctckit's own format."""
    return _begin(path, len(_OWN)) == _OWN


def contents(path: Path) -> npt.NDArray[np.uint8]:
    """The bytes of a text file: unpacked where it is compressed, else mapped."""
    begin = _begin(path, len(_KENLM))
    if begin == _KENLM:
        raise DataError(
            f"{path}: this is KenLM's binary format, which only the KenLM that wrote it reads. Load the ARPA file that "
            "it was built from; saved in ctckit's format it loads as fast: ctckit lm convert MODEL.arpa MODEL.ctclm"
        )
    if not begin:
        raise DataError(f"{path}: the file is empty.")
    with _opened(path) as file:
        if _packer(begin) is None:
            return np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), np.uint8)
        try:
            return np.frombuffer(file.read(), np.uint8)
        except _damages() as error:
            raise _unreadable(path, error) from error


def lines_of(path: Path) -> Iterator[str]:
    """The lines of a text file in UTF-8, without their ends; unpacked where it is compressed."""
    with _opened(path) as file:
        number = 0
        try:
            for number, line in enumerate(file, 1):
                yield line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise DataError(f"{path}, line {number}: not UTF-8 ({error.reason}).") from None
        except _damages() as error:
            raise _unreadable(path, error) from error


def compressed(text: bytes, path: Path) -> bytes:
    """The text, packed as the file's name says."""
    packed = text
    if path.suffix.lower() == ".gz":
        packed = import_module("gzip").compress(text, 6, mtime=0)
    elif path.suffix.lower() == ".xz":
        packed = import_module("lzma").compress(text)
    return packed


def is_arpa_name(path: Path) -> bool:
    """Whether the name asks for ARPA."""
    return path.name.lower().endswith((".arpa", ".arpa.gz", ".arpa.xz"))


def batches(lines: Iterable[str | Sequence[str]], characters: bool, *, progress: bool) -> Iterator[tuple[bool, bytes]]:
    """The text in pieces: (whether entries are characters, lines that end in a line feed).

    Otherwise entries are separated by single spaces.
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
    """Something that moves on standard error while the block runs; nothing where that is no terminal."""
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
                f"lines[{number}][{position}] is {each!r}; expected a string with something in it, and no white space."
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


def _packer(begin: bytes) -> str | None:
    return next((module for mark, module in _PACKED.items() if begin.startswith(mark)), None)


def _opened(path: Path) -> IO[bytes]:
    packer = _packer(_begin(path, len(_KENLM)))
    file: IO[bytes] = import_module(packer).open(path, "rb") if packer else path.open("rb")
    return file


def _damages() -> tuple[type[Exception], ...]:
    """What a damaged compressed file raises."""
    return OSError, EOFError, zlib.error, import_module("lzma").LZMAError


def _unreadable(path: Path, error: Exception) -> DataError:
    reason = getattr(error, "strerror", None) or error
    return DataError(f"{path}: cannot be read ({reason}).")
