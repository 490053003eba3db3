"""Starts one process for each device of this machine, with the launcher of PyTorch, as torchrun does."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from tempfile import TemporaryDirectory

from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure, get_error_handler
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from ctckit.errors import CTCKitError
from ctckit.kernels.runtime import THREADS_VARIABLE, num_threads
from ctckit.ocr.training.devices import RUN
from ctckit.ocr.training.team import ProcessLostError

_FAILED = 2
_STOPPED = (-signal.SIGTERM, 128 + signal.SIGTERM)  # by the launcher


class ProcessFailedError(CTCKitError, RuntimeError):
    """A process of a training has failed or was killed, and the others were stopped.

    Attributes:
        code: The exit code of the process, as shells tell it: 128 and the number of the signal if it was killed.
        is_killed: Whether a signal has killed it.
    """

    def __init__(self, message: str, code: int, *, is_killed: bool) -> None:
        super().__init__(message)
        self.code = code
        self.is_killed = is_killed


class LaunchInterrupted(KeyboardInterrupt):
    """A signal has stopped the processes.

    Attributes:
        signal: The number of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"signal {number}")
        self.signal = number


def launch(arguments: Sequence[str], devices: int) -> None:
    """Run ``python`` with these arguments once for each device; return when all processes have ended.

    Each process finds its number in the environment, as :mod:`ctckit.ocr.training.devices` reads it. They share the
    processors. A signal that stops this process is passed on to them.

    Args:
        arguments: What follows ``python``.
        devices: The number of processes.

    Raises:
        ProcessFailedError: If one of them fails or is killed. The others are stopped first.
        LaunchInterrupted: If a signal has stopped them.
    """
    threads = str(max(1, num_threads() // devices))
    with (
        TemporaryDirectory(prefix="ctckit-") as folder,
        _environment({"OMP_NUM_THREADS": threads, THREADS_VARIABLE: threads}),
        _silent(),
    ):
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=devices,
            run_id=f"{RUN}{os.getpid()}",
            rdzv_backend="c10d",
            rdzv_endpoint="localhost:0",
            local_addr="localhost",
            max_restarts=0,
            logs_specs=DefaultLogsSpecs(log_dir=folder),
        )
        try:
            elastic_launch(config, sys.executable)(*arguments)
        except SignalException as stop:
            raise LaunchInterrupted(int(stop.sigval)) from None
        except ChildFailedError as error:
            raise _as_error(error.failures, devices) from None


def record_failure(error: Exception) -> None:
    """Write down, for the launcher, why this process fails."""
    get_error_handler().record_exception(error)


def _as_error(failures: Mapping[int, ProcessFailure], devices: int) -> ProcessFailedError:
    """Return the error of the process that was killed first; or, if none was, of the first process that failed."""
    causes = {rank: each for rank, each in failures.items() if not _is_consequence(each)} or failures
    rank, failure = min(causes.items(), key=lambda each: _order(*each))
    who, (_, reason) = f"process {rank + 1} of {devices} (pid {failure.pid})", _recorded(failure)
    if _is_killed(failure):
        message = f"{who} was killed by {failure.signal_name()}, and the training has ended."
        return ProcessFailedError(message, 128 - failure.exitcode, is_killed=True)
    code = failure.exitcode if failure.exitcode > 0 else _FAILED  # it was stopped when it had told its error
    if reason and rank == 0:
        return ProcessFailedError(reason, code, is_killed=False)
    return ProcessFailedError(f"{who} failed. {reason or f'Its exit code is {code}.'}", code, is_killed=False)


def _order(rank: int, failure: ProcessFailure) -> tuple[bool, int, int]:
    is_killed = _is_killed(failure)
    return not is_killed, failure.timestamp if is_killed else 0, rank


def _is_killed(failure: ProcessFailure) -> bool:
    return failure.exitcode < 0 and not any(_recorded(failure))


def _is_consequence(failure: ProcessFailure) -> bool:
    """Return whether a process failed because another one had: it lost the connection, or the launcher stopped it."""
    kind, _ = _recorded(failure)
    return kind == ProcessLostError.__name__ if kind else failure.exitcode in _STOPPED


def _recorded(failure: ProcessFailure) -> tuple[str, str]:
    """Return the type and the message of the error that a process has written down; empty if it has not."""
    message = failure.error_file_data.get("message", "")
    kind, _, text = (message["message"] if isinstance(message, dict) else "").partition(": ")
    return kind, text


@contextmanager
def _environment(defaults: Mapping[str, str]) -> Iterator[None]:
    """Set variables of the environment that are not set yet, while the block runs."""
    missing = {name: value for name, value in defaults.items() if name not in os.environ}
    os.environ.update(missing)
    try:
        yield
    finally:
        for name in missing:
            del os.environ[name]


@contextmanager
def _silent() -> Iterator[None]:
    """Keep the launcher's own log off the screen while the block runs: errors tell what happened."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
