"""One training by ctckit, judged on lines of other hands.

It runs in a process of its own with one thread: ``python -m benchmarks.ocr.training CASE DATA MODEL RESULT``. Its time
is the CPU time of the process, so that other programs on the machine matter little.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

from benchmarks.common.results import Results
from benchmarks.common.workers import ROOT, WorkerError
from benchmarks.ocr.cases import BY_NAME, Case

_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


def environment() -> dict[str, str]:
    """Return the environment of a process with one thread."""
    return {**os.environ, **_ONE_THREAD, "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), *sys.path)))}


def measure(case: Case, data: Path, model: Path) -> Results:
    """Train in a process of its own, and return its figures.

    Args:
        case: The training.
        data: The folder with ``train`` and ``test``.
        model: The model folder to write.

    Raises:
        WorkerError: If the process fails.
    """
    return run_alone("benchmarks.ocr.training", model.with_suffix(".json"), case.name, data, model)


def run_alone(module: str, result: Path, *arguments: object) -> Results:
    """Run a module in a process with one thread, and return the results that it writes.

    Args:
        module: Its name; it takes the arguments and, as the last one, the file of the results.
        result: The file of the results.
        arguments: The arguments.

    Raises:
        WorkerError: If the process fails.
    """
    command = [sys.executable, "-m", module, *map(str, arguments), str(result)]
    done = subprocess.run(command, env=environment(), stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise WorkerError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"exit {done.returncode}")
    return dict(json.loads(result.read_text(encoding="utf-8")))


def train(case: Case, data: Path, model: Path) -> Results:
    """Train in this process, and read the test lines."""
    import torch

    import ctckit
    from ctckit.ocr import FitConfig, StartConfig, fit_lines

    torch.set_num_threads(1)
    ctckit.set_num_threads(1)
    config = FitConfig(
        minutes=case.minutes,
        network=None if case.start else "line",
        start=StartConfig(case.start) if case.start else None,
        batch_size=case.batch_size,
        learning_rate=case.learning_rate,
        validation=case.held_out,
        split="document",
        accelerator="cpu",
    )
    started = time.process_time()
    result = fit_lines(data / "train", model, config=config, overwrite=True, clock=time.process_time)
    cpu_seconds = time.process_time() - started
    return {
        "versions": {package: version(package) for package in ("ctckit", "torch")},
        "cpu_minutes": round(cpu_seconds / 60.0, 2),
        "lines_per_second": round(result.record.lines_per_second * result.record.seconds / cpu_seconds, 1),
        "lines": result.training_lines,
        "passes": round(result.record.lines_per_second * result.record.seconds / result.training_lines, 1),
        **judge(model, data / "test"),
    }


def judge(model: Path, data: Path) -> Results:
    """Return how well a model reads lines: greedily, without a language model."""
    import jiwer

    from ctckit.ocr.data.lines import load_lines
    from ctckit.ocr.model_folder import load_model
    from ctckit.ocr.training.evaluation import evaluate

    saved = load_model(model)
    lines = load_lines(data, height=saved.model.height, max_width=8192, rules=saved.rules).lines
    started = time.process_time()
    found = evaluate(saved.model, saved.vocabulary, lines, batch_size=16)
    seconds = time.process_time() - started
    return {
        "cer": found.cer,
        "wer": float(jiwer.wer(list(found.truths), list(found.reads))),
        "exact": found.exact,
        "test_lines": len(lines),
        "read_per_second": round(len(lines) / seconds, 1),
    }


def main() -> None:
    """Measure one case."""
    name, data, model, result = sys.argv[1:]
    figures = train(BY_NAME[name], Path(data), Path(model))
    Path(result).write_text(json.dumps(figures), encoding="utf-8")


if __name__ == "__main__":
    main()
