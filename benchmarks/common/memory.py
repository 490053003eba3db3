"""Peak memory of this process: high-water marks of resident memory, on Linux."""

from __future__ import annotations

import ctypes
import gc
from pathlib import Path

STATUS = Path("/proc/self/status")
MARK = Path("/proc/self/clear_refs")


def available() -> bool:
    """Return whether this system reports peak memory."""
    return STATUS.exists() and MARK.exists()


def resident(field: str) -> int:
    """Return resident bytes: now ("VmRSS"), or the peak since ``start_peak`` ("VmHWM")."""
    lines = STATUS.read_text(encoding="ascii").splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(field))


def peak() -> int:
    """Return the peak of resident bytes since ``start_peak``."""
    return resident("VmHWM")


def start_peak() -> int:
    """Free unused memory, reset the high-water mark, and return the bytes that are resident now."""
    gc.collect()
    if hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)  # memory that is free but still resident could be used without raising the mark
    MARK.write_text("5", encoding="ascii")
    return resident("VmRSS")
