"""The options of jobs over many inputs, and what is recorded of a command's options."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer

from ctckit.cli.options import refuse_option

if TYPE_CHECKING:
    from ctckit.bulk.formats import Format


class ShardFormat(str, Enum):
    """A file format of shards."""

    jsonl = "jsonl"
    parquet = "parquet"


class Engine(str, Enum):
    """What computes the rows."""

    threads = "threads"
    ray = "ray"


@dataclass(frozen=True)
class ShardOptions:
    """Rows in files of a folder, one for each input, also for one that cannot be used."""

    panel: ClassVar[str] = "Many inputs"
    shards: Annotated[
        Path | None,
        typer.Option(
            help="Write one row for each input into files of this folder. The inputs may also be patterns in quotes "
            "('scans/**/*.png') and tables with a column path (.csv, .tsv, .jsonl, .parquet). If the command is "
            "stopped, however it is, the same command continues."
        ),
    ] = None
    shard_format: Annotated[
        ShardFormat | None, typer.Option(help="The format of these files.", show_default="jsonl")
    ] = None
    shard_rows: Annotated[int | None, typer.Option(min=1, help="The most rows of a file.", show_default="10000")] = None
    spans: Annotated[
        bool, typer.Option("--spans", help="Add the place of each character, token or word to the rows.")
    ] = False
    engine: Annotated[
        Engine,
        typer.Option(
            help="What computes the rows: threads of this process, or workers of a Ray cluster on any machines."
        ),
    ] = Engine.threads
    address: Annotated[
        str | None,
        typer.Option(
            help="The Ray cluster, such as 10.0.0.1:6379. By default the one of this machine, which is started if "
            "there is none."
        ),
    ] = None

    def refuse(self) -> None:
        """Refuse the other options if ``--shards`` is not given.

        Raises:
            InvalidInputError: If one is given.
        """
        for each in fields(self):
            if self.shards is None and getattr(self, each.name) != each.default:
                refuse_option(f"--{each.name.replace('_', '-')}", "--shards, the folder for the rows, is not")

    def expect_engine(self) -> None:
        """Refuse ``--address`` with an engine that has none.

        Raises:
            InvalidInputError: If it is given.
        """
        if self.address is not None and self.engine is not Engine.ray:
            refuse_option("--address", "--engine ray is not")

    def format(self, columns: type) -> Format:
        """Return the format of the files.

        Args:
            columns: A class whose annotations are the columns.

        Raises:
            MissingDependencyError: If pyarrow is needed and not installed.
        """
        from ctckit.bulk.formats import JsonLines, Parquet

        return Parquet(columns) if self.shard_format is ShardFormat.parquet else JsonLines()


@dataclass(frozen=True)
class BulkOptions(ShardOptions):
    """Rows in files of a folder, with the number of workers."""

    workers: Annotated[
        int | None,
        typer.Option(
            min=1, help="How many threads, or workers of Ray, compute.", show_default="one for each processor"
        ),
    ] = None


def recorded(*groups: Any, **settings: Any) -> dict[str, Any]:
    """Return settings as the folder records them.

    Args:
        groups: Groups of options; those that differ from their defaults are recorded.
        settings: Others by their names; paths are recorded with digests of their files, None is not recorded.
    """
    given = [
        (field.name, getattr(group, field.name))
        for group in groups
        for field in fields(group)
        if getattr(group, field.name) != field.default
    ]
    return {name: _as_json(value) for name, value in [*settings.items(), *given] if value is not None}


def _as_json(value: Any) -> Any:
    from ctckit.bulk.settings import identity

    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (list, tuple)):
        return [_as_json(each) for each in value]
    return identity(value) if isinstance(value, Path) else value
