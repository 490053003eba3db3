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

    def load(self, given: Any) -> Any:
        """Return what is computed, from an input: the path of a file, or what else the work takes.

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
                waiting.append(pool.submit(rows_of, work, part, [Path(each) for each in part]))
                if len(waiting) == 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def rows_of(work: Work, names: Sequence[str], given: Sequence[Any]) -> list[Row]:
    """Return the rows of a few inputs, in order.

    Args:
        work: What to do.
        names: What the rows and their errors call the inputs: paths, as they were given.
        given: What ``work.load`` gets.

    Raises:
        MissingDependencyError: If a package is missing: then no input can be used.
    """
    rows: dict[int, Row] = {}
    loaded: dict[int, Any] = {}
    for n, (name, each) in enumerate(zip(names, given, strict=True)):
        try:
            loaded[n] = work.load(each)
        except CTCKitError as error:
            rows[n] = _failed(name, error)
    rows |= _computed(work, names, loaded)
    return [rows[n] for n in range(len(names))]


def _computed(work: Work, names: Sequence[str], loaded: Mapping[int, Any]) -> dict[int, Row]:
    if not loaded:
        return {}
    try:
        found = work.compute(list(loaded.values()))
    except CTCKitError as error:
        if len(loaded) > 1:
            return {n: _computed(work, names, {n: each})[n] for n, each in loaded.items()}
        return {n: _failed(names[n], error) for n in loaded}
    return {n: Row(shown(names[n]), found=columns) for n, columns in zip(loaded, found, strict=True)}


def _failed(name: str, error: CTCKitError) -> Row:
    if isinstance(error, MissingDependencyError):
        raise error
    return Row(shown(name), error=problem_of(error, name))
