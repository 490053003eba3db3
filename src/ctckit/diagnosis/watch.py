"""The hook for a training loop: silent until the loss is not finite or does not fall; tells each cause once."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ctckit import _checks
from ctckit.diagnosis.result import Diagnosis
from ctckit.errors import InvalidInputError

PATIENCE = 300  # steps: twice the blank phase of the demo, which lasts from step 10 to 130
LEAST_FALL = 0.05  # share: in a blank phase the loss creeps down by 1 to 3 %, after it by a half
UNREADABLE = "unreadable"  # stands among the causes told


class TrainingWatch:
    """Watches the loss of a training loop, and explains it when something is wrong.

    A step costs an addition; no tensor is kept. The batch of a step is diagnosed when its loss is NaN or infinite, and
    after every ``patience`` steps whose last third has no lower mean, by ``least_fall``, than the third before it (the
    first third is not counted: there the loss falls from its first height to the plateau). A cause is told once. A
    plateau of a network that reads well is no trouble, and nothing is said. A batch that ``diagnose`` refuses is told
    once as well; nothing is raised.

    Args:
        blank: The class of the blank.
        patience: Steps in which a loss must have fallen; at least 3.
        least_fall: By what share of itself.
        write: Where the page goes; ``print`` by default.

    Attributes:
        step: Steps seen so far; set it where a run is resumed.

    Example:
        >>> import numpy as np
        >>> watch = TrainingWatch(write=lambda page: print(page.splitlines()[0]))
        >>> batch = np.zeros((1, 2, 3)), [[1, 2, 1]], [2], [3]
        >>> for step in range(3):
        ...     found = watch(float("inf"), *batch)  # told once
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
        self._told: set[str] = set()
        self._not_before = 0
        self._pause = 1
        self._count = 0
        self._sums = [0.0, 0.0, 0.0]
        self._counts = [0, 0, 0]

    def __call__(
        self, loss: float, logits: Any, targets: Any, input_lengths: Any, target_lengths: Any
    ) -> Diagnosis | None:
        """Look at the loss of a step; the rest are the arguments of ``diagnose``, read only when something is wrong.

        Args:
            loss: The loss of this step: a float, or a scalar tensor.
            logits: (B, T, C).
            targets: (B, N).
            input_lengths: (B,).
            target_lengths: (B,).

        Returns:
            The diagnosis, if one was told; None otherwise.
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
        """Diagnose at once, whatever the loss: for a loop whose loss function has raised.

        Args:
            reason: Why, in words; stands above the page.
            logits: (B, T, C).
            targets: (B, N).
            input_lengths: (B,).
            target_lengths: (B,).

        Returns:
            The diagnosis, if its cause had not been told before.
        """
        return self._tell(reason, (logits, targets, input_lengths, target_lengths), whatever=True)

    def _not_finite(self, loss: float, batch: tuple[Any, ...]) -> Diagnosis | None:
        if self.step < self._not_before:
            return None
        # The next one later and later, so that a loss that is infinite in every step does not cost a diagnosis in each.
        self._not_before, self._pause = self.step + self._pause, 2 * self._pause
        return self._tell(f"the loss is {loss}", batch, whatever=True)

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
        reason = f"the loss has not fallen in {self.patience} steps (mean {before:.4g}, then {now:.4g})"
        return self._tell(reason, batch, whatever=False)

    def _start_over(self) -> None:
        self._count = 0
        self._sums, self._counts = [0.0, 0.0, 0.0], [0, 0, 0]

    def _tell(self, reason: str, batch: tuple[Any, ...], *, whatever: bool) -> Diagnosis | None:
        from ctckit.diagnosis import diagnose  # which imports this module

        try:
            found = diagnose(*batch, blank=self.blank)
        except InvalidInputError as error:  # what watches a training must not be what ends it
            if UNREADABLE not in self._told:
                self._told.add(UNREADABLE)
                self.write(f"step {self.step}: {reason}. The batch cannot be diagnosed: {error}")
            return None
        if found.cause in self._told or not (whatever or found.explains_trouble):
            return None
        self._told.add(found.cause)
        self.write(f"step {self.step}: {reason}.\n{found}")
        return found
