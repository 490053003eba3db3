"""The worker processes as the coordinator sees them: started, asked, timed out, watched while they should be idle."""

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

from benchmarks.loss.peers import PEERS

ROOT = Path(__file__).parent.parent.parent
PEERS_HOME = Path(os.environ.get("CTCKIT_BENCH_PEERS", ROOT / ".venv-bench"))
START_SECONDS = 120.0
REST_SECONDS = 0.02  # after a turn: thread pools spin for some milliseconds before they sleep


class WorkerError(Exception):
    """A worker that died or took too long."""


def python_of(peers: tuple[str, ...]) -> Path:
    """The interpreter that has the peers: the package's own for ctckit and torch."""
    own = all(PEERS[name].ours for name in peers)
    return Path(sys.executable) if own else PEERS_HOME / "bin" / "python"


class Member:
    """A worker with its peers; a context manager that ends it."""

    def __init__(
        self,
        peers: tuple[str, ...],
        threads: int,
        instruction_set: str = "",
        *,
        module: str = "benchmarks.loss.worker",
        python: Path | None = None,
    ) -> None:
        self.peers = peers
        python = python or python_of(peers)
        if not python.exists():
            raise WorkerError("not installed: make bench-peers")
        self.log = tempfile.TemporaryFile()  # noqa: SIM115 (closed in ``end``)
        # NumPy's BLAS is used only by the measurement of the bandwidth, which has threads of its own.
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(
            [python, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            env=environment,
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

    def __enter__(self) -> Member:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def ask(self, do: str, patience: float, **arguments: Any) -> dict[str, Any]:
        """Send a request and wait for its answer."""
        assert self.process.stdin
        assert self.process.stdout
        self.note_idling()
        try:
            print(json.dumps({"do": do, **arguments}), file=self.process.stdin, flush=True)
        except BrokenPipeError:
            raise WorkerError(self.last_words()) from None
        # One answer to each request: nothing can be waiting in the reader's buffer.
        if not select.select([self.process.stdout], [], [], patience)[0]:
            raise WorkerError(f"took more than {patience:.0f} s")
        line = self.process.stdout.readline()
        if not line:
            raise WorkerError(self.last_words())
        time.sleep(REST_SECONDS)
        self.rested = (time.perf_counter(), self.cpu_seconds())
        return dict(json.loads(line))

    def note_idling(self) -> None:
        """Add up what it did since its last answer."""
        since, cpu = self.rested
        self.idle_seconds += time.perf_counter() - since
        self.idle_cpu += self.cpu_seconds() - cpu

    def cpu_seconds(self) -> float:
        """Processor time that the process has used so far; 0 where the system does not tell."""
        stat = Path(f"/proc/{self.process.pid}/stat")
        if not stat.exists():
            return 0.0
        fields = stat.read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def last_words(self) -> str:
        """The last line of what the process printed."""
        self.process.wait()
        self.log.seek(0)
        lines = self.log.read().decode(errors="replace").strip().splitlines()
        return f"ended: {lines[-1] if lines else self.process.returncode}"

    def end(self) -> None:
        """Stop the process whatever it does."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.log):
            if pipe:
                pipe.close()
