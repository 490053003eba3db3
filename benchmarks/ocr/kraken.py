"""kraken with its defaults, in the environment of the peers, one thread.

``ketos train`` trains from random weights. The first checkpoint after the limit of CPU minutes ends it: kraken writes
one after each pass over the lines, so it gets up to one pass more than the limit. The checkpoint that kraken itself
finds best, by its accuracy on the lines that it holds out, then reads the test lines.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from pathlib import Path

from benchmarks.common.libraries import PEERS
from benchmarks.common.results import Results
from benchmarks.common.workers import WorkerError, python_of
from benchmarks.ocr.training import environment

_ONE_THREAD = ("--workers", "0", "--threads", "1")
_SECONDS_FILE = "seconds.json"  # of the checkpoints, by name: the CPU seconds when each was there


def measure(minutes: float, data: Path, folder: Path) -> Results:
    """Train kraken, and return its figures; a folder that has a training already is only judged.

    Args:
        minutes: The limit of CPU minutes.
        data: The folder with ``train`` and ``test``.
        folder: Where the training is.

    Raises:
        WorkerError: If kraken is not installed or fails.
    """
    ketos = python_of(PEERS).with_name("ketos")
    if not ketos.exists():
        raise WorkerError("not installed: make bench-peers-ocr")
    if not (folder / _SECONDS_FILE).exists():
        _train(ketos, minutes, data / "train", folder)
    seconds = json.loads((folder / _SECONDS_FILE).read_text(encoding="utf-8"))
    best = max(seconds, key=_accuracy)
    version = subprocess.run([ketos, "--version"], capture_output=True, text=True, check=False).stdout.split()[-1]
    return {
        "versions": {"kraken": version},
        "cpu_minutes": round(max(seconds.values()) / 60.0, 2),
        "passes": len(seconds),
        "lines": len(list((data / "train").glob("*.jpg"))),
        **_judge(ketos, data / "test", folder, best),
    }


def _train(ketos: Path, minutes: float, data: Path, folder: Path) -> None:
    folder.mkdir(parents=True)
    listed = _listed(data, folder / "train.txt")
    command = [ketos, *_ONE_THREAD, "train", "-f", "path", "-o", folder / "model", "-t", listed]
    with (folder / "train.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment(), cwd=folder, stdout=log, stderr=log)
        seconds: dict[str, float] = {}
        while process.poll() is None and max(seconds.values(), default=0.0) < 60.0 * minutes:
            spent = _cpu_seconds(process.pid)
            for path in (folder / "model").glob("*.ckpt"):
                seconds.setdefault(path.name, spent)
            time.sleep(1.0)
        process.terminate()
        process.wait()
    if not seconds:
        raise WorkerError(f"ketos train wrote no model: {_last_line(folder / 'train.log')}")
    (folder / _SECONDS_FILE).write_text(json.dumps(seconds, indent=1), encoding="utf-8")


def _judge(ketos: Path, data: Path, folder: Path, checkpoint: str) -> Results:
    listed = _listed(data, folder / "test.txt")
    command = [ketos, *_ONE_THREAD, "test", "-f", "path", "-m", folder / "model" / checkpoint, "-e", listed]
    started = os.times()
    done = subprocess.run(command, env=environment(), cwd=folder, capture_output=True, text=True, check=False)
    ended = os.times()
    spent = ended.children_user + ended.children_system - started.children_user - started.children_system
    found = report(done.stdout + done.stderr)
    lines = len(listed.read_text(encoding="utf-8").splitlines())
    return {**found, "test_lines": lines, "read_per_second": round(lines / spent, 1)}


def report(text: str) -> Results:
    r"""Return the errors in a report of ``ketos test``.

    Raises:
        WorkerError: If there is no report.

    Example:
        >>> report("=== report ===\n\n40\tCharacters\n10\tErrors\n75.00%\tCharacter Accuracy\n25.00%\tWord Accuracy\n")
        {'cer': 0.25, 'wer': 0.75}
    """
    numbers = {name: re.search(rf"([\d.]+)%?\t{name}\n", text) for name in ("Characters", "Errors", "Word Accuracy")}
    characters, errors, words = (float(match[1]) if match else None for match in numbers.values())
    if characters is None or errors is None or words is None:
        raise WorkerError(f"ketos test gave no report: {text.strip()[-200:]}")
    return {"cer": errors / characters, "wer": 1.0 - words / 100.0}


def _listed(data: Path, path: Path) -> Path:
    """Write a list of the images of a folder, as kraken takes it."""
    path.write_text("".join(f"{image.resolve()}\n" for image in sorted(data.glob("*.jpg"))), encoding="utf-8")
    return path


def _accuracy(checkpoint: str) -> float:
    """Return the accuracy on held-out lines, which is in the name of a checkpoint: ``checkpoint_03-0.1281.ckpt``."""
    return float(checkpoint.removesuffix(".ckpt").rpartition("-")[2])


def _cpu_seconds(process: int) -> float:
    """Return the CPU seconds of a process and of its children that have ended."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def _last_line(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "no output"
