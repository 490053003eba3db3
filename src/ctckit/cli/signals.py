"""Signals that end a command as Ctrl-C does."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALED = 128  # plus the number of the signal: what shells report; 130 for Ctrl-C
_NUMBERS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Signaled(KeyboardInterrupt):
    """A signal came.

    Attributes:
        number: Its number.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


@contextmanager
def signals_as_interrupts() -> Iterator[None]:
    """Raise ``Signaled`` in the block at SIGTERM and SIGHUP, as Python raises ``KeyboardInterrupt`` at Ctrl-C.

    Signals that the process ignores (``nohup``) stay ignored. Python allows handlers only in the main thread: in
    another thread, signals act as usual.
    """
    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for number in _NUMBERS:
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                before[number] = signal.signal(number, _raise)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def exit_code(interrupt: KeyboardInterrupt) -> int:
    """Return the exit code of a command that an interrupt has ended."""
    return SIGNALED + (interrupt.number if isinstance(interrupt, Signaled) else signal.SIGINT)


def _raise(number: int, frame: FrameType | None) -> None:
    raise Signaled(number)
