"""``TrainingLog``: the progress of a training as JSON lines in a file."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from ctckit._files import write_atomically
from ctckit.ocr.training.observing import CurvePoint, TrainingObserver, Validation
from ctckit.ocr.training.record import TrainingRecord


class TrainingLog(TrainingObserver):
    """Appends one JSON object to a file for each point of the curves, for each validation, and for the end.

    Each object is one line, with its ``"event"`` and the completed ``"step"``. A line is in the file at once, so it
    survives if the process is killed. A run that is resumed appends to the file; lines of steps that will be taken
    again are removed before. A new run starts an empty file.

    ``{"event": "point", "step", "loss", "cer", "learning_rate", "seconds", "lines_per_second"}``
        as in :class:`~ctckit.ocr.training.observing.CurvePoint`.
    ``{"event": "validation", "step", "cer", "exact", "best", "averaged", "seconds"}``
        the CER of the held-out lines, and the share of them without an error; ``seconds`` are those of reading.
    ``{"event": "end", "step", "best_step", "seconds"}``
        the last step, the step of the kept weights, and the seconds of training without validations.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def on_start(self, step: int, record: TrainingRecord) -> None:
        """Begin an empty file, or keep the lines of the run that is resumed."""
        kept = [line for line in _lines(self._path) if _is_kept(line, step)] if step else []
        write_atomically(self._path, b"".join(kept))

    def on_point(self, point: CurvePoint) -> None:
        """Append a point."""
        self._append("point", asdict(point))

    def on_validation(self, validation: Validation) -> None:
        """Append a validation."""
        evaluation = validation.evaluation
        self._append(
            "validation",
            {
                "step": validation.step,
                "cer": evaluation.cer,
                "exact": evaluation.exact,
                "best": validation.best,
                "averaged": validation.averaged,
                "seconds": evaluation.seconds,
            },
            durable=True,  # the checkpoint that follows must not be newer than the log
        )

    def on_end(self, record: TrainingRecord) -> None:
        """Append the end."""
        step = max((*record.steps, *record.validation_steps), default=0)
        self._append("end", {"step": step, "best_step": record.best_step, "seconds": record.seconds}, durable=True)

    def _append(self, event: str, values: dict[str, Any], *, durable: bool = False) -> None:
        line = json.dumps({"event": event, **values}) + "\n"
        with open(self._path, "ab") as file:
            file.write(line.encode())
            if durable:
                _flush_to_disk(file)


def _flush_to_disk(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _lines(path: Path) -> list[bytes]:
    try:
        return path.read_bytes().splitlines(keepends=True)
    except FileNotFoundError:
        return []


def _is_kept(line: bytes, step: int) -> bool:
    """Return whether a run that is resumed after a step keeps a line of its log."""
    try:
        values = json.loads(line)
        return line.endswith(b"\n") and bool(values["event"] != "end" and values["step"] <= step)
    except (ValueError, TypeError, KeyError):  # cut off when the process was killed
        return False
