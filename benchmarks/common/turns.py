"""All libraries take turns, round by round, on the same inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from benchmarks.common.workers import WorkerProcess

PATIENCE = 120.0  # seconds for one answer
TURN_SECONDS = 0.1  # the passes of one turn take about this long together
MOST_PASSES = 20
SLOW_SECONDS = 2.0  # a slower pass is not repeated: the pass that was checked is its measurement


class Participant(Protocol):
    """Anything that takes turns."""

    def rounds(self, wanted: int) -> int:
        """Return in how many of the wanted rounds it takes part."""

    def take_turn(self) -> None:
        """Measure once."""


def take_turns(participants: Sequence[Participant], rounds: int, tick: Callable[[], object]) -> None:
    """Let all take a turn in each round; each round begins with another participant."""
    everyone = list(participants)
    for i in range(rounds):
        first = i % max(1, len(everyone))
        for participant in everyone[first:] + everyone[:first]:
            if i < participant.rounds(rounds):
                participant.take_turn()
        tick()


@dataclass(frozen=True)
class Settings:
    """How a run measures.

    Attributes:
        rounds: In how many rounds all take a turn.
        budget: Seconds for one library on one case; a slow library takes part in fewer rounds.
        items: The number of items of each case at most; None for all.
    """

    rounds: int = 5
    budget: float = 3.0
    items: int | None = None


QUICK = Settings(rounds=2, budget=0.5, items=12)


@dataclass
class Entry:
    """A library that takes part in a case, in a process of its own.

    Attributes:
        name: The key of its setting.
        worker: Its process.
        figures: What has been found besides times.
        expected: Seconds of a pass over all items.
        budget: Seconds for all its turns.
        times: Measured seconds of passes.
    """

    name: str
    worker: WorkerProcess
    figures: dict[str, Any]
    expected: float
    budget: float
    times: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.expected > SLOW_SECONDS:
            self.times.append(self.expected)

    def rounds(self, wanted: int) -> int:
        """Return how many rounds fit into the budget; 0 for a slow library."""
        if self.expected > SLOW_SECONDS:
            return 0
        return min(wanted, max(1, int(self.budget / self.expected)))

    def take_turn(self) -> None:
        """Time some passes."""
        passes = min(MOST_PASSES, max(1, round(TURN_SECONDS / self.expected)))
        self.times.extend(self.worker.ask("run", PATIENCE, passes=passes)["seconds"])


def summary(seconds: list[float], items: int) -> dict[str, float | int]:
    """Return quartiles of passes, in milliseconds for each item, and the number of passes."""
    low, middle, high = (float(f"{1e3 * each / items:.4g}") for each in np.quantile(seconds, (0.25, 0.5, 0.75)))
    return {"median": middle, "q1": low, "q3": high, "passes": len(seconds)}
