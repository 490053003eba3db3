"""The interface of a decoder, and the task that it gets."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from benchmarks.common.arrays import Array
from benchmarks.common.libraries import Library, Setting
from benchmarks.common.posteriors import DataSet

Parameters = dict[str, float]


@dataclass(frozen=True)
class Task:
    """How to decode.

    Attributes:
        beam: The beam width.
        model: The file of a language model, ARPA or a binary file of KenLM, or "".
        unit: The unit of the model: "word" or "char". A character model writes a space as "|".
        lexicon: A file with one word a line, or "". Only these words are allowed.
        hotwords: Words to boost.
        per_call: Whether the words to boost come with each call, where the library can take them then.
        parameters: Weights under the library's own names; the library's defaults are used for the others.
    """

    beam: int = 100
    model: str = ""
    unit: str = ""
    lexicon: str = ""
    hotwords: tuple[str, ...] = ()
    per_call: bool = False
    parameters: Parameters = field(default_factory=dict)

    def words(self) -> list[str]:
        """Return the words of the lexicon."""
        return Path(self.lexicon).read_text(encoding="utf-8").split("\n")


def arpa_of(model: str) -> str:
    """Return the ARPA file that a model was made from: ``word3.arpa`` beside ``word3.trie.bin``."""
    path = Path(model)
    return str(path.with_name(path.name.partition(".")[0] + ".arpa"))


class Decoder(Library):
    """One library with one setting.

    Class attributes:
        grids: Unit of the language model → parameter → the values that the tuning combines.
    """

    grids: ClassVar[dict[str, dict[str, tuple[float, ...]]]] = {}

    @abstractmethod
    def build(self, data: DataSet, task: Task) -> None:
        """Prepare to decode. A model that was read from a file is kept for the next time."""

    @abstractmethod
    def convert(self, log_probs: Array) -> Any:
        """Return one item, (T, C), in the layout that suits the library best; not timed."""

    @abstractmethod
    def decode(self, item: Any) -> Any:
        """Decode one item from ``convert`` and return the best result; this is timed."""

    @abstractmethod
    def tokens(self, result: Any) -> list[int]:
        """Return the classes of a result; not timed."""

    def log_prob(self, result: Any) -> float | None:
        """Return the log p(tokens | x) that the library reports; None if it reports none."""
        del result
        return None

    def decode_all(self, items: Sequence[Any]) -> Sequence[Any]:
        """Decode all items: one by one, unless a batched call is measured."""
        return [self.decode(item) for item in items]

    def load_model(self, path: str, unit: str, data: DataSet) -> None:
        """Load a language model, as ``build`` does at the first time; the case "loading" times this."""
        raise NotImplementedError


@dataclass(frozen=True)
class DecoderSetting(Setting):
    """A decoder in one setting.

    Attributes:
        library: The library; its best setting is compared with ctckit.
        tuned_as: The setting whose tuned weights are used, because the search is the same or nearly the same.
    """

    make: type[Decoder]
    library: str = ""
    tuned_as: str = ""
