"""``TrainingWatch``: a hook for training loops that reports why a loss is not finite or does not fall."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ctckit import _checks
from ctckit.diagnosis.result import Diagnosis
from ctckit.errors import InvalidInputError

PATIENCE = 300  # steps; twice the blank phase of the demo, which lasts from step 10 to 130
LEAST_FALL = 0.05  # share; in a blank phase the loss falls by 1 to 3 %, after it by a half
UNREADABLE = "unreadable"  # the cause of a batch that diagnose rejects


class TrainingWatch:
    """Watches the loss of a training loop and reports the cause when something is wrong.

    A step costs one addition, and no tensor is kept. The watch diagnoses the batch of a step if its loss is NaN or
    infinite. It also does so after every ``patience`` steps in which the mean loss of the last third is not lower, by
    ``least_fall``, than that of the second third. (The first third does not count: there the loss falls from its first
    value to the plateau.) Each cause is reported once. A plateau of a network that reads well is not reported. A batch
    that ``diagnose`` rejects is reported once; no exception is raised.

    Args:
        blank: The class of the blank.
        patience: Number of steps in which the loss must fall; at least 3.
        least_fall: The share of the loss by which it must fall.
        write: A function that takes the page; ``print`` by default.

    Attributes:
        step: Number of steps so far; set it if a run is resumed.

    Example:
        >>> from ctckit.diagnosis import TrainingWatch
        >>> import numpy as np
        >>> watch = TrainingWatch(write=lambda page: print(page.splitlines()[0]))
        >>> batch = np.zeros((1, 2, 3)), [[1, 2, 1]], [2], [3]
        >>> for step in range(3):
        ...     found = watch(float("inf"), *batch)  # reported once
        step 1: the loss is inf.
    """

    def __init__(
        self,
        *,
        blank: int = 0,
        patience: int = PATIENCE,
        least_fall: float = LEAST_FALL,
        write: Callable[[str], object] = print,
    ) -> None:
        self.blank = blank
        self.patience = max(3, _checks.positive_integer(patience, "patience"))
        self.least_fall = least_fall
        self.write = write
        self.step = 0
        self._reported: set[str] = set()
        self._not_before = 0
        self._pause = 1
        self._count = 0
        self._sums = [0.0, 0.0, 0.0]
        self._counts = [0, 0, 0]

    def __call__(
        self, loss: float, logits: Any, targets: Any, input_lengths: Any, target_lengths: Any
    ) -> Diagnosis | None:
        """Check the loss of a step. The other arguments are those of ``diagnose``, read only if something is wrong.

        Args:
            loss: The loss of this step: a float, or a scalar tensor.
            logits: (B, T, C).
            targets: (B, N).
            input_lengths: (B,).
            target_lengths: (B,).

        Returns:
            The diagnosis, if one was reported; None otherwise.
        """
        self.step += 1
        value = float(loss)
        batch = (logits, targets, input_lengths, target_lengths)
        if not math.isfinite(value):
            return self._not_finite(value, batch)
        return self._plateau(value, batch)

    def explain(
        self, reason: str, logits: Any, targets: Any, input_lengths: Any, target_lengths: Any
    ) -> Diagnosis | None:
        """Diagnose at once, for any loss: for a loop whose loss function has raised an exception.

        Args:
            reason: The reason, in words; written above the page.
            logits: (B, T, C).
            targets: (B, N).
            input_lengths: (B,).
            target_lengths: (B,).

        Returns:
            The diagnosis, if its cause had not been reported before.
        """
        return self._report(reason, (logits, targets, input_lengths, target_lengths), always=True)

    def _not_finite(self, loss: float, batch: tuple[Any, ...]) -> Diagnosis | None:
        if self.step < self._not_before:
            return None
        # The pauses double, so that a loss that is infinite in every step does not cost a diagnosis in every step.
        self._not_before, self._pause = self.step + self._pause, 2 * self._pause
        return self._report(f"the loss is {loss}", batch, always=True)

    def _plateau(self, loss: float, batch: tuple[Any, ...]) -> Diagnosis | None:
        third, self._count = 3 * self._count // self.patience, self._count + 1
        self._sums[third] += loss
        self._counts[third] += 1
        if self._count < self.patience:
            return None
        _, before, now = (total / count for total, count in zip(self._sums, self._counts, strict=True))
        self._start_over()
        if now <= before - self.least_fall * abs(before):
            return None
        reason = (
            f"the loss fell by less than {100 * self.least_fall:.3g} % in {self.patience} steps "
            f"(mean {before:.4g}, then {now:.4g})"
        )
        return self._report(reason, batch, always=False)

    def _start_over(self) -> None:
        self._count = 0
        self._sums, self._counts = [0.0, 0.0, 0.0], [0, 0, 0]

    def _report(self, reason: str, batch: tuple[Any, ...], *, always: bool) -> Diagnosis | None:
        from ctckit.diagnosis import diagnose  # which imports this module

        try:
            found = diagnose(*batch, blank=self.blank)
        except InvalidInputError as error:  # the watch must not end a training
            if UNREADABLE not in self._reported:
                self._reported.add(UNREADABLE)
                self.write(f"step {self.step}: {reason}. The batch cannot be diagnosed: {error}")
            return None
        if found.cause in self._reported or not (always or found.explains_trouble):
            return None
        self._reported.add(found.cause)
        self.write(f"step {self.step}: {reason}.\n{found}")
        return found
