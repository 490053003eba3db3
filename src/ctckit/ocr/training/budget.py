"""The budget of a run: steps, time, or both; and how much of it is used."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_VALIDATIONS = 20  # in a run with a limit of time, at most
_VALIDATION_SHARE = 0.1  # of this time, at most, about; the checkpoint after each validation included
_ENDLESS = 2**40  # steps


class Budget:
    """The steps and the time of a run. With both, the run ends when the first of them is used up.

    The time is wall-clock time, and includes all that ``train`` does: steps, validations, checkpoints and observers.
    It is read once after each step. The last validation and saving also take time: as much as they took before.

    Args:
        steps: The number of steps; None is without a limit.
        seconds: The time; None is without a limit.
        spent: The seconds that the run took before it was resumed.
        clock: Returns the time in seconds; it never goes back.
        agree: Returns the same time in all processes that train together; called if the time is limited.

    Attributes:
        spent: The seconds that the run has taken, when they were last read.
    """

    def __init__(
        self,
        steps: int | None,
        seconds: float | None = None,
        *,
        spent: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
        agree: Callable[[float], float] = float,
    ) -> None:
        self._steps, self._seconds = steps, seconds
        self._clock, self._agree = clock, float if seconds is None else agree
        self.resume(spent)

    def resume(self, spent: float) -> None:
        """Start to count the time, after so many seconds of the run."""
        self._start = self._clock() - spent
        self.spent = self._validated = spent
        self._took = {"step": 0.0, "validation": 0.0, "saving": 0.0}

    def read(self) -> None:
        """Read the clock; to be called after each step."""
        self.spent = self._agree(self._clock() - self._start)

    @contextmanager
    def measure(self, what: str) -> Iterator[None]:
        """Measure how long a "step", a "validation" or "saving" takes."""
        start = self._clock()
        yield
        self._took[what] = self._agree(self._clock() - start)
        self.read()
        if what == "validation":
            self._validated = self.spent

    @property
    def last_step(self) -> int:
        """The step after which the run ends, if its time does not end before."""
        return _ENDLESS if self._steps is None else self._steps

    @property
    def time_share(self) -> float:
        """The share of the time for steps that is used, 0..1; 0 without a limit."""
        if self._seconds is None:
            return 0.0
        available = self._seconds - self._ending
        return min(1.0, self.spent / available) if available > 0.0 else 1.0

    def share(self, done: int) -> float:
        """Return the share of the run that is done after these steps, 0..1."""
        return max(self.time_share, 0.0 if self._steps is None else done / self._steps)

    def is_over(self, done: int) -> bool:
        """Return whether the run ends after these steps: none is left, or there is no time for another one."""
        if done >= self.last_step:
            return True
        return self._seconds is not None and self.spent + self._took["step"] / 2 + self._ending >= self._seconds

    def is_validation_due(self, done: int, every: int) -> bool:
        """Return whether the held-out lines are to be read after these steps.

        Args:
            done: The completed steps.
            every: The steps between two validations; without a meaning if the time is limited.
        """
        if self._seconds is None:
            return done % every == 0
        cost = self._took["validation"] + self._took["saving"]
        pause = max(self._seconds / _VALIDATIONS, cost * (1.0 / _VALIDATION_SHARE - 1.0))
        left = self._seconds - self._ending - self.spent - cost  # shortly before the end, wait for it
        return self.spent - self._validated >= pause and left >= pause / 2

    @property
    def _ending(self) -> float:
        return self._took["validation"] + 2.0 * self._took["saving"]  # the checkpoint, then the model
