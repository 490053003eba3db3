"""The curves of a run while it trains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from ctckit.ocr.training.record import UNREAD_CER, Evaluation, TrainingRecord, numbers_of


@dataclass
class Counters:
    """What a run counts: time, and the losses since the last point of the curves.

    Attributes:
        elapsed: Seconds of all that the run did.
        seconds: Seconds of steps.
        loss_seconds: Seconds of these in the loss.
        lines: Training lines.
        loss_sum: The sum of the losses since the last point.
        loss_count: Their number.
    """

    elapsed: float = 0.0
    seconds: float = 0.0
    loss_seconds: float = 0.0
    lines: int = 0
    loss_sum: float = 0.0
    loss_count: int = 0


class Curves:
    """The curves of a run up to now, and its counters.

    Attributes:
        counters: The counters.
    """

    def __init__(self, record: TrainingRecord | None = None, counters: Counters | None = None) -> None:
        self._record = record or TrainingRecord()
        self.counters = counters or Counters()

    @property
    def record(self) -> TrainingRecord:
        """The record of the run up to now."""
        counters, seconds = self.counters, max(self.counters.seconds, 1e-9)
        return replace(
            self._record,
            seconds=counters.seconds,
            lines_per_second=counters.lines / seconds if counters.seconds else 0.0,
            loss_share=min(1.0, counters.loss_seconds / seconds),
        )

    def add_point(self, step: int, cer: float, learning_rate: float) -> None:
        """Add a point of the training curves: the mean loss since the last one, and the CER of this batch."""
        record, counters = self._record, self.counters
        self._record = replace(
            record,
            steps=(*record.steps, step),
            loss=(*record.loss, counters.loss_sum / max(1, counters.loss_count)),
            cer=(*record.cer, cer),
            learning_rate=(*record.learning_rate, learning_rate),
        )
        counters.loss_sum, counters.loss_count = 0.0, 0

    def add_validation(self, step: int, result: Evaluation) -> bool:
        """Add a validation, and return whether none before it had a lower CER."""
        record = self._record
        best = not record.validation_cer or result.cer <= min(record.validation_cer)
        self._record = replace(
            record,
            validation_steps=(*record.validation_steps, step),
            validation_cer=(*record.validation_cer, result.cer),
            validation_exact=(*record.validation_exact, result.exact),
            best_step=step if best else record.best_step,
        )
        return best

    @property
    def stale(self) -> int:
        """The number of latest validations without a lower CER than before them; 0 while nothing is read yet."""
        curve = self._record.validation_cer
        if not curve or min(curve) > UNREAD_CER:
            return 0
        return len(curve) - 1 - curve.index(min(curve))

    def keep_last(self, step: int) -> None:
        """Without validation: the weights of this step are those to keep."""
        self._record = replace(self._record, best_step=step)

    def to_dict(self) -> dict[str, Any]:
        """Return them as JSON-ready values."""
        return {**asdict(self.counters), "record": self._record.to_dict()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Curves:
        """Build them from :meth:`to_dict`'s values.

        Raises:
            TypeError: If a value is missing, unknown or of another kind.
        """
        counters = {name: value for name, value in values.items() if name != "record"}
        record = TrainingRecord.from_dict(values.get("record", "missing"))
        return cls(record, Counters(**numbers_of(Counters, counters, "the counters")))
