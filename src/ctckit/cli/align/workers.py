"""Processes that work on jobs. They end when the command ends, however it ends."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import connection, get_context, parent_process
from threading import Thread
from typing import Any, TypeVar

ToolT = TypeVar("ToolT")
JobT = TypeVar("JobT")
ResultT = TypeVar("ResultT")

_tool: Any = None  # of this process


def results_of(
    work: Callable[[ToolT, JobT], ResultT], tool: ToolT, jobs: Sequence[JobT], workers: int
) -> Iterator[ResultT]:
    """Yield ``work(tool, job)`` for each job, in the order in which they are finished.

    Args:
        work: A function of a module.
        tool: Sent to each process once; what it loads at its first use stays in that process.
        jobs: What is sent to the processes, one after another.
        workers: The number of processes.
    """
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_begin, initargs=(tool,))
    try:
        for done in as_completed([pool.submit(_do, work, job) for job in jobs]):
            yield done.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(tool: Any) -> None:
    global _tool
    _tool = tool
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes of a terminal; the command stops them
    Thread(target=_leave_with_parent, daemon=True).start()


def _leave_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _do(work: Callable[[Any, Any], Any], job: Any) -> Any:
    return work(_tool, job)
