"""What is measured: trainings with a limit of CPU minutes."""

from __future__ import annotations

from dataclasses import dataclass

PPOCR = "ppocr-v6-small"


@dataclass(frozen=True)
class Case:
    """One training.

    Attributes:
        name: The name in the results.
        about: The training in words.
        minutes: The CPU minutes of it, validations included.
        start: The model that it starts from; empty for random weights.
        lines: The first so many lines are trained on; 0 is all.
        held_out: The share of the lines that choose the weights, whole documents; 0 keeps the last weights.
    """

    name: str
    about: str
    minutes: float
    start: str = PPOCR
    lines: int = 0
    held_out: float = 0.02

    @property
    def batch_size(self) -> int:
        """The lines of a step. With few minutes, more and smaller steps from a model are slightly better."""
        return 8 if self.start else 16

    @property
    def learning_rate(self) -> float:
        """The highest learning rate."""
        return 1.4e-3 if self.start else 2e-3


CASES = (
    Case("scratch", "from random weights", 30.0, start="", held_out=0.05),
    Case("pretrained", "from PP-OCRv6 small", 10.0),
    Case("pretrained, longer", "from PP-OCRv6 small", 60.0),
    Case("100 lines", "from PP-OCRv6 small, with the first 100 lines", 5.0, lines=100, held_out=0.0),
)
BY_NAME = {case.name: case for case in CASES}
