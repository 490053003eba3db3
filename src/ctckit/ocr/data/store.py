"""Prepared lines in one file: read, scaled and checked once, then read line by line.

The file is an SQLite database. A line has a key: a digest of the content of its picture, of its text, and of how it
was prepared. So a changed file is prepared anew, and nothing else is. Lines are added in transactions: if the
preparation is stopped, it goes on from there.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from ctckit.errors import DataError
from ctckit.ocr.data.images import GrayImage
from ctckit.ocr.data.pairs import Skipped

_VERSION = 1
_TABLE = """
CREATE TABLE IF NOT EXISTS lines (
    key BLOB NOT NULL UNIQUE,  -- of 16 bytes
    width INTEGER,             -- NULL if the line cannot be used
    image BLOB,                -- uint8, row by row
    text TEXT,
    normalized INTEGER,        -- 1 if the text was changed
    name BLOB NOT NULL,        -- UTF-8, also of file names that are not
    reason TEXT,               -- NULL if the line can be used
    detail BLOB
)
"""
_AT_ONCE = 256  # lines in a transaction
_PATIENCE = 60.0  # seconds to wait for another process that writes


def key_of(*parts: bytes) -> bytes:
    """Return a digest of parts: 16 bytes."""
    digest = blake2b(digest_size=16)
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.digest()


@dataclass(frozen=True)
class Prepared:
    """A line that was prepared.

    Attributes:
        image: (height, width) uint8.
        text: Its text.
        name: Its source, for messages.
        normalized: Whether its text was changed.
    """

    image: GrayImage
    text: str
    name: str
    normalized: bool


class StoredLine:
    """A line in a file; its image is read when it is asked for.

    Attributes:
        text: Its text.
        width: The columns of its image.
        normalized: Whether its text was changed when it was prepared.
    """

    __slots__ = ("_row", "_store", "normalized", "text", "width")

    def __init__(self, store: LineStore, row: int, text: str, width: int, normalized: bool) -> None:
        self._store = store
        self._row = row
        self.text = text
        self.width = width
        self.normalized = normalized

    @property
    def image(self) -> GrayImage:
        """(height, width) uint8, 0 black and 255 white."""
        content = self._store.value("image", self._row)
        return np.frombuffer(content, dtype=np.uint8).reshape(-1, self.width)

    @property
    def name(self) -> str:
        """Its source, for messages."""
        return _as_name(self._store.value("name", self._row))

    @property
    def digest(self) -> bytes:
        """What tells its image from others."""
        return bytes(self._store.value("key", self._row))

    def with_text(self, text: str) -> StoredLine:
        """Return the line with another text."""
        return StoredLine(self._store, self._row, text, self.width, self.normalized)


class LineStore:
    """A file of prepared lines; it is made if it does not exist. Threads and forked processes may use it.

    Args:
        path: The file.

    Raises:
        DataError: If it is no such file, or it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()
        with self._told(), self._connection as connection:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, _VERSION):
                raise DataError(f"{path}: prepared lines of version {version}; expected {_VERSION}. Remove the file.")
            connection.execute(_TABLE)
            connection.execute(f"PRAGMA user_version = {_VERSION}")

    def __reduce__(self) -> tuple[Any, ...]:
        return LineStore, (self.path,)

    def keys(self) -> set[bytes]:
        """Return the keys of all lines."""
        with self._told():
            return {key for (key,) in self._connection.execute("SELECT key FROM lines")}

    def add(self, items: Iterable[tuple[bytes, Prepared | Skipped]]) -> None:
        """Add lines, and what cannot be used, by their keys."""
        part: list[tuple[Any, ...]] = []
        for key, item in items:
            part.append((key, *_row(item)))
            if len(part) == _AT_ONCE:
                self._insert(part)
                part = []
        self._insert(part)

    def keep_only(self, keys: Iterable[bytes]) -> None:
        """Remove the lines that have other keys."""
        gone = self.keys() - set(keys)
        if gone:
            with self._told(), self._connection as connection:
                connection.executemany("DELETE FROM lines WHERE key = ?", [(key,) for key in gone])

    def found(self, keys: Sequence[bytes]) -> Iterator[StoredLine | Skipped]:
        """Yield the lines of these keys in this order. All must have been added."""
        with self._told():
            usable = "SELECT key, rowid, text, width, normalized FROM lines WHERE reason IS NULL"
            lines = {row[0]: row[1:] for row in self._connection.execute(usable)}
            others = "SELECT key, name, reason, detail FROM lines WHERE reason IS NOT NULL"
            skipped = {row[0]: row[1:] for row in self._connection.execute(others)}
        for key in keys:
            if key in lines:
                row, text, width, normalized = lines[key]
                yield StoredLine(self, row, text, width, bool(normalized))
            else:
                name, reason, detail = skipped[key]
                yield Skipped(_as_name(name), reason, _as_name(detail))

    def value(self, column: str, row: int) -> bytes:
        """Return a value of a row."""
        with self._told():
            found = self._connection.execute(f"SELECT {column} FROM lines WHERE rowid = ?", (row,)).fetchone()
        if found is None:
            raise DataError(f"{self.path}: a line was removed from this file while it was used. Start again.")
        return bytes(found[0])

    def _insert(self, rows: Sequence[tuple[Any, ...]]) -> None:
        with self._told(), self._connection as connection:
            connection.executemany("INSERT OR IGNORE INTO lines VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)

    @property
    def _connection(self) -> sqlite3.Connection:
        """The connection of this thread in this process."""
        if getattr(self._local, "process", None) != os.getpid():
            self._local.connection = sqlite3.connect(self.path, timeout=_PATIENCE)
            self._local.process = os.getpid()
        connection: sqlite3.Connection = self._local.connection
        return connection

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise DataError(f"{self.path}: the prepared lines cannot be used ({error}). Remove the file.") from error


def _row(item: Prepared | Skipped) -> tuple[Any, ...]:
    if isinstance(item, Skipped):
        return None, None, None, None, _as_bytes(item.name), item.reason, _as_bytes(item.detail)
    image = np.ascontiguousarray(item.image).tobytes()
    return item.image.shape[1], image, item.text, item.normalized, _as_bytes(item.name), None, None


def _as_bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass")


def _as_name(content: bytes) -> str:
    return content.decode("utf-8", "surrogatepass")
