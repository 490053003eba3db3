"""Files of rows, each complete or absent. What they have is what is done: nothing else records it."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from ctckit._files import write_atomically
from ctckit.bulk.formats import Format
from ctckit.bulk.keys import KeySet
from ctckit.bulk.rows import Row
from ctckit.errors import DataError

MOST_SECONDS = 60.0  # between two shards while rows come, so that a kill loses little work
_NAME = re.compile(r"part-(\d+)\.\w+")


@dataclass
class Done:
    """What the shards of a folder have.

    Attributes:
        keys: The paths of the rows.
        errors: How many of the rows have an error.
        shards: How many shards there are.
    """

    keys: KeySet = field(default_factory=KeySet)
    errors: int = 0
    shards: int = 0


def shards_of(folder: Path) -> list[Path]:
    """Return the shards of a folder, oldest first."""
    return sorted((path for path in folder.iterdir() if _NAME.fullmatch(path.name)), key=_number)


def done_in(folder: Path, form: Format) -> Done:
    """Return what the shards of a folder have.

    Raises:
        DataError: If a shard cannot be read.
    """
    found = Done()
    for path in shards_of(folder):
        for key, failed in form.read(path):
            found.keys.add(key)
            found.errors += failed
        found.shards += 1
    return found


class ShardWriter:
    """Writes rows to shards: ``part-00000.jsonl`` and so on, after those that are there.

    It is a context manager. At its end, also after an error, it writes the rows that it has.

    Args:
        folder: The folder, which is there.
        form: The format.
        most_rows: The most rows of a shard.

    Attributes:
        written: How many rows are in the shards that it has written.
    """

    def __init__(self, folder: Path, form: Format, most_rows: int) -> None:
        self._folder, self._form, self._most_rows = folder, form, most_rows
        self._next = max((_number(path) + 1 for path in shards_of(folder)), default=0)
        self._encoded: list[Any] = []
        self._rows = 0
        self._last = time.monotonic()
        self.written = 0

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._write()

    def add(self, rows: Sequence[Row]) -> None:
        """Add rows; a shard is written when it is full, or when the one before it is a minute old.

        Raises:
            DataError: If it cannot be written.
        """
        while rows:
            part, rows = rows[: self._most_rows - self._rows], rows[self._most_rows - self._rows :]
            self._encoded.append(self._form.encode(part))
            self._rows += len(part)
            if self._rows == self._most_rows or time.monotonic() - self._last >= MOST_SECONDS:
                self._write()

    def _write(self) -> None:
        if not self._rows:
            return
        path = self._folder / f"part-{self._next:05}{self._form.suffix}"
        try:
            write_atomically(path, *self._form.content(self._encoded))
        except OSError as error:
            raise DataError(
                f"{path}: cannot be written ({error.strerror or error}). Make room, and run the same command again."
            ) from error
        now, written = time.monotonic(), self.written + self._rows
        # One statement without a call: an interrupt comes before it or after it, and no row is written twice.
        self._next, self._encoded, self._rows, self._last, self.written = self._next + 1, [], 0, now, written


def _number(path: Path) -> int:
    found = _NAME.fullmatch(path.name)
    assert found is not None
    return int(found[1])
