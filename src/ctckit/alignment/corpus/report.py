"""The table of a corpus: a row for each line of each recording, and one for each recording that could not be used."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from ctckit import _files
from ctckit.alignment.corpus.record import Record
from ctckit.errors import DataError

COLUMNS = ("recording", "line", "start_seconds", "end_seconds", "confidence", "suspicious", "text", "problem")


def write_report(path: Path, records: Iterable[Record], *, below: float) -> None:
    """Write a table in CSV.

    Args:
        path: The file.
        records: The recordings.
        below: Lines with a lower confidence are suspicious.

    Raises:
        DataError: If it cannot be written.
    """
    buffer = io.StringIO(newline="")
    table = csv.writer(buffer)
    table.writerow(COLUMNS)
    for record in records:
        if record.problem is not None:
            table.writerow([record.name, *[""] * 6, record.problem])
        for each in record.lines:
            line = each.line
            sure = "" if line.confidence is None else f"{line.confidence:.4f}"
            times = f"{line.start_seconds:.3f}", f"{line.end_seconds:.3f}"
            mark = "yes" if each.is_suspicious(below) else ""
            table.writerow([record.name, each.number, *times, sure, mark, line.text, ""])
    try:
        _files.write_atomically(path, buffer.getvalue().encode("utf-8", "surrogateescape"))
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror or error}).") from error
