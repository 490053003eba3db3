"""What a decoder is to the benchmark, and what it is asked to do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar

from benchmarks.common.posteriors import DataSet
from benchmarks.loss.workloads import Array

Parameters = dict[str, float]


@dataclass(frozen=True)
class Task:
    """How to decode.

    Attributes:
        beam: Beam width.
        model: The ARPA file of a language model, or "".
        unit: What its entries are: "word" or "char"; the latter writes a space as "|".
        lexicon: A file of words, one a line, outside of which nothing may be read, or "".
        hotwords: Words to favour.
        parameters: Weights, under the library's own names; what is absent is as the library has it by default.
    """

    beam: int = 100
    model: str = ""
    unit: str = ""
    lexicon: str = ""
    hotwords: tuple[str, ...] = ()
    parameters: Parameters = field(default_factory=dict)

    def words(self) -> list[str]:
        """Of the lexicon."""
        return Path(self.lexicon).read_text(encoding="utf-8").split("\n")


class Decoder(ABC):
    """One library, set up in one way. It imports its library when it is made, and nowhere else.

    Class attributes: ``packages``: whose versions are reported. ``grids``: unit of the language model → parameter →
    values that the tuning tries, all with all.
    """

    packages: ClassVar[tuple[str, ...]]
    grids: ClassVar[dict[str, dict[str, tuple[float, ...]]]] = {}

    def __init__(self, threads: int, instruction_set: str = "", **options: Any) -> None:
        self.threads = threads
        self.instruction_set = instruction_set
        self.options = options

    def about(self) -> dict[str, str]:
        """Versions, as reported by the packages that run."""
        return {package: version(package) for package in self.packages}

    @abstractmethod
    def build(self, data: DataSet, task: Task) -> None:
        """Get ready to decode; what is read from files (a model) is kept for the next time."""

    @abstractmethod
    def convert(self, log_probs: Array) -> Any:
        """One item (T, C) in the form that the library likes best: not timed."""

    @abstractmethod
    def decode(self, item: Any) -> Any:
        """What is timed: one item, from what ``convert`` gave to the best reading."""

    @abstractmethod
    def tokens(self, result: Any) -> list[int]:
        """The classes of a reading: not timed."""

    def log_prob(self, result: Any) -> float | None:
        """The log p(tokens | x) that the library itself claims, where it does."""
        del result
        return None

    def decode_all(self, items: Sequence[Any]) -> Sequence[Any]:
        """All items: one by one, unless the library has a call for many that is to be measured."""
        return [self.decode(item) for item in items]

    def load_model(self, path: str, unit: str, data: DataSet) -> None:
        """Read a language model, as ``build`` does it the first time: what "loading" is timed by."""
        raise NotImplementedError
