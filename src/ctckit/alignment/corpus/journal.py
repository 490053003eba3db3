"""A file to which each finished recording is appended, so that a run that was killed can be continued."""

from __future__ import annotations

import json
from pathlib import Path

from ctckit.alignment.corpus.record import Record
from ctckit.errors import DataError


class Journal:
    """Records in a file, one a line. A line that was not written to its end is left out.

    Args:
        path: The file; it need not exist.

    Raises:
        DataError: If it cannot be opened for writing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.records: dict[str, Record] = {}
        try:
            content = path.read_bytes() if path.exists() else b""
            for line in content.split(b"\n"):
                if (record := _record(line)) is not None:
                    self.records[record.name] = record
            self._file = path.open("ab")
            if content and not content.endswith(b"\n"):
                self._file.write(b"\n")
        except OSError as error:
            raise DataError(f"{path}: cannot be written ({error.strerror or error}).") from None

    def add(self, record: Record) -> None:
        """Append a record; it is in the file when this returns, even if the process is killed then."""
        self._file.write(json.dumps(record.to_dict(), ensure_ascii=False).encode("utf-8", "surrogateescape") + b"\n")
        self._file.flush()
        self.records[record.name] = record

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _record(line: bytes) -> Record | None:
    try:
        return Record.from_dict(json.loads(line.decode("utf-8", "surrogateescape")))
    except (KeyError, TypeError, ValueError):
        return None
