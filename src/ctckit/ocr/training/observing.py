"""Observers of a training run: what they are told, and when.

An observer is told of each point of the curves, of each validation, and of the end. A log, a live report and a
dashboard are observers; so is a few lines of your own.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from ctckit.ocr.data.lines import TextLine
from ctckit.ocr.networks.base import Network
from ctckit.ocr.training.record import Evaluation, TrainingRecord
from ctckit.vocabulary import Vocabulary


@dataclass(frozen=True)
class CurvePoint:
    """One point of the curves of training.

    Attributes:
        step: The completed steps.
        loss: Mean CTC loss per token since the previous point.
        cer: Character error rate of the training batch of this step, read greedily.
        learning_rate: The learning rate of this step.
        seconds: Seconds of training up to now, without validations; the sum of its parts if the run was resumed.
        lines_per_second: Training lines per second of this time.
    """

    step: int
    loss: float
    cer: float
    learning_rate: float
    seconds: float
    lines_per_second: float


@dataclass(frozen=True)
class Validation:
    """The held-out lines, read during training.

    Attributes:
        step: The completed steps; 0 is before the first.
        best: Whether no validation before it had a lower CER.
        averaged: Whether the weights are the averaged ones; or they are those of the step.
        record: The record of the run up to now, with this validation.
        evaluation: The readings of the lines, in their order.
        lines: The held-out lines.
        model: The network that read them, in eval mode. Its weights change when the run goes on: use it at once, and
            leave it as it is.
        vocabulary: Its classes.
    """

    step: int
    best: bool
    averaged: bool
    record: TrainingRecord
    evaluation: Evaluation
    lines: Sequence[TextLine]
    model: Network
    vocabulary: Vocabulary


class TrainingObserver(Protocol):
    """What ``train`` tells while it runs, in its first process only.

    A subclass overrides the methods that it needs; the others do nothing. The run waits until a method returns. An
    exception in a method is given as a warning, and the run goes on: a report must not end a training. Random numbers
    that are drawn in a method do not change the run.
    """

    def on_start(self, step: int, record: TrainingRecord) -> None:
        """Take note of the start, before the first step.

        Args:
            step: The completed steps: 0, or those of the run that is resumed.
            record: The record up to then. What was told after that step, before the run stopped, will be told again.
        """

    def on_point(self, point: CurvePoint) -> None:
        """Take a point of the curves; there is one after every ``report_every`` steps."""

    def on_validation(self, validation: Validation) -> None:
        """Take a validation; a checkpoint follows."""

    def on_end(self, record: TrainingRecord) -> None:
        """Take the record of a run that is complete. A run that is interrupted or fails has no end."""


class Observers:
    """Tells several observers; an exception of one of them is a warning.

    Args:
        observers: The observers.
    """

    def __init__(self, observers: Sequence[TrainingObserver]) -> None:
        self._observers = tuple(observers)

    def start(self, step: int, record: TrainingRecord) -> None:
        """Tell that the run starts."""
        self._tell(lambda each: each.on_start(step, record))

    def point(self, point: CurvePoint) -> None:
        """Tell a point of the curves."""
        self._tell(lambda each: each.on_point(point))

    def validation(self, validation: Validation) -> None:
        """Tell a validation."""
        self._tell(lambda each: each.on_validation(validation))

    def end(self, record: TrainingRecord) -> None:
        """Tell that the run is complete."""
        self._tell(lambda each: each.on_end(record))

    def _tell(self, what: Callable[[TrainingObserver], None]) -> None:
        for each in self._observers:
            try:
                what(each)
            except Exception as error:
                name = type(each).__name__
                warnings.warn(
                    f"the observer {name} failed ({type(error).__name__}: {error}); the training goes on.",
                    RuntimeWarning,
                    stacklevel=2,
                )
