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
        batch_size: The lines of a step. From a model, in few passes, more and smaller steps are slightly better.
        learning_rate: The highest learning rate.
    """

    name: str
    about: str
    minutes: float
    start: str = PPOCR
    lines: int = 0
    held_out: float = 0.02
    batch_size: int = 16
    learning_rate: float = 2e-3


CASES = (
    Case("scratch", "from random weights", 30.0, start="", held_out=0.05),
    Case("pretrained", "from PP-OCRv6 small", 10.0, batch_size=8, learning_rate=1.4e-3),
    Case("pretrained 60", "from PP-OCRv6 small", 60.0, batch_size=8, learning_rate=1.4e-3),
    Case("100 lines", "from PP-OCRv6 small, with the first 100 lines", 5.0, lines=100, held_out=0.0),
)
BY_NAME = {case.name: case for case in CASES}
