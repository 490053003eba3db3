"""Interruptions of a run: a signal stops it after the step it is in, so that its state can be saved."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class TrainingInterrupted(KeyboardInterrupt):
    """A signal has stopped a run. Its state is in the checkpoint: resume it.

    Attributes:
        step: The completed steps.
        signal: The number of the signal.
    """

    def __init__(self, step: int, number: int) -> None:
        super().__init__(f"{signal.Signals(number).name} stopped the training after step {step}; its state is saved")
        self.step = step
        self.signal = number


class Interruption:
    """Notes SIGINT (Ctrl-C), SIGTERM and SIGHUP while the block runs; a second signal interrupts at once.

    Signals that the process ignores (``nohup``) stay ignored. Python allows handlers only in the main thread: in
    another thread nothing is noted, and signals act as usual.

    Attributes:
        number: The number of the signal that has come; None before.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                if signal.getsignal(number) not in (signal.SIG_IGN, None):
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.number is not None:
            raise KeyboardInterrupt
        self.number = number

    def _restore(self) -> None:
        while self._before:
            signal.signal(*self._before.popitem())
