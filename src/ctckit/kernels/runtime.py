"""The threads and instruction sets of the C++ core."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import ctckit._native as _native
from ctckit import _checks
from ctckit.errors import InvalidInputError

MOST_THREADS = 1024  # no call can use more
THREADS_VARIABLE = "CTCKIT_NUM_THREADS"  # of the environment
ISA_VARIABLE = "CTCKIT_ISA"


def instruction_sets() -> list[str]:
    """Return the compiled instruction sets that this machine can run, slowest first."""
    return list(_native.instruction_sets())


def instruction_set() -> str:
    """Return the instruction set in use: the last of ``instruction_sets()``, unless another was set.

    ``CTCKIT_ISA`` of the environment sets one by its name. It is read once.
    """
    return str(_native.instruction_set())


def set_instruction_set(name: str) -> None:
    """Make the kernels use another instruction set, for tests and measurements.

    Raises:
        InvalidInputError: If this machine does not have it.
    """
    try:
        _native.set_instruction_set(name)
    except ValueError as error:
        raise InvalidInputError(str(error)) from None


def num_threads() -> int:
    """Return the most threads that one call uses.

    By default, it is ``CTCKIT_NUM_THREADS`` of the environment, or else the number of processors that this process may
    use: those of its CPU affinity, and at most its CPU quota, rounded up, if it runs in a container that has one
    (control groups of version 1 or 2). The variable and the quota are read once.

    Example:
        >>> import ctckit
        >>> most = ctckit.num_threads()
        >>> ctckit.set_num_threads(1)
        >>> ctckit.num_threads()
        1
        >>> ctckit.set_num_threads(most)
    """
    return int(_native.num_threads())


def set_num_threads(count: int) -> None:
    """Set the most threads that one call uses. The results are the same bits for any number.

    Raises:
        InvalidInputError: If ``count`` is not a positive integer.

    Example:
        >>> import ctckit
        >>> before = ctckit.num_threads()
        >>> ctckit.set_num_threads(2)
        >>> ctckit.num_threads()
        2
        >>> ctckit.set_num_threads(before)
    """
    _native.set_num_threads(min(_checks.positive_integer(count, "count"), MOST_THREADS))


def use_environment() -> None:
    """Set the instruction set to ``CTCKIT_ISA`` and the most threads to ``CTCKIT_NUM_THREADS``, if they are there.

    Raises:
        InvalidInputError: If this machine does not have the instruction set, or if the number of threads is not a
            whole number of 1 or more.
    """
    _use_variable(
        ISA_VARIABLE,
        set_instruction_set,
        f"one of {', '.join(instruction_sets())}",
        f"use {instruction_sets()[-1]}, the fastest that this machine has",
    )
    _use_variable(
        THREADS_VARIABLE,
        lambda count: set_num_threads(int(count)),
        "a whole number, 1 or more",
        "use all processors that this process may use",
    )


def _use_variable(name: str, use: Callable[[str], None], expected: str, unset: str) -> None:
    found = os.environ.get(name, "").strip()
    if not found:
        return
    try:
        use(found)
    except ValueError:
        raise InvalidInputError(
            f"the environment variable {name} is {found!r}; expected {expected}. Correct it, or unset it to {unset}."
        ) from None


def share_openmp(folder: Path) -> bool:
    """Run the calls of this Python thread on the threads of another library's OpenMP runtime.

    PyTorch's idle threads spin for milliseconds after each operator, and a second thread pool would get only half of
    the processors. The core still uses its own pool in other threads, in forked children, and where torch has fewer
    threads than ``num_threads()``. The results do not change.

    Args:
        folder: The folder of the runtime's library.

    Returns:
        Whether the folder has such a library that is already loaded.
    """
    libraries = (path for name in ("libgomp*.so*", "libiomp5*.so*") for path in folder.glob(name))
    return any(_native.share_openmp(str(path)) for path in libraries)
