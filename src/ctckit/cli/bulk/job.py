"""The run of a job over many inputs, in one process, into one folder."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from itertools import chain
from pathlib import Path
from typing import Any

import typer

import ctckit
from ctckit._files import locked, make_folder
from ctckit.bulk.inputs import Inputs
from ctckit.bulk.pipeline import Work, compute_rows
from ctckit.bulk.rows import Row
from ctckit.bulk.rows import shown as shown_path
from ctckit.bulk.settings import expect_settings, record_settings
from ctckit.bulk.shards import Done, ShardWriter, done_in
from ctckit.cli.bulk.options import ShardOptions
from ctckit.cli.bulk.progress import Pace, shown
from ctckit.errors import DataError, InvalidInputError

_SHARD_ROWS = 10_000
_NAMED = 5  # inputs with errors in the message at the end


@dataclass(frozen=True)
class Job:
    """What a command does with many inputs.

    Attributes:
        what: What is done, for the progress: "reading".
        start: Returns the work; called only if there is something left to do.
        inputs: The inputs.
        columns: A class whose annotations are the columns; see ``ctckit.bulk.formats.Parquet``.
        settings: What the results depend on; see ``recorded``.
    """

    what: str
    start: Callable[[], Work]
    inputs: Inputs
    columns: type
    settings: Mapping[str, Any]

    def run(self, options: ShardOptions, workers: int | None) -> None:
        """Compute the rows of all inputs that the folder does not have yet.

        Args:
            options: The folder and its files.
            workers: The number of threads; None is one for each processor.

        Raises:
            InvalidInputError: If the folder has rows that were made with other settings.
            DataError: If something given has no inputs; at the end, if inputs cannot be used.
        """
        folder = self._free(options.shards)
        form = options.format(self.columns)
        own = {"ctckit": metadata.version("ctckit"), "format": form.suffix[1:], "spans": options.spans}
        settings = {**own, **self.settings}
        pace = Pace(sum(1 for _ in self.inputs))
        make_folder(folder)
        with locked(folder, ".job.lock", doing="is writing rows into it"):
            expect_settings(folder, settings)
            done = done_in(folder, form)
            left = _left(self.inputs, done, pace)
            writer = ShardWriter(folder, form, options.shard_rows or _SHARD_ROWS)
            failed: list[str] = []
            if (first := next(left, None)) is not None:
                workers = workers or ctckit.num_threads()
                share = max(1, ctckit.num_threads() // workers)
                with _core_threads(share):
                    work = self.start()
                    record_settings(folder, settings)  # not before: what cannot start leaves no record
                    with _torch_threads(share):
                        failed = self._compute(compute_rows(work, chain([first], left), workers), writer, pace)
        _conclude(folder, len(done.keys), done.errors + pace.errors, failed)

    def _free(self, folder: Path | None) -> Path:
        assert folder is not None
        for given in self.inputs.given:
            if given.is_dir() and folder.resolve().is_relative_to(given.resolve()):
                raise InvalidInputError(f"--shards {folder} is in {given}, an input. Choose another folder.")
        return folder

    def _compute(self, parts: Iterable[Sequence[Row]], writer: ShardWriter, pace: Pace) -> list[str]:
        """Write rows as they come; return the first few errors."""
        named: list[str] = []
        with shown(self.what, pace) as show, writer:
            for rows in parts:
                writer.add(rows)
                failed = [
                    f"{row.path}: {row.error['what']} {row.error['remedy']}".rstrip() for row in rows if row.error
                ]
                named += failed[: _NAMED - len(named)]
                pace.computed += len(rows)
                pace.errors += len(failed)
                show()
        return named


def _left(inputs: Iterable[str], done: Done, pace: Pace) -> Iterator[str]:
    """Yield the inputs that have no row yet, each once."""
    for path in inputs:
        if done.keys.add(shown_path(path)):
            yield path
        else:
            pace.skipped += 1


def _conclude(folder: Path, rows: int, errors: int, failed: Sequence[str]) -> None:
    typer.echo(f"{rows:,} rows, {errors:,} with errors: {folder}/", err=True)
    if errors:
        inputs = (
            "1 input cannot be used; its row" if errors == 1 else f"{errors:,} inputs cannot be used; the row of each"
        )
        raise DataError("\n  ".join([f"{inputs} in {folder} has an error.", *failed]))


@contextmanager
def _core_threads(count: int) -> Iterator[None]:
    """Give each call of the compiled core, and each session of ONNX Runtime that is opened, so many threads."""
    before = ctckit.num_threads()
    ctckit.set_num_threads(count)
    try:
        yield
    finally:
        ctckit.set_num_threads(before)


@contextmanager
def _torch_threads(count: int) -> Iterator[None]:
    """Give each call of torch so many threads, if it is loaded."""
    torch: Any = sys.modules.get("torch")
    if torch is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
