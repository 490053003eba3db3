"""The records of training and evaluation, for the model folder and the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True)
class TrainingRecord:
    """The curves and the results of a training run.

    Attributes:
        steps: The steps of the points of the curves, ascending.
        loss: Mean CTC loss per token since the previous point.
        cer: Character error rate of the training batch at that step, read greedily.
        learning_rate: The learning rate at that step.
        validation_steps: Steps at which the validation lines were read.
        validation_cer: Their character error rate.
        validation_exact: The share of them read without any error, 0..1.
        best_step: The step of the kept weights: the last, or the one with the lowest validation CER.
        seconds: Wall time of the run; the sum of its parts if it was resumed.
        lines_per_second: Training lines per second of this time.
        loss_share: The share of this time spent in the CTC loss and its gradient, 0..1.
    """

    steps: tuple[int, ...] = ()
    loss: tuple[float, ...] = ()
    cer: tuple[float, ...] = ()
    learning_rate: tuple[float, ...] = ()
    validation_steps: tuple[int, ...] = ()
    validation_cer: tuple[float, ...] = ()
    validation_exact: tuple[float, ...] = ()
    best_step: int = 0
    seconds: float = 0.0
    lines_per_second: float = 0.0
    loss_share: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-ready values."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrainingRecord:
        """Build it from :meth:`to_dict`'s values.

        Raises:
            TypeError: If a name is unknown.
        """
        unknown = set(values) - {field.name for field in fields(cls)}
        if unknown:
            raise TypeError(f"unknown entries {sorted(unknown)}")
        frozen: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
        }
        return cls(**frozen)


@dataclass(frozen=True)
class Evaluation:
    """How well a model reads lines with known texts.

    Attributes:
        truths: The known texts.
        reads: The texts that the model read, in the same order.
        cer: Character errors (substitutions, deletions, insertions) per true character.
        exact: The share of lines without any error, 0..1.
        seconds: Wall time of reading.
    """

    truths: tuple[str, ...]
    reads: tuple[str, ...]
    cer: float
    exact: float
    seconds: float

    @property
    def lines_per_second(self) -> float:
        """Lines read per second."""
        return len(self.truths) / self.seconds if self.seconds else 0.0

    @property
    def errors(self) -> tuple[int, ...]:
        """The positions of the lines that were misread."""
        return tuple(i for i, (truth, read) in enumerate(zip(self.truths, self.reads, strict=True)) if truth != read)
