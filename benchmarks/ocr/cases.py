"""What is measured: trainings with a limit of CPU minutes, and the goals of each."""

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
        must: The goal: the character error rate on the test lines, 0..1. None is "a third below kraken's".
        moonshot: A character error rate that would be excellent.
    """

    name: str
    about: str
    minutes: float
    start: str = PPOCR
    lines: int = 0
    held_out: float = 0.05
    must: float | None = None
    moonshot: float = 0.0


CASES = (
    Case("scratch", "from random weights", 30.0, start="", moonshot=0.30),
    Case("pretrained", "from PP-OCRv6 small", 10.0, must=0.185, moonshot=0.15),
    Case("pretrained, longer", "from PP-OCRv6 small", 60.0, must=0.16, moonshot=0.11),
    Case(
        "100 lines",
        "from PP-OCRv6 small, with the first 100 lines",
        5.0,
        lines=100,
        held_out=0.0,
        must=0.28,
        moonshot=0.24,
    ),
)
BY_NAME = {case.name: case for case in CASES}
FEWER_ERRORS = (0.1, 0.25)  # by the language model: the goal and the moonshot, as shares of the errors without it
