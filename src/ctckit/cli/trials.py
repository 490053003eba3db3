"""The results of ``ctckit tune`` while it runs, in a file that grows with each setting: an interruption loses none.

The first line is a JSON object with a key of the command and of its files. Each other line is one trial: the values of
the settings, and the errors of each item.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from ctckit._files import write_atomically
from ctckit.errors import DataError

FORMAT = "ctckit-tune-trials"
Point = tuple[float, ...]


class Trials(MutableMapping[Point, npt.NDArray[np.int64]]):
    """From the values of the settings to the (B,) errors of the items; what is added is in the file at once.

    Args:
        path: The file. Trials in it are taken over if they have this key.
        key: Tells apart commands with different results.
        names: The settings.
        items: B.

    Attributes:
        replaced: Whether the file has trials with another key, which are dropped.

    Raises:
        DataError: If the file is something else.
    """

    def __init__(self, path: Path, key: str, names: Sequence[str], items: int) -> None:
        self.path = path
        self._names = list(names)
        self._head = {"format": FORMAT, "version": 1, "key": key, "settings": self._names, "items": items}
        self._known: dict[Point, npt.NDArray[np.int64]] = {}
        self._file: IO[bytes] | None = None
        self.replaced = path.exists() and not self._read()

    def __getitem__(self, point: Point) -> npt.NDArray[np.int64]:
        return self._known[point]

    def __setitem__(self, point: Point, errors: npt.NDArray[np.int64]) -> None:
        self._known[point] = errors
        if self._file is not None:
            with self._writing():
                self._file.write(_line(point, errors))
                self._file.flush()

    def __delitem__(self, point: Point) -> None:
        raise TypeError("trials are kept")

    def __iter__(self) -> Iterator[Point]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Write the trials into the file, and each new one while the block runs."""
        lines = [json.dumps(self._head).encode() + b"\n", *(_line(*each) for each in self._known.items())]
        with self._writing():
            write_atomically(self.path, *lines)
            self._file = self.path.open("ab")
        try:
            yield
        finally:
            self._file.close()
            self._file = None

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise DataError(f"{self.path}: cannot be written ({error.strerror or error}).") from error

    def best(self) -> tuple[str, int]:
        """Return the settings with the fewest errors, and these."""
        point, errors = min(self._known.items(), key=lambda each: int(each[1].sum()))
        pairs = zip(self._names, point, strict=True)
        return ", ".join(f"{name} = {value:g}" for name, value in pairs), int(errors.sum())

    def _read(self) -> bool:
        """Take over the trials of the file; return False if they have another key."""
        head, *lines = self.path.read_bytes().split(b"\n")
        found = _parsed(head)
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            raise DataError(
                f"{self.path}: not a file of trials that ctckit tune left. Move it, or choose another --out."
            )
        if found != self._head:
            return False
        for line in lines:
            trial = _parsed(line)
            if not isinstance(trial, dict):  # the end of the file, or a line that was not written completely
                break
            self._known[tuple(trial["values"])] = np.array(trial["errors"], dtype=np.int64)
        return True


def _line(point: Point, errors: npt.NDArray[np.int64]) -> bytes:
    return json.dumps({"values": [float(each) for each in point], "errors": errors.tolist()}).encode() + b"\n"


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None
