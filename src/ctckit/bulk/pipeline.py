"""Loads and computes in threads, in the order of the inputs and in bounded memory.

Each thread takes a few inputs, loads them, computes them, and takes the next ones. Reading files, networks and the
compiled core release Python's lock, so while one thread reads files the others compute.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from ctckit.bulk.rows import Row, problem_of, shown
from ctckit.errors import CTCKitError, MissingDependencyError


class Work(Protocol):
    """What a job does with its inputs. Its methods are called in several threads at once."""

    @property
    def at_once(self) -> int:
        """How many inputs are computed together."""

    def load(self, path: Path) -> Any:
        """Return what is computed, from a file.

        Raises:
            CTCKitError: If it cannot be used: then its row has this error.
        """

    def compute(self, loaded: Sequence[Any]) -> Sequence[Mapping[str, Any]]:
        """Return the columns of each of these inputs, in order.

        Raises:
            CTCKitError: If one cannot be used; each is then computed alone, to find out which.
        """


def compute_rows(work: Work, paths: Iterable[str], workers: int) -> Iterator[list[Row]]:
    """Yield the rows of inputs, in order, a few at a time.

    Args:
        work: What to do.
        paths: The inputs; at most ``2 * workers`` times ``work.at_once`` of them are taken ahead.
        workers: The number of threads.

    Raises:
        MissingDependencyError: If a package is missing: then no input can be used.
    """
    rest = iter(paths)
    waiting: deque[Future[list[Row]]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            while part := list(islice(rest, work.at_once)):
                waiting.append(pool.submit(_rows_of, work, part))
                if len(waiting) == 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _rows_of(work: Work, paths: Sequence[str]) -> list[Row]:
    rows: dict[str, Row] = {}
    loaded: dict[str, Any] = {}
    for path in paths:
        try:
            loaded[path] = work.load(Path(path))
        except CTCKitError as error:
            rows[path] = _failed(path, error)
    rows |= _computed(work, loaded)
    return [rows[path] for path in paths]


def _computed(work: Work, loaded: Mapping[str, Any]) -> dict[str, Row]:
    if not loaded:
        return {}
    try:
        found = work.compute(list(loaded.values()))
    except CTCKitError as error:
        if len(loaded) > 1:
            return {path: _computed(work, {path: each})[path] for path, each in loaded.items()}
        return {path: _failed(path, error) for path in loaded}
    return {path: Row(shown(path), found=columns) for path, columns in zip(loaded, found, strict=True)}


def _failed(path: str, error: CTCKitError) -> Row:
    if isinstance(error, MissingDependencyError):
        raise error
    return Row(shown(path), error=problem_of(error, path))
