"""The C++ core's threads and instruction sets."""

from __future__ import annotations

from pathlib import Path

import ctckit._native as _native
from ctckit import _checks
from ctckit.errors import InvalidInputError

MOST_THREADS = 1024  # more than any call has use for


def instruction_sets() -> list[str]:
    """The compiled instruction sets that this machine can run, slowest first."""
    return list(_native.instruction_sets())


def instruction_set() -> str:
    """The one in use: the last of ``instruction_sets()``, unless another was set."""
    return str(_native.instruction_set())


def set_instruction_set(name: str) -> None:
    """Makes the kernels run on another instruction set: for tests and measurements.

    Raises:
        InvalidInputError: If this machine does not have it.
    """
    try:
        _native.set_instruction_set(name)
    except ValueError as error:
        raise InvalidInputError(str(error)) from None


def num_threads() -> int:
    """Threads that one call uses at most; at first, the processors that this process may use."""
    return int(_native.num_threads())


def set_num_threads(count: int) -> None:
    """Sets the threads that one call uses at most. Results are the same bits for any number.

    Raises:
        InvalidInputError: If ``count`` is not a positive integer.
    """
    _native.set_num_threads(min(_checks.positive_integer(count, "count"), MOST_THREADS))


def share_openmp(folder: Path) -> bool:
    """Runs the calls of this Python thread on the threads that another library's OpenMP runtime keeps.

    PyTorch's idle workers spin for milliseconds after each operator; a second pool beside them would get half of the
    processors. In other threads, in forked children, and where torch has fewer threads than ``num_threads()``, the
    core's own pool works as ever. Results do not change.

    Args:
        folder: Where the runtime's library lies.

    Returns:
        Whether one was found there that is loaded already.
    """
    libraries = (path for name in ("libgomp*.so*", "libiomp5*.so*") for path in folder.glob(name))
    return any(_native.share_openmp(str(path)) for path in libraries)
