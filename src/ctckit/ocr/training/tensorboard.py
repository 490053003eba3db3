"""``TensorBoardCurves``: the curves of a training for TensorBoard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ctckit.errors import MissingDependencyError
from ctckit.ocr.training.observing import CurvePoint, TrainingObserver, Validation
from ctckit.ocr.training.record import TrainingRecord

_LONGEST_WAIT = 10  # seconds until a point can be seen


class TensorBoardCurves(TrainingObserver):
    """Writes the curves into a folder that ``tensorboard --logdir`` shows.

    These are ``training/loss``, ``training/cer``, ``training/learning_rate``, ``validation/cer`` and
    ``validation/exact``, by step. Take one folder for each run. A run that is resumed continues its curves.

    Args:
        folder: The folder; it is created if it does not exist.

    Raises:
        MissingDependencyError: If TensorBoard is not installed.
    """

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise MissingDependencyError("writing for TensorBoard", "tensorboard", "tensorboard") from error
        self._folder, self._new_writer = folder, SummaryWriter
        self._writer: Any = None

    def on_start(self, step: int, record: TrainingRecord) -> None:
        """Open a file of events; it hides those of steps that will be taken again."""
        purge = step + 1 if step else None
        self._writer = self._new_writer(str(self._folder), purge_step=purge, flush_secs=_LONGEST_WAIT)

    def on_point(self, point: CurvePoint) -> None:
        """Add a point to the curves of training."""
        for name in ("loss", "cer", "learning_rate"):
            self._writer.add_scalar(f"training/{name}", getattr(point, name), point.step)

    def on_validation(self, validation: Validation) -> None:
        """Add a point to the curves of validation."""
        for name in ("cer", "exact"):
            self._writer.add_scalar(f"validation/{name}", getattr(validation.evaluation, name), validation.step)
        self._writer.flush()

    def on_end(self, record: TrainingRecord) -> None:
        """Close the file."""
        self._writer.close()
