"""Files and texts of language models: reading, decompression, batches of lines, progress."""

from __future__ import annotations

import mmap
import os
import sys
import zlib
from collections.abc import Iterable, Iterator, Sequence, Sized
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from ctckit.errors import DataError, InvalidInputError, MissingFileError, ModelFormatError
from ctckit.kernels import ngram as kernel

BATCH = 4096  # lines

_OWN = b"CTCKITLM"
KENLM_BINARY = b"mmap lm http://kheafield.com/code"
_COMPRESSED = {b"\x1f\x8b": "gzip", b"\xfd7zXZ\x00": "lzma", b"BZh": "bz2"}  # first bytes: module
_LONGEST_MARK = max(map(len, _COMPRESSED))


def is_own_file(path: Path) -> bool:
    """Tell whether a file is a model in ctckit's own format."""
    return _begin(path, len(_OWN)) == _OWN


def is_kenlm_file(path: Path) -> bool:
    """Tell whether a file is in KenLM's binary format, of any version."""
    return _begin(path, len(KENLM_BINARY)) == KENLM_BINARY


def contents(path: Path) -> npt.NDArray[np.uint8]:
    """Return the bytes of a text file: memory-mapped, or decompressed if it is compressed."""
    begin = _begin(path, _LONGEST_MARK)
    if not begin:
        raise DataError(f"{path}: the file is empty.")
    with _opened(path) as file:
        if _compression_of(begin) is None:
            return np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), np.uint8)
        try:
            return np.frombuffer(file.read(), np.uint8)
        except _damage_errors() as error:
            raise _unreadable(path, error) from error


def read(path: Path, unit: str | None, unigrams: Iterable[str] | None) -> kernel.LanguageModel:
    """Return the model in an ARPA file or in a KenLM binary file."""
    return _mapped(path, unit, unigrams) if is_kenlm_file(path) else _read_arpa(path)


def _read_arpa(path: Path) -> kernel.NGram:
    try:
        return kernel.ngram_from_arpa(contents(path))
    except kernel.FormatError as error:
        raise DataError(f"{path}: {error}") from None


def _mapped(path: Path, unit: str | None, unigrams: Iterable[str] | None) -> kernel.KenlmModel:
    """Return the model in a binary file of KenLM."""
    words = [] if unigrams is None else _checked_unigrams(unigrams)
    try:
        native = kernel.kenlm_from_file(os.path.abspath(path), words)
    except kernel.FormatError as error:
        raise ModelFormatError(f"{path}: {error}") from None
    if unit is None and not native.has_names:
        raise InvalidInputError(
            f"{path}: this KenLM file does not hold its words, so nothing tells whether they are words or characters. "
            'Pass unigrams=[…], the words it was built from; or unit="word" to score texts only.'
        )
    return native


def _checked_unigrams(unigrams: Iterable[str]) -> list[str]:
    if isinstance(unigrams, str):
        raise InvalidInputError(f"unigrams is the string {unigrams!r}; expected a list of words.")
    words = list(unigrams)
    for position, each in enumerate(words):
        if not isinstance(each, str):
            raise InvalidInputError(f"unigrams[{position}] is {each!r}; expected a string.")
    return words


def expect_names(native: kernel.LanguageModel) -> None:
    """Raise an error if a model cannot say its words."""
    if isinstance(native, kernel.KenlmModel) and not native.has_names:
        raise InvalidInputError(
            f"{native.path}: this KenLM file does not hold its words, only their hashes. Load it with the words: "
            "NGramModel.load(path, unigrams=[…])."
        )


def automaton(native: kernel.LanguageModel) -> kernel.NGram:
    """Return the automaton of a model; the one of a file in another layout is made of all its n-grams."""
    if isinstance(native, kernel.NGram):
        return native
    assert isinstance(native, kernel.CompactNGram | kernel.KenlmModel)
    expect_names(native)
    try:
        return native.expanded() if isinstance(native, kernel.CompactNGram) else native.listed()
    except kernel.FormatError as error:
        raise ModelFormatError(f"{native.path}: {error}") from None


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
    module = _compression_of(_begin(path, _LONGEST_MARK))
    file: IO[bytes] = import_module(module).open(path, "rb") if module else path.open("rb")
    return file


def _damage_errors() -> tuple[type[Exception], ...]:
    """Return the exceptions that a damaged compressed file raises."""
    return OSError, EOFError, zlib.error, import_module("lzma").LZMAError


def _unreadable(path: Path, error: Exception) -> DataError:
    reason = getattr(error, "strerror", None) or error
    kind = MissingFileError if isinstance(error, FileNotFoundError) else DataError
    return kind(f"{path}: cannot be read ({reason}).")
