"""Any language model as the search uses it: its entries and its states are numbers.

A search asks a model in a *session*, which numbers the states. States that are hashable and equal have one number. A
session serves one search, in one thread at a time; it forgets the states that the search does not need any more.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit import _checks
from ctckit.errors import InvalidInputError
from ctckit.language_models.base import UNKNOWN, LanguageModel

UNKNOWN_ENTRY, END_ENTRY, FIRST_ENTRY = range(3)
EMPTY, START, FIRST_STATE = range(3)


class NumberedModel:
    """A language model whose entries are numbers: 0 is "<unk>", 1 is </s>, and ``find`` gives the others theirs.

    Args:
        model: A ``LanguageModel``, or an object with its methods.

    Attributes:
        unigrams: (E,) float64 log p without context, for the look-ahead: of the entries that ``find_words`` was asked
            for, and of "<unk>". 0 for other entries, and where the model cannot tell; later entries count as 0.

    Example:
        >>> from ctckit import NGramModel
        >>> model = NumberedModel(NGramModel.train(["a rose is a rose"], order=2))
        >>> session = model.session()
        >>> log_prob, state = session.query(model.start, model.find("a"))
        >>> round(log_prob, 3), round(session.query(state, model.end)[0], 3)
        (-0.431, -2.303)
    """

    unknown, end = UNKNOWN_ENTRY, END_ENTRY
    empty, start = EMPTY, START

    def __init__(self, model: Any) -> None:
        self.model = model
        self.entries = [UNKNOWN, "</s>"]
        self._numbers = {UNKNOWN: UNKNOWN_ENTRY}
        self.unigrams: npt.NDArray[np.float64] = np.zeros(FIRST_ENTRY)

    def find(self, entry: str) -> int:
        """Return the number of an entry, a new one if it has none yet."""
        number = self._numbers.setdefault(entry, len(self.entries))
        if number == len(self.entries):
            self.entries.append(entry)
        return number

    def find_words(self, words: Iterable[str]) -> list[int]:
        """Return the numbers of words, and learn their log-probabilities without context.

        Raises:
            InvalidInputError: If one is no log-probability.
        """
        found = [self.find(word) for word in words]
        unigram = getattr(self.model, "unigram", None)
        self.unigrams = np.zeros(len(self.entries))
        if unigram is not None and getattr(unigram, "__func__", None) is not LanguageModel.unigram:
            for number in (UNKNOWN_ENTRY, *dict.fromkeys(found)):
                entry = self.entries[number]
                self.unigrams[number] = self.checked(unigram(entry), f"unigram({entry!r})")
        return found

    def look_ahead(self, entry: int) -> float:
        """Return log p(entry) without context; where that is −∞, that of "<unk>" or 0."""
        if entry >= len(self.unigrams):
            return 0.0
        found = (float(self.unigrams[number]) for number in (entry, UNKNOWN_ENTRY))
        return next((each for each in found if each > -math.inf), 0.0)

    def session(self) -> Session:
        """Return a new session."""
        return Session(self)

    def checked(self, value: Any, call: str) -> float:
        """Return what a method returned as a log-probability.

        Raises:
            InvalidInputError: If it is none; names the ``call``.
        """
        if isinstance(value, (bool, str, bytes)):  # a string would be read as a number
            raise self.unexpected(call, repr(value), "Return a float.")
        try:
            log_prob = float(value)
        except (TypeError, ValueError, OverflowError):
            raise self.unexpected(call, repr(value), "Return a float.") from None
        if log_prob <= 0.0:
            return log_prob
        if log_prob <= _checks.LOG_PROB_SLACK:  # a rounding error; NaN compares False
            return 0.0
        remedy = "Check the model on this entry." if math.isnan(log_prob) else "Return the logarithm of a probability."
        raise self.unexpected(call, repr(log_prob), remedy)

    def unexpected(self, call: str, found: str, remedy: str) -> InvalidInputError:
        """Return the error for a method that returned something else than a log-probability."""
        return InvalidInputError(
            f"language_model: {type(self.model).__name__}.{call} returned {found}; expected a log-probability in "
            f"nats, at most 0 (−∞ for what is impossible). {remedy}"
        )


class Session:
    """One search's talk with a model. Its states are numbers: 0 is no context, 1 the beginning of a text.

    A copy, in a pickle or not, has the same numbers for the states that both know.
    """

    unknown, end = UNKNOWN_ENTRY, END_ENTRY
    empty, start = EMPTY, START

    def __init__(self, model: NumberedModel) -> None:
        self._model = model
        self._states: dict[int, Any] = {}
        self._numbers: dict[Any, int] = {}  # of hashable states
        self._next = FIRST_STATE
        self._known: dict[tuple[int, int], tuple[float, int]] = {}  # answers of query()

    def query(self, state: int, word: int) -> tuple[float, int]:
        """Return log p(word | state) and the state after the word. The model is asked once."""
        key = state, word
        if key not in self._known:
            self._known[key] = self.ask([state], [word])[0]
        return self._known[key]

    def ask(self, states: Sequence[int], entries: Sequence[int]) -> list[tuple[float, int]]:
        """Return the answers to queries, without remembering them. After </s>, the state stays.

        Raises:
            InvalidInputError: If the model returns something else than log-probabilities and states.
            Exception: Whatever the model raises.
        """
        names, model = self._model.entries, self._model.model
        inner = [k for k, entry in enumerate(entries) if entry != END_ENTRY]
        given = [self._state(states[k]) for k in inner]
        asked = [names[entries[k]] for k in inner]
        many = getattr(model, "score_many", None)
        if many is None or len(asked) == 1:
            results = [model.score(state, entry) for state, entry in zip(given, asked, strict=True)]
        else:
            results = self._list_of(many(given, asked), len(asked)) if asked else []
        answers = [(0.0, state) for state in states]
        for k, entry, result in zip(inner, asked, results, strict=True):
            answers[k] = self._answer(entry, result)
        for k, number in enumerate(entries):
            if number == END_ENTRY:
                answers[k] = self._model.checked(model.end(self._state(states[k])), "end(state)"), states[k]
        return answers

    def _list_of(self, results: Any, count: int) -> list[Any]:
        listed = list(results) if isinstance(results, Iterable) else None
        if listed is None or len(listed) != count:
            found = f"{len(listed)} results" if listed is not None else repr(results)
            raise InvalidInputError(
                f"language_model: {type(self._model.model).__name__}.score_many(states, entries) returned {found} for "
                f"{count} entries; expected a list with a pair for each, the log-probability and the state after it."
            )
        return listed

    def _answer(self, entry: str, result: Any) -> tuple[float, int]:
        try:
            log_prob, state = result
        except (TypeError, ValueError):
            raise InvalidInputError(
                f"language_model: {type(self._model.model).__name__}.score(state, {entry!r}) returned {result!r}; "
                "expected a pair: the log-probability in nats, and the state after the entry."
            ) from None
        if not (type(log_prob) is float and log_prob <= 0.0):
            log_prob = self._model.checked(log_prob, f"score(state, {entry!r})")
        return log_prob, self._number(state)

    def _number(self, state: Any) -> int:
        """Return the number of a state, a new one if no equal state has one."""
        try:
            number = self._numbers.setdefault(state, self._next)
        except TypeError:  # not hashable
            number = self._next
        if number == self._next:
            self._states[number] = state
            self._next += 1
        return number

    def _state(self, number: int) -> Any:
        if number not in self._states:
            if number not in (EMPTY, START):
                raise InvalidInputError(
                    f"a search has a state of its language model, {number}, that the session does not know. Was the "
                    "stream unpickled from damaged bytes? Pickle it again."
                )
            model = self._model.model
            begin = model.begin if number == START else getattr(model, "without_context", model.begin)
            self._keep({number: begin()})
        return self._states[number]

    def _keep(self, states: Mapping[int, Any]) -> None:
        self._states.update(states)
        for number, state in states.items():
            try:
                self._numbers.setdefault(state, number)
            except TypeError:
                continue

    def keep_only(self, numbers: Iterable[int]) -> None:
        """Forget all other states, and all answers."""
        states = self._states
        self._states, self._numbers, self._known = {}, {}, {}
        self._keep({number: states[number] for number in {EMPTY, START, *numbers} if number in states})

    def copy(self) -> Session:
        """Return a session with the same states, which goes its own way."""
        copied = Session(self._model)
        copied._states, copied._numbers, copied._known = dict(self._states), dict(self._numbers), dict(self._known)
        copied._next = self._next
        return copied

    def __getstate__(self) -> dict[str, Any]:
        return {"_model": self._model, "_states": self._states, "_next": self._next}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _states={}, _numbers={}, _known={})
        self._keep(state["_states"])
