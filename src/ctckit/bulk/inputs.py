"""Folders, globs and manifests as one list of paths, which is never held in memory as a whole."""

from __future__ import annotations

import csv
import glob
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from ctckit._files import files_under
from ctckit.bulk.formats import open_parquet
from ctckit.errors import DataError, MissingFileError

_GLOB = "*?["
_COLUMN = "path"


@dataclass(frozen=True)
class Inputs:
    """Paths, in an order that depends on their names only. Each iteration looks at the folders again.

    Attributes:
        given: Files; folders; patterns such as ``scans/**/*.png``; manifests, which are tables with a column ``path``
            (.csv, .tsv, .jsonl, .parquet), relative to the manifest.
        suffixes: The endings of the files of folders, in lower case.
        excluded: Files of folders that are left out.

    Raises:
        DataError: When iterating, if something that is given has no inputs, or a manifest cannot be read.
    """

    given: Sequence[Path]
    suffixes: tuple[str, ...]
    excluded: frozenset[Path] = frozenset()

    def __iter__(self) -> Iterator[str]:
        for given in self.given:
            empty = True
            for path in self._of(given):
                empty = False
                yield path
            if empty:
                raise DataError(f"{given}: has no inputs (looked for {', '.join(self.suffixes)}). Check the path.")

    def _of(self, given: Path) -> Iterator[str]:
        if given.is_dir():
            files = (path for path in files_under(given) if path.suffix.lower() in self.suffixes)
            return (str(path) for path in files if path not in self.excluded)
        if not given.exists() and any(mark in str(given) for mark in _GLOB):
            return (path for path in sorted(glob.iglob(str(given), recursive=True)) if not Path(path).is_dir())
        if not given.exists():
            raise MissingFileError(f"{given}: there is no such file or folder. Check the path.")
        read = _MANIFESTS.get(given.suffix.lower())
        return iter([str(given)]) if read is None else (str(given.parent / cell) for cell in read(given))


def _of_csv(path: Path) -> Iterator[str]:
    with _opened(path) as file:
        yield from _cells(path, csv.DictReader(file))


def _of_tsv(path: Path) -> Iterator[str]:
    with _opened(path) as file:
        yield from _cells(path, csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def _of_json_lines(path: Path) -> Iterator[str]:
    with _opened(path) as file:
        for n, line in enumerate(file, 1):
            try:
                yield str(json.loads(line)[_COLUMN])
            except (KeyError, TypeError, ValueError):
                raise DataError(
                    f'{path}, line {n}: is {line.strip()[:60]!r}; expected an object with "{_COLUMN}".'
                ) from None


def _of_parquet(path: Path) -> Iterator[str]:
    file = open_parquet(path)
    _expect_column(path, file.schema_arrow.names)
    for batch in file.iter_batches(columns=[_COLUMN]):
        yield from map(str, batch.column(0).to_pylist())


_MANIFESTS: Mapping[str, Callable[[Path], Iterator[str]]] = {
    ".csv": _of_csv,
    ".tsv": _of_tsv,
    ".jsonl": _of_json_lines,
    ".parquet": _of_parquet,
}


def _cells(path: Path, reader: csv.DictReader[str]) -> Iterator[str]:
    _expect_column(path, reader.fieldnames or ())
    for row in reader:
        if not row[_COLUMN]:
            raise DataError(f"{path}, line {reader.line_num}: has no {_COLUMN}. Add it, or remove the line.")
        yield row[_COLUMN]


def _expect_column(path: Path, names: Sequence[str]) -> None:
    if _COLUMN not in names:
        raise DataError(
            f"{path}: has the columns {', '.join(names)}; expected one named {_COLUMN}. Rename the column of the paths."
        )


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield file
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as a table ({error}). Write it in UTF-8.") from error
