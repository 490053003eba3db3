"""Worker processes as the coordinator sees them: started, asked, timed out, and observed while they are idle.

``protocol`` is the other side. Each library has a process of its own: its thread pools, its allocator and what its
import changes then do not affect the others.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.common.libraries import CTCKIT, Setting

ROOT = Path(__file__).parent.parent.parent
PEERS_HOME = Path(os.environ.get("CTCKIT_BENCH_PEERS", ROOT / ".venv-bench"))
START_SECONDS = 120.0
REST_SECONDS = 0.02  # after a turn: thread pools spin for some milliseconds before they sleep


class WorkerError(Exception):
    """A worker process ended, took too long, or gave a wrong result."""


def python_of(environment: str) -> Path:
    """Return the Python interpreter of an environment."""
    return Path(sys.executable) if environment == CTCKIT else PEERS_HOME / "bin" / "python"


class WorkerProcess:
    """A process that holds the libraries named by ``peers``; a context manager that ends it."""

    def __init__(
        self,
        peers: tuple[str, ...],
        threads: int,
        instruction_set: str = "",
        *,
        module: str,
        environment: str = CTCKIT,
    ) -> None:
        self.peers = peers
        python = python_of(environment)
        if not python.exists():
            raise WorkerError("not installed: make bench-peers")
        self.log = tempfile.TemporaryFile()  # noqa: SIM115 (closed in ``end``)
        # NumPy's BLAS is used only by the measurement of the bandwidth, which starts threads of its own.
        environment_variables = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(
            [python, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            env=environment_variables,
            text=True,
        )
        self.idle_seconds = self.idle_cpu = 0.0
        self.rested = (time.perf_counter(), 0.0)
        try:
            start = {"peers": peers, "threads": threads, "instruction_set": instruction_set}
            self.about = self.ask("start", START_SECONDS, **start)
        except WorkerError:
            self.end()
            raise

    def __enter__(self) -> WorkerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def ask(self, do: str, patience: float, **arguments: Any) -> dict[str, Any]:
        """Send a request and return its answer.

        Args:
            do: The name of a method of the worker.
            patience: Seconds to wait for the answer.
            arguments: The arguments of the method.

        Raises:
            WorkerError: If the process ends or the answer takes too long.
        """
        assert self.process.stdin
        assert self.process.stdout
        self.note_idling()
        try:
            print(json.dumps({"do": do, **arguments}), file=self.process.stdin, flush=True)
        except BrokenPipeError:
            raise WorkerError(self.last_words()) from None
        # There is one answer to each request, so the reader's buffer is empty here.
        if not select.select([self.process.stdout], [], [], patience)[0]:
            raise WorkerError(f"took more than {patience:.0f} s")
        line = self.process.stdout.readline()
        if not line:
            raise WorkerError(self.last_words())
        time.sleep(REST_SECONDS)
        self.rested = (time.perf_counter(), self.cpu_seconds())
        return dict(json.loads(line))

    def note_idling(self) -> None:
        """Add the time since the last answer, and the processor time that was used in it."""
        since, cpu = self.rested
        self.idle_seconds += time.perf_counter() - since
        self.idle_cpu += self.cpu_seconds() - cpu

    def cpu_seconds(self) -> float:
        """Return the processor time that the process has used so far; 0 if the system does not tell."""
        stat = Path(f"/proc/{self.process.pid}/stat")
        if not stat.exists():
            return 0.0
        fields = stat.read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def last_words(self) -> str:
        """Return the last line that the process printed, after its end."""
        self.process.wait()
        self.log.seek(0)
        lines = self.log.read().decode(errors="replace").strip().splitlines()
        return f"ended: {lines[-1] if lines else self.process.returncode}"

    def end(self) -> None:
        """Kill the process."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.log):
            if pipe:
                pipe.close()


def start(module: str, name: str, setting: Setting) -> WorkerProcess:
    """Start a process for one library in one setting.

    Args:
        module: The module that runs in the process.
        name: The key of the setting.
        setting: The setting.
    """
    environment = setting.make.environment
    return WorkerProcess((name,), setting.threads, setting.instruction_set, module=module, environment=environment)
