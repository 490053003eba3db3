"""Rows in JSON lines and in Parquet.

A format encodes a few rows at a time, so that the rows of a shard take little memory until it is written.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any, Protocol, get_args, get_origin, get_type_hints

from ctckit import _checks
from ctckit.bulk.rows import Problem, Row
from ctckit.errors import DataError

if TYPE_CHECKING:
    import pyarrow
    import pyarrow.parquet


class Format(Protocol):
    """A file format of shards.

    Attributes:
        suffix: The ending of its files.
    """

    suffix: str

    def encode(self, rows: Sequence[Row]) -> Any:
        """Return rows in a compact form."""

    def content(self, encoded: Sequence[Any]) -> Sequence[bytes | memoryview]:
        """Return the content of a file, in parts, from what ``encode`` returned."""

    def read(self, path: Path) -> Iterator[tuple[str, bool]]:
        """Yield path, and whether there is an error, of each row of a file.

        Raises:
            DataError: If the file is damaged, or its end is cut off.
        """


class JsonLines:
    """One object a line."""

    suffix = ".jsonl"
    _start = '{"path": '
    _no_error = ', "error": null'

    def encode(self, rows: Sequence[Row]) -> bytes:
        """Return the lines."""
        return b"".join(_line(row.to_dict()) for row in rows)

    def content(self, encoded: Sequence[bytes]) -> Sequence[bytes]:
        """Return the lines."""
        return encoded

    def read(self, path: Path) -> Iterator[tuple[str, bool]]:
        """Yield path, and whether there is an error, of each line; only of the last line, the rest is parsed too."""
        decode = json.JSONDecoder().raw_decode
        n, line = 0, ""
        with path.open("rb") as file:
            for n, content in enumerate(file, 1):
                try:
                    line = content.decode()
                    name, end = decode(line, len(self._start))
                except ValueError:
                    raise _damaged(f"{path}, line {n}") from None
                yield str(name), not line.startswith(self._no_error, end)
        try:
            json.loads(line)
        except ValueError:
            raise _damaged(f"{path}, line {n}") from None


class Parquet:
    """A table with typed columns.

    Args:
        columns: A class whose annotations are what a job finds: names and types of columns.

    Raises:
        MissingDependencyError: If pyarrow is not installed.
    """

    suffix = ".parquet"

    def __init__(self, columns: type) -> None:
        pyarrow = _pyarrow()
        hints = {"path": str, "error": Problem, **get_type_hints(columns)}
        self._schema = pyarrow.schema([(name, _arrow_type(hint)) for name, hint in hints.items()])

    def encode(self, rows: Sequence[Row]) -> pyarrow.RecordBatch:
        """Return the rows as Arrow has them."""
        return _pyarrow().RecordBatch.from_pylist([row.to_dict() for row in rows], schema=self._schema)

    def content(self, encoded: Sequence[pyarrow.RecordBatch]) -> Sequence[memoryview]:
        """Return the file, with one row group."""
        from pyarrow import parquet

        pyarrow = _pyarrow()
        sink = pyarrow.BufferOutputStream()
        parquet.write_table(pyarrow.Table.from_batches(encoded, self._schema), sink)
        return [memoryview(sink.getvalue())]

    def read(self, path: Path) -> Iterator[tuple[str, bool]]:
        """Yield path, and whether there is an error, of each row."""
        try:
            file = open_parquet(path)
        except DataError:
            raise _damaged(str(path)) from None
        if not {"path", "error"} <= set(file.schema_arrow.names):
            raise _damaged(str(path))
        for batch in file.iter_batches(columns=["path", "error"]):
            errors = batch.column("error").is_valid().to_pylist()
            yield from zip(batch.column("path").to_pylist(), errors, strict=True)


def open_parquet(path: Path) -> pyarrow.parquet.ParquetFile:
    """Return a Parquet file.

    Raises:
        MissingDependencyError: If pyarrow is not installed.
        DataError: If it cannot be read.
    """
    pyarrow = _pyarrow()
    from pyarrow import parquet

    try:
        return parquet.ParquetFile(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{path}: cannot be read as Parquet ({error}). Write it again, or remove it.") from error


def _pyarrow() -> Any:
    try:
        import pyarrow
    except ModuleNotFoundError as error:
        raise _checks.missing(error, "a Parquet file", "parquet") from error
    return pyarrow


def _arrow_type(hint: Any) -> pyarrow.DataType:
    """Return the Arrow type of an annotation: text, number, flag, sequence, class with annotations; or one of None."""
    pyarrow = _pyarrow()
    simple = {str: pyarrow.string(), int: pyarrow.int64(), float: pyarrow.float64(), bool: pyarrow.bool_()}
    if hint in simple:
        return simple[hint]
    arguments = [each for each in get_args(hint) if each not in (NoneType, ...)]
    if isinstance(get_origin(hint), type) and issubclass(get_origin(hint), Sequence):
        return pyarrow.list_(_arrow_type(arguments[0]))
    if arguments:
        return _arrow_type(arguments[0])
    return pyarrow.struct([(name, _arrow_type(each)) for name, each in get_type_hints(hint).items()])


def _line(row: Mapping[str, Any]) -> bytes:
    try:
        text = json.dumps(row, ensure_ascii=False, allow_nan=False)
    except ValueError:
        text = json.dumps(_finite(row), ensure_ascii=False)
    return f"{text}\n".encode("utf-8", "backslashreplace")


def _finite(value: Any) -> Any:
    """Return a value with the numbers that JSON does not have as strings; see ``ctckit._json``."""
    from ctckit._json import as_json

    if isinstance(value, Mapping):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(each) for each in value]
    return as_json(value) if isinstance(value, float) else value


def _damaged(where: str) -> DataError:
    return DataError(
        f"{where}: is damaged, or its end is cut off. Delete this file and give the same command: its inputs are "
        "computed again."
    )
