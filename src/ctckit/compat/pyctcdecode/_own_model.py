"""A language model of the user's own, ``ctckit.language_models.LanguageModel``, with KenLM's methods."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import cached_property
from typing import Any

from ctckit.compat import kenlm
from ctckit.compat.kenlm import LN_10, UNKNOWN
from ctckit.decoding.fusion import fusion_models
from ctckit.errors import InvalidInputError
from ctckit.language_models.base import LanguageModelLike
from ctckit.language_models.ngram import NGramModel

END = "</s>"


class State:
    """What the model remembers of the words so far."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: Any = None

    def __eq__(self, other: object) -> bool:
        return bool(self.value == other.value) if isinstance(other, State) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.value)


class OwnModel:
    """A language model of words, in log10, as pyctcdecode asks for it.

    Args:
        given: An object with ``unit = "word"``, ``begin``, ``score`` and ``end``.

    Raises:
        InvalidInputError: If it lacks one of them.
    """

    path = None  # it has no file

    def __init__(self, given: LanguageModelLike) -> None:
        (self.given,) = fusion_models(given).given
        if self.given.unit != "word":
            raise InvalidInputError(
                f"The language model is one of unit {self.given.unit!r}; expected one of words, unit = 'word'. "
                "BeamDecoder takes the others."
            )

    @property
    def order(self) -> int:
        """One more than the number of words that it remembers: all, unless it says so."""
        return int(getattr(self.given, "order", sys.maxsize))

    @cached_property
    def words(self) -> dict[str, None] | None:
        """The words that it lists, in its order, without ``<unk>``; None if it lists none."""
        return (
            dict.fromkeys(word for word in self.given if word != UNKNOWN) if isinstance(self.given, Iterable) else None
        )

    def __contains__(self, word: str) -> bool:
        return self.words is None or word in self.words

    def BeginSentenceWrite(self, state: State) -> None:  # noqa: N802, KenLM's name
        """Set ``state`` to the state before the first word of a text."""
        state.value = self.given.begin()

    def NullContextWrite(self, state: State) -> None:  # noqa: N802
        """Set ``state`` to that of a text whose beginning is not known."""
        state.value = getattr(self.given, "without_context", self.given.begin)()

    def BaseScore(self, in_state: State, word: str, out_state: State) -> float:  # noqa: N802
        """Return log10 p(word | in_state), and set ``out_state`` to the state after the word."""
        if word == END:
            return self.given.end(in_state.value) / LN_10
        nats, out_state.value = self.given.score(in_state.value, word if word in self else UNKNOWN)
        return nats / LN_10


def with_kenlm_methods(model: Any) -> Any:
    """Return a language model of ctckit or of the user's own with KenLM's methods; any other object as it is."""
    if isinstance(model, NGramModel):
        return kenlm.Model(model)
    return OwnModel(model) if hasattr(model, "begin") and hasattr(model, "end") else model
