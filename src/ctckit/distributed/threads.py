"""How many threads a worker computes with."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ctckit.bulk.pipeline import Work
from ctckit.kernels.runtime import num_threads, set_num_threads


@contextmanager
def started(start: Callable[[], Work], threads: int) -> Iterator[Work]:
    """Yield a work: each call of the core and of torch, and each session of ONNX Runtime, has so many threads."""
    before = num_threads()
    set_num_threads(threads)
    try:
        work = start()
        with _torch_threads(threads):
            yield work
    finally:
        set_num_threads(before)


def start_for_good(start: Callable[[], Work], threads: int) -> Work:
    """Return such a work, in a process that keeps these threads."""
    set_num_threads(threads)
    work = start()
    torch: Any = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(threads)
    return work


@contextmanager
def _torch_threads(threads: int) -> Iterator[None]:
    torch: Any = sys.modules.get("torch")
    if torch is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
