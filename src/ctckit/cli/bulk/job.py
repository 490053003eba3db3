"""The run of a job over many inputs, into one folder."""

from __future__ import annotations

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
from ctckit.cli.bulk.options import Engine, ShardOptions
from ctckit.cli.bulk.progress import Pace, shown
from ctckit.cli.signals import exit_code, signals_as_interrupts
from ctckit.distributed.on_ray import actors, cluster
from ctckit.distributed.threads import started
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
        gpu: Whether a worker of Ray needs a GPU.
    """

    what: str
    start: Callable[[], Work]
    inputs: Inputs
    columns: type
    settings: Mapping[str, Any]
    gpu: bool = False

    def run(self, options: ShardOptions, workers: int | None) -> None:
        """Compute the rows of all inputs that the folder does not have yet.

        Args:
            options: The folder and its files.
            workers: The number of threads, or of workers of Ray; None is one for each processor.

        Raises:
            InvalidInputError: If the folder has rows that were made with other settings.
            DataError: If something given has no inputs; at the end, if inputs cannot be used.
            typer.Exit: If Ctrl-C, SIGTERM or SIGHUP stops it; the rows so far are written.
        """
        options.expect_engine()
        folder = self._free(options.shards)
        form = options.format(self.columns)
        own = {"ctckit": metadata.version("ctckit"), "format": form.suffix[1:], "spans": options.spans}
        settings = {**own, **self.settings}
        pace = Pace(sum(1 for _ in self.inputs))
        make_folder(folder)
        with locked(folder, ".job.lock", doing="is writing rows into it"):
            expect_settings(folder, settings)
            done = done_in(folder, form)
            before = len(done.keys)
            left = _left(self.inputs, done, pace)
            writer = ShardWriter(folder, form, options.shard_rows or _SHARD_ROWS)
            failed: list[str] = []
            try:
                if (first := next(left, None)) is not None:
                    with self._computed(options, workers, chain([first], left)) as parts:
                        record_settings(folder, settings)  # not before: what cannot start leaves no record
                        failed = self._compute(parts, writer, pace)
            except KeyboardInterrupt as interrupt:
                rows = f"{before + writer.written:,} of {pace.total:,} rows are in {folder}/"
                typer.echo(f"stopped: {rows}; the same command continues", err=True)
                raise typer.Exit(exit_code(interrupt)) from None
        _conclude(folder, len(done.keys), done.errors, pace.errors, failed)

    def _free(self, folder: Path | None) -> Path:
        assert folder is not None
        for given in self.inputs.given:
            if given.is_dir() and folder.resolve().is_relative_to(given.resolve()):
                raise InvalidInputError(f"--shards {folder} is in {given}, an input. Choose another folder.")
        return folder

    @contextmanager
    def _computed(
        self, options: ShardOptions, workers: int | None, paths: Iterator[str]
    ) -> Iterator[Iterator[list[Row]]]:
        """Start the work; yield the rows."""
        if options.engine is Engine.ray:
            with cluster(options.address) as ray, actors(ray, self.start, workers, gpu=self.gpu) as started_actors:
                yield started_actors.rows(paths)
            return
        workers = workers or ctckit.num_threads()
        with started(self.start, max(1, ctckit.num_threads() // workers)) as work:
            yield compute_rows(work, paths, workers)

    def _compute(self, parts: Iterable[Sequence[Row]], writer: ShardWriter, pace: Pace) -> list[str]:
        """Write rows as they come; return the first few errors."""
        named: list[str] = []
        with signals_as_interrupts(), shown(self.what, pace) as show, writer:
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


def _conclude(folder: Path, rows: int, errors_before: int, errors_now: int, failed: Sequence[str]) -> None:
    errors = errors_before + errors_now
    typer.echo(f"{rows:,} row{'' if rows == 1 else 's'}, {errors:,} with errors: {folder}/", err=True)
    if not errors:
        return
    inputs, its_row = ("1 input", "its row") if errors == 1 else (f"{errors:,} inputs", "the row of each")
    found = ", as earlier runs found" if not errors_now else f", {errors_now:,} of them in this run"
    when = found if errors_before else ""
    raise DataError("\n  ".join([f"{inputs} cannot be used{when}; {its_row} in {folder} has an error.", *failed]))
