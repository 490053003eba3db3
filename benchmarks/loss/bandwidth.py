"""The memory bandwidth of this machine: of reading and of copying."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

SIZE = 1 << 26  # float32: 256 MiB, much larger than any cache
REPEATS = 5


class Bandwidth:
    """Arrays that ``threads`` threads process together; NumPy releases the interpreter's lock in both loops."""

    def __init__(self, threads: int) -> None:
        self.source = np.ones(SIZE, dtype=np.float32)
        self.target = np.zeros_like(self.source)
        self.parts = [slice(i * SIZE // threads, (i + 1) * SIZE // threads) for i in range(threads)]
        self.pool = ThreadPoolExecutor(threads)

    def read(self) -> float:
        """Return bytes per second of reading, measured by a dot product of an array with itself."""
        return self.source.nbytes / self.fastest(lambda part: np.dot(self.source[part], self.source[part]))

    def copy(self) -> float:
        """Return bytes per second of copying; read and written bytes both count."""
        return 2 * self.source.nbytes / self.fastest(lambda part: np.copyto(self.target[part], self.source[part]))

    def fastest(self, work: Callable[[slice], object]) -> float:
        """Return the seconds of the fastest repetition."""
        return min(self.seconds(work) for _ in range(REPEATS))

    def seconds(self, work: Callable[[slice], object]) -> float:
        """Time all parts, processed at the same time."""
        start = time.perf_counter()
        list(self.pool.map(work, self.parts))
        return time.perf_counter() - start


def measure(threads: int) -> dict[str, float]:
    """Return bytes per second of reading and of copying."""
    bandwidth = Bandwidth(threads)
    return {"read": bandwidth.read(), "copy": bandwidth.copy()}
